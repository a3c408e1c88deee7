//! Rules as text that nft(8) loads, written as `nft list` writes it (`nft --stateless list`).
//!
//! `nft` cannot quote a quotation mark. In the name of an interface it is written as `?`, which no
//! packet matches.

use std::fmt;

use vnet_types::{Family, IpNet, PortRange};

use crate::ruleset::{
    Base, Chain, Direction, Element, Field, Flowtable, Holds, Interface, Key, KeyType, Part, Rule, Ruleset, Set,
    Statement, Subject, Transport, Verdict,
};
use crate::shared::size;

/// nft(8)'s words for types of ICMPv6.
pub(crate) const ICMPV6_TYPES: [(u8, &str); 3] =
    [(133, "nd-router-solicit"), (135, "nd-neighbor-solicit"), (136, "nd-neighbor-advert")];

/// The whole table with this network only, for `nft -f` on a host without such a table.
impl fmt::Display for Ruleset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "table inet vnet {{")?;
        for set in &self.sets {
            writeln!(f, "{set}")?;
        }
        if let Some(flowtable) = &self.flowtable {
            writeln!(f, "{flowtable}")?;
        }
        for (at, chain) in self.chains.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            write!(f, "{chain}")?;
        }
        writeln!(f, "}}")
    }
}

impl fmt::Display for Flowtable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let priority = if self.priority == 0 { "filter".to_owned() } else { self.priority.to_string() };
        let devices: Vec<String> =
            self.devices.iter().map(|it| format!("\"{}\"", it.as_str().replace('"', "?"))).collect();
        writeln!(f, "\tflowtable {} {{\n\t\thook ingress priority {priority}", self.name)?;
        writeln!(f, "\t\tdevices = {{ {} }}\n\t}}", devices.join(", "))
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key: Vec<&str> = self.key.iter().map(|kind| kind.word()).collect();
        let (what, data) = match self.holds {
            Holds::Verdict => ("map", " : verdict"),
            Holds::Target(Family::Ipv4) => ("map", " : ipv4_addr . inet_service"),
            Holds::Target(Family::Ipv6) => ("map", " : ipv6_addr . inet_service"),
            Holds::Nothing | Holds::Counter => ("set", ""),
        };
        writeln!(f, "\t{what} {} {{\n\t\ttype {}{data}", self.name, key.join(" . "))?;
        if let Some(size) = size(&self.name) {
            writeln!(f, "\t\tsize {size}")?;
        }
        if self.interval {
            writeln!(f, "\t\tflags interval")?;
        }
        let counter = if self.holds == Holds::Counter { " counter" } else { "" };
        if self.holds == Holds::Counter {
            writeln!(f, "\t\tcounter")?;
        }
        for (at, Element { key, verdict, target, comment }) in self.elements.iter().enumerate() {
            match (at, self.key.as_slice()) {
                (0, _) => write!(f, "\t\telements = {{ ")?,
                (at, [KeyType::Ipv4Address | KeyType::Family]) if at % 2 == 1 => write!(f, ", ")?,
                _ => write!(f, ",\n\t\t\t     ")?,
            }
            write!(f, "{key}{counter}")?;
            if let Some(comment) = comment {
                write!(f, " comment \"{comment}\"")?;
            }
            if let Some(verdict) = verdict {
                write!(f, " : {verdict}")?;
            }
            if let Some(target) = target {
                write!(f, " : {} . {}", target.ip(), target.port())?;
            }
        }
        if !self.elements.is_empty() {
            writeln!(f, " }}")?;
        }
        writeln!(f, "\t}}")
    }
}

