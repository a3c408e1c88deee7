//! Guests on networks that OVN makes: a port in the northbound database, and one of this host's
//! Open vSwitch that carries its id.

use std::net::IpAddr;

use vnet_host::{LinuxHost, Lock};
use vnet_ovn::{OvnGuest, guest_addresses, port_id, with_guests};
use vnet_types::{InterfaceName, Inventory, KnownPort, MacAddr, Uuid};
use vnet_xml::interface::{BridgeSource, Mac, Source};
use vnet_xml::network_port::{Owner, Plug};
use vnet_xml::{Bandwidth, Interface, Network, NetworkPort, VirtualPort, VirtualPortType};

use super::chassis::Chassis;
use super::failure::OvnFailure;
use super::lifecycle::as_told;
use super::network::{OvnNetwork, OvnPlan};
use super::record::PortRecord;
use crate::driver::{Driver, device_name, network_name};
use crate::error::Error;
use crate::hooks::{HookOperation, document};
use crate::port::{AttachOptions, PortOutcome, Prepared};

/// How many times a guest's port is tried while other hosts change the network.
const TRIES: usize = 40;
/// The largest packet that fits into the tunnels between hosts.
const MTU: u32 = 1442;

/// A guest on OVN, as this host has it.
pub(crate) struct OnOvn {
    /// A port of Open vSwitch.
    pub(crate) interface: Interface,
    /// Its row, without a name and addresses.
    pub(crate) guest: OvnGuest,
    pub(super) record: PortRecord,
}

/// A guest's port that is decided on, and not made yet.
pub(crate) struct NewOnOvn {
    network: OvnNetwork,
    chassis: Chassis,
    on_ovn: OnOvn,
    prepared: Prepared,
}

impl Driver {
    /// The network of an interface, if OVN makes it: its definition is kept on this host.
    pub(crate) fn ovn_of(&self, interface: &Interface) -> Result<Option<OvnNetwork>, Error> {
        let Source::Network(source) = &interface.source else { return Ok(None) };
        let kept = self.kept_on_ovn(&network_name(&source.network)?)?;
        kept.map(|network| OvnNetwork::open(&network)).transpose()
    }

    /// Attaches a guest that is not attached yet.
    pub(crate) fn attach_to_ovn(
        &self,
        network: OvnNetwork,
        interface: &Interface,
        options: &AttachOptions,
        inventory: Inventory,
        host: &mut LinuxHost,
        lock: &Lock,
    ) -> Result<PortOutcome, Error> {
        let mut new = self.prepare_on_ovn(network, interface, options, inventory)?;
        if new.prepared.receipt.take().is_some_and(|receipt| receipt.settled) {
            return Err(Error::AlreadyAttached(new.prepared.lowered.port.dev));
        }
        // What an attach that was killed has left is removed at the start.
        self.connect_on_ovn(new, host, lock, |prepared, host| self.attach_prepared(prepared, host, lock))
    }

    /// Decides on a guest's port, in the northbound database and on this host.
    pub(crate) fn prepare_on_ovn(
        &self,
        network: OvnNetwork,
        interface: &Interface,
        options: &AttachOptions,
        inventory: Inventory,
    ) -> Result<NewOnOvn, Error> {
        let chassis = Chassis::here()?;
        let mut on_ovn = self.on_ovn(&network, &chassis, interface)?;
        on_ovn.guest.name = options.guest.clone();
        let prepared = self.prepare_port_on(&on_ovn.interface, options, inventory)?;
        Ok(NewOnOvn { network, chassis, on_ovn, prepared })
    }

    /// Makes a guest's port in the northbound database, its tap and the port of Open vSwitch, which
    /// is what `make` does, and waits until OVN has connected them. When a step fails, those before
    /// are undone.
    pub(crate) fn connect_on_ovn<T>(
        &self,
        new: NewOnOvn,
        host: &mut LinuxHost,
        lock: &Lock,
        make: impl FnOnce(Prepared, &mut LinuxHost) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let NewOnOvn { mut network, mut chassis, on_ovn, mut prepared } = new;
        let (known, port, was_there) = (prepared.lowered.port.clone(), on_ovn.guest.id, prepared.receipt.is_some());
        let dev = &known.dev;
        let definition = network.network.clone();
        let connect = || {
            let (before, addresses) = network.put(on_ovn.guest.clone())?;
            let make = |host: &mut LinuxHost| {
                self.keep_put_on_ovn(&mut prepared.lowered, &on_ovn, addresses)?;
                make(prepared, host)
            };
            self.connect(&mut network, &mut chassis, (port, dev, was_there), before, (host, lock), make)
        };
        if was_there { connect() } else { self.with_hooks_on_ovn(&definition, port, &known, connect) }
    }

