//! The same in a virtual machine whose clock counts instructions: how many a packet takes. They do
//! not depend on what else the host does.

use std::time::Duration;

use vnet_benches::median;
use vnet_types::Family;

use crate::forward::{Lab, Rules};
use crate::rules::Mode::{Nat, Routed};

/// Rounds differ by a hundredth, and one now and then by a tenth: the kernel has other work, too.
const ROUNDS: usize = 5;
const DATAGRAMS: Duration = Duration::from_millis(8);
const STREAM: Duration = Duration::from_millis(20);
/// A nanosecond of the machine is an instruction.
const INSTRUCTIONS: f64 = 1e9;

pub(crate) fn report() -> String {
    let rules = vec![
        Rules::None,
        Rules::Masquerade,
        Rules::Unfiltered,
        Rules::Ours(1, Nat),
        Rules::Accelerated(Nat),
        Rules::Ours(1, Routed),
        Rules::Accelerated(Routed),
    ];
    let with_libvirt = [&rules[..], &[Rules::Libvirt(1, Nat), Rules::Ours(200, Nat)]].concat();
    let parts = [
        ("IPv4", Family::Ipv4, false, with_libvirt),
        ("IPv4, the guest behind a bridge", Family::Ipv4, true, rules.clone()),
        ("IPv6", Family::Ipv6, false, rules),
    ];
    let mut text = "## Forwarding, in instructions

Made by `cargo xtask bench vm`: the same laboratory in a virtual machine of one processor whose clock counts instructions. UDP:
instructions for each datagram of 36 bytes, from send(2) to the receiver's queue, from the guest to the outside and from the
outside to the guest. TCP: instructions for each KiB of one connection, with both ends. `of none` and `of one masquerade` are shares
of the speed without rules and with that rule: more than 1 is faster. A byte that is copied counts as an instruction.
"
    .to_owned();
    for (name, family, bridged, rules) in parts {
        text += &format!("\n### {name}\n\n{}", table(rules, family, bridged));
    }
    text
}

fn table(wanted: Vec<Rules>, family: Family, bridged: bool) -> String {
    let labs: Vec<Lab> = wanted.into_iter().map(|rules| Lab::new(rules, family, bridged)).collect();
    let mut measured: Vec<[Vec<f64>; 3]> = labs.iter().map(|_| Default::default()).collect();
    for _ in 0..ROUNDS {
        for (lab, measured) in labs.iter().zip(&mut measured) {
            measured[0].push(lab.datagrams(true, DATAGRAMS));
            measured[1].push(lab.datagrams(false, DATAGRAMS));
            measured[2].push(lab.stream(STREAM) / 1024.0);
        }
    }
    let measured: Vec<[f64; 3]> =
        measured.into_iter().map(|kinds| kinds.map(|values| INSTRUCTIONS / median(values))).collect();
    let shares = "of none | of one masquerade";
    let mut text =
        format!("| rules | UDP to the outside | {shares} | UDP to the guest | {shares} | TCP | {shares} |\n");
    text += &format!("|---{}|\n", "|---".repeat(9));
    for (lab, values) in labs.iter().zip(&measured) {
        text += &format!("| {} ", lab.rules.words());
        for (kind, value) in values.iter().enumerate() {
            let [none, masquerade] = [0, 1].map(|of| measured[of][kind] / value);
            text += &format!("| {value:.0} | {none:.2} | {masquerade:.2} ");
        }
        text += "|\n";
    }
    text
}