impl KeyType {
    /// nft(8)'s name for the type.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Word => "ifname",
            Self::Family => "nf_proto",
            Self::InterfaceIndex => "iface_index",
            Self::Ipv4Address => "ipv4_addr",
            Self::Ipv6Address => "ipv6_addr",
            Self::Protocol => "inet_proto",
            Self::Port => "inet_service",
        }
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\tchain {} {{", self.name)?;
        if let Some(base) = &self.base {
            writeln!(f, "\t\t{base}")?;
        }
        for rule in &self.rules {
            writeln!(f, "\t\t{rule}")?;
        }
        writeln!(f, "\t}}")
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hooks = ["prerouting", "input", "forward", "output", "postrouting"];
        let hook = usize::try_from(self.hook).ok().and_then(|hook| hooks.get(hook)).unwrap_or(&"ingress");
        write!(f, "type {} hook {hook} priority ", self.kind)?;
        match (self.priority, *hook) {
            (0, _) => f.write_str("filter"),
            (-1, "input" | "forward" | "output") => f.write_str("filter - 1"),
            (100, "postrouting") => f.write_str("srcnat"),
            (99, "postrouting") => f.write_str("srcnat - 1"),
            (-100, "prerouting") => f.write_str("dstnat"),
            (priority, _) => write!(f, "{priority}"),
        }?;
        write!(f, "; policy {};", if self.policy == 0 { "drop" } else { "accept" })
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt(f)?;
        match (&self.verdict, &self.target) {
            (Some(verdict), _) => write!(f, " : {verdict}"),
            (None, Some(target)) => write!(f, " : {} . {}", target.ip(), target.port()),
            (None, None) => Ok(()),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.0.iter().enumerate() {
            f.write_str(if at > 0 { " . " } else { "" })?;
            part.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => write!(f, "\"{word}\""),
            Self::Family(family) => family.fmt(f),
            Self::Interface(interface) => interface.fmt(f),
            Self::Address(address) => address.fmt(f),
            Self::Subnet(net) => subnet(*net, f),
            Self::Range(first, last) => write!(f, "{first}-{last}"),
            Self::Protocol(transport) => transport.fmt(f),
            Self::Port(port) => port.fmt(f),
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => write!(f, "\"{}\"", name.as_str().replace('"', "?")),
            Self::Gone(index) => write!(f, "{index}"),
            Self::Absent => f.write_str("0"),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for at in (0..self.statements.len()).filter(|at| !self.is_implied(*at)) {
            let statement = &self.statements[at];
            write!(f, "{separator}{statement}")?;
            separator = " ";
        }
        match &self.comment {
            Some(comment) => write!(f, " comment \"{comment}\""),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Family(family) => write!(f, "meta nfproto {family}"),
            Self::Transport(transport) => write!(f, "meta l4proto {transport}"),
            Self::Interface(direction, interface) => write!(f, "{direction} {interface}"),
            Self::InterfaceName(direction, name) => {
                let name = name.as_str().replace('"', "?");
                match name.strip_suffix('*') {
                    Some(front) => write!(f, "{direction}name \"{front}\\*\""),
                    None => write!(f, "{direction}name \"{name}\""),
                }
            }
            Self::Address { field, negated, net } => {
                write!(f, "{} {field} {}", ip(Family::of(net.addr())), if *negated { "!= " } else { "" })?;
                subnet(*net, f)
            }
            Self::Established => f.write_str("ct state established,related"),
            Self::Redirected => f.write_str("ct status dnat"),
            Self::New => f.write_str("ct state new"),
            Self::Midway => f.write_str("tcp flags != syn / fin,syn,rst,ack"),
            Self::Reply => f.write_str("ct direction reply"),
            Self::LocalDestination => f.write_str("fib daddr type local"),
            Self::Port(transport, ports) if ports.start() == ports.end() => {
                write!(f, "{transport} dport {}", ports.start())
            }
            Self::Port(transport, ports) => write!(f, "{transport} dport {ports}"),
            Self::Icmp(Family::Ipv4) => f.write_str("meta l4proto icmp"),
            Self::Icmp(Family::Ipv6) => f.write_str("meta l4proto ipv6-icmp"),
            Self::Icmpv6Type(kind) => match ICMPV6_TYPES.iter().find(|(number, _)| number == kind) {
                Some((_, word)) => write!(f, "icmpv6 type {word}"),
                None => write!(f, "icmpv6 type {kind}"),
            },
            Self::Counter => f.write_str("counter"),
            Self::Verdict(verdict) => verdict.fmt(f),
            Self::Reject(None) => f.write_str("reject"),
            Self::Reject(Some(Family::Ipv4)) => f.write_str("reject with icmp port-unreachable"),
            Self::Reject(Some(Family::Ipv6)) => f.write_str("reject with icmpv6 port-unreachable"),
            Self::Masquerade(ports) => {
                f.write_str("masquerade")?;
                if ports.is_some() {
                    f.write_str(" to ")?;
                }
                port_suffix(*ports, f)
            }
            Self::Snat { addresses, ports } => {
                write!(f, "snat ip to {}", addresses.start())?;
                if addresses.end() != addresses.start() {
                    write!(f, "-{}", addresses.end())?;
                }
                port_suffix(*ports, f)
            }
            Self::Lookup { subjects, set, decides } => {
                key(subjects, f)?;
                let operator = match subjects.as_slice() {
                    _ if *decides => " vmap",
                    // nft(8) writes the operator in this case only.
                    [address] if address.mask().is_some() => " ==",
                    _ => "",
                };
                write!(f, "{operator} @{set}")
            }
            Self::Dnat { family, subjects, map } => {
                write!(f, "dnat {} to ", ip(*family))?;
                key(subjects, f)?;
                write!(f, " map @{map}")
            }
            Self::Offload(flowtable) => write!(f, "flow add @{flowtable}"),
            Self::Unknown(name) => write!(f, "<{name}>"),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Family => f.write_str("meta nfproto"),
            Self::Interface(direction) => direction.fmt(f),
            Self::InterfaceName(direction) => write!(f, "{direction}name"),
            Self::Protocol => f.write_str("meta l4proto"),
            Self::Port(Field::Source) => f.write_str("th sport"),
            Self::Port(Field::Destination) => f.write_str("th dport"),
            Self::Address { field, family, .. } => {
                write!(f, "{} {field}", ip(*family))?;
                self.mask().map_or(Ok(()), |mask| write!(f, " & {mask}"))
            }
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "saddr",
            Self::Destination => "daddr",
        })
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::In => "iif",
            Self::Out => "oif",
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept => f.write_str("accept"),
            Self::Drop => f.write_str("drop"),
            Self::Return => f.write_str("return"),
            Self::Jump(chain) => write!(f, "jump {chain}"),
            Self::Goto(chain) => write!(f, "goto {chain}"),
            Self::Other(code) => write!(f, "<verdict {code}>"),
        }
    }
}

fn key(subjects: &[Subject], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    subjects.iter().enumerate().try_for_each(|(at, subject)| write!(f, "{}{subject}", if at > 0 { " . " } else { "" }))
}

fn ip(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "ip",
        Family::Ipv6 => "ip6",
    }
}

/// A subnet of one address is written without its prefix.
fn subnet(net: IpNet, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if net.prefix_len() == net.max_prefix_len() { write!(f, "{}", net.addr()) } else { write!(f, "{net}") }
}

fn port_suffix(ports: Option<PortRange>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match ports {
        None => Ok(()),
        Some(ports) if ports.start() == ports.end() => write!(f, ":{}", ports.start()),
        Some(ports) => write!(f, ":{ports}"),
    }
}
