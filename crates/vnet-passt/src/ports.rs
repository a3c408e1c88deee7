//! Port forwarding: the list that `--tcp-ports` and `--udp-ports` take.

use std::fmt;
use std::net::{AddrParseError, IpAddr};
use std::num::ParseIntError;
use std::str::FromStr;

use vnet_types::{InterfaceName, Listener, NameError, PortRange, PortSet};

/// Ports of the host that are forwarded to the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PortForward {
    /// The protocol.
    pub protocol: Protocol,
    /// The ports.
    pub ports: Ports,
}

/// TCP or UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Protocol {
    /// `tcp`
    Tcp,
    /// `udp`
    Udp,
}

/// Ports of the host: `[[ADDRESS][%DEVICE]/]all`, or ranges instead of `all`, separated by commas.
///
/// Without a range to forward, all ports are forwarded that are not excluded, not bound and not
/// ephemeral.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ports {
    /// The host's address that they are bound to; `None`: all addresses.
    pub address: Option<IpAddr>,
    /// The host's interface that they are bound to; `None`: all interfaces.
    pub device: Option<InterfaceName>,
    /// The ranges; if empty, all ports.
    pub ranges: Vec<ForwardedRange>,
}

/// One range: `START[-END][:TO[-TOEND]]`, or `~START[-END]` for an excluded one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ForwardedRange {
    start: u16,
    end: Option<u16>,
    target: Target,
}

/// The target of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// To the same ports of the guest.
    Same,
    /// To the guest's ports from this one on.
    From(u16),
    /// To no port: these ports are excluded from the other ranges.
    Excluded,
}

/// Why numbers are not a range of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PortRangeError {
    /// There is no port 0.
    #[error("there is no port 0")]
    Zero,
    /// The end comes before the start.
    #[error("the ports {start} to {end} are reversed")]
    Reversed {
        /// The first.
        start: u16,
        /// The last.
        end: u16,
    },
    /// The last port of the guest would be beyond 65535.
    #[error("{len} ports from {to} on go beyond 65535")]
    Beyond {
        /// The guest's first port.
        to: u16,
        /// How many.
        len: u32,
    },
}

/// Why a text is not a list of ports.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParsePortsError {
    /// The part before `/` is not an address.
    #[error("{text:?} is not an address")]
    Address {
        /// The part of the text.
        text: String,
        /// Why.
        source: AddrParseError,
    },
    /// The part after `%` is not the name of an interface.
    #[error("a device cannot have this name")]
    Device(#[source] NameError),
    /// A part is not a port.
    #[error("{text:?} is not a port")]
    Port {
        /// The part of the text.
        text: String,
        /// Why.
        source: ParseIntError,
    },
    /// A part is not a range.
    #[error("{text:?} is not a range of ports")]
    Range {
        /// The part of the text.
        text: String,
        /// Why.
        source: PortRangeError,
    },
    /// A part does not belong there: the target range has another length, or excluded ports have a
    /// target.
    #[error("{0:?} does not fit the ports before it")]
    Target(String),
}

impl PortForward {
    /// Ports of one protocol.
    pub fn new(protocol: Protocol, ports: Ports) -> Self {
        Self { protocol, ports }
    }
}

impl Ports {
    /// The address and device that they are bound to.
    pub fn listener(&self) -> Listener<'_> {
        Listener { address: self.address, device: self.device.as_ref() }
    }

    /// Whether no range names ports to forward. Then passt forwards those of the ports that are not
    /// excluded that it can bind.
    pub fn takes_what_is_free(&self) -> bool {
        self.forwarded().next().is_none()
    }

    /// The ports of the host that are forwarded: if no range names any, all that are not excluded.
    pub fn open(&self) -> PortSet {
        let named: PortSet = match self.takes_what_is_free() {
            true => PortRange::new(1, u16::MAX).expect("the ends are in order").into(),
            false => self.forwarded().map(ForwardedRange::ports).collect(),
        };
        named.difference(&self.excluded())
    }

    /// The ports that are excluded.
    pub fn excluded(&self) -> PortSet {
        let excluded = self.ranges.iter().filter(|range| range.target == Target::Excluded);
        excluded.copied().map(ForwardedRange::ports).collect()
    }

    /// The ranges that are not excluded.
    pub fn forwarded(&self) -> impl Iterator<Item = ForwardedRange> + '_ {
        self.ranges.iter().copied().filter(|range| range.target != Target::Excluded)
    }

    /// The port of the guest that a port of the host is forwarded to.
    pub fn leads_to(&self, port: u16) -> Option<u16> {
        self.open().contains(port).then(|| {
            let range = self.forwarded().find(|range| (range.start..=range.last()).contains(&port));
            range.map_or(port, |range| range.guest_start() + (port - range.start))
        })
    }
}

