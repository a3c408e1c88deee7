//! The imagined host: uplinks with someone outside, cables, and guests at their ends.

use std::collections::BTreeSet;
use std::net::{IpAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};
use std::{fs, io};

use anyhow::{Context, bail};
use vnet_netlink::Netlink;
use vnet_types::{
    Address, Family, InterfaceName, IpNet, Ipv4Net, Ipv6Net, Link, LinkKind, MacAddr, Route, RouteProtocol,
};
use vnet_xml::{Interface, Network};

use super::passt;
use super::promises::device;
use vnet_lab::Namespace;
use vnet_lab::{dns, probe};

/// What a guest, and whoever else has one, calls its only interface.
pub(crate) const DEVICE: &str = "eth0";
/// Where the outside may live: documentation and benchmark ranges (RFC 5737, RFC 2544), then others nobody routes.
const IPV4: [&str; 7] = [
    "198.51.100.0/24",
    "203.0.113.0/24",
    "192.0.2.0/24",
    "198.18.77.0/24",
    "198.19.77.0/24",
    "100.127.77.0/24",
    "172.31.77.0/24",
];
/// The same for IPv6 (RFC 3849), one for each uplink.
const IPV6: &str = "2001:db8:766e::/48";
/// Switches of every namespace. Nobody can have anybody's address here, and routers answer at once.
pub(crate) const SWITCHES: [(&str, &str); 9] = [
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv6/conf/all/accept_dad", "0"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/default/dad_transmits", "0"),
    ("ipv6/conf/default/router_solicitation_delay", "0"),
    ("ipv6/conf/default/disable_ipv6", "0"),
    ("ipv4/ping_group_range", "0 0"),
    ("ipv6/conf/default/use_tempaddr", "0"),
];

/// The imagined host and who is outside.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) host: Namespace,
    pub(crate) outside: Namespace,
    uplinks: Vec<Uplink>,
}

/// A way from the host to the outside, by one name at both ends; addresses are IPv4, then IPv6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Uplink {
    pub(crate) name: InterfaceName,
    host: [IpNet; 2],
    /// Nobody speaks from the gateway's address, which passt takes for the host's.
    gateway: [IpNet; 2],
    outside: [IpNet; 2],
}

/// Something at the end of a cable: a guest, on its bridge.
#[derive(Debug)]
pub(crate) struct Station {
    pub(crate) namespace: Namespace,
    pub(crate) device: InterfaceName,
    pub(crate) index: u32,
}

impl World {
    /// Makes the host that these networks and guests of passt will run on, in the namespaces of this process.
    pub(crate) fn new(networks: &[&Network], guests: &[&Interface]) -> anyhow::Result<Self> {
        let (host, outside) = (Namespace::current()?, Namespace::new()?);
        host.set(&SWITCHES)?;
        outside.set(&SWITCHES)?;
        outside.set(&[("ipv4/ip_forward", "0")])?;
        let world = Self { uplinks: uplinks(networks, guests)?, host, outside };
        for (at, uplink) in world.uplinks.iter().enumerate() {
            world.lay(at, uplink)?;
        }
        probe::serve(&world.outside, probe::PORT)?;
        Ok(world)
    }

    /// The way out of a network.
    pub(crate) fn uplink(&self, network: &Network) -> &Uplink {
        self.uplink_by(device(network))
    }

    /// The way out by a device; the first where it is none of the uplinks.
    pub(crate) fn uplink_by(&self, device: Option<&InterfaceName>) -> &Uplink {
        let named = self.uplinks.iter().find(|uplink| Some(&uplink.name) == device);
        named.unwrap_or(&self.uplinks[0])
    }

    /// Gives the host one more address on an uplink, which the outside knows the way to.
    pub(crate) fn add_address(&self, uplink: &Uplink, ip: IpAddr) -> anyhow::Result<()> {
        let net = IpNet::from(ip);
        match self.host.netlink().add_address(&uplink.name, &Address { net, broadcast: None }) {
            Err(error) if !error.is_exists() => return Err(error.into()),
            _ => {}
        }
        add_route(self.outside.netlink(), &uplink.name, net, uplink.host(Family::of(ip)))
    }

    /// Lets the outside know the way to the guests of a network, and to the addresses that they are translated to.
    pub(crate) fn announce(&self, network: &Network) -> anyhow::Result<()> {
        let uplink = self.uplink(network);
        let nat = network.forward.as_ref().and_then(|forward| forward.nat.as_ref());
        let translated =
            nat.and_then(|nat| nat.addresses).into_iter().flat_map(|range| match (range.start(), range.end()) {
                (IpAddr::V4(start), IpAddr::V4(end)) => {
                    ipnet::Ipv4Subnets::new(start, end, 0).map(IpNet::V4).collect::<Vec<_>>()
                }
                _ => Vec::new(),
            });
        for destination in network.ips.iter().filter_map(|ip| ip.net()).map(|net| net.trunc()).chain(translated) {
            let gateway = uplink.host(Family::of(destination.addr()));
            add_route(self.outside.netlink(), &uplink.name, destination, gateway)?;
        }
        Ok(())
    }

