//! Containers on networks that OVN makes. Their rows carry what the runtime calls them, and the
//! host, so that they are found without a receipt, too: `/run` is empty after a boot.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use vnet_host::{LinuxHost, Lock, PortHeader, Receipt};
use vnet_ovn::{OvnGuest, name_servers};
use vnet_plan::{AddressWish, ContainerAddressError, Resource, attach};
use vnet_types::{InterfaceName, MacAddr, NetworkName, Uuid};
use vnet_validate::KnownHost;
use vnet_xml::Network;
use vnet_xml::network::ForwardMode;

use super::attach::{choices, interface, mac, outcome};
use super::{Attachment, ContainerOptions, ContainerPort, ContainersLeft, Readiness};
use crate::driver::Driver;
use crate::error::Error;
use crate::features::ask_switch;
use crate::findings::{on_host, sound};
use crate::ovn::{Chassis, OvnFailure, OvnNetwork, PortRecord};

/// How long a database may take for an answer to those who only look.
const GLANCE: Duration = Duration::from_secs(2);

impl Driver {
    /// The network of containers, if OVN makes it, by this definition or else the one that is kept.
    pub(super) fn container_on_ovn(
        &self,
        name: &NetworkName,
        definition: Option<&Network>,
    ) -> Result<Option<OvnNetwork>, Error> {
        if self.runs(name)? {
            return Ok(None);
        }
        let kept = if definition.is_some() { None } else { self.kept(name)? };
        let network = definition.or(kept.as_ref()).filter(|network| network.is_on_ovn());
        network.map(OvnNetwork::open).transpose()
    }

    pub(super) fn attach_container_to_ovn(
        &self,
        mut network: OvnNetwork,
        options: &ContainerOptions,
        sandbox: (u64, u64),
        host: &mut LinuxHost,
        lock: &Lock,
    ) -> Result<ContainerPort, Error> {
        if options.has_host_ports && !is_open(&network.network) {
            return Err(OvnFailure::HostPorts(options.network.clone()).into());
        }
        let dev = options.attachment.dev();
        let mut chassis = Chassis::here()?;
        let random = LinuxHost::random()?;
        let mac = mac(options, random);
        let mut interface = interface(options, &dev);
        interface.mac = Some(mac.into());
        let findings = sound(vnet_validate::check(&interface))?;
        let mut inventory = self.inventory_without(&dev, host, lock)?;
        ask_switch(&mut inventory);
        let mut on_ovn = self.on_ovn(&network, &chassis, &interface)?;
        on_host(findings, vnet_validate::check_against(&on_ovn.interface, KnownHost::new(&inventory, &[])))?;
        let port = on_ovn.guest.id;
        if options.mac.is_some() {
            self.is_nobodys(&network, port, &dev, mac)?;
        }
        on_ovn.guest.name = options.names.first().cloned();
        on_ovn.guest.container = Some(options.attachment.to_string());
        let definition = network.network.clone();
        let lower = |addresses| {
            let choices = choices(options, &definition, sandbox, (random, mac), addresses);
            attach(&on_ovn.interface, None, &inventory, &choices)
        };
        let make = || {
            let (before, given) = put(&mut network, &on_ovn.guest, options)?;
            let addresses = if options.has_addresses { network.in_subnets(&given) } else { Vec::new() };
            self.connect(&mut network, &mut chassis, (port, &dev, false), before, (host, lock), |host| {
                let mut lowered = self.with_files(lower(addresses)?);
                self.keep_put_on_ovn(&mut lowered, &on_ovn, given.clone())?;
                self.make_container(&lowered, host, lock, options)?;
                Ok(lowered)
            })
        };
        let lowered = self.with_hooks_on_ovn(&definition, port, &lower(Vec::new())?.port, make)?;
        let mut attached = outcome(options, lowered, &definition, &inventory);
        let servers = attached.addresses.iter().flat_map(|it| name_servers(&definition, it.gateway));
        attached.nameservers = servers.collect::<BTreeSet<IpAddr>>().into_iter().collect();
        Ok(attached)
    }

