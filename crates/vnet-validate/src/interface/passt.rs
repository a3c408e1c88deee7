//! passt: ports of the host that lead into the guest, <https://passt.top>.

use vnet_types::{Listener, PortRange, PortSet};
use vnet_xml::interface::{PortForward, PortForwardRange, Protocol, Source};
use vnet_xml::{Interface, Path};

use crate::finding::Finding;
use crate::rules;

/// Ports below are root's, where `net.ipv4.ip_unprivileged_port_start` is as the kernel has it.
const UNPRIVILEGED: u16 = 1024;

/// Each range is compared with each, so only so many are.
const COMPARED: usize = 1000;

/// A range of ports of the host that lead into a guest.
pub(super) struct Forwarded<'i> {
    protocol: Protocol,
    listener: Listener<'i>,
    range: PortRange,
    /// Those of the range that are not excluded.
    open: PortSet,
    to: u16,
    path: Path,
}

pub(super) fn check(interface: &Interface, root: &Path) -> Vec<Finding> {
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
        findings.extend(excludes(forward, &path));
    }
    let forwarded: Vec<_> = forwarded(interface, root).collect();
    findings.extend(clashes(&forwarded));
    findings.extend(privileged(&forwarded));
    findings
}

fn backend(interface: &Interface, root: &Path) -> Vec<Finding> {
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

fn range_check(range: &PortForwardRange, path: &Path) -> Option<Finding> {
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
        return Some(finding.help(format!("write `start='{end}' end='{start}'`")));
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

/// The ports of all ranges that are excluded, or of those that are not.
fn all_ports(forward: &PortForward, exclude: bool) -> PortSet {
    forward.ranges.iter().filter(|range| (range.exclude == Some(true)) == exclude).filter_map(ports).collect()
}

/// A range that is excluded has to be in one that is not, or in all ports.
fn excludes(forward: &PortForward, path: &Path) -> Vec<Finding> {
    let included = all_ports(forward, false);
    let excluded = forward.ranges.iter().enumerate().filter(|(_, it)| it.exclude == Some(true));
    let useless = excluded.filter(|(_, range)| {
        let touches = |range: PortRange| !included.intersection(&range.into()).is_empty();
        !included.is_empty() && !ports(range).is_none_or(touches)
    });
    let finding = |(index, _)| {
        let message = "these ports would not be forwarded anyway: excluding them has no effect";
        let finding = Finding::new(rules::PORT_EXCLUDED_OUTSIDE, path.nth("range", index).attribute("start"), message);
        finding.help("exclude ports of a range that is forwarded")
    };
    useless.map(finding).collect()
}

/// The ranges of ports that lead into a guest. Where all ports do, no single one is meant.
pub(super) fn forwarded<'i>(interface: &'i Interface, root: &Path) -> impl Iterator<Item = Forwarded<'i>> {
    let forwards = interface.port_forwards.iter().enumerate();
    let forwarded = forwards.flat_map(move |(index, forward)| {
        let path = root.nth("portForward", index);
        let excluded = all_ports(forward, true);
        let ranges = forward.ranges.iter().enumerate().filter(|(_, range)| range.exclude != Some(true));
        ranges.filter_map(move |(number, range)| {
            let range_ports = ports(range)?;
            Some(Forwarded {
                protocol: forward.protocol,
                listener: Listener { address: forward.address, device: forward.dev.as_ref() },
                range: range_ports,
                open: PortSet::from(range_ports).difference(&excluded),
                to: range.to.unwrap_or(range_ports.start()),
                path: path.nth("range", number).attribute("start"),
            })
        })
    });
    forwarded.take(COMPARED)
}

/// A port of the host leads to one place.
pub(super) fn clashes(forwarded: &[Forwarded<'_>]) -> Vec<Finding> {
    let forwarded = &forwarded[..forwarded.len().min(COMPARED)];
    let mut findings = Vec::new();
    for (index, one) in forwarded.iter().enumerate() {
        let clash = forwarded[..index].iter().find_map(|other| {
            let near = other.protocol == one.protocol && other.listener.clashes(one.listener);
            let common = near.then(|| one.open.intersection(&other.open));
            Some((other, common?.ports().next()?))
        });
        if let Some((other, port)) = clash {
            let message = format!("the {} port {port} of the host leads into a guest already", one.protocol.word());
            let finding = Finding::new(rules::PORT_FORWARDED_TWICE, one.path.clone(), message);
            findings.push(finding.related(other.path.clone(), "here").help("write a port that is free"));
        }
    }
    findings
}

fn privileged(forwarded: &[Forwarded<'_>]) -> Vec<Finding> {
    let low = forwarded.iter().filter_map(|it| Some((it, it.open.ports().next().filter(|port| *port < UNPRIVILEGED)?)));
    let finding = |(it, port): (&Forwarded<'_>, u16)| {
        let message = format!("an ordinary user cannot listen at port {port}: those below {UNPRIVILEGED} are root's");
        let finding = Finding::new(rules::PORT_PRIVILEGED, it.path.clone(), message);
        let (start, end) = (it.range.start(), it.range.end());
        let elsewhere = match (start.checked_add(8000), end.checked_add(8000)) {
            (Some(first), Some(_)) if start == end => format!("start='{first}' to='{}'", it.to),
            (Some(first), Some(last)) => format!("start='{first}' end='{last}' to='{}'", it.to),
            _ => format!("start='{UNPRIVILEGED}' end='{end}'"),
        };
        finding.help(format!("write `{elsewhere}`, or set `net.ipv4.ip_unprivileged_port_start={port}`"))
    };
    low.map(finding).collect()
}
