//! Verifies a network that runs on this host, by guests that are made up for a moment: ports with
//! the settings of any guest's. They take no lease and no address that somebody has, and send only
//! in their own name. The kernel removes them with the process; the receipts that a process leaves
//! that is killed go with the next call of the driver.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use vnet_driver::{AttachOptions, AttachedPort, Driver};
use vnet_lab::{Namespace, join};
use vnet_netlink::Netlink;
use vnet_types::{EgressProtocol, Family, InterfaceName, IpNet, NetworkName};
use vnet_xml::interface::Source;
use vnet_xml::network::{ForwardMode, Ip};
use vnet_xml::{Interface, Network};

use crate::attach::{bring_up, card};
use crate::error::{Error, Failed, Result};
use crate::guest::{Addressing, Guest, guests, ordinary_address};
use crate::judge::Party;
use crate::promise::{Phase, Promise};
use crate::promises::egress::{self, lets_cross};
use crate::promises::{may_cross, of_network};
use crate::report::{Judgement, NetworkReport, Report};
use crate::world::{DEVICE, Station, World};

/// The guest of such a port.
const GUEST: &str = "vnet-verify";
/// Sources that no guest has, where no other network runs: addresses for benchmarks, and a private
/// one.
const SOURCES: [&str; 2] = ["198.18.77.9", "fd77:7a7a:9::9"];
/// The most guests that are made up.
const MOST: usize = 2;
/// Spanning tree opens a port after twice its delay, which is 30 seconds at most.
const OPENS: Duration = Duration::from_secs(61);
/// How long who has an address may take to say so.
const CLAIM: Duration = Duration::from_millis(400);
/// Switches of a guest's namespace.
const SWITCHES: [(&str, &str); 4] = [
    ("ipv4/ping_group_range", "0 0"),
    ("ipv6/conf/default/disable_ipv6", "0"),
    ("ipv6/conf/default/use_tempaddr", "0"),
    ("ipv6/conf/default/router_solicitation_delay", "0"),
];

/// A guest that is made up, until it is dropped.
struct Scratch {
    /// Dropped first: the guest is unplugged.
    port: Option<AttachedPort>,
    bridge: InterfaceName,
    addresses: Vec<IpAddr>,
}

/// Verifies a network that runs on this host. The report has this network alone. `progress` gets
/// the current step.
///
/// Call it in a thread in the host's network namespace. The caller needs the privilege to attach
/// guests, to make namespaces, and to trace packets; where packets cannot be traced, what is beyond
/// the network stays open.
///
/// # Errors
/// [`Error::Driver`] when the network does not run, or nothing can be attached to it;
/// [`Error::Nothing`] when it has no bridge of its own; [`Error::Unverified`] when the kernel
/// refuses a guest. A broken promise is not an error.
pub fn verify(
    driver: &Driver,
    name: &NetworkName,
    mut progress: impl FnMut(&str),
) -> std::result::Result<Report, Error> {
    let began = Instant::now();
    let network = driver.definition(name)?;
    let bridge = driver.info(name)?.bridge.filter(|_| network.forward_mode().has_own_bridge());
    let Some(bridge) = bridge else {
        return Err(Error::Nothing { at: 0, what: format!("network `{name}` uses devices of the host") });
    };
    progress("attaching guests");
    let world = World::here(&network)?;
    let mut guests = guests(&network);
    let mut scratches = Vec::new();
    let mut stations = Vec::new();
    for at in 0..guests.len().min(MOST) {
        if !matches!(guests[at].name.as_str(), "guest1" | "guest2") {
            break;
        }
        choose_addresses(&network, &bridge, at, &mut guests)?;
        let (scratch, station) = Scratch::plug(driver, &network, &bridge, &guests[at])?;
        scratches.push(scratch);
        stations.push(station);
    }
    for scratch in &scratches {
        scratch.wait_until_open()?;
    }
    progress("asking for addresses");
    let mut promises = of_network(&network, &guests);
    promises.extend(beside(driver, &network)?);
    let party = Party::of_running(&world, &network, guests, stations)?;
    for (at, scratch) in scratches.iter_mut().enumerate() {
        scratch.addresses = party.addresses(at);
    }
    progress("verifying");
    party.find_ways()?;
    let party = party.after_probes(driver, &promises)?;
    let mut judged: Vec<Option<Judgement>> = vec![None; promises.len()];
    Phase::ALL.into_iter().try_for_each(|phase| party.judge(&promises, &[phase], &mut judged))?;
    drop(party);
    drop(scratches);
    let report = NetworkReport {
        bridge: Some(bridge.to_string()),
        promises: judged.into_iter().flatten().collect(),
        ..NetworkReport::refused(&network, Vec::new())
    };
    let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(Report::new(vec![report], Vec::new(), milliseconds))
}

