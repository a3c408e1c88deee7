//! Two networks in a host, and everyone sends everything to everyone: under libvirt's rules and
//! under ours the same becomes of it. What becomes of it is written down in
//! `crates/vnet-firewall/docs/matrix.md`; `VNET_BLESS=1` writes it anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;

use vnet_firewall::Ruleset;
use vnet_plan::{Choices, NetworkRules, Resource, preview};
use vnet_tests::{isolate, run};
use vnet_types::{Inventory, IpNet};
use vnet_xml::Network;

use crate::fate::Fate;
use crate::lab::{Lab, UPLINK};
use crate::probe::{Place, Probe, places, probes, round};
use crate::wire::Kind;
use crate::{commit, libvirt, load};

/// A case: its name, and the networks on `virbr0` and `virbr1`.
type Case = (&'static str, [Given; 2]);
/// An attribute of `<network>`, its `<forward>`, and the host's addresses in it.
type Given = (&'static str, &'static str, &'static [&'static str]);

const V4: &str = "192.168.122.1/24";
const V6: &str = "2001:db8:ca2:2::1/64";
const OTHER_V4: &str = "192.168.123.1/24";
const OTHER_V6: &str = "2001:db8:ca2:3::1/64";

const CASES: &[Case] = &[
    ("nat, and nat", [("", "<forward/>", &[V4]), ("", "<forward mode='nat'/>", &[OTHER_V4])]),
    (
        "nat with IPv6, which is routed, and route",
        [("", "<forward/>", &[V4, V6]), ("", "<forward mode='route'/>", &[OTHER_V4, OTHER_V6])],
    ),
    (
        "nat of IPv6, and ipv6='yes' without an address",
        [("", "<forward><nat ipv6='yes'/></forward>", &[V4, V6]), ("ipv6='yes'", "<forward/>", &[OTHER_V4])],
    ),
    ("route, and isolated", [("", "<forward mode='route'/>", &[V4]), ("", "", &[OTHER_V4, OTHER_V6])]),
    ("isolated, and route", [("", "", &[V4]), ("", "<forward mode='route'/>", &[OTHER_V4, OTHER_V6])]),
    ("isolated with IPv6, and nat", [("", "", &[V4, V6]), ("", "<forward/>", &[OTHER_V4])]),
    (
        "isolated without an address, and several subnets",
        [
            ("", "", &[]),
            ("", "<forward><nat ipv6='yes'/></forward>", &["10.0.0.1/24", OTHER_V4, "192.168.123.129/25", OTHER_V6]),
        ],
    ),
    (
        "nat through eth0, and route through eth1",
        [("", "<forward dev='eth0'/>", &[V4, V6]), ("", "<forward mode='route' dev='eth1'/>", &[OTHER_V4, OTHER_V6])],
    ),
    (
        "route through eth0, and nat of IPv6 through eth1",
        [
            ("", "<forward mode='route' dev='eth0'/>", &[V4, V6]),
            ("", "<forward dev='eth1'><nat ipv6='yes'/></forward>", &[OTHER_V4, OTHER_V6]),
        ],
    ),
    (
        "nat to a port range, and nat to an address and a port range",
        [
            ("", "<forward><nat ipv6='yes'><port start='500' end='1000'/></nat></forward>", &[V4, V6]),
            (
                "",
                "<forward><nat><address start='203.0.113.1' end='203.0.113.1'/><port start='500' end='1000'/></nat></forward>",
                &[OTHER_V4],
            ),
        ],
    ),
    (
        "nat to an address range, and open",
        [
            ("", "<forward><nat><address start='203.0.113.8' end='203.0.113.9'/></nat></forward>", &[V4]),
            ("", "<forward mode='open'/>", &[OTHER_V4, OTHER_V6]),
        ],
    ),
    ("open, and isolated", [("", "<forward mode='open'/>", &[V4, V6]), ("", "", &[OTHER_V4, OTHER_V6])]),
];