    /// Gives the outside the addresses of the forwarders, and answers questions of DNS at them and at its own. Whoever
    /// asks for an address is told the one that was asked.
    pub(crate) fn serve_names(&self, networks: &[Network]) -> anyhow::Result<()> {
        let lo: InterfaceName = "lo".parse()?;
        let forwarders = networks.iter().filter_map(|network| network.dns.as_ref()).flat_map(|dns| &dns.forwarders);
        let forwarders: BTreeSet<IpAddr> = forwarders.filter_map(|forwarder| forwarder.addr).collect();
        for server in &forwarders {
            let address = Address { net: IpNet::from(*server), broadcast: None };
            self.outside.netlink().add_address(&lo, &address)?;
        }
        for server in forwarders.into_iter().chain([self.name_server()]) {
            let socket = self.outside.run(|| {
                UdpSocket::bind((server, 53)).with_context(|| format!("no DNS server can be started at {server}"))
            })?;
            thread::spawn(move || {
                let mut question = [0; 1500];
                loop {
                    if let Ok((length, peer)) = socket.recv_from(&mut question)
                        && let Some(answer) = dns::answer(&question[..length], server)
                    {
                        let _ = socket.send_to(&answer, peer);
                    }
                }
            });
        }
        Ok(())
    }

    /// Where the host asks for names.
    pub(crate) fn name_server(&self) -> IpAddr {
        self.uplinks[0].outside(Family::Ipv4)
    }

    /// Plugs stations into a bridge, one for each MAC address, and waits until their ports forward.
    ///
    /// With STP a port listens and learns for 4 s. Nothing here can be a loop: STP pauses while they are plugged in.
    pub(crate) fn plug(&self, bridge: &InterfaceName, macs: &[MacAddr]) -> anyhow::Result<Vec<Station>> {
        let netlink = self.host.netlink();
        let found = netlink.link(bridge)?.with_context(|| format!("the bridge {bridge} is gone"))?;
        let quick = match found.link.kind.clone() {
            LinkKind::Bridge(options) if options.stp => {
                let kind = LinkKind::Bridge(vnet_types::BridgeOptions { stp: false, ..options });
                Link { kind, ..found.link.clone() }
            }
            _ => found.link.clone(),
        };
        netlink.set_link(found.index, &found.link, &quick)?;
        let stations = macs.iter().enumerate().map(|(at, mac)| self.station(found.index, at, *mac));
        let stations = stations.collect::<anyhow::Result<Vec<_>>>()?;
        for at in 0..macs.len() {
            wait_for_port(&port(found.index, at)?)?;
        }
        netlink.set_link(found.index, &quick, &found.link)?;
        Ok(stations)
    }

    fn station(&self, bridge: u32, at: usize, mac: MacAddr) -> anyhow::Result<Station> {
        let namespace = Namespace::new()?;
        namespace.set(&SWITCHES)?;
        let (near, far, device) = (port(bridge, at)?, format!("far{bridge}x{at}").parse()?, DEVICE.parse()?);
        let netlink = self.host.netlink();
        netlink.add_veth(&near, &far)?;
        let index = self.cable(&far, &namespace, &device, Some(mac))?;
        let near = netlink.link(&near)?.context("the near end of a cable is gone")?.index;
        netlink.set_controller(near, Some(bridge))?;
        netlink.set_up(near, true)?;
        Ok(Station { namespace, device, index })
    }

    /// Carries the far end of a cable to where it belongs, under its name there.
    fn cable(
        &self,
        far: &InterfaceName,
        to: &Namespace,
        name: &InterfaceName,
        mac: Option<MacAddr>,
    ) -> anyhow::Result<u32> {
        let missing = || format!("the far end {far} of a cable is gone");
        self.host.move_link(self.host.netlink().link(far)?.with_context(missing)?.index, to)?;
        let found = to.netlink().link(far)?.with_context(missing)?;
        let wanted = Link { name: name.clone(), mac: mac.or(found.link.mac), up: true, ..found.link.clone() };
        to.netlink().set_link(found.index, &found.link, &wanted)?;
        Ok(found.index)
    }

