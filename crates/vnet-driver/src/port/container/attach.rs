//! Attaching a container.

use std::collections::BTreeSet;

use vnet_host::{LinuxHost, Lock, PortHeader};
use vnet_plan::{AddressWish, ContainerEnd, Key, LoweredPort, PortChoices, attach, container_addresses};
use vnet_types::{InterfaceName, Inventory, IpNet, KnownContainer, LinkKind, MacAddr, fnv1a};
use vnet_validate::KnownHost;
use vnet_xml::interface::{NetworkSource, Source};
use vnet_xml::network::ForwardMode;
use vnet_xml::{Interface, Network};

use super::namespace::identity;
use super::{ContainerOptions, ContainerPort, Gateway};
use crate::driver::Driver;
use crate::error::Error;
use crate::features::{ask_switch, is_switched};
use crate::findings::{on_host, sound};
use crate::port::prepare::asks_features;

impl Driver {
    /// Attaches a container to a network: a veth pair, with addresses in the container that no
    /// guest gets by DHCP. It stays attached until it is detached or its network is stopped.
    ///
    /// # Errors
    /// [`Error::NoContainer`], [`Error::NotAContainer`]; [`Error::NotRunning`] where the network is
    /// not to be started, [`Error::NotDefined`]; [`Error::AlreadyAttached`];
    /// [`Error::InterfaceExists`]; [`Error::ContainerAddress`]; those of [`attach`](Self::attach)
    /// and [`apply`](Self::apply). Nothing is left of it then, but for the network.
    pub fn attach_container(&self, options: &ContainerOptions) -> Result<ContainerPort, Error> {
        let sandbox = identity(&options.namespace)?;
        let mut host = self.host()?;
        let lock = self.lock()?;
        let dev = options.attachment.dev();
        if self.store.port_receipt(&dev)?.is_some_and(|receipt| receipt.settled) {
            return Err(Error::AlreadyAttached(dev));
        }
        if let Some(network) = self.container_on_ovn(&options.network, options.definition.as_ref())? {
            return self.attach_container_to_ovn(network, options, sandbox, &mut host, &lock);
        }
        let network = self.network_for(options, &mut host, &lock)?;
        let interface = interface(options, &dev);
        let mut inventory = self.inventory_without(&dev, &mut host, &lock)?;
        if asks_features(&interface, Some(&network)) {
            self.probe(&mut inventory)?;
        }
        if is_switched(&network) {
            ask_switch(&mut inventory);
        }
        let networks = std::slice::from_ref(&network);
        let findings = sound(vnet_validate::check(&interface))?;
        on_host(findings, vnet_validate::check_against(&interface, KnownHost::new(&inventory, networks)))?;
        let random = LinuxHost::random()?;
        let mac = mac(options, random);
        let addresses = self.addresses_for(options, &network, &inventory, mac)?;
        let choices = choices(options, &network, sandbox, (random, mac), addresses);
        let mut with_mac = interface;
        with_mac.mac = Some(mac.into());
        let lowered = self.with_files(attach(&with_mac, Some(&network), &inventory, &choices)?);
        self.make_container(&lowered, &mut host, &lock, options)?;
        Ok(outcome(options, lowered, &network, &inventory))
    }

    /// The host as it is before a container is attached.
    pub(super) fn inventory_without(
        &self,
        dev: &InterfaceName,
        host: &mut LinuxHost,
        lock: &Lock,
    ) -> Result<Inventory, Error> {
        let mut inventory = self.inventory(host, Some(lock), None)?;
        inventory.ports.retain(|port| port.dev != *dev);
        if self.store.port_receipt(dev)?.is_some() {
            // What an attach that was killed has left is removed at the start.
            inventory.links.retain(|link| link.name != *dev);
        }
        Ok(inventory)
    }

    /// The definition that the network runs with, which is started if it has to be.
    fn network_for(&self, options: &ContainerOptions, host: &mut LinuxHost, lock: &Lock) -> Result<Network, Error> {
        let name = &options.network;
        let here = LinuxHost::namespace()?;
        let receipt = self.store.receipt(name)?;
        if receipt.is_some_and(|receipt| receipt.settled && receipt.header.namespace.is(&here))
            && let Some(network) = self.as_it_runs(name)?
        {
            return Ok(network);
        }
        if !options.starts {
            return Err(Error::NotRunning(name.clone()));
        }
        let kept = self.kept(name)?;
        let definition = options.definition.clone().or(kept).ok_or_else(|| Error::NotDefined(name.clone()))?;
        self.apply_locked(&definition, None, host, lock)?;
        self.as_it_runs(name)?.ok_or_else(|| Error::NotRunning(name.clone()))
    }

    fn addresses_for(
        &self,
        options: &ContainerOptions,
        network: &Network,
        inventory: &Inventory,
        mac: MacAddr,
    ) -> Result<Vec<IpNet>, Error> {
        if !options.has_addresses {
            return Ok(Vec::new());
        }
        let names = options.names.clone();
        let seed = fnv1a(options.attachment.dev().as_str().bytes());
        let wish = AddressWish { mac, names, ips: options.ips.clone(), seed };
        let leased = self.leased(&options.network)?;
        Ok(container_addresses(network, &inventory.ports, &leased, &wish)?)
    }