/// What is promised about the other networks that run here, and about packets with their sources.
fn beside(driver: &Driver, network: &Network) -> Result<Vec<Promise>> {
    let mut promises = Vec::new();
    let mut sources: Vec<IpAddr> = SOURCES.iter().map(|it| it.parse().expect("an address")).collect();
    for other in driver.networks()? {
        let Ok(other) = other else { continue };
        if other.name.as_str() == network.name || other.bridge.is_none() {
            continue;
        }
        let other = driver.definition(&other.name)?;
        for to in other.ips.iter().filter_map(last_of) {
            let family = Family::of(to);
            if !network.has_family(family) || network.ips.iter().filter_map(Ip::net).any(|net| net.contains(&to)) {
                continue;
            }
            let may = |protocol| may_cross(network, &other, family) && lets_cross(network, to, protocol, egress::PORT);
            let [tcp, udp] = [EgressProtocol::Tcp, EgressProtocol::Udp].map(may);
            promises.push(Promise::OtherNetwork { name: other.name.clone(), to, tcp, udp });
            sources.insert(0, to);
        }
    }
    // Without rules, guests send what they like.
    if network.forward_mode() != ForwardMode::Open {
        let of = |family| sources.iter().copied().find(|source| Family::of(*source) == family);
        promises.extend(network.families().filter_map(of).map(|source| Promise::Spoofed { source }));
    }
    Ok(promises)
}

/// The last address of a subnet that a guest can have: DHCP gives it last.
fn last_of(ip: &Ip) -> Option<IpAddr> {
    match ip.net()? {
        IpNet::V4(net) => net.hosts().rev().map(IpAddr::V4).find(|it| *it != ip.address),
        IpNet::V6(net) => net.hosts().rev().map(IpAddr::V6).skip(1).find(|it| *it != ip.address),
    }
}

/// Gives a guest that configures itself addresses that nobody has.
fn choose_addresses(network: &Network, bridge: &InterfaceName, at: usize, guests: &mut [Guest]) -> Result<()> {
    let netlink = Netlink::open()?;
    let chosen: Vec<IpAddr> =
        guests.iter().take(at).flat_map(|guest| &guest.addresses).filter_map(configured).collect();
    for address in &mut guests[at].addresses {
        let Addressing::Configured(net) = address.clone() else { continue };
        let Some(ip) = network.ips.iter().find(|ip| ip.net().is_some_and(|own| own.contains(&net.addr()))) else {
            continue;
        };
        for nth in at.. {
            let Some(candidate) = ordinary_address(network, ip, nth) else {
                let reason = format!("every address of {} that was asked for is in use", net.trunc());
                return Err(Failed::Other(reason));
            };
            let Some(own) = configured(&candidate) else { break };
            if !chosen.contains(&own) && !is_claimed(&netlink, bridge, own)? {
                *address = candidate;
                break;
            }
        }
    }
    Ok(())
}

fn configured(how: &Addressing) -> Option<IpAddr> {
    match how {
        Addressing::Configured(net) => Some(net.addr()),
        _ => None,
    }
}

/// Whether somebody in the bridge says that it has an address. The host asks.
fn is_claimed(netlink: &Netlink, bridge: &InterfaceName, address: IpAddr) -> Result<bool> {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // The discard port: what counts is the question who has the address.
    let _ = UdpSocket::bind((any, 0))?.send_to(&[], (address, 9));
    let deadline = Instant::now() + CLAIM;
    while Instant::now() < deadline {
        if netlink.neighbours(bridge)?.iter().any(|neighbour| neighbour.ip == address) {
            return Ok(true);
        }
        thread::sleep(Duration::from_millis(10));
    }
    netlink.forget_neighbour(bridge, address)?;
    Ok(false)
}

impl Scratch {
    fn plug(driver: &Driver, network: &Network, bridge: &InterfaceName, guest: &Guest) -> Result<(Self, Station)> {
        let text = format!("<interface type='network'><source network='-'/><mac address='{}'/></interface>", guest.mac);
        let mut interface: Interface = text.parse().map_err(|error| Failed::Other(format!("{error}")))?;
        if let Source::Network(source) = &mut interface.source {
            source.network.clone_from(&network.name);
        }
        let options = AttachOptions { guest: Some(GUEST.to_owned()), ..AttachOptions::default() };
        let port = driver.attach_open(&interface, &options)?;
        let namespace = Namespace::new()?;
        namespace.set(&SWITCHES)?;
        let device: InterfaceName = DEVICE.parse().expect("a name");
        let outer = port.queues().first().ok_or_else(|| Failed::Other("the port has no file".to_owned()))?;
        join(outer.try_clone()?, card(&namespace)?)?;
        let mtu = Netlink::open()?.link(&port.port().dev)?.and_then(|found| found.link.mtu);
        let index = bring_up(&namespace, &device, guest.mac, mtu)?;
        let scratch = Self { port: Some(port), bridge: bridge.clone(), addresses: Vec::new() };
        Ok((scratch, Station { namespace, device, index }))
    }

    /// Waits until the bridge lets the port forward.
    fn wait_until_open(&self) -> Result<()> {
        let Some(port) = &self.port else { return Ok(()) };
        match Netlink::open()?.wait_until_forwarding(&port.port().dev, Instant::now() + OPENS)? {
            true => Ok(()),
            false => Err(Failed::Other(format!("{} does not let a new port forward", self.bridge))),
        }
    }
}

/// The host forgets the guest.
impl Drop for Scratch {
    fn drop(&mut self) {
        drop(self.port.take());
        if let Ok(netlink) = Netlink::open() {
            for address in &self.addresses {
                let _ = netlink.forget_neighbour(&self.bridge, *address);
            }
        }
    }
}
