//! The name server of a network of OVN on one host.
//!
//! Guests ask a relay in a network namespace of its own, which has the port of the network on this
//! host and answers nothing itself. It asks a dnsmasq in the host's namespace, which has the names
//! of the definition, and asks the servers that the host asks. So the subnets of networks may be
//! those of others and of the host, and guests reach nothing of the host but this dnsmasq.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use vnet_dnsmasq::{Config, DnsHost, Paths, Rendered, command_line, is_wildcard};
use vnet_types::{InterfaceName, Inventory, IpNet, Ipv4Net, MacAddr, Uuid, fnv1a};
use vnet_xml::Network;

use super::dnsmasq::{Files, config, digest, names};
use super::{LowerError, zone};
use crate::{File, HostState, Key, LinkAddress, Process, Relay, RelayEnd, SwitchPort, Sysctl, SysctlSetting};

/// The largest packet that fits into the tunnels between hosts.
const MTU: u32 = 1442;
/// The ends in the relay's namespace: to the guests, and to the host.
const INSIDE: [&str; 2] = ["guests", "host"];
/// The number of subnets of four addresses between a relay and the host, in the addresses of links
/// (RFC 3927) without the first and last 256, which are reserved, and those of metadata.
const PLACES: u32 = (169 - 1) * 64;

/// What the definition does not say of a name server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NameServerChoices {
    /// The absolute path of the folder for its files.
    pub directory: PathBuf,
    /// The bridge of Open vSwitch that guests are attached to.
    pub bridge: InterfaceName,
    /// What identifies its port among those of all hosts.
    pub port: Uuid,
    /// The MAC address that guests see.
    pub mac: MacAddr,
    /// Its addresses, one in each subnet.
    pub addresses: Vec<IpNet>,
    /// The names of guests that are attached, in any order.
    pub guests: Vec<DnsHost>,
    /// The name server as it runs, if it does.
    pub owned: HostState,
}

impl NameServerChoices {
    /// A name server that does not run yet, and knows no guests.
    pub fn new(directory: PathBuf, bridge: InterfaceName, port: Uuid, mac: MacAddr, addresses: Vec<IpNet>) -> Self {
        Self { directory, bridge, port, mac, addresses, guests: Vec::new(), owned: HostState::new() }
    }
}

/// Decides what a host must have to answer the guests of a network of OVN.
///
/// # Errors
/// [`LowerError`] for a definition that has not passed `vnet_validate::check`.
pub fn name_server(
    network: &Network,
    inventory: &Inventory,
    choices: &NameServerChoices,
) -> Result<HostState, LowerError> {
    let mut desired = HostState::new();
    let seed = fnv1a(choices.port.0);
    let [guests, host] =
        [("vdns", "to guests"), ("vres", "to the host")].map(|(word, role)| End::new(word, role, seed));
    let [own, peer] = between(choices, inventory, &host.link, seed);
    let mtu = network.mtu.filter(|mtu| *mtu != 0).unwrap_or(MTU);
    let ends = [
        guests.pair(INSIDE[0], choices.mac, choices.addresses.clone(), mtu),
        host.pair(
            INSIDE[1],
            MacAddr::from_random([seed_byte(seed, 6), seed_byte(seed, 7), 1]),
            vec![peer.into()],
            1500,
        ),
    ];
    desired.insert(Relay { process: relay(choices, inventory.single_user, own.addr()), ends: ends.into() });
    desired.insert(SwitchPort {
        link: guests.link.clone(),
        bridge: choices.bridge.clone(),
        mac: choices.mac,
        interface_id: choices.port,
        guest_id: choices.port,
        profile: None,
        vlans: Default::default(),
        shaper: None,
        policer: None,
    });
    if inventory.ipv6 {
        for link in [&guests.link, &host.link] {
            desired.insert(SysctlSetting { switch: Sysctl::DisableIpv6(link.clone()), value: 1 });
        }
    }
    desired.insert(LinkAddress { link: host.link.clone(), address: IpNet::from(own).into() });
    let zone = zone::of_relay(&host.link, inventory.firewalld.as_ref());
    // It is in its zone because we have put it there.
    desired.extend(zone.or_else(|| choices.owned.get(&Key::Zone(host.link.clone())).cloned()));
    add_dnsmasq(&mut desired, &answers(network, choices, host.link)?, inventory.single_user, choices)?;
    Ok(desired)
}

/// The end on the host of a pair that leads to the relay.
struct End {
    link: InterfaceName,
    mac: MacAddr,
}

impl End {
    fn new(word: &str, role: &str, seed: u64) -> Self {
        let hash = fnv1a(seed.to_be_bytes().into_iter().chain(role.bytes()));
        let link = format!("{word}{:010x}", hash & 0xff_ffff_ffff);
        let mac = MacAddr::from_random([seed_byte(hash, 5), seed_byte(hash, 6), seed_byte(hash, 7)]);
        Self { link: link.parse().expect("a short name"), mac }
    }

    fn pair(&self, interface: &str, mac: MacAddr, addresses: Vec<IpNet>, mtu: u32) -> RelayEnd {
        let interface = interface.parse().expect("a short name");
        RelayEnd { link: self.link.clone(), link_mac: self.mac, interface, mac, addresses, mtu }
    }
}