    /// Makes the device of a guest whose row is there, and waits until OVN has connected it. When a
    /// step fails, those before are undone, and the row is as it was `before`.
    pub(crate) fn connect<T>(
        &self,
        network: &mut OvnNetwork,
        chassis: &mut Chassis,
        (port, dev, was_there): (Uuid, &InterfaceName, bool),
        before: Option<OvnGuest>,
        (host, lock): (&mut LinuxHost, &Lock),
        make: impl FnOnce(&mut LinuxHost) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let served = self.serve_names(&mut *network, &chassis.bridge);
        let made = served.and_then(|_| make(&mut *host)).and_then(|made| match chassis.wait_for(dev, port) {
            Ok(()) => Ok(made),
            Err(error) => {
                drop(made);
                let mut gone = || vnet_host::detach(host, lock, dev, LinuxHost::namespace()?).map(drop);
                Err(Error::from(error).undone(if was_there { Ok(()) } else { gone() }))
            }
        });
        made.map_err(|error| {
            let undone = match before {
                Some(before) => {
                    let addresses = before.addresses.clone();
                    network.put_guest_at(before, |_, _, _| Ok(addresses.clone())).map(drop)
                }
                None => network.take_guest(port, &chassis.name),
            };
            error.undone(undone.and(self.end_unused_names(&network.name, network.uuid)))
        })
    }

    /// Attaches a new port. The hooks may refuse it before, and are told when it is not attached
    /// after all.
    pub(crate) fn with_hooks_on_ovn<T>(
        &self,
        network: &Network,
        port: Uuid,
        known: &KnownPort,
        make: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (told, name) = (as_told(network), network_name(&network.name)?);
        let document = || document_of(&told, port, known);
        self.ask_hooks(HookOperation::PortCreated, &name, || Ok(document()))?;
        make().inspect_err(|_| self.tell_hooks(HookOperation::PortDeleted, &name, &document()))
    }

    /// The interface of a guest on OVN as a port of this host's Open vSwitch. `None` for another.
    pub(crate) fn as_on_ovn(&self, interface: &Interface) -> Result<Option<OnOvn>, Error> {
        let network = self.ovn_of(interface)?;
        network.map(|network| self.on_ovn(&network, &Chassis::here()?, interface)).transpose()
    }

    /// The same on a network that is known to be on OVN.
    pub(crate) fn on_ovn(
        &self,
        network: &OvnNetwork,
        chassis: &Chassis,
        interface: &Interface,
    ) -> Result<OnOvn, Error> {
        if interface.vlan.is_some() || network.network.port_groups.iter().any(|group| group.vlan.is_some()) {
            return Err(OvnFailure::Vlan(network.name.clone()).into());
        }
        let mac = interface.mac_address().map_or_else(|| self.mac_for(interface), Ok)?;
        let given = interface.virtual_port.as_ref().and_then(|port| port.interface_id);
        let port = given.unwrap_or_else(|| port_id(network.uuid, mac));
        let definition = network.network.inactive().to_string();
        let mut guest = OvnGuest::new(port, mac);
        guest.isolated = interface.port_isolated == Some(true);
        // That of the interface itself is Open vSwitch's.
        if interface.bandwidth.is_none() {
            guest.bandwidth = bandwidth_of_group(interface, &network.network);
        }
        guest.chassis = Some(chassis.name.clone());
        Ok(OnOvn {
            interface: on_switch(interface, network, &chassis.bridge, mac, port),
            guest,
            record: PortRecord::new(port, chassis.name.clone(), definition),
        })
    }

    /// The MAC address of an attached port, or a new one.
    fn mac_for(&self, interface: &Interface) -> Result<MacAddr, Error> {
        let dev = interface.target.as_ref().and_then(|target| device_name(target.dev.as_ref()?));
        let receipt = dev.map(|dev| self.store.port_receipt(&dev)).transpose()?.flatten();
        if let Some(receipt) = receipt {
            return Ok(receipt.header.port.mac);
        }
        let [first, second, third, ..] = LinuxHost::random()?;
        Ok(MacAddr::from_random([first, second, third]))
    }

