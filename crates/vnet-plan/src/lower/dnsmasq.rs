//! dnsmasq's configuration, its files and its process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use vnet_dnsmasq::{
    Boot, Config, Dhcp, DhcpHost, DhcpRange, Dns, DnsHost, Domain, Forwarder, LeaseTime, Paths, PlainNames, Reach,
    Rendered, Srv, Subnet, Txt, command_line,
};
use vnet_types::{AddressRange, InterfaceName, Inventory, fnv1a};
use vnet_xml::Network;
use vnet_xml::network::{self, ForwardMode, Ip, Lease, LeaseUnit};

use super::{Choices, LowerError};
use crate::{File, HostState, Process};

/// The files of a network's dnsmasq.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Files {
    /// Its configuration.
    pub conf: PathBuf,
    /// The addresses that are reserved for guests.
    pub hosts: PathBuf,
    /// The names of `<dns>`.
    pub addn_hosts: PathBuf,
    /// Its leases; dnsmasq writes this file.
    pub leases: PathBuf,
    /// Its process number; dnsmasq writes this file.
    pub pid_file: PathBuf,
}

impl Files {
    /// The files in a network's folder, which are removed with the network.
    pub fn new(directory: &Path) -> Self {
        let file = |name: &str| directory.join(name);
        Self {
            conf: file("dnsmasq.conf"),
            hosts: file("dnsmasq.hosts"),
            addn_hosts: file("dnsmasq.addnhosts"),
            leases: file("dnsmasq.leases"),
            pid_file: file("dnsmasq.pid"),
        }
    }

    /// The files that follow from the choices.
    pub fn of(choices: &Choices) -> Self {
        let files = Self::new(&choices.directory);
        Self { leases: choices.leases.clone().unwrap_or(files.leases), ..files }
    }
}

/// dnsmasq's configuration for a network, even if it has nothing to do and is not started.
///
/// # Errors
/// [`LowerError`] for a definition that has not passed `vnet_validate::check`.
pub fn dnsmasq(network: &Network, bridge: &InterfaceName, files: &Files) -> Result<Rendered, LowerError> {
    render(&config(network, bridge)?, files)
}

fn render(config: &Config, files: &Files) -> Result<Rendered, LowerError> {
    let mut paths = Paths::new(files.hosts.clone(), files.addn_hosts.clone());
    paths.pid_file = Some(files.pid_file.clone());
    paths.leases = Some(files.leases.clone());
    Ok(config.render(&paths)?)
}

/// Adds dnsmasq with its files.
pub(super) fn add_to(
    desired: &mut HostState,
    config: &Config,
    inventory: &Inventory,
    choices: &Choices,
) -> Result<(), LowerError> {
    let files = Files::of(choices);
    let Rendered { conf, hosts, addn_hosts, .. } = render(config, &files)?;
    desired.insert(Process {
        program: "dnsmasq".to_owned(),
        args: command_line(&files.conf, inventory.single_user)?,
        env: BTreeMap::new(),
        pid_file: files.pid_file.clone(),
        restart_on: digest(&[&conf]),
        reload_on: digest(&[&hosts, &addn_hosts]),
        stopped: false,
    });
    // dnsmasq is no longer root when it reads the hosts again.
    let written = [(files.conf, conf, 0o600), (files.hosts, hosts, 0o644), (files.addn_hosts, addn_hosts, 0o644)];
    for (path, contents, mode) in written {
        desired.insert(File { path, contents: Some(contents), mode });
    }
    let leases = Some(files.leases).filter(|_| choices.leases.is_none());
    for path in leases.into_iter().chain([files.pid_file]) {
        desired.insert(File { path, contents: None, mode: 0o644 });
    }
    Ok(())
}

