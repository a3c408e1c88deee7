//! The imagined host: uplinks to the outside, cables, and guests at their ends.

mod names;
mod on_ovn;
mod route;
mod station;
mod taken;
mod uplink;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use vnet_lab::{Namespace, probe};
use vnet_netlink::Netlink;
use vnet_types::{Address, Family, InterfaceName, IpNet, MacAddr, Route, RouteProtocol};
use vnet_xml::{Interface, Network};

use crate::cluster::Cluster;
use crate::error::Result;
use crate::promises::egress;
use route::{add_route, default_of};
pub(crate) use station::Station;
use station::wait_usable;
pub(crate) use taken::taken_by_network;
pub(crate) use uplink::{Uplink, free_ipv4, free_ipv6, nth_ipv4, nth_ipv6};

/// How long the kernel may take until an address of the host can be used.
const PATIENCE: Duration = Duration::from_secs(5);
/// The name of the only interface of a guest, and of others that have just one.
pub(crate) const DEVICE: &str = "eth0";
/// Switches of every namespace. No duplicate addresses are possible here, routers answer at once,
/// a question for one that is lost is asked again after a second and not after four, and every
/// rejection is sent: the kernel limits them to about one each second for each destination, and
/// silence has to be waited for.
pub(crate) const SWITCHES: [(&str, &str); 13] = [
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv6/conf/all/accept_dad", "0"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/default/dad_transmits", "0"),
    ("ipv6/conf/default/router_solicitation_delay", "0"),
    ("ipv6/conf/default/router_solicitation_interval", "1"),
    ("ipv6/conf/default/router_solicitation_max_interval", "1"),
    ("ipv6/conf/default/disable_ipv6", "0"),
    ("ipv4/ping_group_range", "0 0"),
    ("ipv6/conf/default/use_tempaddr", "0"),
    ("ipv4/icmp_ratemask", "0"),
    ("ipv6/icmp/ratemask", "0"),
];

/// The imagined host and the outside.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) host: Namespace,
    pub(crate) outside: Namespace,
    uplinks: Vec<Uplink>,
    /// The addresses of the name servers.
    name_servers: Vec<IpAddr>,
    /// The networks that OVN makes, each with the uplink of the same number.
    on_ovn: Vec<String>,
    /// Their hosts. `None` until they are started, and where no network is on OVN.
    pub(crate) cluster: Option<Cluster>,
}

impl World {
    /// Creates the host for these networks and guests on passt, in the namespaces of this process.
    pub(crate) fn new(networks: &[&Network], guests: &[&Interface]) -> Result<Self> {
        let (host, outside) = (Namespace::current()?, Namespace::new()?);
        host.set(&SWITCHES)?;
        outside.set(&SWITCHES)?;
        outside.set(&[("ipv4/ip_forward", "0")])?;
        let uplinks = uplink::uplinks(networks, guests)?;
        let world = Self::of(host, outside, uplinks);
        for (at, uplink) in world.uplinks.iter().enumerate() {
            world.connect(at, uplink)?;
        }
        probe::serve(&world.outside, probe::PORT)?;
        if networks.iter().any(|network| network.extensions.egress.is_some()) {
            world.be_everywhere()?;
        }
        Ok(world)
    }

    /// This host as it is. Nobody is outside: the addresses there are nobody's.
    pub(crate) fn here(network: &Network) -> Result<Self> {
        let uplinks = uplink::uplinks(&[network], &[])?;
        Ok(Self::of(Namespace::current()?, Namespace::new()?, uplinks))
    }

    fn of(host: Namespace, outside: Namespace, uplinks: Vec<Uplink>) -> Self {
        Self { host, outside, uplinks, name_servers: Vec::new(), on_ovn: Vec::new(), cluster: None }
    }

    /// The uplink of a network.
    pub(crate) fn uplink(&self, network: &Network) -> &Uplink {
        match self.on_ovn.iter().position(|name| *name == network.name) {
            Some(at) => &self.uplinks[at],
            None => self.uplink_by(network.outgoing_device()),
        }
    }