    /// Tells the hooks of a port that is detached.
    pub(crate) fn tell_departure_from_ovn(&self, port: &KnownPort, record: &PortRecord) {
        // A definition that cannot be read does not keep a port from being detached.
        let Some(network) = self.has_hooks().then(|| record.network.parse::<Network>().ok()).flatten() else { return };
        if let Ok(name) = network_name(&network.name) {
            self.tell_hooks(HookOperation::PortDeleted, &name, &document_of(&as_told(&network), record.port, port));
        }
    }

    /// Removes what a port that this host had leaves: the name server of the last guest, and its
    /// row.
    pub(crate) fn leave_ovn(&self, dev: &InterfaceName, record: PortRecord) -> Result<(), Error> {
        let left = self.leave_names(&record);
        self.take_from_ovn(dev, record).and(left)
    }

    /// Takes a port that this host had out of the northbound database, unless the guest is attached
    /// on another host by now.
    fn take_from_ovn(&self, dev: &InterfaceName, record: PortRecord) -> Result<(), Error> {
        let network = record.network.parse::<Network>().map_err(Error::from);
        match network.and_then(|network| OvnNetwork::open(&network)?.take_guest(record.port, &record.chassis)) {
            Ok(()) | Err(Error::NotRunning(_)) => Ok(()),
            Err(source) => Err(OvnFailure::RowStays { dev: dev.clone(), source: Box::new(source) }.into()),
        }
    }
}

impl OvnNetwork {
    /// Makes a guest's port, or moves it to this host. A guest that is there keeps its addresses.
    /// Returns the guest as it was. No host waits for it.
    ///
    /// # Errors
    /// [`Error::NotRunning`]; [`OvnFailure::MacTaken`], [`OvnFailure::NoAddress`] and those of the
    /// database.
    pub fn put_guest(&mut self, guest: OvnGuest) -> Result<Option<OvnGuest>, Error> {
        Ok(self.put(guest)?.0)
    }

    /// The same. Also returns the addresses.
    fn put(&mut self, guest: OvnGuest) -> Result<(Option<OvnGuest>, Vec<IpAddr>), Error> {
        let (mac, name) = (guest.mac, guest.name.clone());
        self.put_guest_at(guest, |network, others, before| match before {
            Some(before) if before.mac == mac => Ok(before.addresses.clone()),
            _ => {
                let found = guest_addresses(&network.network, others, mac, name.as_deref());
                Ok(found.map_err(|source| OvnFailure::NoAddress { network: network.name.clone(), source })?)
            }
        })
    }

    /// These guests, with those that are attached to this host and have lost their rows. One whose
    /// address somebody else has by now gets another.
    pub(super) fn with_lost(&self, mut guests: Vec<OvnGuest>, here: Vec<OvnGuest>) -> Vec<OvnGuest> {
        for mut guest in here {
            let is_there = |it: &OvnGuest| it.id == guest.id || it.mac == guest.mac;
            if guests.iter().any(is_there) {
                continue;
            }
            let is_taken = |ip: &IpAddr| guests.iter().any(|it| it.addresses.contains(ip));
            if guest.addresses.iter().any(is_taken) {
                let chosen = guest_addresses(&self.network, &guests, guest.mac, guest.name.as_deref());
                guest.addresses = chosen.unwrap_or_default();
            }
            guests.push(guest);
        }
        guests.sort_by_key(|guest| guest.id);
        guests
    }

    /// The same, with addresses that are chosen from the other guests and the guest as it was.
    /// Returns that, and the addresses. What a container's interface has left is removed.
    pub(crate) fn put_guest_at(
        &mut self,
        guest: OvnGuest,
        choose: impl Fn(&Self, &[OvnGuest], Option<&OvnGuest>) -> Result<Vec<IpAddr>, Error>,
    ) -> Result<(Option<OvnGuest>, Vec<IpAddr>), Error> {
        self.change_guests(|network, guests| {
            let at = guests.iter().position(|it| it.id == guest.id);
            let before = at.map(|at| guests.remove(at));
            let is_left = |it: &OvnGuest| it.container.is_some() && it.container == guest.container;
            guests.retain(|it| !is_left(it) || it.chassis != guest.chassis);
            if let Some(other) = guests.iter().find(|it| it.mac == guest.mac) {
                let (name, port) = (network.name.clone(), other.id);
                return Err(OvnFailure::MacTaken { network: name, port, mac: guest.mac }.into());
            }
            let mut new = guest.clone();
            new.addresses = choose(network, guests, before.as_ref())?;
            let addresses = new.addresses.clone();
            guests.push(new);
            Ok((before, addresses))
        })
    }

