//! passt: ports of the host that lead into the guest, <https://passt.top>.

use std::net::IpAddr;

use vnet_xml::interface::{PortForward, PortForwardRange, Protocol, Source};
use vnet_xml::{Interface, Path};

use crate::finding::Finding;
use crate::rules;

/// Ports below are root's, where `net.ipv4.ip_unprivileged_port_start` is as the kernel has it.
const UNPRIVILEGED: u16 = 1024;

/// Ports of the host that lead into a guest.
pub(super) struct Forwarded {
    protocol: Protocol,
    address: Option<IpAddr>,
    dev: Option<String>,
    ports: (u16, u16),
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

/// A range that is excluded has to be in one that is not, or in all ports.
fn excludes(forward: &PortForward, path: &Path) -> Vec<Finding> {
    let ends = |range: &PortForwardRange| Some((range.start?, range.end.or(range.start)?));
    let included: Vec<_> = forward.ranges.iter().filter(|it| it.exclude != Some(true)).filter_map(ends).collect();
    let excluded = forward.ranges.iter().enumerate().filter(|(_, it)| it.exclude == Some(true));
    let useless = excluded.filter(|(_, range)| {
        let touches = |(start, end): (u16, u16)| included.iter().any(|(first, last)| start <= *last && *first <= end);
        !included.is_empty() && !ends(range).is_none_or(touches)
    });
    let finding = |(index, _)| {
        let message = "these ports would not be forwarded anyway: excluding them has no effect";
        let finding = Finding::new(rules::PORT_EXCLUDED_OUTSIDE, path.nth("range", index).attribute("start"), message);
        finding.help("exclude ports of a range that is forwarded")
    };
    useless.map(finding).collect()
}

/// The ranges of ports that lead into a guest. Where all ports do, no single one is meant.
pub(super) fn forwarded(interface: &Interface, root: &Path) -> impl Iterator<Item = Forwarded> {
    let forwards = interface.port_forwards.iter().enumerate();
    forwards.flat_map(move |(index, forward)| {
        let path = root.nth("portForward", index);
        let ranges = forward.ranges.iter().enumerate().filter(|(_, range)| range.exclude != Some(true));
        ranges.filter_map(move |(number, range)| {
            let start = range.start?;
            Some(Forwarded {
                protocol: forward.protocol,
                address: forward.address,
                dev: forward.dev.as_ref().map(ToString::to_string),
                ports: (start, range.end.unwrap_or(start)),
                path: path.nth("range", number).attribute("start"),
            })
        })
    })
}

/// A port of the host leads to one place. Each is compared with each, so only so many are.
pub(super) fn clashes(forwarded: &[Forwarded]) -> Vec<Finding> {
    const COMPARED: usize = 1000;
    let forwarded = &forwarded[..forwarded.len().min(COMPARED)];
    let mut findings = Vec::new();
    for (index, one) in forwarded.iter().enumerate() {
        let both = |a: Option<IpAddr>, b: Option<IpAddr>| a.is_none() || b.is_none() || a == b;
        let devs = |a: &Option<String>, b: &Option<String>| a.is_none() || b.is_none() || a == b;
        let clash = forwarded[..index].iter().find(|other| {
            other.protocol == one.protocol
                && both(other.address, one.address)
                && devs(&other.dev, &one.dev)
                && one.ports.0 <= other.ports.1
                && other.ports.0 <= one.ports.1
        });
        if let Some(other) = clash {
            let port = one.ports.0.max(other.ports.0);
            let message = format!("the {} port {port} of the host leads into a guest already", one.protocol.word());
            let finding = Finding::new(rules::PORT_FORWARDED_TWICE, one.path.clone(), message);
            findings.push(finding.related(other.path.clone(), "here").help("write a port that is free"));
        }
    }
    findings
}

fn privileged(forwarded: &[Forwarded]) -> Vec<Finding> {
    let low = forwarded.iter().filter(|it| it.ports.0 < UNPRIVILEGED);
    let finding = |it: &Forwarded| {
        let port = it.ports.0;
        let message = format!("an ordinary user cannot listen at port {port}: those below {UNPRIVILEGED} are root's");
        let finding = Finding::new(rules::PORT_PRIVILEGED, it.path.clone(), message);
        let free = u32::from(port) + 8000;
        finding.help(format!("write `start='{free}' to='{port}'`, or set `net.ipv4.ip_unprivileged_port_start={port}`"))
    };
    low.map(finding).collect()
}
