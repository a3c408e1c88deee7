//! Changes in the words people know: ip(8), nft(8), sysctl(8).

use std::collections::BTreeMap;
use std::fmt;

use vnet_passt::Passt;
use vnet_types::{BridgePort, FilterAction, InterfaceName, Link, LinkKind};

use crate::{Change, File, Process, Resource};

/// Lines that begin with `+ ` for what comes, `- ` for what goes, `~ ` for what becomes different.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = match self {
            Self::Create { to } => marked('+', words(to, Verb::Add)),
            Self::Delete { from } => marked('-', words(from, Verb::Delete)),
            Self::Update { from, to } => update(from, to),
        };
        f.write_str(&lines.join("\n"))
    }
}

impl Change {
    /// What the change means for guests that run, where it means anything.
    pub fn effect_on_guests(&self) -> Option<&'static str> {
        let touched = |resource: &Resource| match resource {
            Resource::Link(_) => Some("every guest loses its link"),
            Resource::Address { .. } => Some("guests that use this address as their gateway lose it"),
            Resource::Process(_) => Some("no DHCP and DNS any more; leases stay valid until they end"),
            Resource::Passt(_) => Some("the guest has no network any more"),
            Resource::Ruleset { .. } => Some("traffic is no longer filtered or translated"),
            Resource::Zone { .. } => Some("firewalld treats guests as those of any other interface"),
            Resource::Route(_) => Some("what is behind this route is no longer reached"),
            Resource::Port { .. } => Some("the guest reaches nobody any more"),
            Resource::Fdb(_) => Some("the guest is no longer reached"),
            Resource::Vlans { .. } => Some("the guest is in no VLAN any more"),
            Resource::Filter(filter) if filter.action == FilterAction::Checksum => None,
            // With a limit there is a class or a filter.
            Resource::Qdisc(_) => None,
            Resource::Class(_) | Resource::Filter(_) => Some("bandwidth is no longer limited"),
            Resource::Sysctl { .. } | Resource::File(_) => None,
            Resource::Vf { .. } => Some("the guest's card has another address, and is in another VLAN"),
            Resource::Borrowed { .. } | Resource::VlanFiltering { .. } | Resource::Coalesce { .. } => None,
        };
        match self {
            Self::Create { .. } => None,
            Self::Delete { from } => touched(from),
            Self::Update { from: Resource::Process(from), to: Resource::Process(to) } => {
                if from.restart_on == to.restart_on && from.args == to.args {
                    Some("dnsmasq reads its hosts again; guests notice nothing")
                } else {
                    Some("DHCP and DNS pause for a moment; leases stay")
                }
            }
            Self::Update { to: Resource::Passt(_), .. } => Some("the guest's connections end; it has to connect again"),
            Self::Update { to: Resource::Ruleset { .. }, .. } => {
                Some("rules change in one step; connections that run go on")
            }
            Self::Update { to: Resource::Link(_), .. } => Some("guests stay connected"),
            Self::Update { to: Resource::Class(_) | Resource::Filter(_), .. } => {
                Some("the limit changes; no packet is lost")
            }
            Self::Update { .. } => None,
        }
    }
}

#[derive(Clone, Copy)]
enum Verb {
    Add,
    Delete,
}

impl Verb {
    fn ip(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Delete => "del",
        }
    }
}

fn marked(mark: char, lines: Vec<String>) -> Vec<String> {
    lines.into_iter().map(|line| format!("{mark} {line}")).collect()
}

