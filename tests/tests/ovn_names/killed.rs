//! Processes that are killed while a host has guests, and so a name server: whoever comes next ends
//! what they have left.

use std::fs;

use vnet_tests::{OvnHost, isolate};

use super::{WEB, cluster, left, name_server};

const ATTACH: [&str; 4] = ["attach", "/tmp/web.xml", "--guest", "web"];
/// The calls by which a process tells others or the disk something.
const CALLS: &str = "sendto,sendmsg,write,?rename,?renameat,renameat2,?unlink,unlinkat";

/// A command that is killed.
struct Killed {
    command: &'static [&'static str],
    /// It is killed at each of so many calls; with `VNET_SWEEP=all` at each.
    stride: usize,
    /// What is done before, on this host and on another one.
    before: fn(&OvnHost, &OvnHost),
    /// What ends it all. The number says which of several ways.
    after: fn(&OvnHost, &OvnHost, usize),
}

const ALL: [Killed; 4] = [
    Killed {
        command: &ATTACH,
        stride: 13,
        before: |one, _| tries(one, &["start", "lab"]),
        after: |one, _, number| match number % 3 {
            0 => {
                detach(one);
                tries(one, &["gc"]);
            }
            1 => {
                tries(one, &ATTACH);
                assert_eq!(name_server(one), "in-sync", "the attach that was killed at call {number} is done");
                detach(one);
            }
            _ => {
                tries(one, &["stop", "lab"]);
                detach(one);
            }
        },
    },
    Killed {
        command: &["start", "lab"],
        stride: 17,
        before: |one, _| {
            tries(one, &["start", "lab"]);
            tries(one, &ATTACH);
            tries(one, &["stop", "lab"]);
        },
        after: |one, _, _| tries(one, &["stop", "lab"]),
    },
    Killed {
        command: &["stop", "lab"],
        stride: 11,
        before: |one, _| tries(one, &["start", "lab"]),
        after: |one, two, number| match number % 2 {
            0 => tries(one, &["stop", "lab"]),
            _ => {
                tries(two, &["stop", "lab"]);
                tries(one, &["gc"]);
            }
        },
    },
    Killed {
        command: &["gc"],
        stride: 11,
        before: |one, two| {
            tries(one, &["start", "lab"]);
            tries(two, &["stop", "lab"]);
        },
        after: |one, _, _| tries(one, &["gc"]),
    },
];

/// It may be done already.
fn tries(host: &OvnHost, arguments: &[&str]) {
    host.vnet(arguments, "");
}

fn detach(host: &OvnHost) {
    for port in host.does(&["ports"], "")["ports"].as_array().unwrap() {
        tries(host, &["detach", port["name"].as_str().unwrap()]);
    }
}

#[test]
fn what_was_killed_is_ended_by_the_next() {
    isolate!();
    let (lab, _resolvers) = cluster();
    let [one, two] = &lab.hosts[..] else { unreachable!() };
    fs::write("/tmp/web.xml", OvnHost::interface("lab", WEB, "")).unwrap();
    let is_all = std::env::var("VNET_SWEEP").is_ok_and(|all| all == "all");
    let mut had_some = 0;
    for Killed { command, stride, before, after } in ALL {
        let mut deaths = 0;
        for number in (1..).step_by(if is_all { 1 } else { stride }) {
            before(one, two);
            let died = one.killed(command, CALLS, number);
            deaths += usize::from(died);
            had_some += usize::from(died && !left(one).is_empty());
            after(one, two, number);
            assert_eq!(left(one), Vec::<String>::new(), "{command:?} killed at call {number}");
            if !died {
                break;
            }
        }
        assert!(deaths > 0, "{command:?}");
    }
    assert!(had_some > 1, "{had_some}");
}
