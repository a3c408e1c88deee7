//! Updates of the children of `<dhcp>`.

use std::net::IpAddr;

use vnet_types::{Family, MacAddr};

use super::{Command, Given, Put, Section, UpdateError, UpdateRefusal, Updated};
use crate::element::Element;
use crate::network::ip::{HOST, host, lease, range};
use crate::network::{Dhcp, DhcpHost, Ip, Network};
use crate::value::{ip, parsed, text};
use crate::{NodePath, Spelled};

/// What a deletion says about the host to delete.
struct Wanted {
    mac: Option<Spelled<MacAddr>>,
    name: Option<String>,
    ip: Option<IpAddr>,
}

pub(super) fn hosts(
    network: Network,
    command: Command,
    index: Option<usize>,
    document: &[u8],
) -> Result<Updated, UpdateError> {
    if command == Command::Delete {
        return delete_host(network, index, document);
    }
    let given = Given::read(document, "host", host)?;
    let parent = parent(&network, index).map_err(|reason| given.refuse("", reason))?;
    same_family(&network.ips[parent], given.value.ip).map_err(|reason| given.refuse("ip", reason))?;
    let hosts = &network.ips[parent].dhcp.iter().flat_map(|dhcp| &dhcp.hosts).collect::<Vec<_>>();
    let put = if command == Command::Modify {
        let same = |host: &&DhcpHost| Same::ALL.iter().any(|same| same.holds(&given.value, host));
        let found = hosts.iter().position(same);
        let absent =
            || given.refuse("", UpdateRefusal::Absent(format!("DHCP host like {}", description(&given.value))));
        Put::InPlaceOf(found.ok_or_else(absent)?)
    } else {
        if let Some(same) = Same::ALL.into_iter().find(|same| hosts.iter().any(|host| same.holds(&given.value, host))) {
            let what = format!("a DHCP host with the {}", same.words(&given.value));
            return Err(given.refuse(same.attribute(), UpdateRefusal::Exists(what)));
        }
        only_dhcp(&network, parent).map_err(|reason| given.refuse("", reason))?;
        Put::new(command)
    };
    let mut network = network;
    let at = put.into(&mut network.ips[parent].dhcp.get_or_insert_default().hosts, given.value.clone());
    Ok(given.put(network, command, path(parent).nth("host", at)))
}

fn delete_host(mut network: Network, index: Option<usize>, document: &[u8]) -> Result<Updated, UpdateError> {
    let given = Given::read(document, "host", wanted)?;
    let Wanted { mac, name, ip } = &given.value;
    let parent = parent(&network, index).map_err(|reason| given.refuse("", reason))?;
    if mac.is_none() && name.is_none() && ip.is_none() {
        return Err(given.refuse("", UpdateRefusal::Nothing));
    }
    let mac = mac.as_ref().map(Spelled::get);
    // A host without a MAC address matches any MAC address.
    let fits = |host: &DhcpHost| {
        let host_mac = host.mac.as_ref().map(Spelled::get);
        let other_mac = mac.zip(host_mac).is_some_and(|(one, other)| one != other);
        let other_name = name.is_some() && *name != host.name;
        !other_mac && !other_name && ip.is_none_or(|ip| ip == host.ip)
    };
    let dhcp = network.ips[parent].dhcp.as_mut();
    let found = dhcp.and_then(|dhcp| Some((dhcp.hosts.iter().position(fits)?, dhcp)));
    let Some((at, dhcp)) = found else {
        return Err(given.refuse("", UpdateRefusal::Absent("such DHCP host".to_owned())));
    };
    dhcp.hosts.remove(at);
    tidy(&mut network.ips[parent]);
    Ok(given.deleted(network, &path(parent).nth("host", at)))
}

fn wanted(element: &Element<'_>) -> Option<Wanted> {
    element.expect(&HOST);
    element.child("lease").and_then(|element| lease(&element));
    Some(Wanted { mac: element.value("mac", parsed), name: element.value("name", text), ip: element.value("ip", ip) })
}