fn words(resource: &Resource, verb: Verb) -> Vec<String> {
    let one = |line: String| vec![line];
    match (resource, verb) {
        (Resource::Link(link), Verb::Add) => {
            one(format!("ip link add {} type {}{}", link.name, kind(&link.kind), settings(link)))
        }
        (Resource::Link(link), Verb::Delete) => one(format!("ip link del {}", link.name)),
        (Resource::Vf { card, settings, .. }, Verb::Add) => one(format!("ip link set {card} {settings}")),
        (Resource::Vf { card, was, .. }, Verb::Delete) => one(format!("ip link set {card} {was}")),
        (Resource::Borrowed { link, mac, .. }, Verb::Add) => one(format!("ip link set {link} address {mac}")),
        (Resource::Borrowed { link, was, .. }, Verb::Delete) => one(format!("ip link set {link} address {was}")),
        (Resource::VlanFiltering { bridge, on }, _) => {
            one(format!("ip link set {bridge} type bridge vlan_filtering {}", u8::from(*on)))
        }
        (Resource::Port { link, port }, Verb::Add) => one(port_words(link, port)),
        (Resource::Port { link, .. }, Verb::Delete) => one(format!("ip link set {link} nomaster")),
        (Resource::Vlans { link, vlans }, _) => {
            vlans.iter().map(|vlan| format!("bridge vlan {} dev {link} {vlan}", verb.ip())).collect()
        }
        (Resource::Fdb(entry), _) => one(format!("bridge fdb {} {entry}", verb.ip())),
        (Resource::Coalesce { link, rx_frames }, Verb::Add) => one(format!("ethtool -C {link} rx-frames {rx_frames}")),
        (Resource::Coalesce { link, .. }, Verb::Delete) => one(format!("ethtool -C {link} rx-frames 0")),
        (Resource::Sysctl { switch, value }, Verb::Add) => one(format!("sysctl {} = {value}", switch.path())),
        (Resource::Sysctl { switch, .. }, Verb::Delete) => one(format!("sysctl {}", switch.path())),
        (Resource::Address { link, address }, _) => one(format!("ip address {} {address} dev {link}", verb.ip())),
        (Resource::Route(route), _) => one(format!("ip route {} {route}", verb.ip())),
        (Resource::Qdisc(qdisc), verb) => one(format!("tc qdisc {} {qdisc}", verb.ip())),
        (Resource::Class(class), verb) => one(format!("tc class {} {class}", verb.ip())),
        (Resource::Filter(filter), verb) => one(format!("tc filter {} {filter}", verb.ip())),
        (Resource::Zone { link, zone, .. }, Verb::Add) => one(zone_words(link, zone)),
        (Resource::Zone { link, was: Some(was), .. }, Verb::Delete) => one(zone_words(link, was)),
        (Resource::Zone { link, zone, was: None }, Verb::Delete) => {
            one(format!("firewall-cmd --zone={zone} --remove-interface={link}"))
        }
        (Resource::Ruleset { ruleset, .. }, Verb::Add) => {
            let mut lines = one("nft -f -".to_owned());
            let text = ruleset.to_string().replace('\t', "    ");
            lines.extend(text.lines().filter(|line| !line.is_empty()).map(|line| format!("    {line}")));
            lines
        }
        (Resource::Ruleset { network, .. }, Verb::Delete) => one(format!("nft rules of network {network}")),
        (Resource::File(file), Verb::Add) => one(written(file)),
        (Resource::File(file), Verb::Delete) => one(format!("file {}", file.path.display())),
        (Resource::Process(process), Verb::Add) => one(format!("run {}", command_line(process))),
        (Resource::Process(process), Verb::Delete) => one(format!("stop {}", command_line(process))),
        (Resource::Passt(passt), Verb::Add) => one(format!("run passt {}", arguments(passt))),
        (Resource::Passt(passt), Verb::Delete) => one(format!("stop passt {}", arguments(passt))),
    }
}