impl ForwardedRange {
    /// The ports from `start` to `end`, or `start` alone.
    ///
    /// # Errors
    /// [`PortRangeError`] for port 0, a reversed range, or a target that goes beyond the last port.
    pub fn new(start: u16, end: Option<u16>, target: Target) -> Result<Self, PortRangeError> {
        let last = end.unwrap_or(start);
        if start == 0 || target == Target::From(0) {
            return Err(PortRangeError::Zero);
        }
        if last < start {
            return Err(PortRangeError::Reversed { start, end: last });
        }
        match target {
            Target::From(to) if to.checked_add(last - start).is_none() => {
                Err(PortRangeError::Beyond { to, len: u32::from(last - start) + 1 })
            }
            _ => Ok(Self { start, end, target }),
        }
    }

    /// The first port on the host.
    pub fn start(self) -> u16 {
        self.start
    }

    /// The last port on the host.
    pub fn last(self) -> u16 {
        self.end.unwrap_or(self.start)
    }

    /// The ports on the host.
    pub fn ports(self) -> PortRange {
        PortRange::new(self.start, self.last()).expect("the ends are in order")
    }

    /// Their target in the guest.
    pub fn target(self) -> Target {
        self.target
    }

    fn guest_start(self) -> u16 {
        match self.target {
            Target::From(to) => to,
            Target::Same | Target::Excluded => self.start,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(address) = self.address {
            write!(f, "{address}")?;
        }
        if let Some(device) = &self.device {
            write!(f, "%{device}")?;
        }
        if self.address.is_some() || self.device.is_some() {
            f.write_str("/")?;
        }
        if self.ranges.is_empty() {
            return f.write_str("all");
        }
        for (index, range) in self.ranges.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{range}")?;
        }
        Ok(())
    }
}

/// Serializes ports as the text that passt reads.
#[cfg(feature = "serde")]
impl serde::Serialize for Ports {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Ports {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for ForwardedRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { start, end, target } = *self;
        let tilde = if target == Target::Excluded { "~" } else { "" };
        write!(f, "{tilde}{start}")?;
        if let Some(end) = end {
            write!(f, "-{end}")?;
        }
        match (target, end) {
            (Target::From(to), Some(end)) => write!(f, ":{to}-{}", to + (end - start)),
            (Target::From(to), None) => write!(f, ":{to}"),
            (Target::Same | Target::Excluded, _) => Ok(()),
        }
    }
}

impl FromStr for Ports {
    type Err = ParsePortsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, ranges) = text.split_once('/').map_or((None, text), |(host, ranges)| (Some(host), ranges));
        let (address, device) = match host.map(|host| host.split_once('%').unwrap_or((host, ""))) {
            None => (None, None),
            Some((address, device)) => {
                (Some(address).filter(|part| !part.is_empty()), Some(device).filter(|part| !part.is_empty()))
            }
        };
        let address = address
            .map(|text| text.parse().map_err(|source| ParsePortsError::Address { text: text.to_owned(), source }));
        let device = device.map(|text| text.parse().map_err(ParsePortsError::Device));
        let ranges = match ranges {
            "all" => Ok(Vec::new()),
            list => list.split(',').map(str::parse).collect(),
        };
        Ok(Self { address: address.transpose()?, device: device.transpose()?, ranges: ranges? })
    }
}

impl FromStr for ForwardedRange {
    type Err = ParsePortsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (own, to) = text.split_once(':').map_or((text, None), |(own, to)| (own, Some(to)));
        let (own, is_excluded) = own.strip_prefix('~').map_or((own, false), |own| (own, true));
        let (start, end) = ends(own)?;
        let (target, target_end) = match to.map(ends).transpose()? {
            _ if is_excluded => (Target::Excluded, None),
            None => (Target::Same, None),
            Some((to, to_end)) => (Target::From(to), to_end),
        };
        let range =
            Self::new(start, end, target).map_err(|source| ParsePortsError::Range { text: text.to_owned(), source })?;
        let own_target_end = range.guest_start() + (range.last() - range.start);
        if (is_excluded && to.is_some()) || target_end.is_some_and(|end| end != own_target_end) {
            return Err(ParsePortsError::Target(to.unwrap_or_default().to_owned()));
        }
        Ok(range)
    }
}

fn ends(text: &str) -> Result<(u16, Option<u16>), ParsePortsError> {
    let port = |text: &str| text.parse().map_err(|source| ParsePortsError::Port { text: text.to_owned(), source });
    match text.split_once('-') {
        None => Ok((port(text)?, None)),
        Some((start, end)) => Ok((port(start)?, Some(port(end)?))),
    }
}
