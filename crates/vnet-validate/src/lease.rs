//! `<lease>`: how long a guest has an address.

use vnet_xml::NodePath;
use vnet_xml::network::{Lease, LeaseUnit};

use crate::finding::Finding;
use crate::rules;

/// The shortest lease of dnsmasq, in seconds.
const SHORTEST: u64 = 120;

/// The longest lease of dnsmasq, in seconds.
const LONGEST: u64 = i32::MAX as u64;

/// Checks the lease of the range or host at `path`.
pub(crate) fn check(lease: Lease, path: &NodePath) -> Option<Finding> {
    let (unit, seconds) = match lease.unit {
        LeaseUnit::Seconds => ("seconds", 1),
        LeaseUnit::Minutes => ("minutes", 60),
        LeaseUnit::Hours => ("hours", 3600),
    };
    let path = path.element("lease").attribute("expiry");
    let Lease { expiry, .. } = lease;
    let total = expiry.saturating_mul(seconds);
    if expiry != 0 && total < SHORTEST {
        let message = format!("a lease of {expiry} {unit} is too short, the least is 2 minutes");
        let least = SHORTEST / seconds;
        let help = format!("write `expiry='{least}'` or more; 0 is a lease that never ends");
        return Some(Finding::new(rules::DHCP_LEASE_TOO_SHORT, path, message).help(help));
    }
    if expiry == 0 {
        let message = "a lease of 0 never ends, and its address is never given to another guest";
        let help = "write how long it is, for example `expiry='1' unit='hours'`, unless that is meant";
        return Some(Finding::new(rules::DHCP_LEASE_ENDLESS, path, message).help(help));
    }
    if total > LONGEST {
        let message = format!("a lease of {expiry} {unit} is longer than dnsmasq can count");
        let help = format!("write `expiry='0'` for a lease that never ends, or {} {unit} at most", LONGEST / seconds);
        return Some(Finding::new(rules::DHCP_LEASE_TOO_LONG, path, message).help(help));
    }
    None
}