pub(super) fn ranges(
    mut network: Network,
    command: Command,
    index: Option<usize>,
    document: &[u8],
) -> Result<Updated, UpdateError> {
    let given = Given::read(document, "range", range)?;
    if command == Command::Modify {
        return Err(given.refuse("", UpdateRefusal::NotModified(Section::IpDhcpRange)));
    }
    let parent = parent(&network, index).map_err(|reason| given.refuse("", reason))?;
    let (start, end) = (given.value.start, given.value.end);
    same_family(&network.ips[parent], start).map_err(|reason| given.refuse("start", reason))?;
    same_family(&network.ips[parent], end).map_err(|reason| given.refuse("end", reason))?;
    let ranges = network.ips[parent].dhcp.iter().flat_map(|dhcp| &dhcp.ranges);
    let found = ranges.into_iter().position(|range| (range.start, range.end) == (start, end));
    let what = format!("DHCP range from `{start}` to `{end}`");
    if command == Command::Delete {
        let at = found.ok_or_else(|| given.refuse("", UpdateRefusal::Absent(what)))?;
        network.ips[parent].dhcp.get_or_insert_default().ranges.remove(at);
        tidy(&mut network.ips[parent]);
        return Ok(given.deleted(network, &path(parent).nth("range", at)));
    }
    if found.is_some() {
        return Err(given.refuse("start", UpdateRefusal::Exists(format!("a {what}"))));
    }
    only_dhcp(&network, parent).map_err(|reason| given.refuse("", reason))?;
    let dhcp = network.ips[parent].dhcp.get_or_insert_default();
    let at = Put::new(command).into(&mut dhcp.ranges, given.value.clone());
    Ok(given.put(network, command, path(parent).nth("range", at)))
}

/// What two hosts can have in common, which makes them conflict.
#[derive(Clone, Copy)]
enum Same {
    Mac,
    Name,
    Ip,
}

impl Same {
    const ALL: [Self; 3] = [Self::Mac, Self::Name, Self::Ip];

    fn holds(self, one: &DhcpHost, other: &DhcpHost) -> bool {
        let mac = |host: &DhcpHost| host.mac.as_ref().map(Spelled::get);
        match self {
            Self::Mac => mac(one).is_some() && mac(one) == mac(other),
            Self::Name => one.name.is_some() && one.name == other.name,
            Self::Ip => one.ip == other.ip,
        }
    }

    fn attribute(self) -> &'static str {
        match self {
            Self::Mac => "mac",
            Self::Name => "name",
            Self::Ip => "ip",
        }
    }

    fn words(self, host: &DhcpHost) -> String {
        match self {
            Self::Mac => format!("MAC address `{}`", host.mac.as_ref().map(ToString::to_string).unwrap_or_default()),
            Self::Name => format!("name `{}`", host.name.as_deref().unwrap_or_default()),
            Self::Ip => format!("address `{}`", host.ip),
        }
    }
}

fn description(host: &DhcpHost) -> String {
    let said = [host.mac.is_some(), host.name.is_some(), true];
    let parts = Same::ALL.into_iter().zip(said).filter(|(_, said)| *said).map(|(same, _)| same.words(host));
    format!("the one with the {}", parts.collect::<Vec<_>>().join(" or the "))
}

/// The `<ip>` that an element belongs to.
fn parent(network: &Network, index: Option<usize>) -> Result<usize, UpdateRefusal> {
    let ips = &network.ips;
    if let Some(index) = index {
        return if index < ips.len() { Ok(index) } else { Err(UpdateRefusal::NoIp(index)) };
    }
    let first = ips.iter().position(serves).or_else(|| ips.iter().position(|ip| ip.address.is_ipv4()));
    let first = first.or(if ips.is_empty() { None } else { Some(0) });
    first.ok_or(UpdateRefusal::NoParent("<ip>"))
}

fn serves(ip: &Ip) -> bool {
    ip.dhcp.as_ref().is_some_and(|dhcp| !dhcp.ranges.is_empty() || !dhcp.hosts.is_empty())
}

fn same_family(ip: &Ip, address: IpAddr) -> Result<(), UpdateRefusal> {
    let family = Family::of(ip.address);
    if Family::of(address) == family { Ok(()) } else { Err(UpdateRefusal::Family { address, family }) }
}

/// Refuses DHCP on a second subnet of a family.
fn only_dhcp(network: &Network, parent: usize) -> Result<(), UpdateRefusal> {
    let family = Family::of(network.ips[parent].address);
    let mut others = network.ips.iter().enumerate().filter(|(at, ip)| *at != parent && serves(ip));
    match others.find(|(_, ip)| Family::of(ip.address) == family) {
        Some((_, other)) => Err(UpdateRefusal::SecondDhcp { family, address: other.address }),
        None => Ok(()),
    }
}

/// Removes a `<dhcp>` that is empty.
fn tidy(ip: &mut Ip) {
    ip.dhcp.take_if(|dhcp| *dhcp == Dhcp::default());
}

fn path(ip: usize) -> NodePath {
    NodePath::root("network").nth("ip", ip).element("dhcp")
}
