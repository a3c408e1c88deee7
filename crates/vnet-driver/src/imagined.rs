//! What differs on a host that is made for a trial.

/// A host that lives as long as a trial of a definition: nobody but the trial is on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imagined {
    /// firewalld has the zone that a network asks for, refuses nothing in it, and is told nothing.
    pub zones: bool,
    /// dnsmasq offers an address without asking for three seconds whether somebody has it.
    pub offers_at_once: bool,
    /// Takes the place of random bytes for the MAC addresses and UUIDs of ports.
    pub seed: Option<[u8; 16]>,
}
