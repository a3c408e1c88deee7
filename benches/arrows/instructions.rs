//! Runs one arrow of the data flow a number of times, to count its instructions: `cargo xtask
//! instructions`.

use std::hint::black_box;

use vnet_arrows::{DEFAULT, PASST, dual_stack, many_hosts};
use vnet_xml::network::{Command, Section};
use vnet_xml::{Interface, Network};

/// The arrows by name, with the number of runs for each.
type Arrow = (&'static str, u32, fn(u32));

const ARROWS: &[Arrow] = &[
    ("parse default", 100, |times| parse(DEFAULT, times)),
    ("print default", 100, |times| print(DEFAULT, times)),
    ("check default", 100, |times| check(DEFAULT, times)),
    ("parse dual-stack", 100, |times| parse(&dual_stack(), times)),
    ("print dual-stack", 100, |times| print(&dual_stack(), times)),
    ("parse 1000-hosts", 2, |times| parse(&many_hosts(1000), times)),
    ("print 1000-hosts", 2, |times| print(&many_hosts(1000), times)),
    ("check 1000-hosts", 2, |times| check(&many_hosts(1000), times)),
    ("update 1000-hosts", 2, |times| update(&many_hosts(1000), times)),
    ("parse passt", 100, |times| (0..times).for_each(|_| drop(black_box(Interface::parse(PASST.as_bytes()))))),
    ("check passt", 100, |times| {
        let interface: Interface = PASST.parse().expect("a sound interface");
        (0..times).for_each(|_| drop(black_box(vnet_validate::check(&interface))));
    }),
];

fn parse(text: &str, times: u32) {
    (0..times).for_each(|_| drop(black_box(Network::parse(text.as_bytes()))));
}

fn print(text: &str, times: u32) {
    let network: Network = text.parse().expect("a sound network");
    (0..times).for_each(|_| drop(black_box(network.to_string())));
}

fn check(text: &str, times: u32) {
    let network: Network = text.parse().expect("a sound network");
    (0..times).for_each(|_| drop(black_box(vnet_validate::check(&network))));
}

fn update(text: &str, times: u32) {
    let network: Network = text.parse().expect("a sound network");
    let host = b"<host mac='52:54:00:ff:00:01' ip='10.0.9.9'/>";
    let update = |_| drop(black_box(network.update(Section::IpDhcpHost, Command::AddLast, None, host)));
    (0..times).for_each(update);
}

/// Without arguments: prints the names and the numbers of runs. With `NAME TIMES`: runs an arrow.
#[allow(clippy::print_stdout, reason = "a program for another")]
fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [name, times] = &words[..] else {
        ARROWS.iter().for_each(|(name, times, _)| println!("{name} {times}"));
        return;
    };
    let (_, _, run) = ARROWS.iter().find(|(it, ..)| it == name).expect("the name of an arrow");
    run(times.parse().expect("a number"));
}