fn update(from: &Resource, to: &Resource) -> Vec<String> {
    match (from, to) {
        (Resource::Link(from), Resource::Link(to)) => {
            let only = |what: String, before: String| (what != before).then_some(what);
            let type_words = only(kind(&to.kind), kind(&from.kind)).map(|kind| format!(" type {kind}"));
            let words = only(settings(to), settings(from)).unwrap_or_default();
            vec![format!("~ ip link set {}{}{words}{}", to.name, type_words.unwrap_or_default(), mtu_let_go(from, to))]
        }
        (Resource::Port { .. }, Resource::Port { link, port }) => vec![format!("~ {}", port_words(link, port))],
        (Resource::Vf { .. }, to @ Resource::Vf { .. }) => marked('~', words(to, Verb::Add)),
        (Resource::VlanFiltering { .. }, to @ Resource::VlanFiltering { .. }) => marked('~', words(to, Verb::Add)),
        (Resource::Coalesce { .. }, to @ Resource::Coalesce { .. }) => marked('~', words(to, Verb::Add)),
        (Resource::Sysctl { value: was, .. }, Resource::Sysctl { switch, value }) => {
            vec![format!("~ sysctl {} = {value} (was {was})", switch.path())]
        }
        (Resource::Address { .. }, Resource::Address { link, address }) => {
            vec![format!("~ ip address replace {address} dev {link}")]
        }
        (Resource::Zone { .. }, Resource::Zone { link, zone, .. }) => vec![format!("~ {}", zone_words(link, zone))],
        (Resource::Class(_), Resource::Class(class)) => vec![format!("~ tc class change {class}")],
        (Resource::Route(_), Resource::Route(route)) => vec![format!("~ ip route replace {route}")],
        (Resource::Ruleset { ruleset: from, .. }, Resource::Ruleset { network, ruleset: to }) => {
            let mut lines = vec![format!("~ nft rules of network {network}")];
            lines.extend(line_difference(&from.to_string(), &to.to_string()));
            lines
        }
        (Resource::File(from), Resource::File(to)) => {
            let mut lines = vec![format!("~ {}", written(to))];
            let text = |file: &File| file.contents.clone().unwrap_or_default();
            lines.extend(line_difference(&text(from), &text(to)));
            lines
        }
        (Resource::Process(from), Resource::Process(to)) => {
            let again = if from.restart_on == to.restart_on && from.args == to.args { "reload" } else { "restart" };
            vec![format!("~ {again} {}", command_line(to))]
        }
        (from, to) => [marked('-', words(from, Verb::Delete)), marked('+', words(to, Verb::Add))].concat(),
    }
}

fn kind(kind: &LinkKind) -> String {
    match kind {
        LinkKind::Bridge(options) => {
            let filtering = if options.vlan_filtering { " vlan_filtering 1" } else { "" };
            format!("bridge stp_state {} forward_delay {}{filtering}", u8::from(options.stp), options.forward_delay)
        }
        LinkKind::Tap(options) => format!("tun {options}"),
        LinkKind::Macvtap(options) => format!("macvtap mode {} link {}", options.mode, options.lower),
        LinkKind::Other(kind) => kind.clone(),
    }
}

fn port_words(link: &InterfaceName, port: &BridgePort) -> String {
    format!("bridge link set dev {link} {port}")
}

fn zone_words(link: &InterfaceName, zone: &str) -> String {
    format!("firewall-cmd --zone={zone} --change-interface={link}")
}

/// What is said of a link's MTU when it is no longer: the kernel's own choice cannot be asked back.
fn mtu_let_go(from: &Link, to: &Link) -> &'static str {
    if from.mtu.is_some() && to.mtu.is_none() { " mtu 1500 (or that of its smallest port)" } else { "" }
}

fn settings(link: &Link) -> String {
    let mac = link.mac.map(|mac| format!(" address {mac}")).unwrap_or_default();
    let mtu = link.mtu.map(|mtu| format!(" mtu {mtu}")).unwrap_or_default();
    format!("{mac}{mtu} {}", if link.up { "up" } else { "down" })
}

fn written(file: &File) -> String {
    match &file.contents {
        Some(text) => format!("file {} ({} lines)", file.path.display(), text.lines().count()),
        None => format!("file {} (written by its program)", file.path.display()),
    }
}

fn command_line(process: &Process) -> String {
    [process.program.as_str()].into_iter().chain(process.args.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
}

fn arguments(passt: &Passt) -> String {
    let arguments = passt.arguments().unwrap_or_default();
    arguments.iter().map(|argument| argument.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Lines that only one of the two texts has, in its order; `- ` before `+ `.
fn line_difference(from: &str, to: &str) -> Vec<String> {
    let missing = |text: &str, elsewhere: &str, mark: char| {
        let mut counts = BTreeMap::<&str, usize>::new();
        elsewhere.lines().for_each(|line| *counts.entry(line).or_default() += 1);
        let absent = text.lines().filter(|line| match counts.get_mut(line) {
            Some(count @ 1..) => {
                *count -= 1;
                false
            }
            _ => true,
        });
        absent.map(|line| format!("    {mark} {}", line.trim())).collect::<Vec<_>>()
    };
    [missing(from, to, '-'), missing(to, from, '+')].concat()
}
