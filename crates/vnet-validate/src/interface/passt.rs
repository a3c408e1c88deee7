//! passt (<https://passt.top>): ports of the host that are forwarded to the guest.

use vnet_types::{Listener, PortRange, PortSet};
use vnet_xml::interface::{PortForward, PortForwardRange, Protocol, Source};
use vnet_xml::{Edit, Interface, NodePath};

use crate::finding::Finding;
use crate::rules;

/// Only root can listen on lower ports: the kernel's default of
/// `net.ipv4.ip_unprivileged_port_start`.
const UNPRIVILEGED: u16 = 1024;

/// The maximum number of ranges to compare, because each is compared with each other.
const COMPARED: usize = 1000;

/// Ports of the host that are forwarded to a guest.
pub(super) struct Forwarded<'i> {
    protocol: Protocol,
    listener: Listener<'i>,
    range: PortRange,
    /// The ports of the range that are not excluded.
    open: PortSet,
    /// The guest's port for the first port of the range; `None` for all ports, which keep their
    /// numbers.
    to: Option<u16>,
    path: NodePath,
}

impl Forwarded<'_> {
    /// The guest's port for a port of the range; `None` where the range names no ports.
    fn leads(&self, port: u16) -> Option<u16> {
        self.to?.checked_add(port.checked_sub(self.range.start())?)
    }
}

pub(super) fn check(interface: &Interface, root: &NodePath) -> Vec<Finding> {
    let mut findings = backend(interface, root);
    let may_forward = interface.is_passt() && matches!(interface.source, Source::User { .. } | Source::Vhostuser(_));
    if !may_forward {
        if !interface.port_forwards.is_empty() {
            let message = "only passt leads ports of the host into a guest";
            let finding = Finding::new(rules::PORT_FORWARD_WITHOUT_PASST, root.nth("portForward", 0), message);
            findings.push(finding.help("write `<interface type='user'>` and `<backend type='passt'/>`"));
        }
        return findings;
    }
    for (index, forward) in interface.port_forwards.iter().enumerate() {
        let path = root.nth("portForward", index);
        for (number, range) in forward.ranges.iter().enumerate() {
            findings.extend(range_check(range, &path.nth("range", number)));
        }
        findings.extend(excludes(forward, &path, "range"));
    }
    let forwarded: Vec<_> = forwarded(interface, root).collect();
    findings.extend(clashes(&forwarded));
    findings.extend(privileged(&forwarded));
    findings.extend(all_privileged(&forwarded));
    findings
}

fn backend(interface: &Interface, root: &NodePath) -> Vec<Finding> {
    let Some(backend) = &interface.backend else { return Vec::new() };
    let path = root.element("backend");
    if interface.is_passt() {
        if matches!(interface.source, Source::User { .. } | Source::Vhostuser(_)) {
            return Vec::new();
        }
        let message = format!("passt cannot connect an interface of type {}", interface.source.word());
        let finding = Finding::new(rules::PASST_UNSUPPORTED, path.attribute("type"), message);
        return vec![finding.help("write `<interface type='user'>`, or leave `<backend>` out")];
    }
    let of_passt = [("logFile", &backend.log_file), ("hostname", &backend.hostname), ("fqdn", &backend.fqdn)];
    let given = of_passt.into_iter().filter(|(_, value)| value.is_some());
    let finding = |(name, _)| {
        let message = format!("`{name}` has no effect: only passt has it");
        let finding = Finding::new(rules::BACKEND_WITHOUT_PASST, path.attribute(name), message);
        finding.help("write `<backend type='passt'/>`")
    };
    given.map(finding).collect()
}

