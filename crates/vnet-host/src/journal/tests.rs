#![allow(clippy::unwrap_used, reason = "a test")]

use vnet_plan::{Sysctl, SysctlSetting};

use super::*;
use crate::Namespace;

fn switch(value: u32) -> Resource {
    SysctlSetting { switch: Sysctl::Ipv4Forward, value }.into()
}

fn header() -> Header {
    let (network, namespace) = ("lab".parse().unwrap(), Namespace::new(1, 2));
    Header { network, uuid: None, bridge: None, namespace, owner: None, awaits_hooks: false, of_libvirt: false }
}

/// A temporary folder of receipts, removed on drop.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn store(name: &str) -> (Folder, Store) {
    let folder = std::env::temp_dir().join(format!("vnet-journal-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    (Folder(folder.clone()), Store::new(folder))
}

#[test]
fn a_receipt_does_not_grow() {
    let (_folder, store) = store("growth");
    let path = store.receipt_path::<Header>(&header().network);
    let mut receipt = Receipt::new(header());
    let mut sizes = Vec::new();
    for value in 1..100 {
        let change = match value {
            1 => Change::Create { to: switch(1) },
            _ => Change::Update { from: switch(value - 1), to: switch(value) },
        };
        let mut journal = Journal::begin(&store, receipt.clone(), &[change]).unwrap();
        let begun: Receipt = read(&path).unwrap().unwrap();
        assert!(!begun.settled && begun.act.is_some());
        assert_eq!(begun.owned.get(&switch(1).key()), Some(&switch(value)));
        journal.note(0, Fact::Link(7)).unwrap();
        assert_eq!(read::<Header>(&path).unwrap().unwrap().facts.get(&switch(1).key()), Some(Fact::Link(7)));
        receipt.settled = true;
        receipt.owned.insert(switch(value));
        receipt.facts.set(switch(1).key(), Some(Fact::Link(7)));
        journal.commit(&receipt).unwrap();
        assert_eq!(read(&path).unwrap().as_ref(), Some(&receipt));
        assert_eq!(super::header::<Header>(&path).unwrap(), Some(header()));
        sizes.push(fs::metadata(&path).unwrap().len());
    }
    assert!(sizes.iter().all(|size| size - sizes[0] <= 1), "{sizes:?}");
    assert!(!store.new_receipt_path().exists());
}

#[test]
fn an_act_that_is_given_up_leaves_what_was() {
    let (_folder, store) = store("abort");
    let path = store.receipt_path::<Header>(&header().network);
    let before = Receipt { settled: true, owned: [switch(1)].into_iter().collect(), ..Receipt::new(header()) };
    let change = Change::Update { from: switch(1), to: switch(2) };
    let mut journal = Journal::begin(&store, before.clone(), &[change]).unwrap();
    journal.note(0, Fact::Link(7)).unwrap();
    journal.abort().unwrap();
    assert_eq!(read(&path).unwrap(), Some(before));
}

/// A receipt that is cut anywhere reads as the snapshot, as the snapshot with its act, or as
/// cut short.
#[test]
fn a_receipt_that_is_cut_short_is_told() {
    let (_folder, store) = store("cut");
    let path = store.receipt_path::<Header>(&header().network);
    let before = Receipt { owned: [switch(1)].into_iter().collect(), ..Receipt::new(header()) };
    let change = Change::Delete { from: switch(1) };
    let mut journal = Journal::begin(&store, before.clone(), &[change]).unwrap();
    journal.note(0, Fact::Link(7)).unwrap();
    let text = fs::read(&path).unwrap();
    let snapshot = before.text().len();
    for cut in 0..=text.len() {
        fs::write(&path, &text[..cut]).unwrap();
        match read::<Header>(&path) {
            Err(Error::CutShort { .. }) => assert!(cut < snapshot, "{cut}"),
            Ok(Some(receipt)) => assert!(cut >= snapshot && receipt.header == header(), "{cut}"),
            other => panic!("{cut}: {other:?}"),
        }
    }
}

#[test]
fn a_newer_receipt_is_told() {
    let (_folder, store) = store("newer");
    let path = store.receipt_path::<Header>(&header().network);
    store.make::<Header>(&header().network).unwrap();
    fs::write(&path, "{\"receipt\":3,\"anything\":0}\n").unwrap();
    assert!(matches!(read::<Header>(&path), Err(Error::NewerReceipt { version: 3, .. })));
    assert!(matches!(super::header::<Header>(&path), Err(Error::NewerReceipt { version: 3, .. })));
}
