#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;

use crate::journal::{self, Receipt};
use crate::{Header, Namespace, Store, hint};

fn write(store: &Store, number: usize, bridge: &str) {
    let (network, bridge) = (format!("n{number}").parse().unwrap(), Some(bridge.parse().unwrap()));
    let header = Header {
        network,
        uuid: None,
        bridge,
        namespace: Namespace::new(1, 2),
        owner: None,
        awaits_hooks: false,
        of_libvirt: false,
    };
    journal::write(store, &Receipt::new(header)).unwrap();
}

fn bridges(store: &Store) -> Vec<String> {
    let headers = store.headers::<Header>().unwrap();
    headers.into_iter().map(|header| header.bridge.unwrap().to_string()).collect()
}

/// A store of its own is what another process has, which remembers nothing.
#[test]
fn headers_are_those_of_the_receipts() {
    let root = std::env::temp_dir().join(format!("vnet-headers-{}", std::process::id()));
    fs::create_dir_all(&root).unwrap();
    let (store, kept) = (Store::new(&root), root.join(hint::NETWORKS));
    let mut expected: Vec<String> = (10..40).map(|number| format!("b{number}")).collect();
    let is_so = |expected: &[String], why: &str| {
        assert_eq!(bridges(&store), expected, "{why}");
        assert_eq!(bridges(&Store::new(&root)), expected, "{why}, by another process");
    };
    let lock = store.lock().unwrap();
    (10..39).for_each(|number| write(&store, number, &format!("b{number}")));
    assert_eq!(bridges(&store), expected[..29]);
    write(&store, 39, "b39");
    is_so(&expected, "while the lock is held");
    drop(lock);
    // A receipt that nobody looks at: the file tells its header.
    let hidden = |work: &dyn Fn()| {
        let receipt = root.join("n20/receipt");
        let text = fs::read(&receipt).unwrap();
        fs::write(&receipt, b"").unwrap();
        work();
        fs::write(&receipt, text).unwrap();
    };
    hidden(&|| is_so(&expected, "the file has all"));
    let whole = fs::read(&kept).unwrap();
    for round in 0..9 {
        let others = Store::new(&root);
        let lock = others.lock().unwrap();
        expected[0] = format!("c{round}");
        write(lock.store(), 10, &expected[0]);
        if round == 3 {
            lock.store().remove::<Header>(&"n39".parse().unwrap()).unwrap();
            expected.pop();
        }
        // Some holders of the lock ask, some do not.
        assert!(round % 2 == 0 || bridges(lock.store()) == expected);
        drop(lock);
        hidden(&|| is_so(&expected, "changes were added"));
    }
    let last = fs::read(&kept).unwrap();
    let wrong = [whole.clone(), last[..last.len() - 9].to_vec(), last[whole.len()..].to_vec(), Vec::new()];
    for old in wrong {
        fs::write(&kept, &old).unwrap();
        is_so(&expected, "the file is wrong");
        let lock = store.lock().unwrap();
        assert_eq!(bridges(&store), expected);
        drop(lock);
        hidden(&|| is_so(&expected, "it is written anew"));
    }
    fs::remove_dir_all(root.join("n11")).unwrap();
    expected.remove(1);
    is_so(&expected, "somebody has removed one");
    // The holder of the lock is killed.
    let killed = store.lock().unwrap();
    fs::write(root.join("n12/receipt"), fs::read_to_string(root.join("n12/receipt")).unwrap().replace("b12", "d12"))
        .unwrap();
    std::mem::forget(killed);
    expected[1] = "d12".to_owned();
    assert_eq!(bridges(&Store::new(&root)), expected);
    fs::remove_dir_all(root).unwrap();
}