/// Where we decide otherwise than libvirt on purpose, in which cases, and why. What is listed has
/// to differ.
const DELIBERATE: &[(Kind, [&str; 2], &str)] = &[(
    Kind::UdpFragments,
    ["isolated with IPv6, and nat", "nat through eth0, and route through eth1"],
    "IPv6 fragments that are refused are rejected, not dropped. Where a network of IPv4 is translated and none of IPv6, libvirt's two \
     tables track connections of IPv4 alone. Our one table tracks those of both families, so the kernel has put the fragments \
     together and has something whole to reject.",
)];

#[test]
fn every_mode_decides_as_libvirt_does() {
    isolate!();
    let lab = Lab::new();
    // The addresses of a pool have to lead back.
    run("ip", &["address", "add", "203.0.113.8/32", "dev", "eth0"]);
    run("ip", &["address", "add", "203.0.113.9/32", "dev", "eth0"]);
    let mut bench = Bench::new(&lab, &[]);
    let mut text = INTRODUCTION.to_owned();
    for (kind, cases, reason) in DELIBERATE {
        let cases = cases.map(|case| format!("*{case}*")).join(" and ");
        write!(text, "\n{}\n", filled(&format!("{}, in {cases}: {reason}", kind.words())))
            .expect("a string takes everything");
    }
    let mut surprises = Vec::new();
    for (name, given) in CASES {
        let networks = [network("one", "virbr0", &given[0]), network("two", "virbr1", &given[1])];
        let commands = libvirt::commands(&[&networks[0], &networks[1]]);
        let (ours, different) = bench.compare(&|| load(&commands), &[&networks[0], &networks[1]]);
        surprises.extend(unexpected(name, &different));
        describe(&mut text, name, &bench.probes, &ours);
    }
    assert!(surprises.is_empty(), "{}", surprises.concat());
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/vnet-firewall/docs/matrix.md");
    if std::env::var_os("VNET_BLESS").is_some() {
        std::fs::write(&page, &text).expect("a writable folder");
    }
    let written = std::fs::read_to_string(&page).unwrap_or_default();
    assert!(
        text == written,
        "{} is not as expected; VNET_BLESS=1 writes it anew\n{}",
        page.display(),
        difference(&written, &text)
    );
}

#[test]
#[cfg_attr(not(libvirt_corpus), ignore = "VNET_LIBVIRT_CORPUS names no folder with libvirt's test data")]
fn every_case_of_libvirt_decides_as_its_commands_do() {
    isolate!();
    let folder = Path::new(env!("VNET_LIBVIRT_CORPUS_FOLDER"));
    let read =
        |file: &str| std::fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let manifest: Vec<serde_json::Value> = serde_json::from_str(&read("manifest.json")).expect("a list");
    let cases: Vec<_> = manifest.iter().filter(|case| case["kind"] == "firewall").collect();
    assert!(!cases.is_empty(), "the manifest has no case of kind firewall");
    let beside = network("beside", "virbr1", &("", "<forward mode='route'/>", &[OTHER_V4, OTHER_V6]));
    let lab = Lab::new();
    let mut device = UPLINK.to_owned();
    let mut surprises = Vec::new();
    for case in cases {
        let [input, nftables] = ["input", "nftables"].map(|field| case[field].as_str().expect("a file"));
        let network: Network = read(input).parse().unwrap_or_else(|error| panic!("{input}: {error}"));
        let wanted =
            network.forward.as_ref().and_then(|forward| forward.dev()).map_or(UPLINK, |device| device.as_str());
        if device != wanted {
            run("ip", &["link", "delete", &device]);
            lab.plug_uplink(wanted);
            device = wanted.to_owned();
        }
        let further: Vec<IpAddr> =
            network.ips.iter().filter_map(|ip| lab.extend(ip.net().expect("a subnet"))).collect();
        let played = format!("{}{}", read("firewall/base.nftables"), read(nftables));
        let mut bench = Bench::new(&lab, &further);
        let theirs = || {
            play(&played);
            load(&libvirt::rules(&beside));
        };
        let (_, different) = bench.compare(&theirs, &[&network, &beside]);
        surprises.extend(unexpected(case["name"].as_str().expect("a name"), &different));
    }
    assert!(surprises.is_empty(), "{}", surprises.concat());
}