/// What is wrong with a range alone.
pub(crate) fn range_check(range: &PortForwardRange, path: &NodePath) -> Option<Finding> {
    let Some(start) = range.start else {
        let given = [("end", range.end.is_some()), ("to", range.to.is_some()), ("exclude", range.exclude.is_some())];
        let (name, _) = given.into_iter().find(|(_, given)| *given)?;
        let message = format!("`{name}` needs `start`: the ports that it is about");
        let finding = Finding::new(rules::PORT_RANGE_WITHOUT_START, path.attribute(name), message);
        return Some(finding.help("write `start`, or leave `<range>` out to forward all ports"));
    };
    let end = range.end.unwrap_or(start);
    if end < start {
        let message = format!("the range ends at {end}, before its start at {start}");
        let finding = Finding::new(rules::PORT_RANGE_REVERSED, path.attribute("end"), message);
        let finding = finding.help(format!("write `start='{end}' end='{start}'`"));
        if range.to.is_some() {
            return Some(finding);
        }
        let finding = finding.fix(Edit::attribute(path.attribute("start"), end));
        return Some(finding.fix(Edit::attribute(path.attribute("end"), start)));
    }
    let to = range.to?;
    if range.exclude == Some(true) {
        let message = "ports that are not forwarded lead nowhere: `to` has no effect";
        let finding = Finding::new(rules::PORT_EXCLUDED_TO, path.attribute("to"), message);
        return Some(finding.help("leave `to` out"));
    }
    if u32::from(to) + u32::from(end - start) > u32::from(u16::MAX) {
        let message = format!("{} ports from {to} on are more than there are", u32::from(end - start) + 1);
        let finding = Finding::new(rules::PORT_RANGE_BEYOND, path.attribute("to"), message);
        return Some(finding.help("the last port is 65535"));
    }
    None
}

fn ports(range: &PortForwardRange) -> Option<PortRange> {
    PortRange::new(range.start?, range.end.or(range.start)?).ok()
}

/// The ports of all excluded ranges, or of all others.
fn all_ports(forward: &PortForward, exclude: bool) -> PortSet {
    forward.ranges.iter().filter(|range| (range.exclude == Some(true)) == exclude).filter_map(ports).collect()
}

/// Every excluded range must overlap a forwarded range. Without forwarded ranges, all ports are
/// forwarded. `name` is that of the ranges.
pub(crate) fn excludes(forward: &PortForward, path: &NodePath, name: &str) -> Vec<Finding> {
    let included = all_ports(forward, false);
    let excluded = forward.ranges.iter().enumerate().filter(|(_, it)| it.exclude == Some(true));
    let useless = excluded.filter(|(_, range)| {
        let touches = |range: PortRange| !included.intersection(&range.into()).is_empty();
        !included.is_empty() && !ports(range).is_none_or(touches)
    });
    let finding = |(index, _)| {
        let message = "these ports would not be forwarded anyway: excluding them has no effect";
        let finding = Finding::new(rules::PORT_EXCLUDED_OUTSIDE, path.nth(name, index).attribute("start"), message);
        finding.help("exclude ports of a range that is forwarded")
    };
    useless.map(finding).collect()
}

/// All that is forwarded to a guest: the ranges that name ports, and each forward of all ports.
pub(super) fn forwarded<'i>(interface: &'i Interface, root: &NodePath) -> impl Iterator<Item = Forwarded<'i>> {
    let forwards = interface.port_forwards.iter().enumerate();
    let forwarded = forwards.flat_map(move |(index, forward)| {
        let path = root.nth("portForward", index);
        let excluded = all_ports(forward, true);
        let lead = |range: PortRange, to, path| Forwarded {
            protocol: forward.protocol,
            listener: Listener { address: forward.address, device: forward.dev.as_ref() },
            range,
            open: PortSet::from(range).difference(&excluded),
            to,
            path,
        };
        let ranges = forward.ranges.iter().enumerate().filter(|(_, range)| range.exclude != Some(true));
        let named = ranges.filter_map(|(number, range)| {
            let ports = ports(range)?;
            let to = Some(range.to.unwrap_or(ports.start()));
            Some(lead(ports, to, path.nth("range", number).attribute("start")))
        });
        let takes_all = forward.ranges.iter().all(|range| range.exclude == Some(true) || range.start.is_none());
        let all = takes_all.then(|| PortRange::new(1, u16::MAX).ok()).flatten();
        let all = all.map(|ports| lead(ports, None, path.clone()));
        named.chain(all).collect::<Vec<_>>()
    });
    forwarded.take(COMPARED)
}

