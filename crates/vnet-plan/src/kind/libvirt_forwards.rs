//! Forwarded ports of guests behind libvirt's NAT.

use vnet_firewall::{LibvirtForwards, ReachedPorts, Transport};

use super::Kind;
use crate::Key;

impl Kind for LibvirtForwards {
    fn key(&self) -> Key {
        Key::LibvirtForwards(self.bridge.clone())
    }

    fn added(&self) -> String {
        let lines: Vec<_> = self.ports.iter().map(|ports| format!("{} to {}", line(ports), self.bridge)).collect();
        format!("let through libvirt's rules: {}", lines.join(", "))
    }

    fn deleted(&self) -> String {
        format!("rules among those of libvirt for {}", self.bridge)
    }

    fn effect_of_delete(&self) -> Option<&'static str> {
        Some("connections to forwarded ports of guests are refused")
    }

    fn effect_of_change(&self, _: &Self) -> Option<&'static str> {
        Some("rules change in one step; connections that run go on")
    }
}

fn line(ports: &ReachedPorts) -> String {
    let transport = match ports.transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
    };
    match (ports.ports.start(), ports.ports.end()) {
        (start, end) if start == end => format!("{} {transport} {start}", ports.guest),
        (start, end) => format!("{} {transport} {start}-{end}", ports.guest),
    }
}