/// Plays libvirt's commands as they stand, but for those that only look and those that are tc's.
fn play(commands: &str) {
    let acts = |line: &&str| !line.starts_with("nft list ") && !line.starts_with("tc ");
    let script: String = commands.lines().filter(acts).flat_map(|line| [line, "\n"]).collect();
    std::fs::write("/run/commands", script).expect("/run is ours");
    run("sh", &["-eu", "/run/commands"]);
}

/// What to send, and those who send it.
struct Bench {
    places: Vec<Place>,
    probes: Vec<Probe>,
    sent: usize,
}

/// A probe, what became of it under libvirt's rules, and under ours.
type Different = (Probe, Fate, Fate);

impl Bench {
    fn new(lab: &Lab, further: &[IpAddr]) -> Self {
        Self { places: places(lab), probes: probes(further), sent: 0 }
    }

    /// What becomes of everything under our rules, and what becomes of what under libvirt's is
    /// another.
    fn compare(&mut self, theirs: &dyn Fn(), networks: &[&Network]) -> (Vec<Fate>, Vec<Different>) {
        let (mut ours, mut differ) = self.ask(theirs, networks);
        for _ in 0..3 {
            if differ.is_empty() {
                break;
            }
            // A busy machine loses a packet now and then; rules decide the same each time. What
            // both have agreed on once stays.
            let (again, still) = self.ask(theirs, networks);
            differ.retain(|(at, ..)| {
                let is_still = still.iter().any(|(other, ..)| other == at);
                if !is_still {
                    ours[*at] = again[*at].clone();
                }
                is_still
            });
        }
        let different = differ.into_iter().map(|(at, theirs, ours)| (self.probes[at].clone(), theirs, ours));
        (ours, different.collect())
    }

    fn ask(&mut self, theirs: &dyn Fn(), networks: &[&Network]) -> (Vec<Fate>, Vec<(usize, Fate, Fate)>) {
        run("nft", &["flush", "ruleset"]);
        theirs();
        let expected = round(&self.places, &self.probes, &mut self.sent);
        run("nft", &["flush", "ruleset"]);
        for network in networks {
            if let Some(ruleset) = lowered(network) {
                commit(&ruleset.network, Some(&ruleset));
            }
        }
        let ours = round(&self.places, &self.probes, &mut self.sent);
        let pairs = expected.into_iter().zip(&ours).enumerate();
        let differ =
            pairs.filter(|(_, (theirs, ours))| theirs != *ours).map(|(at, (theirs, ours))| (at, theirs, ours.clone()));
        let differ = differ.collect();
        (ours, differ)
    }
}

/// The rules that we make of a definition.
fn lowered(network: &Network) -> Option<Ruleset> {
    let choices = Choices { directory: "/run/vnet/x".into(), random: [0; 3], bridge: None, leases: None };
    let lowered =
        preview(network, &Inventory { ipv6: true, ..Inventory::default() }, &choices).expect("a sound definition");
    lowered.desired.iter().find_map(|resource| match resource {
        Resource::Ruleset(NetworkRules { ruleset, .. }) => Some((**ruleset).clone()),
        _ => None,
    })
}

