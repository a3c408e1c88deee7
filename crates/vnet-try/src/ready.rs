//! Waits until the name server of a network hears what guests ask over IPv6.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use vnet_types::InterfaceName;

use crate::error::Result;

const PAUSE: Duration = Duration::from_millis(1);
/// The groups of DHCPv6 servers and of routers, as `/proc/net/igmp6` prints them.
const SERVERS: &str = "ff020000000000000000000000010002";
const ROUTERS: &str = "ff020000000000000000000000000002";

/// Waits until dnsmasq hears what guests ask over IPv6, for DHCP or for a router, on a bridge of
/// this thread's namespace. It begins to when the bridge has an address of its link, which it gets
/// with its first open port.
pub(crate) fn ipv6_services(bridge: &InterfaceName, dhcp: bool, deadline: Instant) -> Result<()> {
    // A host that forwards is in the group of routers itself.
    let forwards = fs::read_to_string(format!("/proc/sys/net/ipv6/conf/{bridge}/forwarding"));
    let itself = usize::from(forwards.is_ok_and(|text| text.trim() != "0"));
    let (group, members) = if dhcp { (SERVERS, 1) } else { (ROUTERS, 1 + itself) };
    let hears = || {
        let groups = fs::read_to_string("/proc/thread-self/net/igmp6").unwrap_or_default();
        groups.lines().filter_map(|line| member_count(line, bridge.as_str(), group)).any(|count| count >= members)
    };
    while !hears() && Instant::now() < deadline {
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// How many are in a group at a device: `3 virbr0 ff02…0002 2 00000004 0`.
fn member_count(line: &str, device: &str, group: &str) -> Option<usize> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    match fields[..] {
        [_, at, named, count, ..] if at == device && named == group => count.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_a_group_are_counted() {
        let line = "3    virbr0          ff020000000000000000000000000002     2 00000004 0";
        assert_eq!(member_count(line, "virbr0", ROUTERS), Some(2));
        assert_eq!(member_count(line, "virbr1", ROUTERS), None);
        assert_eq!(member_count(line, "virbr0", SERVERS), None);
        assert_eq!(member_count("", "virbr0", ROUTERS), None);
    }
}