    /// Removes a guest's port, if it is still that of this chassis.
    ///
    /// # Errors
    /// [`Error::NotRunning`]; those of the database.
    pub fn take_guest(&mut self, port: Uuid, chassis: &str) -> Result<(), Error> {
        self.take_guests(|it| it.id == port && it.chassis.as_deref() == Some(chassis)).map(drop)
    }

    /// Removes the ports of guests, and returns these.
    pub(crate) fn take_guests(&mut self, goes: impl Fn(&OvnGuest) -> bool) -> Result<Vec<OvnGuest>, Error> {
        self.change_guests(|_, guests| Ok(guests.extract_if(.., |it| goes(it)).collect()))
    }

    /// Changes the guests of the network, and nothing else of it. Tries again where another host
    /// has changed the network meanwhile: guests of two hosts do not contradict each other.
    ///
    /// Only the guests are read, and the rows that change are taken to be as they were made. Where
    /// that is not so, all rows are read.
    fn change_guests<T>(&mut self, change: impl Fn(&Self, &mut Vec<OvnGuest>) -> Result<T, Error>) -> Result<T, Error> {
        let mut tries = 0;
        loop {
            let (result, plan) = if tries % 2 == 0 { self.plan_guests(&change)? } else { self.plan_all(&change)? };
            match self.carry_out(&plan) {
                Err(Error::Ovn(failure)) if is_race(&failure) && tries < TRIES => tries += 1,
                Err(error) => return Err(error),
                Ok(_) => return Ok(result),
            }
        }
    }

    /// The change of its guests, by the guests alone.
    fn plan_guests<T>(
        &mut self,
        change: &impl Fn(&Self, &mut Vec<OvnGuest>) -> Result<T, Error>,
    ) -> Result<(T, OvnPlan), Error> {
        let Some(there) = self.read_guests()? else { return self.plan_all(change) };
        let mut guests = there.guests.clone();
        let result = change(self, &mut guests)?;
        let (observed, wanted) = self.guests_change(&there, &guests)?;
        Ok((result, OvnPlan::of_some(&observed, wanted)))
    }

    /// The same, by all rows.
    fn plan_all<T>(
        &mut self,
        change: &impl Fn(&Self, &mut Vec<OvnGuest>) -> Result<T, Error>,
    ) -> Result<(T, OvnPlan), Error> {
        let observed = self.read()?;
        if observed.rows.is_empty() {
            return Err(Error::NotRunning(self.name.clone()));
        }
        let mut guests = observed.guests();
        let before = self.rows(&guests)?;
        let result = change(self, &mut guests)?;
        let wanted = with_guests(&observed.rows, &before, &self.rows(&guests)?);
        Ok((result, OvnPlan::new(&observed, wanted)))
    }
}

/// What hooks are told of a port.
fn document_of(network: &Network, id: Uuid, port: &KnownPort) -> String {
    let name = port.guest.clone().unwrap_or_else(|| port.dev.to_string());
    let mut record = NetworkPort::new(id, Owner { name, uuid: id }, port.mac);
    let mut virtual_port = VirtualPort::new(VirtualPortType::OpenVSwitch);
    virtual_port.interface_id = Some(id);
    record.virtual_port = Some(virtual_port);
    record.plug = port.bridge.clone().map(|bridge| Plug::Bridge { bridge, mac_table_manager: None });
    document(network, Some(&record))
}

pub(super) fn is_race(failure: &OvnFailure) -> bool {
    matches!(failure, OvnFailure::ChangedMeanwhile(_))
}

/// The bandwidth of the interface's portgroup.
fn bandwidth_of_group(interface: &Interface, network: &Network) -> Option<Bandwidth> {
    let Source::Network(source) = &interface.source else { return None };
    network.port_group(source.port_group.as_deref())?.bandwidth.clone()
}

/// The interface as a port of this host's Open vSwitch.
fn on_switch(interface: &Interface, network: &OvnNetwork, bridge: &str, mac: MacAddr, port: Uuid) -> Interface {
    let mut own = interface.clone();
    own.source = Source::Bridge(BridgeSource::new(bridge));
    own.mac.get_or_insert_with(|| Mac::new(mac));
    let mut virtual_port = own.virtual_port.take().unwrap_or_default();
    virtual_port.kind = Some(VirtualPortType::OpenVSwitch);
    virtual_port.interface_id = Some(port);
    own.virtual_port = Some(virtual_port);
    own.mtu = own.mtu.or(network.network.mtu).or(Some(MTU));
    // The rule is OVN's.
    own.port_isolated = None;
    own
}