/// A port of the host has one destination. Of several clashes, the most severe is reported.
pub(super) fn clashes(forwarded: &[Forwarded<'_>]) -> Vec<Finding> {
    let forwarded = &forwarded[..forwarded.len().min(COMPARED)];
    let clashes = forwarded.iter().enumerate().filter_map(|(index, one)| {
        let found = forwarded[..index].iter().rev().filter_map(|other| clash(one, other));
        found.max_by_key(|finding| finding.severity)
    });
    clashes.collect()
}

fn clash(one: &Forwarded<'_>, other: &Forwarded<'_>) -> Option<Finding> {
    let common = (one.protocol == other.protocol).then(|| one.open.intersection(&other.open))?;
    let (port, protocol) = (common.ports().next()?, one.protocol.word());
    let finding = match (one.leads(port), other.leads(port)) {
        (Some(_), Some(_)) if one.listener.clashes(other.listener) => {
            let message = format!("the {protocol} port {port} of the host leads into a guest already");
            Finding::new(rules::PORT_FORWARDED_TWICE, one.path.clone(), message).help("write a port that is free")
        }
        (Some(to), Some(first)) => {
            let later = match to == first {
                true => String::new(),
                false => format!(", passt of 2025 leads both to {to}"),
            };
            let message = format!("passt of 2023 refuses the {protocol} port {port} at a second address{later}");
            let finding = Finding::new(rules::PORT_AT_TWO_ADDRESSES, one.path.clone(), message);
            finding.help("use another port at one of the addresses, or passt of 2026")
        }
        _ if one.listener.clashes(other.listener) => {
            let message = format!("passt of 2026 refuses the {protocol} port {port} beside a forward of all ports");
            let finding = Finding::new(rules::PORT_BESIDE_ALL, one.path.clone(), message);
            finding.help(format!("add `<range start='{port}' exclude='yes'/>` where all ports are forwarded"))
        }
        _ => return None,
    };
    Some(finding.related(other.path.clone(), "here"))
}

/// When all ports are forwarded, passt of 2026 does not start if it can listen on no port between
/// two excluded ones.
fn all_privileged(forwarded: &[Forwarded<'_>]) -> Vec<Finding> {
    let finding = |it: &Forwarded<'_>| {
        let low = it.open.ranges().next().filter(|range| it.to.is_none() && range.end() < UNPRIVILEGED)?;
        let (start, end) = (low.start(), low.end());
        let message =
            format!("passt of 2026 does not start: as an ordinary user it can have no port from {start} to {end}");
        let finding = Finding::new(rules::PORTS_ALL_PRIVILEGED, it.path.clone(), message);
        Some(finding.help(format!("add `<range start='1' end='{}' exclude='yes'/>`", UNPRIVILEGED - 1)))
    };
    forwarded.iter().filter_map(finding).collect()
}

fn privileged(forwarded: &[Forwarded<'_>]) -> Vec<Finding> {
    let lowest = |it: &Forwarded<'_>| it.open.ports().next().filter(|port| *port < UNPRIVILEGED);
    let low = forwarded.iter().filter_map(|it| Some((it, it.to?, lowest(it)?)));
    let finding = |(it, to, port): (&Forwarded<'_>, u16, u16)| {
        let message = format!(
            "only root can listen at a port below {UNPRIVILEGED}, such as {port}, and only with passt before 2026"
        );
        let finding = Finding::new(rules::PORT_PRIVILEGED, it.path.clone(), message);
        let (start, end) = (it.range.start(), it.range.end());
        let elsewhere = match (start.checked_add(8000), end.checked_add(8000)) {
            (Some(first), Some(_)) if start == end => format!("start='{first}' to='{to}'"),
            (Some(first), Some(last)) => format!("start='{first}' end='{last}' to='{to}'"),
            _ => format!("start='{UNPRIVILEGED}' end='{end}'"),
        };
        finding.help(format!("write `{elsewhere}`, or set `net.ipv4.ip_unprivileged_port_start={port}`"))
    };
    low.map(finding).collect()
}