    fn lay(&self, at: usize, uplink: &Uplink) -> anyhow::Result<()> {
        let far: InterfaceName = format!("uplink{at}").parse()?;
        let netlink = self.host.netlink();
        netlink.add_veth(&uplink.name, &far)?;
        self.cable(&far, &self.outside, &uplink.name, None)?;
        let near = netlink.link(&uplink.name)?.context("the uplink is gone")?.index;
        netlink.set_up(near, true)?;
        let add = |netlink: &Netlink, net: IpNet| netlink.add_address(&uplink.name, &Address { net, broadcast: None });
        uplink.host.iter().try_for_each(|ours| add(netlink, *ours))?;
        // The kernel speaks from the first of equal IPv4 addresses, and from the last of IPv6.
        let ([v4, v6], [gateway4, gateway6]) = (uplink.outside, uplink.gateway);
        [v4, gateway4, gateway6, v6].into_iter().try_for_each(|theirs| add(self.outside.netlink(), theirs))?;
        for gateway in uplink.gateway.map(|gateway| gateway.addr()) {
            let (destination, link) = (default_of(gateway), uplink.name.clone());
            let metric = if gateway.is_ipv6() { 1024 } else { 0 } + u32::try_from(at)?;
            let gateway = Some(gateway);
            netlink.add_route(&Route { destination, gateway, link, metric, protocol: RouteProtocol::Boot })?;
        }
        Ok(())
    }
}

impl Uplink {
    /// The host's address.
    pub(crate) fn host(&self, family: Family) -> IpAddr {
        self.host[usize::from(family == Family::Ipv6)].addr()
    }

    /// The address of who is outside.
    pub(crate) fn outside(&self, family: Family) -> IpAddr {
        self.outside[usize::from(family == Family::Ipv6)].addr()
    }

    fn nth(name: InterfaceName, v4: Ipv4Net, v6: Ipv6Net) -> Self {
        let v4 = |host: u32| IpNet::from(Ipv4Net::new_assert((v4.network().to_bits() + host).into(), v4.prefix_len()));
        let v6 = |host: u128| IpNet::from(Ipv6Net::new_assert((v6.network().to_bits() + host).into(), v6.prefix_len()));
        Self { name, host: [v4(2), v6(2)], gateway: [v4(1), v6(1)], outside: [v4(3), v6(3)] }
    }
}