    /// Refuses a MAC address that another port of this host has on the network. A guest of another
    /// host moves here, as a host may have died.
    fn is_nobodys(&self, network: &OvnNetwork, port: Uuid, dev: &InterfaceName, mac: MacAddr) -> Result<(), Error> {
        let has_it = |receipt: &Receipt<PortHeader>| {
            let its = |resource: &Resource| matches!(resource, Resource::SwitchPort(it) if it.interface_id == port);
            receipt.header.port.dev != *dev && receipt.owned.iter().any(its)
        };
        match self.store.port_receipts()?.iter().flatten().any(has_it) {
            true => Err(OvnFailure::MacTaken { network: network.name().clone(), port, mac }.into()),
            false => Ok(()),
        }
    }

    /// Removes what no receipt tells of: the row of a container, the name server that was made for
    /// it, and a port of Open vSwitch from before the host booted. Returns whether there was a row.
    pub(super) fn detach_forgotten(
        &self,
        mut network: OvnNetwork,
        attachment: &Attachment,
        host: &LinuxHost,
        lock: &Lock,
    ) -> Result<bool, Error> {
        let Some(chassis) = this_chassis()? else { return Ok(false) };
        let dev = attachment.dev();
        if self.stale_switch_ports(host)?.contains(&dev) {
            host.remove_stale_switch_port(lock, &dev)?;
        }
        let left = self.end_unused_names(network.name(), network.uuid());
        let words = attachment.to_string();
        let taken = take(&mut network, &chassis, |container| container == words)?;
        left.map(|()| !taken.is_empty())
    }

    /// Removes the rows of a runtime's containers of this host that are not in its list; without a
    /// list, those that no receipt tells of. A name server that nobody uses goes, too.
    pub(super) fn collect_on_ovn(
        &self,
        mut network: OvnNetwork,
        runtime: &str,
        valid: Option<&[Attachment]>,
        left: &mut ContainersLeft,
    ) -> Result<(), Error> {
        let Some(chassis) = this_chassis()? else { return Ok(()) };
        let gone = self.end_unused_names(network.name(), network.uuid());
        let attached = self.store.ports()?;
        let goes = |container: &str| {
            let Some(attachment) = Attachment::of_words(container) else { return false };
            let stays = match valid {
                Some(valid) => valid.contains(&attachment),
                None => false,
            };
            attachment.network == runtime && !stays && !attached.iter().any(|port| attachment.is_of(port))
        };
        for guest in take(&mut network, &chassis, goes)? {
            left.removed.extend(guest.container.as_deref().and_then(Attachment::of_words));
        }
        gone
    }

    /// What OVN and this host's name server have not as it was made for a container, in words.
    pub(super) fn check_on_ovn(
        &self,
        record: PortRecord,
        attachment: &Attachment,
        receipt: &Receipt<PortHeader>,
    ) -> Result<Vec<String>, Error> {
        let port = &receipt.header.port;
        let mut network = OvnNetwork::open(&record.network.parse::<Network>()?)?;
        let mut guest = OvnGuest::new(record.port, port.mac);
        guest.addresses = port.container.iter().flat_map(|it| &it.addresses).map(|net| net.addr()).collect();
        guest.container = Some(attachment.to_string());
        guest.chassis = Some(record.chassis);
        let mut words = network.differences(&guest)?;
        if !Chassis::here()?.is_connected(&port.dev, record.port, Duration::ZERO)? {
            words.push(format!("ovn-controller has not connected port `{}`", port.dev));
        }
        words.extend(self.trouble_of_names(&network)?);
        Ok(words)
    }

