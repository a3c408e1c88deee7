//! Traffic control: queueing disciplines, their classes, and the filters that sort packets into
//! them (tc(8), tc-htb(8), `linux/pkt_sched.h`, `linux/pkt_cls.h`).

use std::fmt;

use crate::{InterfaceName, MacAddr};

/// The handle of a qdisc (`1:`), of a class (`1:2`), or a place where a qdisc can be attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TrafficHandle {
    /// The qdisc.
    pub major: u16,
    /// The class in it; 0 for the qdisc itself.
    pub minor: u16,
}

/// A queueing discipline of a link.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Qdisc {
    /// The link.
    pub link: InterfaceName,
    /// Where it is attached: [`TrafficHandle::ROOT`], [`TrafficHandle::INGRESS`], or a class.
    pub parent: TrafficHandle,
    /// Its number.
    pub handle: TrafficHandle,
    /// Its kind and settings.
    pub kind: QdiscKind,
}

/// The kind of a queueing discipline and its settings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum QdiscKind {
    /// Shares the link between classes by token buckets.
    Htb {
        /// The class of packets that no filter matches.
        default: u16,
    },
    /// Serves the flows in turn.
    Sfq {
        /// The seconds after which flows are hashed anew.
        perturb: u32,
    },
    /// Holds filters for incoming packets.
    Ingress,
    /// Has no queue.
    Noqueue,
    /// Another kind, by its name.
    Other(String),
}

/// A class of an htb.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Class {
    /// The link.
    pub link: InterfaceName,
    /// The parent qdisc or class.
    pub parent: TrafficHandle,
    /// Its number.
    pub handle: TrafficHandle,
    /// The guaranteed rate in bytes per second.
    pub rate: u64,
    /// The rate that it can reach by borrowing, in bytes per second.
    pub ceil: u64,
    /// The burst in bytes; `None`: the default of `tc`, little more than one packet.
    pub burst: Option<u32>,
    /// The bytes that it sends in one turn when it borrows.
    pub quantum: u32,
    /// Its guaranteed rate is what the other classes leave of the parent's `ceil`; `rate` if there
    /// are no other classes.
    pub remainder: bool,
}

/// A filter: which packets it matches and what happens to them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Filter {
    /// The link.
    pub link: InterfaceName,
    /// The qdisc that it belongs to.
    pub parent: TrafficHandle,
    /// Filters with a smaller priority are tried first.
    pub priority: u16,
    /// Its number among the filters of its priority.
    pub handle: u32,
    /// Which packets.
    pub matches: FilterMatch,
    /// What happens to them.
    pub action: FilterAction,
}

/// Which packets a filter is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum FilterMatch {
    /// All packets.
    All,
    /// Packets with the firewall mark that is the filter's handle.
    Mark,
    /// IPv4 packets to an Ethernet address.
    Ipv4To(MacAddr),
    /// IPv4 packets to a port of UDP, or of another protocol with the port at the same offset.
    UdpTo(u16),
}

/// What happens to packets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum FilterAction {
    /// They go to a class.
    Class(TrafficHandle),
    /// They are dropped above a rate.
    Police {
        /// Bytes per second.
        rate: u64,
        /// The burst in bytes.
        burst: u32,
    },
    /// They are redirected to another link.
    Redirect(InterfaceName),
    /// Their IPv4 and UDP checksums are filled in, and they continue.
    Checksum,
}

impl TrafficHandle {
    /// The place of the qdisc for all outgoing packets.
    pub const ROOT: Self = Self::new(0xffff, 0xffff);
    /// The place of the qdisc that holds the filters for incoming packets.
    pub const INGRESS: Self = Self::new(0xffff, 0xfff1);

    /// The class `major:minor`.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }

    /// The qdisc `major:`.
    pub const fn qdisc(major: u16) -> Self {
        Self::new(major, 0)
    }

    /// The handle as the kernel's 32-bit number.
    pub const fn number(self) -> u32 {
        (self.major as u32) << 16 | self.minor as u32
    }
}

impl From<u32> for TrafficHandle {
    fn from(number: u32) -> Self {
        let [a, b, c, d] = number.to_be_bytes();
        Self::new(u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
    }
}

/// In the words of `tc`.
impl fmt::Display for TrafficHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (*self, self.major, self.minor) {
            (Self::ROOT, ..) => f.write_str("root"),
            (Self::INGRESS, ..) => f.write_str("ingress"),
            (_, major, 0) => write!(f, "{major:x}:"),
            (_, 0, minor) => write!(f, ":{minor:x}"),
            (_, major, minor) => write!(f, "{major:x}:{minor:x}"),
        }
    }
}

/// In the words of `tc qdisc`.
impl fmt::Display for Qdisc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dev {}", self.link)?;
        match self.parent {
            TrafficHandle::INGRESS => {}
            TrafficHandle::ROOT => write!(f, " root handle {}", self.handle)?,
            class => write!(f, " parent {class} handle {}", self.handle)?,
        }
        match &self.kind {
            QdiscKind::Htb { default } => write!(f, " htb default {default:x}"),
            QdiscKind::Sfq { perturb } => write!(f, " sfq perturb {perturb}"),
            QdiscKind::Ingress => f.write_str(" ingress"),
            QdiscKind::Noqueue => f.write_str(" noqueue"),
            QdiscKind::Other(word) => write!(f, " {word}"),
        }
    }
}

