//! `<host>` in `<dhcp>`: an address that is reserved for one guest.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::net::IpAddr;

use vnet_types::{Family, MacAddr};
use vnet_xml::NodePath;
use vnet_xml::network::{Dhcp, DhcpHost, Ip};

use crate::finding::Finding;
use crate::subnets::{hosts, reserved};
use crate::{lease, rules, words};

pub(crate) fn check(ip: &Ip, dhcp: &Dhcp, path: &NodePath) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, host) in dhcp.hosts.iter().enumerate() {
        // A path is made where something is wrong: networks can have thousands of hosts.
        let path = || path.nth("host", index);
        identity(ip, host, path, &mut findings);
        findings.extend(name(host, path));
        findings.extend(address(ip, host, path));
        findings.extend(host.lease.and_then(|lease| lease::check(lease, &path())));
    }
    findings.extend(clashes(dhcp, path));
    findings
}

/// How dnsmasq recognises the guest: by MAC address or name over DHCP, by DUID or name over DHCPv6.
fn identity(ip: &Ip, host: &DhcpHost, path: impl Fn() -> NodePath, findings: &mut Vec<Finding>) {
    let ipv6 = ip.address.is_ipv6();
    let nobody = |others: &str| {
        let message = format!("the address `{}` is kept for nobody: neither {others} says for whom", host.ip);
        Finding::new(rules::DHCP_HOST_INCOMPLETE, path(), message)
    };
    match (&host.mac, &host.id) {
        (Some(_), id) if ipv6 => {
            let message = "DHCPv6 does not know guests by their MAC address";
            let finding = Finding::new(rules::DHCP_HOST_MAC_IN_IPV6, path().attribute("mac"), message);
            let instead =
                if id.is_some() { "leave `mac` out" } else { "write the guest's DUID as `id`, or its `name`" };
            findings.push(finding.help(instead));
        }
        (None, None) if ipv6 && host.name.is_none() => {
            findings
                .push(nobody("`id` nor `name`").help("write the guest's DUID as `id='00:03:00:01:…'`, or its `name`"));
        }
        (None, _) if !ipv6 && host.name.is_none() => {
            findings.push(
                nobody("`mac` nor `name`").help("write the guest's MAC address as `mac='52:54:00:…'`, or its `name`"),
            );
        }
        (_, Some(_)) if !ipv6 => {
            let message = "`id` does nothing in an IPv4 subnet: guests are known by `mac` or `name`";
            let finding = Finding::new(rules::DHCP_HOST_ID_IN_IPV4, path().attribute("id"), message);
            findings.push(finding.help("leave it out, or move the host to an IPv6 `<ip>`"));
        }
        _ => {}
    }
    if let Some(mac) = host.mac.as_ref().filter(|mac| !ipv6 && mac.get().is_multicast()) {
        let message = format!("no guest can have the multicast MAC address `{mac}`");
        let finding = Finding::new(rules::DHCP_HOST_MAC_NOT_UNICAST, path().attribute("mac"), message);
        findings.push(finding.help("write the address of the guest's interface; its second digit is even"));
    }
    let odd = |c: char| !c.is_ascii_hexdigit() && c != ':';
    if let Some(id) = host.id.as_ref().filter(|id| id.is_empty() || id.contains(odd)) {
        let message = format!("the id {id:?} is no DUID: it has other characters than hexadecimal digits and `:`");
        let message = if id.is_empty() { "the id is empty".to_owned() } else { message };
        let finding = Finding::new(rules::DHCP_HOST_ID, path().attribute("id"), message);
        findings.push(finding.help("write the guest's DUID, such as `00:03:00:01:52:54:00:12:34:56`"));
    } else if let Some(id) = host.id.as_ref().filter(|_| ipv6) {
        findings.extend(no_duid(id).map(|reason| {
            let message = format!("no guest has the DUID `{id}`: {reason}");
            let finding = Finding::new(rules::DHCP_HOST_ID_NO_DUID, path().attribute("id"), message);
            finding.help(match mac_of(id) {
                Some(mac) => format!("the DUID that is made of a MAC address is `id='00:03:00:01:{mac}'`"),
                None => "write what the guest sends: dnsmasq logs it, and the guest's DHCP client shows it".to_owned(),
            })
        }));
    }
}

/// Why an id is not a valid DUID (RFC 8415, section 11).
fn no_duid(id: &str) -> Option<&'static str> {
    let octet = |text: &str| u8::from_str_radix(text, 16).ok().filter(|_| text.len() <= 2);
    let Some(octets) = id.split(':').map(octet).collect::<Option<Vec<u8>>>() else {
        return Some("its octets are not one or two digits each, with `:` between them");
    };
    let (least, most) = match octets[..] {
        // The types DUID-LLT, DUID-EN, DUID-LL and DUID-UUID; the first two octets are the type.
        [0, 1, ..] => (9, 130),
        [0, 2, ..] => (7, 130),
        [0, 3, ..] => (5, 130),
        [0, 4, ..] => (18, 18),
        _ => return Some("it does not begin with the type of a DUID, `00:01` to `00:04`"),
    };
    (!(least..=most).contains(&octets.len())).then_some("it is too short or too long for its type")
}

/// The MAC address in an id: alone, or with its type in front, as DHCP clients for IPv4 send it.
fn mac_of(id: &str) -> Option<MacAddr> {
    id.parse().ok().or_else(|| id.strip_prefix("01:").or_else(|| id.strip_prefix("1:"))?.parse().ok())
}