impl Station {
    /// Gives the station an address.
    pub(crate) fn add_address(&self, net: IpNet) -> anyhow::Result<()> {
        let broadcast = match net {
            IpNet::V4(v4) => Some(v4.broadcast()),
            IpNet::V6(_) => None,
        };
        match self.namespace.netlink().add_address(&self.device, &Address { net, broadcast }) {
            Err(error) if !error.is_exists() => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Sends everything that goes elsewhere to a gateway, unless the station has been told one.
    pub(crate) fn default_route(&self, gateway: IpAddr) -> anyhow::Result<()> {
        let default = default_of(gateway);
        let netlink = self.namespace.netlink();
        if netlink.routes()?.iter().any(|route| route.destination == default) {
            return Ok(());
        }
        add_route(netlink, &self.device, default, gateway)
    }

    /// Waits for an address that the station makes itself out of an advertised prefix.
    pub(crate) fn advertised(&self, net: IpNet, deadline: Instant) -> anyhow::Result<Option<IpAddr>> {
        loop {
            let addresses = self.namespace.netlink().addresses()?;
            let found =
                addresses.into_iter().find(|(device, it)| *device == self.device && net.contains(&it.net.addr()));
            match found {
                Some((_, address)) => return Ok(Some(address.net.addr())),
                None if Instant::now() > deadline => return Ok(None),
                None => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Waits until an address can be used: those of IPv6 are tentative at first, and others are sent from.
    pub(crate) fn wait_usable(&self, address: IpAddr, deadline: Instant) -> anyhow::Result<()> {
        self.namespace.run(|| {
            loop {
                match UdpSocket::bind((address, 0)) {
                    Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable && Instant::now() < deadline => {
                        thread::sleep(Duration::from_millis(1));
                    }
                    bound => return bound.map(drop).with_context(|| format!("the address {address} cannot be used")),
                }
            }
        })
    }
}

/// An address of its own for something beyond a station.
pub(crate) fn own(station: &Station, address: IpAddr) -> anyhow::Result<()> {
    let lo: InterfaceName = "lo".parse()?;
    Ok(station.namespace.netlink().add_address(&lo, &Address { net: IpNet::from(address), broadcast: None })?)
}

/// A default route.
fn default_of(like: IpAddr) -> IpNet {
    match like {
        IpAddr::V4(_) => Ipv4Net::default().into(),
        IpAddr::V6(_) => Ipv6Net::default().into(),
    }
}

fn add_route(netlink: &Netlink, link: &InterfaceName, destination: IpNet, gateway: IpAddr) -> anyhow::Result<()> {
    let link = link.clone();
    let route = Route { destination, gateway: Some(gateway), link, metric: 0, protocol: RouteProtocol::Boot };
    match netlink.add_route(&route) {
        Err(error) if !error.is_exists() => Err(error.into()),
        _ => Ok(()),
    }
}

/// The name of the port of the nth station on a bridge.
fn port(bridge: u32, at: usize) -> anyhow::Result<InterfaceName> {
    Ok(format!("near{bridge}x{at}").parse()?)
}

/// Waits until the kernel has noticed both ends of a cable and the bridge forwards what comes out of it.
fn wait_for_port(port: &InterfaceName) -> anyhow::Result<()> {
    const FORWARDING: &str = "3";
    let file = format!("/sys/class/net/{port}/brport/state");
    let deadline = Instant::now() + Duration::from_secs(5);
    while fs::read_to_string(&file)?.trim() != FORWARDING {
        if Instant::now() > deadline {
            bail!("the bridge port {port} does not come up");
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// An uplink for each device that a definition names, or one, where none of the definitions is in the way.
fn uplinks(networks: &[&Network], guests: &[&Interface]) -> anyhow::Result<Vec<Uplink>> {
    let mut names: Vec<InterfaceName> = Vec::new();
    let of_guests = guests.iter().flat_map(|guest| passt::devices(guest));
    for name in networks.iter().filter_map(|network| device(network)).chain(of_guests) {
        if !names.contains(name) && name.as_str() != "lo" {
            names.push(name.clone());
        }
    }
    if names.is_empty() {
        names.push("uplink".parse()?);
    }
    let of_guests = guests.iter().flat_map(|guest| passt::taken(guest));
    let taken: Vec<IpNet> = networks.iter().flat_map(|network| taken(network)).chain(of_guests).collect();
    let is_free = |net: IpNet| !taken.iter().any(|taken| taken.contains(&net) || net.contains(taken));
    let mut v4 = IPV4.iter().filter_map(|net| net.parse::<Ipv4Net>().ok()).filter(|net| is_free((*net).into()));
    let v6: Ipv6Net = IPV6.parse()?;
    let mut v6 = v6.subnets(64)?.filter(|net| is_free((*net).into()));
    let uplink = |name| {
        let (v4, v6) = v4.next().zip(v6.next()).context("the definitions leave no address for an outside")?;
        Ok(Uplink::nth(name, v4, v6))
    };
    names.into_iter().map(uplink).collect()
}

/// Where a definition's own addresses are.
pub(crate) fn taken(network: &Network) -> Vec<IpNet> {
    let subnets = network.ips.iter().filter_map(|ip| ip.net());
    let routes = network.routes.iter().filter_map(|route| route.net()).filter(|net| net.prefix_len() > 0);
    let nat = network.forward.as_ref().and_then(|forward| forward.nat.as_ref()).and_then(|nat| nat.addresses);
    let nat = nat.into_iter().flat_map(|range| [range.start(), range.end()]).map(IpNet::from);
    let dns = network.dns.iter().flat_map(|dns| &dns.forwarders).filter_map(|it| it.addr).map(IpNet::from);
    subnets.chain(routes).chain(nat).chain(dns).map(|net| net.trunc()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vnet_xml::network::{Forward, ForwardMode, Ip};

    fn network(subnet: &str, device: &str) -> Network {
        let mut network = Network::new("n");
        network.ips.push(Ip::new(subnet.parse().unwrap()));
        let mut forward = Forward::new(ForwardMode::Nat);
        forward.interfaces.push(device.parse::<InterfaceName>().unwrap().into());
        network.forward = Some(forward);
        network
    }

    #[test]
    fn the_outside_keeps_clear_of_definitions() {
        let (a, b) = (network("198.51.100.1/24", "wan0"), network("2001:db8:766e::1/56", "wan1"));
        let uplinks = uplinks(&[&a, &b], &[]).unwrap();
        let seen: Vec<_> = uplinks
            .iter()
            .map(|it| (it.name.as_str(), it.host(Family::Ipv4).to_string(), it.outside(Family::Ipv6).to_string()))
            .collect();
        assert_eq!(
            seen,
            [
                ("wan0", "203.0.113.2".to_owned(), "2001:db8:766e:100::3".to_owned()),
                ("wan1", "192.0.2.2".to_owned(), "2001:db8:766e:101::3".to_owned()),
            ]
        );
    }

    #[test]
    fn without_a_device_there_is_one_uplink() {
        let uplinks = uplinks(&[&Network::new("n")], &[]).unwrap();
        assert_eq!(uplinks.len(), 1);
        assert_eq!(uplinks[0].outside(Family::Ipv4).to_string(), "198.51.100.3");
    }
}
