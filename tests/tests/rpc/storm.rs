//! Very many clients, and frames that are wrong in any place: what is left of them in the server.

use std::fs;
use std::path::Path;
use std::thread;

use vnet_rpc::{Call, Frame, FrameHeader, HEADER_LENGTH, Reply, frame_length};
use vnet_tests::{isolate, wait_for};

use crate::lab::Client;
use crate::program::{Daemon, SOON};
use crate::recording::{self, Line};

const MIB: u64 = 1024;
/// How many frames each of some clients sends before it reads the replies.
const AT_ONCE: u64 = 64;
/// The procedure that ends a connection.
const CLOSE: i32 = 2;
/// The number of the call after a batch.
const MARK: u32 = 0xffff_fffe;

/// 200 clients make 10 000 calls while others send 100 000 frames with wrong bytes;
/// `VNET_SWEEP=all` makes that some millions.
#[test]
fn a_storm_leaves_nothing_behind() {
    isolate!();
    let daemon = Daemon::start();
    Client::open().define("<network><name>lab</name><bridge name='virbr7'/></network>");
    let process = Path::new("/proc").join(daemon.0.id().to_string());
    let count = |what: &str| fs::read_dir(process.join(what)).unwrap().count();
    let is_quiet = || (count("task") == 1).then(|| count("fd"));
    let before = wait_for(SOON, "no connection", is_quiet);
    let frames = recorded();
    let batches = if std::env::var("VNET_SWEEP").is_ok_and(|all| all == "all") { 16_000 } else { 400 };
    thread::scope(|scope| {
        for seed in 1..=4 {
            scope.spawn({
                let frames = &frames;
                move || send_wrong(frames, seed, batches)
            });
        }
        for _ in 0..200 {
            scope.spawn(|| {
                let mut client = Client::open();
                for _ in 0..25 {
                    let found = client.done(&Call::NetworkLookupByName { name: "lab".to_owned() });
                    let Reply::Network { network } = found else { panic!("{found:?}") };
                    assert_eq!(client.done(&Call::NetworkIsActive { network }), Reply::Int { value: 0 });
                }
            });
        }
    });
    assert_eq!(wait_for(SOON, "the end of all connections", is_quiet), before, "files are left open");
    let status = fs::read_to_string(process.join("status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 64 * MIB, "{peak} KiB");
}

fn is_whole(frame: &[u8]) -> bool {
    frame.len() >= HEADER_LENGTH
        && frame.first_chunk().is_some_and(|length| frame_length(*length) == Some(frame.len() - 4))
}

/// The frames of clients in all recordings.
fn recorded() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for folder in fs::read_dir("../testdata/rpc").unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        for file in fs::read_dir(folder.path()).unwrap().flatten() {
            let lines = recording::read(&fs::read_to_string(file.path()).unwrap());
            frames.extend(lines.into_iter().filter_map(|line| match line {
                Line::Client(bytes) => Some(bytes),
                _ => None,
            }));
        }
    }
    // Those that end a connection would make it a test of connecting.
    frames.retain(|frame| is_whole(frame) && frame[12..16] != CLOSE.to_be_bytes());
    frames.sort();
    frames.dedup();
    assert!(frames.len() > 50);
    frames
}

/// Sends frames with one to four wrong bytes. Each batch is answered, or its connection is closed.
/// On the read-only socket no frame is right by chance and makes something.
fn send_wrong(frames: &[Vec<u8>], mut seed: u64, batches: u64) {
    let mut random = |below: usize| {
        // xorshift64: the same frames each time.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed >> 33).unwrap() % below
    };
    let mark = Call::ConnectGetType {};
    let mark = Frame::new(FrameHeader::call(mark.procedure().number(), MARK), mark.to_payload());
    let mut client = Client::reader();
    for batch in 0..batches {
        let mut bytes = Vec::new();
        for _ in 0..AT_ONCE {
            let mut frame = frames[random(frames.len())].clone();
            for _ in 0..=random(4) {
                // A wrong length takes what follows for its payload, and nothing is answered.
                let at = 4 + random(frame.len() - 4);
                frame[at] = u8::try_from(random(256)).unwrap();
            }
            bytes.extend(frame);
        }
        if batch % 50 == 49 {
            let at = random(bytes.len());
            bytes.truncate(at);
            client.send(&bytes);
            client = Client::reader();
            continue;
        }
        bytes.extend(mark.to_bytes().unwrap());
        client.send(&bytes);
        let replies = std::iter::from_fn(|| client.receive());
        if !replies.map(|reply| reply.header.serial).any(|serial| serial == MARK) {
            client = Client::reader();
        }
    }
}