fn network(name: &str, bridge: &str, (attribute, forward, addresses): &Given) -> Network {
    let ip = |net: &&str| {
        let net: IpNet = net.parse().expect("an address");
        let family = if net.addr().is_ipv6() { "ipv6" } else { "ipv4" };
        format!("<ip family='{family}' address='{}' prefix='{}'/>", net.addr(), net.prefix_len())
    };
    let ips: String = addresses.iter().map(ip).collect();
    let text = format!("<network {attribute}><name>{name}</name>{forward}<bridge name='{bridge}'/>{ips}</network>");
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// What differs and is not listed, and what is listed and does not differ.
fn unexpected(case: &str, different: &[Different]) -> Vec<String> {
    let listed = || DELIBERATE.iter().filter(|(_, cases, _)| cases.contains(&case));
    let gone = listed().filter(|(kind, ..)| !different.iter().any(|(probe, ..)| probe.kind == *kind));
    let gone = gone.map(|(kind, ..)| format!("{case}: {}: differs no more\n", kind.words()));
    let new = different.iter().filter(|(probe, ..)| !listed().any(|(kind, ..)| *kind == probe.kind));
    let new = new.map(|(probe, theirs, ours)| {
        let (way, kind) = (&probe.way, probe.kind.words());
        format!("{case}: {way}, {kind}:\n    libvirt: {theirs:?}\n    vnet:    {ours:?}\n")
    });
    new.chain(gone).collect()
}

const INTRODUCTION: &str = "\
# What becomes of a packet

Two networks on one host; each packet is sent under the rules that libvirt 11.3 makes and under
those of this crate, and meets the same fate: passed (under which address and port, and whether an
answer comes back), rejected (with which ICMP error) or dropped. A test sends them and writes this
page.

*guest* and *neighbour* are on the first network's bridge, `192.168.122.0/24` and
`2001:db8:ca2:2::/64`; *stranger* is on the second's, `192.168.123.0/24` and `2001:db8:ca2:3::/64`.
*outside* is behind `eth0`, where the host is `203.0.113.1` and `2001:db8:ffff::1`; *elsewhere* is
behind `eth1`, where it is `198.51.100.1` and `2001:db8:eeee::1`. A source that is kept is not
shown. Each way is tried with TCP to an open port, to a closed port and without a beginning; UDP to
an open port, to a closed port, from a port below 500 and in fragments; ping; and an ICMP error
about nothing.

What is decided otherwise than by libvirt, on purpose:
";

/// A paragraph in lines of 100 columns.
fn filled(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is one");
        match line.chars().count() + 1 + word.chars().count() {
            _ if line.is_empty() => line.push_str(word),
            ..=100 => line.extend([" ", word]),
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

/// Fates in words, and which packets meet them.
type Fates = Vec<(String, Vec<Kind>)>;

/// The table of a case: a line for each way, and packets of one fate together.
fn describe(text: &mut String, name: &str, probes: &[Probe], fates: &[Fate]) {
    write!(text, "\n## {name}\n\n| | IPv4 | IPv6 |\n|---|---|---|\n").expect("a string takes everything");
    let mut ways: Vec<&str> = Vec::new();
    let mut cells: BTreeMap<(&str, bool), Fates> = BTreeMap::new();
    for (probe, fate) in probes.iter().zip(fates) {
        if !ways.contains(&probe.way.as_str()) {
            ways.push(&probe.way);
        }
        let cell = cells.entry((&probe.way, probe.is_ipv6())).or_default();
        let fate = fate.to_string();
        match cell.iter_mut().find(|(other, _)| *other == fate) {
            Some((_, kinds)) => kinds.push(probe.kind),
            None => cell.push((fate, vec![probe.kind])),
        }
    }
    let mut table: Vec<(String, Vec<&str>)> = Vec::new();
    for way in ways {
        let cell = |ipv6| cells.get(&(way, ipv6)).map(|fates| cell(fates)).unwrap_or_default();
        let line = format!("| {} | {} |", cell(false), cell(true));
        match table.iter_mut().find(|(other, _)| *other == line) {
            Some((_, together)) => together.push(way),
            None => table.push((line, vec![way])),
        }
    }
    for (line, ways) in table {
        writeln!(text, "| {} {line}", ways.join("<br>")).expect("a string takes everything");
    }
}

/// What becomes of most packets, then of those of which something else does.
fn cell(fates: &[(String, Vec<Kind>)]) -> String {
    let mut fates: Vec<_> = fates.iter().collect();
    fates.sort_by_key(|(_, kinds)| std::cmp::Reverse(kinds.len()));
    let line = |(at, (fate, kinds)): (usize, &&(String, Vec<Kind>))| match at {
        0 => fate.clone(),
        _ => format!("{}: {fate}", kinds.iter().map(|kind| kind.words()).collect::<Vec<_>>().join(", ")),
    };
    fates.iter().enumerate().map(line).collect::<Vec<_>>().join("<br>")
}

/// The lines that only one of two texts has.
fn difference(written: &str, text: &str) -> String {
    let lines = |text: &str, other: &str, mark: &str| -> String {
        text.lines()
            .filter(|line| !other.lines().any(|it| it == *line))
            .map(|line| format!("{mark} {line}\n"))
            .collect()
    };
    lines(written, text, "-") + &lines(text, written, "+")
}
