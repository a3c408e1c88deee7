//! Differences on a host that is created for a trial.

use vnet_types::Features;

/// A host that exists only for the trial of a definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imagined {
    /// firewalld has every zone that a network asks for and blocks nothing in it, and
    /// systemd-resolved takes every domain. Neither is ever called.
    pub zones: bool,
    /// dnsmasq offers an address at once, without pinging it for three seconds.
    pub offers_at_once: bool,
    /// What the kernel supports, where that was asked before.
    pub features: Option<Features>,
    /// Replaces the random bytes in the MAC addresses and UUIDs of ports.
    pub seed: Option<[u8; 16]>,
}