fn seed_byte(seed: u64, at: usize) -> u8 {
    seed.to_be_bytes()[at]
}

/// The addresses of the host and of the relay between them: those that they have, or a pair that
/// nobody on this host has.
fn between(choices: &NameServerChoices, inventory: &Inventory, link: &InterfaceName, seed: u64) -> [Ipv4Net; 2] {
    let pair = |place: u32| {
        let first = u32::from(Ipv4Addr::new(169, 254, 1, 0)) + place * 4;
        [1, 2].map(|it| Ipv4Net::new((first + it).into(), 30).expect("a prefix"))
    };
    let owned = choices.owned.iter().find_map(|resource| match resource.key() {
        Key::Address(on, IpNet::V4(own)) if on == *link => Some(own),
        _ => None,
    });
    if let Some(own) = owned {
        let peer = (own.addr().to_bits() + 1).into();
        return [own, Ipv4Net::new(peer, own.prefix_len()).expect("a prefix")];
    }
    let is_free = |[own, _]: &[Ipv4Net; 2]| {
        let meets = |net: &IpNet| matches!(net, IpNet::V4(net) if own.contains(&net.addr()));
        let routes = inventory.routes.iter().any(|route| meets(&route.destination));
        !routes && !inventory.addresses.iter().any(|(_, address)| meets(&address.net))
    };
    let first = u32::try_from(seed % u64::from(PLACES)).unwrap_or_default();
    let mut places = (0..PLACES).map(|step| pair((first + step) % PLACES));
    places.find(is_free).unwrap_or_else(|| pair(first))
}

/// A dnsmasq that knows nothing and asks the one on the host. Everything is on its command line:
/// its namespace is there before the files are.
fn relay(choices: &NameServerChoices, single_user: bool, server: Ipv4Addr) -> Process {
    let pid_file = choices.directory.join("relay.pid");
    let plain = ["--conf-file=/dev/null", "--no-hosts", "--no-resolv", "--cache-size=0", "--bind-interfaces"];
    let mut args: Vec<String> = plain.map(str::to_owned).into();
    args.push("--except-interface=lo".to_owned());
    args.extend(choices.addresses.iter().map(|net| format!("--listen-address={}", net.addr())));
    args.push(format!("--server={server}"));
    args.push(format!("--pid-file={}", pid_file.display()));
    if single_user {
        args.extend(["--user=".to_owned(), "--group=".to_owned()]);
    }
    let (program, env) = ("dnsmasq".to_owned(), BTreeMap::new());
    let restart_on = digest(&args.iter().map(String::as_str).collect::<Vec<_>>());
    Process { program, args, env, pid_file, restart_on, reload_on: String::new(), stopped: false }
}

/// The names of the definition and of guests, and what becomes of others.
fn answers(network: &Network, choices: &NameServerChoices, link: InterfaceName) -> Result<Config, LowerError> {
    let mut config = config(network, &link)?;
    config.names_only = true;
    config.mtu = None;
    config.options.retain(|line| is_wildcard(line));
    let mut dns = names(network.dns.clone().unwrap_or_default());
    let reserved = network.ips.iter().filter_map(|ip| ip.dhcp.as_ref()).flat_map(|dhcp| &dhcp.hosts);
    let reserved = reserved.filter_map(|host| Some(DnsHost { ip: host.ip, hostnames: vec![host.name.clone()?] }));
    dns.hosts.extend(reserved);
    let mut guests = choices.guests.clone();
    guests.retain(|guest| !dns.hosts.contains(guest));
    guests.sort_by(|one, other| (one.ip, &one.hostnames).cmp(&(other.ip, &other.hostnames)));
    dns.hosts.extend(guests);
    config.dns = Some(dns);
    for subnet in &mut config.subnets {
        (subnet.dhcp, subnet.tftp_root) = (None, None);
    }
    Ok(config)
}

fn add_dnsmasq(
    desired: &mut HostState,
    config: &Config,
    single_user: bool,
    choices: &NameServerChoices,
) -> Result<(), LowerError> {
    let files = Files::new(&choices.directory);
    let mut paths = Paths::new(files.hosts, files.addn_hosts.clone());
    paths.pid_file = Some(files.pid_file.clone());
    let Rendered { conf, addn_hosts, .. } = config.render(&paths)?;
    desired.insert(Process {
        program: "dnsmasq".to_owned(),
        args: command_line(&files.conf, single_user)?,
        env: BTreeMap::new(),
        pid_file: files.pid_file.clone(),
        restart_on: digest(&[&conf]),
        reload_on: digest(&[&addn_hosts]),
        stopped: false,
    });
    for (path, contents, mode) in [(files.conf, conf, 0o600), (files.addn_hosts, addn_hosts, 0o644)] {
        desired.insert(File { path, contents: Some(contents), mode });
    }
    for path in [files.pid_file, choices.directory.join("relay.pid")] {
        desired.insert(File { path, contents: None, mode: 0o644 });
    }
    Ok(())
}