/// In the words of `tc class`.
impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { link, parent, handle, rate, ceil, burst, quantum, remainder } = self;
        write!(f, "dev {link} parent {parent} classid {handle} htb rate {}", Rate(*rate))?;
        if ceil != rate {
            write!(f, " ceil {}", Rate(*ceil))?;
        }
        if let Some(burst) = burst {
            write!(f, " burst {}", Bytes(*burst))?;
        }
        write!(f, " quantum {quantum}")?;
        f.write_str(if *remainder { " (less what other classes have)" } else { "" })
    }
}

/// In the words of `tc filter`.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { link, parent, priority, handle, matches, action } = self;
        write!(f, "dev {link} parent {parent} prio {priority}")?;
        match matches {
            FilterMatch::All => f.write_str(" protocol all u32 match u32 0 0")?,
            FilterMatch::Mark => write!(f, " protocol all handle {handle} fw")?,
            FilterMatch::Ipv4To(mac) => {
                let [a, b, c, d, e, g] = mac.0;
                write!(f, " protocol ip handle {:x}::{:x} u32", handle >> 20, handle & 0xfff)?;
                write!(f, " match u16 0x0800 0xffff at -2 match u32 0x{c:02x}{d:02x}{e:02x}{g:02x} 0xffffffff at -12")?;
                write!(f, " match u16 0x{a:02x}{b:02x} 0xffff at -14")?;
            }
            FilterMatch::UdpTo(port) => {
                write!(f, " protocol ip handle {:x}::{:x} u32", handle >> 20, handle & 0xfff)?;
                write!(f, " match ip dport {port} 0xffff")?;
            }
        }
        match action {
            FilterAction::Class(class) => write!(f, " flowid {class}"),
            FilterAction::Police { rate, burst } => {
                write!(f, " police rate {} burst {} mtu 64kb drop flowid :1", Rate(*rate), Bytes(*burst))
            }
            FilterAction::Redirect(to) => write!(f, " action mirred egress redirect dev {to}"),
            FilterAction::Checksum => f.write_str(" action csum ip and udp"),
        }
    }
}

/// Bytes per second, as `tc` reads them.
struct Rate(u64);

/// Bytes, as `tc` reads them.
struct Bytes(u32);

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 % 1000 {
            0 => write!(f, "{}kbps", self.0 / 1000),
            _ => write!(f, "{}bps", self.0),
        }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 % 1024 {
            0 => write!(f, "{}kb", self.0 / 1024),
            _ => write!(f, "{}b", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(TrafficHandle::ROOT, "root", 0xffff_ffff)]
    #[case(TrafficHandle::INGRESS, "ingress", 0xffff_fff1)]
    #[case(TrafficHandle::qdisc(1), "1:", 0x1_0000)]
    #[case(TrafficHandle::new(1, 0x1a), "1:1a", 0x1_001a)]
    #[case(TrafficHandle::new(0, 1), ":1", 1)]
    fn handles(#[case] handle: TrafficHandle, #[case] words: &str, #[case] number: u32) {
        assert_eq!((handle.to_string().as_str(), handle.number()), (words, number));
        assert_eq!(TrafficHandle::from(number), handle);
    }

    #[test]
    fn words_are_those_of_tc() {
        let link: InterfaceName = "vnet0".parse().expect("a name");
        let root = TrafficHandle::qdisc(1);
        let qdisc = Qdisc {
            link: link.clone(),
            parent: TrafficHandle::ROOT,
            handle: root,
            kind: QdiscKind::Htb { default: 1 },
        };
        assert_eq!(qdisc.to_string(), "dev vnet0 root handle 1: htb default 1");
        let class = Class {
            link: link.clone(),
            parent: root,
            handle: TrafficHandle::new(1, 1),
            rate: 1_024_000,
            ceil: 2_000_500,
            burst: Some(4096),
            quantum: 87,
            remainder: false,
        };
        let words = "dev vnet0 parent 1: classid 1:1 htb rate 1024kbps ceil 2000500bps burst 4kb quantum 87";
        assert_eq!(class.to_string(), words);
        let filter = Filter {
            link,
            parent: root,
            priority: 2,
            handle: 0x8000_0803,
            matches: FilterMatch::Ipv4To(MacAddr([0x52, 0x54, 0, 1, 2, 3])),
            action: FilterAction::Class(TrafficHandle::new(1, 3)),
        };
        assert_eq!(
            filter.to_string(),
            "dev vnet0 parent 1: prio 2 protocol ip handle 800::803 u32 match u16 0x0800 0xffff at -2 \
             match u32 0x00010203 0xffffffff at -12 match u16 0x5254 0xffff at -14 flowid 1:3"
        );
    }
}
