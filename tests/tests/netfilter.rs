//! Transactions and lists of nf_tables through vnet-netlink, seen through `nft`.
#![allow(clippy::unwrap_used, reason = "a test")]

use nix::errno::Errno;
use nix::sys::socket::{getsockopt, setsockopt, sockopt::SndBuf};
use rstest::rstest;
use vnet_netlink::{Netfilter, Refused};
use vnet_tests::{isolate, json};

const NFNL_MSG_BATCH_BEGIN: u16 = 0x10;
const NFNL_MSG_BATCH_END: u16 = 0x11;
const NFT_MSG_NEWTABLE: u16 = 0x0a00;
const NFT_MSG_GETTABLE: u16 = 0x0a01;
const NFT_MSG_GETCHAIN: u16 = 0x0a04;
const NFT_MSG_DELTABLE: u16 = 0x0a02;
const NFPROTO_INET: u8 = 1;
const REQUEST: u16 = 0x1;
const ACK: u16 = 0x4;
const DUMP: u16 = 0x300;
const CREATE: u16 = 0x600;

/// A message about the table of that name (attribute 1 of tables, chains and rules alike).
fn message(kind: u16, flags: u16, sequence: u32, table: &str) -> Vec<u8> {
    let mut payload = vec![NFPROTO_INET, 0, 0, if kind < 0x100 { 10 } else { 0 }];
    if !table.is_empty() {
        let length = u16::try_from(4 + table.len() + 1).unwrap();
        payload.extend([&length.to_ne_bytes()[..], &1u16.to_ne_bytes(), table.as_bytes(), &[0]].concat());
        payload.resize(payload.len().next_multiple_of(4), 0);
    }
    let length = u32::try_from(16 + payload.len()).unwrap();
    let header = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &(REQUEST | flags).to_ne_bytes()];
    [&header.concat()[..], &sequence.to_ne_bytes(), &[0; 4], &payload].concat()
}

/// A batch that numbers its messages from 1; only the last asks for an acknowledgement.
fn batch(messages: &[(u16, u16, &str)]) -> Vec<u8> {
    let mut bytes = message(NFNL_MSG_BATCH_BEGIN, 0, 0, "");
    // The subsystem is nf_tables, in the byte order of the network.
    bytes[18..20].copy_from_slice(&[0, 10]);
    for (sequence, (kind, flags, table)) in (1..).zip(messages) {
        let ack = if sequence as usize == messages.len() { ACK } else { 0 };
        bytes.extend(message(*kind, flags | ack, sequence, table));
    }
    let mut end = message(NFNL_MSG_BATCH_END, 0, u32::MAX, "");
    end[18..20].copy_from_slice(&[0, 10]);
    bytes.extend(end);
    bytes
}

fn add(tables: &[&str]) -> Vec<u8> {
    batch(&tables.iter().map(|table| (NFT_MSG_NEWTABLE, CREATE, *table)).collect::<Vec<_>>())
}

fn tables() -> Vec<String> {
    let listed = json("nft", &["-j", "list", "tables"]);
    let listed = listed["nftables"].as_array().unwrap().iter();
    listed.filter_map(|it| it["table"]["name"].as_str()).map(str::to_owned).collect()
}

fn cause(refused: &Refused) -> (Option<u32>, Errno) {
    (refused.sequence, Errno::from_raw(refused.errno))
}

#[test]
fn a_batch_is_one_transaction() {
    isolate!();
    let netfilter = Netfilter::open().unwrap();
    netfilter.commit(&add(&["a", "b"])).unwrap();
    assert_eq!(tables(), ["a", "b"]);
    netfilter.commit(&batch(&[(NFT_MSG_DELTABLE, 0, "a"), (NFT_MSG_NEWTABLE, CREATE, "c")])).unwrap();
    assert_eq!(tables(), ["b", "c"]);
}

#[rstest]
#[case::first(&["there", "a", "b"], 1)]
#[case::last(&["a", "b", "there"], 3)]
#[case::first_of_several(&["a", "there", "b", "there"], 2)]
fn a_refused_batch_leaves_nothing(#[case] names: &[&str], #[case] sequence: u32) {
    isolate!();
    let netfilter = Netfilter::open().unwrap();
    netfilter.commit(&add(&["there"])).unwrap();
    let refused = netfilter.commit(&add(names)).unwrap_err();
    assert!(refused.is_exists());
    assert_eq!(cause(&refused), (Some(sequence), Errno::EEXIST));
    assert_eq!(tables(), ["there"]);
    // What is left of the answer does not disturb the next, which has the same numbers.
    netfilter.commit(&add(&["a", "b", "c", "d"])).unwrap();
    assert_eq!(tables(), ["there", "a", "b", "c", "d"]);
}

#[test]
fn lists_are_read_to_the_end() {
    isolate!();
    let netfilter = Netfilter::open().unwrap();
    let names: Vec<_> = (0..1000).map(|number| format!("table-{number}")).collect();
    let add = add(&names.iter().map(String::as_str).collect::<Vec<_>>());
    netfilter.commit(&add).unwrap();
    let listed = netfilter.dump(&message(NFT_MSG_GETTABLE, DUMP, 0, "")).unwrap();
    assert_eq!(listed.len(), 1000);
    for (message, name) in listed.iter().zip(&names) {
        assert_eq!(&message[4..6], NFT_MSG_NEWTABLE.to_ne_bytes());
        assert!(message.windows(name.len()).any(|it| it == name.as_bytes()), "{name}");
    }
    assert_eq!(netfilter.dump(&message(NFT_MSG_GETCHAIN, DUMP, 0, "")).unwrap(), Vec::<Vec<u8>>::new());
    assert_eq!(netfilter.dump(&message(NFT_MSG_GETTABLE, 0, 0, "table-7")).unwrap().len(), 1, "not a list");
    assert!(netfilter.dump(&message(NFT_MSG_GETTABLE, 0, 0, "table-x")).unwrap_err().is_not_found());
}

/// Twice `net.core.wmem_max`, which an older kernel shows to the first network namespace only.
fn largest_send_buffer() -> usize {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    setsockopt(&socket, SndBuf, &(i32::MAX as usize / 4)).unwrap();
    getsockopt(&socket, SndBuf).unwrap()
}

/// Above the default send buffer, and above any that this user may have.
#[test]
fn batches_may_be_as_large_as_the_user_is_allowed() {
    isolate!();
    let netfilter = Netfilter::open().unwrap();
    let limit = largest_send_buffer();
    let large = |size: usize| {
        let one = message(NFT_MSG_NEWTABLE, 0, 0, "a").len();
        batch(&vec![(NFT_MSG_NEWTABLE, 0, "a"); size / one])
    };
    netfilter.commit(&large(limit - 1000)).unwrap();
    assert_eq!(tables(), ["a"]);
    let refused = netfilter.commit(&large(limit + 1000)).unwrap_err();
    assert!(refused.is_too_large());
    assert!(refused.to_string().contains("net.core.wmem_max"), "{refused}");
}

#[rstest]
#[case::empty(Vec::new(), Errno::EINVAL)]
#[case::nothing_to_wait_for(batch(&[]), Errno::EINVAL)]
#[case::cut_short(add(&["a"])[..30].to_vec(), Errno::EBADMSG)]
fn a_batch_without_an_answer_is_not_sent(#[case] batch: Vec<u8>, #[case] errno: Errno) {
    isolate!();
    assert_eq!(cause(&Netfilter::open().unwrap().commit(&batch).unwrap_err()), (None, errno));
    assert_eq!(tables(), [] as [&str; 0]);
}