/// dnsmasq's configuration for a network.
pub(crate) fn config(network: &Network, bridge: &InterfaceName) -> Result<Config, LowerError> {
    let mut config = Config::new(bridge.clone());
    config.reach = match network.forward_mode() {
        ForwardMode::None => Reach::Isolated,
        _ => Reach::Routed,
    };
    config.dns = network.answers_names().then(|| names(network.dns.clone().unwrap_or_default()));
    config.domain = network
        .domain
        .as_ref()
        .map(|domain| Domain { name: domain.name.clone(), local_only: domain.local_only == Some(true) });
    config.options.clone_from(&network.dnsmasq_options);
    config.mtu = network.mtu.filter(|mtu| *mtu != 0);
    config.subnets = network.ips.iter().map(subnet).collect::<Result<_, LowerError>>()?;
    Ok(config)
}

pub(super) fn names(dns: network::Dns) -> Dns {
    let forwarder = |it: network::Forwarder| {
        let mut forwarder = Forwarder::default();
        (forwarder.domain, forwarder.addr, forwarder.port) = (it.domain, it.addr, it.port);
        forwarder
    };
    let srv = |it: network::Srv| {
        let mut srv = Srv::new(it.service, it.protocol);
        (srv.domain, srv.target) = (it.domain, it.target);
        (srv.port, srv.priority, srv.weight) = (it.port, it.priority, it.weight);
        srv
    };
    let mut names = Dns::default();
    names.plain_names = match dns.forward_plain_names {
        Some(false) => PlainNames::Local,
        Some(true) | None => PlainNames::Forward,
    };
    names.forwarders = dns.forwarders.into_iter().map(forwarder).collect();
    names.txts = dns.txts.into_iter().map(|it| Txt { name: it.name, value: it.value }).collect();
    names.srvs = dns.srvs.into_iter().map(srv).collect();
    names.hosts = dns.hosts.into_iter().map(|it| DnsHost { ip: it.ip, hostnames: it.hostnames }).collect();
    names
}

fn subnet(ip: &Ip) -> Result<Subnet, LowerError> {
    let mut subnet = Subnet::new(ip.net().ok_or(LowerError::Prefix(ip.address))?);
    subnet.local_ptr = ip.local_ptr == Some(true);
    subnet.tftp_root.clone_from(&ip.tftp_root);
    subnet.dhcp = ip.dhcp.as_ref().map(dhcp).transpose()?;
    Ok(subnet)
}

fn dhcp(dhcp: &network::Dhcp) -> Result<Dhcp, LowerError> {
    let range = |it: &network::DhcpRange| {
        let mut range = DhcpRange::new(AddressRange::new(it.start, it.end)?);
        range.lease = it.lease.map(lease_time);
        Ok(range)
    };
    let host = |it: &network::DhcpHost| {
        let mut host = DhcpHost::new(it.ip);
        host.mac.clone_from(&it.mac);
        (host.id, host.name) = (it.id.clone(), it.name.clone());
        host.lease = it.lease.map(lease_time);
        host
    };
    let ranges = dhcp.ranges.iter().map(range).collect::<Result<Vec<_>, _>>().map_err(LowerError::Range)?;
    let mut lowered = Dhcp::with_ranges(ranges);
    lowered.hosts = dhcp.hosts.iter().map(host).collect();
    lowered.boot = dhcp.bootp.as_ref().map(|it| Boot { file: it.file.clone(), server: it.server });
    Ok(lowered)
}

fn lease_time(lease: Lease) -> LeaseTime {
    match (lease.expiry, lease.unit) {
        (0, _) => LeaseTime::Infinite,
        (expiry, LeaseUnit::Seconds) => LeaseTime::Seconds(expiry),
        (expiry, LeaseUnit::Minutes) => LeaseTime::Minutes(expiry),
        (expiry, LeaseUnit::Hours) => LeaseTime::Hours(expiry),
    }
}

/// A digest that distinguishes lists of texts.
pub(super) fn digest(texts: &[&str]) -> String {
    let bytes = texts.iter().flat_map(|text| text.bytes().chain([0]));
    format!("{:016x}", fnv1a(bytes))
}