    /// Whether a container could be attached to a network of OVN now.
    pub(super) fn readiness_on_ovn(
        &self,
        network: OvnNetwork,
        starts: bool,
        has_addresses: bool,
    ) -> Result<Readiness, Error> {
        let words = |error: &Error| {
            let help = error.help().map(|help| format!("\n{help}"));
            format!("{}{}", Error::causes(error), help.unwrap_or_default())
        };
        let name = network.name().clone();
        match Chassis::here().map(|chassis| chassis.trouble()) {
            Err(failure @ OvnFailure::NoChassis(_)) => return Ok(Readiness::Unavailable(words(&failure.into()))),
            Err(failure) => return Ok(Readiness::Impaired(words(&failure.into()))),
            Ok(Some(why)) => return Ok(Readiness::Impaired(format!("OVN connects no container of `{name}`: {why}"))),
            Ok(None) => {}
        }
        if let Some(words) = self.trouble_of_names(&network)? {
            return Ok(Readiness::Impaired(words));
        }
        let mut network = network.patient_for(GLANCE);
        let guests = match network.guests() {
            Err(error) => return Ok(Readiness::Unavailable(words(&error))),
            Ok(None) if !starts => {
                let why = format!("network `{name}` does not run; `vnet start {name}` starts it");
                return Ok(Readiness::Unavailable(why));
            }
            Ok(guests) => guests.unwrap_or_default(),
        };
        let wish = AddressWish { mac: MacAddr([0; 6]), names: Vec::new(), ips: Vec::new(), seed: 0 };
        match network.addresses_beside(&guests, &wish) {
            Err(error @ ContainerAddressError::UsedUp { .. }) if has_addresses => {
                Ok(Readiness::Unavailable(error.to_string()))
            }
            _ => Ok(Readiness::Ready),
        }
    }
}

/// Makes the row of a container, and the network, if it has to be. Returns the guest that had the
/// row, and the addresses.
fn put(
    network: &mut OvnNetwork,
    guest: &OvnGuest,
    options: &ContainerOptions,
) -> Result<(Option<OvnGuest>, Vec<IpAddr>), Error> {
    let choose = |network: &OvnNetwork, others: &[OvnGuest], before: Option<&OvnGuest>| {
        if let Some(before) = before.filter(|before| options.ips.is_empty() && before.mac == guest.mac) {
            return Ok(before.addresses.clone());
        }
        // The lowest free one, as guests of OVN get it.
        let wish = AddressWish { mac: guest.mac, names: options.names.clone(), ips: options.ips.clone(), seed: 0 };
        match network.addresses_beside(others, &wish) {
            // Who asks by DHCP gets none then.
            Err(ContainerAddressError::NoRange(_)) if !options.has_addresses => Ok(Vec::new()),
            found => Ok(found?.iter().map(vnet_types::IpNet::addr).collect()),
        }
    };
    match network.put_guest_at(guest.clone(), choose) {
        Err(Error::NotRunning(_)) if options.starts => {
            network.make()?;
            network.put_guest_at(guest.clone(), choose)
        }
        put => put,
    }
}

/// Takes the rows of containers of a host whose words say so, and returns what they were.
fn take(network: &mut OvnNetwork, chassis: &str, goes: impl Fn(&str) -> bool) -> Result<Vec<OvnGuest>, Error> {
    let is_it =
        |guest: &OvnGuest| guest.chassis.as_deref() == Some(chassis) && guest.container.as_deref().is_some_and(&goes);
    match network.take_guests(is_it) {
        Err(Error::NotRunning(_)) => Ok(Vec::new()),
        taken => taken,
    }
}

/// This host's name in OVN. `None` where it is no chassis: then nothing of it is there.
fn this_chassis() -> Result<Option<String>, Error> {
    match Chassis::here() {
        Err(OvnFailure::NoChassis(_)) => Ok(None),
        chassis => Ok(Some(chassis?.name)),
    }
}

/// Whether connections to guests may begin outside of the network.
fn is_open(network: &Network) -> bool {
    matches!(network.forward_mode(), ForwardMode::Route | ForwardMode::Open)
}
