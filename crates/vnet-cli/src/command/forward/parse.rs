//! Ports and guests, as people write them.

use std::str::FromStr;

use vnet_types::{InterfaceName, PortRange};
use vnet_xml::interface::{PortForward, PortForwardRange, Protocol};
use vnet_xml::network::{ForwardGuest, GuestForward};

/// `tcp/2222`, `udp/5000-5010`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostPorts {
    protocol: Protocol,
    ports: PortRange,
}

/// `web`, `web:22`, `10.20.0.10:22`, `[fd00::10]:22`, `52:54:00:00:00:10:22`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GuestPort {
    guest: ForwardGuest,
    port: Option<u16>,
}

/// Where connections have to arrive.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Arrival {
    /// The address of the host [default: every address but the loopback ones]
    #[arg(long, value_name = "ADDRESS")]
    address: Option<std::net::IpAddr>,
    /// The device that connections arrive on [default: any, and from the host itself]
    #[arg(long, value_name = "DEVICE")]
    dev: Option<InterfaceName>,
}

impl HostPorts {
    /// The forward of these ports, to the same ports or from this one on.
    pub(super) fn forward(&self, at: &Arrival, to: Option<u16>) -> PortForward {
        let (start, end) = (self.ports.start(), self.ports.end());
        let mut range = PortForwardRange::new(start);
        range.end = Some(end).filter(|end| *end != start);
        range.to = to.filter(|to| *to != start);
        let mut forward = PortForward::new(self.protocol);
        (forward.address, forward.dev, forward.ranges) = (at.address, at.dev.clone(), vec![range]);
        forward
    }
}

impl GuestPort {
    /// The forward of ports to this guest.
    pub(super) fn forward(&self, ports: &HostPorts, at: &Arrival) -> GuestForward {
        GuestForward::new(self.guest.clone(), ports.forward(at, self.port))
    }
}

impl FromStr for HostPorts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("`{text}` is not a protocol and ports, such as tcp/2222 or udp/5000-5010");
        let (protocol, ports) = text.split_once('/').ok_or_else(expected)?;
        let protocol = match protocol {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            _ => return Err(expected()),
        };
        let (start, end) = ports.split_once('-').unwrap_or((ports, ports));
        let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
        let range = number(start).zip(number(end)).and_then(|(start, end)| PortRange::new(start, end).ok());
        Ok(Self { protocol, ports: range.ok_or_else(expected)? })
    }
}

impl FromStr for GuestPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("`{text}` is not a guest and a port, such as web:22 or 10.20.0.10:22");
        let guest = |text: &str| match text.parse() {
            Ok(ForwardGuest::Name(name)) if name.is_empty() || name.contains([':', '[', ']']) => Err(expected()),
            Ok(guest) => Ok(guest),
            Err(never) => match never {},
        };
        if let Ok(guest) = guest(text) {
            return Ok(Self { guest, port: None });
        }
        let (name, port) = text.rsplit_once(':').ok_or_else(expected)?;
        let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        let port = port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(expected)?;
        Ok(Self { guest: guest(name)?, port: Some(port) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests() {
        for (text, guest, port) in [
            ("web", "web", None),
            ("web:22", "web", Some(22)),
            ("10.20.0.10", "10.20.0.10", None),
            ("10.20.0.10:22", "10.20.0.10", Some(22)),
            ("fd00::10", "fd00::10", None),
            ("[fd00::10]:22", "fd00::10", Some(22)),
            ("52:54:00:00:00:10", "52:54:00:00:00:10", None),
            ("52:54:00:00:00:10:22", "52:54:00:00:00:10", Some(22)),
        ] {
            let guest = guest.parse().unwrap_or_else(|never| match never {});
            assert_eq!(text.parse(), Ok(GuestPort { guest, port }));
        }
        for wrong in ["web:0", "web:x", ":22", ""] {
            assert!(wrong.parse::<GuestPort>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn ports() {
        let parsed = "udp/5000-5010".parse::<HostPorts>().map(|it| it.forward(&Arrival::default(), Some(1)).leads());
        assert_eq!(parsed, Ok(vec![("5000-5010".parse().expect("ports"), 1)]));
        for wrong in ["2222", "sctp/1", "tcp/", "tcp/0", "tcp/9-1", "tcp/70000"] {
            assert!(wrong.parse::<HostPorts>().is_err(), "{wrong}");
        }
    }
}