fn name(host: &DhcpHost, path: impl Fn() -> NodePath) -> Option<Finding> {
    let name = host.name.as_ref().filter(|name| !words::is_label(name))?;
    let path = path().attribute("name");
    if name.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        return words::name(path, "the host's name", name);
    }
    let message = format!("the host's name {name:?} does not begin with a letter or a digit");
    Some(Finding::new(rules::DHCP_HOST_NAME, path, message).help("write the name that the guest sends, such as `web1`"))
}

fn address(ip: &Ip, host: &DhcpHost, path: impl Fn() -> NodePath) -> Option<Finding> {
    let family = Family::of(ip.address);
    let at = || path().attribute("ip");
    if Family::of(host.ip) != family {
        let message = format!("the host's address `{}` is not {family} as the subnet is", host.ip);
        let finding = Finding::new(rules::DHCP_HOST_FAMILY, at(), message);
        return Some(finding.help(format!("move the host to an `<ip>` of family {}", Family::of(host.ip))));
    }
    let net = ip.net()?;
    let free = |one: &str| {
        let (first, last) = hosts(net);
        format!("write {one} of `{first}` to `{last}`")
    };
    if !net.contains(&host.ip) {
        let message = format!("the host's address `{}` is outside the subnet {}", host.ip, net.trunc());
        return Some(Finding::new(rules::DHCP_HOST_OUTSIDE_SUBNET, at(), message).help(free("one")));
    }
    if let Some(what) = reserved(net, host.ip) {
        let message = format!("no host can have `{}`: it is the {what} of {}", host.ip, net.trunc());
        return Some(Finding::new(rules::DHCP_HOST_RESERVED_ADDRESS, at(), message).help(free("one")));
    }
    if host.ip == ip.address {
        let message = format!("the host's address `{}` is the bridge's own", host.ip);
        let subnet = path().parent().and_then(|dhcp| dhcp.parent()).unwrap_or_else(&path);
        let finding = Finding::new(rules::DHCP_HOST_RESERVED_ADDRESS, at(), message).help(free("another one"));
        return Some(finding.related(subnet.attribute("address"), "the bridge has it here"));
    }
    None
}

/// What no two hosts may share, the most obvious mistake first.
#[derive(PartialEq, Eq, Hash)]
enum Key<'a> {
    Ip(IpAddr),
    Mac(MacAddr),
    Id(Cow<'a, str>),
    Name(Cow<'a, str>),
}

impl<'a> Key<'a> {
    fn all(host: &'a DhcpHost) -> impl Iterator<Item = Self> {
        let mac = host.mac.as_ref().map(|mac| Self::Mac(mac.get()));
        let id = host.id.as_deref().map(|id| Self::Id(lower(id)));
        let name = host.name.as_deref().map(|name| Self::Name(lower(name)));
        [Some(Self::Ip(host.ip)), mac, id, name].into_iter().flatten()
    }

    fn attribute(&self) -> &'static str {
        match self {
            Self::Ip(_) => "ip",
            Self::Mac(_) => "mac",
            Self::Id(_) => "id",
            Self::Name(_) => "name",
        }
    }
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => write!(f, "address `{ip}`"),
            Self::Mac(mac) => write!(f, "MAC address `{mac}`"),
            Self::Id(id) => write!(f, "id `{id}`"),
            Self::Name(name) => write!(f, "name `{name}`"),
        }
    }
}

fn lower(text: &str) -> Cow<'_, str> {
    match text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => text.to_ascii_lowercase().into(),
        false => text.into(),
    }
}

/// Finds hosts that share something with an earlier one. A host that is listed twice is one
/// mistake.
fn clashes(dhcp: &Dhcp, path: &NodePath) -> Vec<Finding> {
    let mut first: HashMap<Key<'_>, usize> = HashMap::with_capacity(3 * dhcp.hosts.len());
    let mut findings = Vec::new();
    for (index, host) in dhcp.hosts.iter().enumerate() {
        let mut clash = None;
        for key in Key::all(host) {
            match first.entry(key) {
                Entry::Vacant(free) => {
                    free.insert(index);
                }
                Entry::Occupied(taken) if clash.is_none() => {
                    let other = *taken.get();
                    let is_twice = *host == dhcp.hosts[other];
                    clash = Some(clashing(taken.key(), [other, index], path, is_twice));
                }
                Entry::Occupied(_) => {}
            }
        }
        findings.extend(clash);
    }
    findings
}

/// Two hosts share a key.
fn clashing(key: &Key<'_>, [first, second]: [usize; 2], path: &NodePath, is_twice: bool) -> Finding {
    let (rule, help) = match key {
        Key::Ip(_) => (rules::DHCP_HOSTS_CLASH, "keep another address for one of them"),
        Key::Mac(_) | Key::Id(_) => (rules::DHCP_HOSTS_CLASH, "a guest is given one address: leave one out"),
        Key::Name(_) => (rules::DHCP_HOSTS_SHARE_NAME, "give each its own name, so that DNS knows one address"),
    };
    let at = |index| path.nth("host", index).attribute(key.attribute());
    let finding = Finding::new(rule, at(second), format!("two hosts have the {key}")).help(help);
    let finding = finding.related(at(first), "the first one is here");
    finding.remove_if(is_twice, path.nth("host", second))
}