    /// The uplink of a device; the first if the device is not an uplink.
    pub(crate) fn uplink_by(&self, device: Option<&InterfaceName>) -> &Uplink {
        let named = self.uplinks.iter().find(|uplink| Some(&uplink.name) == device);
        named.unwrap_or(&self.uplinks[0])
    }

    /// Whether the outside has an address.
    pub(crate) fn is_outside(&self, address: IpAddr) -> bool {
        self.uplinks.iter().any(|uplink| uplink.is_outside(address))
    }

    /// Adds an address to the host, with a route to it from outside through an uplink. It is on
    /// `lo`: on the uplink, with the longest prefix, passt would use it for the guest.
    pub(crate) fn add_address(&self, uplink: &Uplink, ip: IpAddr) -> Result<()> {
        let net = IpNet::from(ip);
        if self.cluster.is_some() {
            return self.lead_to(uplink, net);
        }
        let lo: InterfaceName = "lo".parse().expect("a name");
        match self.host.netlink().add_address(&lo, &Address { net, broadcast: None }) {
            Err(error) if !error.is_exists() => return Err(error.into()),
            _ => {}
        }
        wait_usable(&self.host, ip, Instant::now() + PATIENCE)?;
        add_route(self.outside.netlink(), &uplink.name, net, uplink.host(Family::of(ip)))
    }

    /// Adds routes from outside to the guests of a network, and to the addresses that they are
    /// translated to.
    pub(crate) fn announce(&self, network: &Network) -> Result<()> {
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

    /// Gives the outside an address of each kind that guests may be kept from, and lets the host
    /// answer as the outside does. On `lo`, the outside begins no connection from them.
    fn be_everywhere(&self) -> Result<()> {
        let lo: InterfaceName = "lo".parse().expect("a name");
        if let Some(known) = self.outside.netlink().link(&lo)? {
            self.outside.netlink().set_up(known.index, true)?;
        }
        for address in egress::EXAMPLES {
            let address: IpAddr = address.parse().expect("an address");
            self.outside.netlink().add_address(&lo, &Address { net: address.into(), broadcast: None })?;
            wait_usable(&self.outside, address, Instant::now() + PATIENCE)?;
            // A server of any address answers datagrams from another one.
            probe::serve_at(&self.outside, address, egress::PORT)?;
        }
        Ok(probe::serve(&self.host, egress::PORT)?)
    }

    fn connect(&self, at: usize, uplink: &Uplink) -> Result<()> {
        let netlink = self.host.netlink();
        let mac = MacAddr([0x02, 0x76, 0x6e, 0x75, 0, u8::try_from(at).unwrap_or(u8::MAX)]);
        netlink.set_up(self.host.lay(&uplink.name, &self.outside, &uplink.name, mac)?, true)?;
        let far = self.outside.netlink().link(&uplink.name)?;
        let far = far.ok_or_else(|| vnet_lab::Error::Gone(uplink.name.clone()))?;
        self.outside.netlink().set_up(far.index, true)?;
        let add = |netlink: &Netlink, net: IpNet| netlink.add_address(&uplink.name, &Address { net, broadcast: None });
        uplink.host.iter().try_for_each(|ours| add(netlink, *ours))?;
        // The kernel sends from the first of several IPv4 addresses, and from the last of IPv6.
        let ([v4, v6], [gateway4, gateway6]) = (uplink.outside, uplink.gateway);
        [v4, gateway4, gateway6, v6].into_iter().try_for_each(|theirs| add(self.outside.netlink(), theirs))?;
        for gateway in uplink.gateway.map(|gateway| gateway.addr()) {
            let (destination, link) = (default_of(gateway), uplink.name.clone());
            let metric = if gateway.is_ipv6() { 1024 } else { 0 } + u32::try_from(at).unwrap_or(u32::MAX);
            let gateway = Some(gateway);
            netlink.add_route(&Route { destination, gateway, link, metric, protocol: RouteProtocol::Boot })?;
        }
        Ok(())
    }
}
