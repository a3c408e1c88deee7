//! What a host cannot do for a network or a port that runs nevertheless.

use std::fmt;

use vnet_host::{Unread, Unscoped};

/// Something that a host cannot do for a network or a port, and its effect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// The kernel has no `act_csum`.
    NoChecksums,
    /// libvirt filters for the network, so that its connections do not skip the rules.
    NotAccelerated,
    /// systemd has given a program no scope of its own.
    Unscoped(Unscoped),
    /// A part of the host could not be read for a plan.
    Unread(Unread),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoChecksums => f.write_str(
                "this kernel cannot fill in the checksums of DHCP answers (act_csum): guests whose DHCP client checks \
                 them, as very old ones do, get no address",
            ),
            Self::NotAccelerated => f.write_str(
                "`<vnet:driver flowtable='on'/>` has no effect while libvirt runs the network: connections that skip the \
                 rules would go on when libvirt changes these",
            ),
            Self::Unread(Unread::Rules) => f.write_str(
                "the rules of nf_tables could not be read, which needs CAP_NET_ADMIN: rules are planned as if those \
                 that were made were there, and those of other programs are not known",
            ),
            Self::Unread(Unread::NameServers) => f.write_str(
                "systemd-resolved did not tell its domains: the plan takes those that were registered to be there",
            ),
            Self::Unread(_) => f.write_str(
                "firewalld did not tell its zones: the plan takes those that were set to be as they were made",
            ),
            Self::Unscoped(Unscoped { program, cgroup, reason, .. }) => {
                write!(f, "{program} runs in {cgroup} and may end with that: {reason}")
            }
        }
    }
}
