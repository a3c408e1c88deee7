//! A network that was changed again and again is the network that a fresh start of its last
//! definition makes.

use std::fs;

use rstest::rstest;
use vnet_tests::{isolate, run, vnet};

use crate::definitions::{Definition, NAT, all};
use crate::seen::everything;

fn call(arguments: &[&str]) {
    run(vnet().to_str().unwrap(), &[&["--state-dir", "/run/vnet"], arguments].concat());
}

fn bring_up(command: &str, definition: &Definition) {
    fs::write("/run/lab.xml", definition.text()).unwrap();
    call(&[command, "/run/lab.xml"]);
}

fn attach() {
    for (number, dev, more) in [(1, "ta", ""), (2, "tb", "<port isolated='yes'/>")] {
        let text = format!(
            "<interface type='network'>
             <source network='lab' portid='00000000-0000-4000-8000-00000000000{number}'/>
             <mac address='52:54:00:00:0a:0{number}'/><target dev='{dev}'/>{more}</interface>"
        );
        fs::write("/run/port.xml", text).unwrap();
        call(&["attach", "/run/port.xml"]);
    }
}

/// In the order of a linear congruential generator (Knuth's).
fn shuffled(mut seed: u64) -> Vec<Definition> {
    let mut keyed: Vec<(u64, Definition)> = all()
        .into_iter()
        .map(|definition| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 32, definition)
        })
        .collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, definition)| definition).collect()
}

#[rstest]
#[case::each_after_another(1, 1)]
#[case::in_chains_of_three(2, 3)]
#[case::in_other_chains_of_three(3, 3)]
fn a_changed_network_is_as_a_fresh_one(#[case] seed: u64, #[case] length: usize) {
    isolate!();
    let definitions = shuffled(seed);
    bring_up("start", &NAT);
    attach();
    for chain in definitions.chunks(length) {
        chain.iter().for_each(|definition| bring_up("apply", definition));
        let changed = everything();
        call(&["stop", "lab"]);
        let last = chain.last().unwrap();
        bring_up("start", last);
        attach();
        let fresh = everything();
        let only = |these: &[String], those: &[String]| {
            these.iter().filter(|line| !those.contains(line)).cloned().collect::<Vec<_>>().join("\n")
        };
        let text = fs::read_to_string("/run/lab.xml").unwrap();
        assert!(
            changed == fresh,
            "{text}\nonly when changed:\n{}\nonly when fresh:\n{}",
            only(&changed, &fresh),
            only(&fresh, &changed)
        );
    }
    call(&["stop", "lab"]);
}