    pub(super) fn make_container(
        &self,
        lowered: &LoweredPort,
        host: &mut LinuxHost,
        lock: &Lock,
        options: &ContainerOptions,
    ) -> Result<(), Error> {
        let port = &lowered.port;
        let header = PortHeader { port: port.clone(), namespace: LinuxHost::namespace()?, owner: None };
        let made = self.with_port_hooks(lowered, || {
            self.tell_network(host, lock, &options.network, None, Some(port))?;
            Ok(vnet_host::start(host, lock, header, &lowered.desired)?)
        });
        made.map(drop).map_err(|error| {
            // The first failure is the one to report.
            let _ = self.tell_network(host, lock, &options.network, None, None);
            match error {
                Error::Host(inner) if is_in_the_way(&inner, &port.dev) => {
                    Error::InterfaceExists(options.attachment.interface.clone())
                }
                error => error,
            }
        })
    }
}

/// Whether the container has an interface of the same name.
fn is_in_the_way(error: &vnet_host::Error, dev: &InterfaceName) -> bool {
    match error {
        vnet_host::Error::Conflict(keys) => keys.contains(&Key::Container(dev.clone())),
        _ => false,
    }
}

/// The container's interface in libvirt's words.
pub(super) fn interface(options: &ContainerOptions, dev: &InterfaceName) -> Interface {
    let mut source = NetworkSource::default();
    source.network = options.network.to_string();
    source.port_group.clone_from(&options.port_group);
    let mut interface = Interface::new(Source::Network(source));
    interface.mac = options.mac.map(Into::into);
    interface.mtu = options.mtu;
    interface.bandwidth.clone_from(&options.bandwidth);
    interface.port_isolated = options.isolated;
    interface.target.get_or_insert_default().dev = Some(dev.to_string());
    interface
}

/// The MAC address that was asked for, or a random one.
pub(super) fn mac(options: &ContainerOptions, random: [u8; 16]) -> MacAddr {
    let [first, second, third, ..] = random;
    options.mac.unwrap_or_else(|| MacAddr::from_random([first, second, third]))
}

/// The port of a container with these addresses.
pub(super) fn choices(
    options: &ContainerOptions,
    network: &Network,
    (device, inode): (u64, u64),
    (random, mac): ([u8; 16], MacAddr),
    addresses: Vec<IpNet>,
) -> PortChoices {
    // Where there is a tap, its virtual machine asks for them by DHCP.
    let is_inside = options.tap.is_none();
    let routed = is_inside && has_default_route(options, network);
    let end = ContainerEnd {
        link: options.attachment.dev(),
        namespace: options.namespace.clone(),
        device,
        inode,
        interface: options.attachment.interface.clone(),
        mac,
        addresses: if is_inside { addresses.clone() } else { Vec::new() },
        gateways: gateways(network, &addresses).iter().filter(|_| routed).map(|it| it.gateway).collect(),
        up: true,
        without_tree: None,
        tap: options.tap.clone(),
        fills_in_checksums: false,
        alias: Some(options.attachment.alias()),
    };
    let container = KnownContainer {
        network: options.attachment.network.clone(),
        id: options.attachment.container.clone(),
        interface: options.attachment.interface.clone(),
        pod: options.pod.clone(),
        addresses,
        names: options.names.clone(),
    };
    PortChoices {
        random,
        guest: Some(options.pod.clone().unwrap_or_else(|| container.id.clone())),
        container: Some((container, end)),
        ..PortChoices::default()
    }
}

fn has_default_route(options: &ContainerOptions, network: &Network) -> bool {
    options.default_route.unwrap_or(network.forward_mode() != ForwardMode::None)
}

/// The host's addresses in the subnets of a container's addresses.
fn gateways(network: &Network, addresses: &[IpNet]) -> Vec<Gateway> {
    let gateway = |net: &IpNet| {
        let ip = network.ips.iter().find(|ip| ip.net().is_some_and(|subnet| subnet.contains(&net.addr())))?;
        Some(Gateway { net: *net, gateway: ip.address })
    };
    addresses.iter().filter_map(gateway).collect()
}

pub(super) fn outcome(
    options: &ContainerOptions,
    lowered: LoweredPort,
    network: &Network,
    inventory: &Inventory,
) -> ContainerPort {
    let of_bridge = |name: &InterfaceName| inventory.links.iter().find(|link| link.name == *name);
    let bridge = lowered.port.bridge.clone();
    let end = lowered.desired.links().find(|link| matches!(link.kind, LinkKind::Veth(_)));
    let mtu = end.and_then(|end| end.mtu).or_else(|| of_bridge(bridge.as_ref()?)?.mtu);
    let addresses = lowered.port.container.as_ref().map(|it| gateways(network, &it.addresses)).unwrap_or_default();
    let own: BTreeSet<_> = addresses.iter().map(|it| it.gateway).collect();
    ContainerPort {
        host_mac: end.and_then(|end| end.mac),
        mtu,
        bridge: bridge.map(|name| {
            let mac = of_bridge(&name).and_then(|link| link.mac);
            (name, mac)
        }),
        addresses,
        default_route: has_default_route(options, network),
        nameservers: if network.answers_names() { own.into_iter().collect() } else { Vec::new() },
        domain: network.domain.as_ref().map(|domain| domain.name.clone()),
        port: lowered.port,
    }
}
