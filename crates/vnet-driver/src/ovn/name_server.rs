//! The name server of a network of OVN on this host: made with its first guest here, and removed
//! with the last one. Its receipt is in a folder beside those of networks, which it is none of.

use std::fs;

use vnet_dnsmasq::DnsHost;
use vnet_host::{Header, Host, LinuxHost, Lock, Near, Receipt, Store};
use vnet_ovn::{OvnGuest, OvnNameServer};
use vnet_plan::{Change, File, HostState, Key, NameServerChoices, Resource, name_server};
use vnet_types::{NetworkName, Uuid};
use vnet_xml::Network;

use super::chassis::Chassis;
use super::network::OvnNetwork;
use super::record::PortRecord;
use super::status::GLANCE;
use crate::definitions::uuid_of;
use crate::driver::{Driver, network_name};
use crate::error::Error;
use crate::state::State;

/// The folder of receipts, in the folder of state. No network folder begins with this character.
const FOLDER: &str = "@ovn";
/// The file beside a receipt that keeps the definition.
const KEPT: &str = "network.xml";
/// The addresses of links (RFC 3927), of which a name server and its relay have four.
const LINK_LOCAL: &str = "169.254.0.0/16";

impl Driver {
    fn name_servers(&self) -> Store {
        Store::new(self.state().join(FOLDER))
    }

    /// Makes the name server that answers the guests of a network on this host, or brings it to
    /// what the definition and the guests on all hosts are now. Removes it where there is none any
    /// more.
    pub(super) fn serve_names(&self, network: &mut OvnNetwork, bridge: &str) -> Result<Vec<Change>, Error> {
        let (store, mut host, here) = (self.name_servers(), self.host()?, LinuxHost::namespace()?);
        let lock = store.lock()?;
        let Some(desired) = wanted(network, bridge, &host, &store)? else {
            return self.end_locked(&mut host, &lock, &network.name);
        };
        let mut changes = Vec::new();
        if store.receipt(&network.name)?.is_some_and(|receipt| is_to_be_made_anew(&host, &store, &receipt, &desired)) {
            changes.extend(vnet_host::stop(&mut host, &lock, &network.name, here)?);
        }
        let header = Header {
            network: network.name.clone(),
            uuid: Some(network.uuid),
            bridge: None,
            namespace: here,
            owner: None,
            awaits_hooks: false,
            of_libvirt: false,
        };
        changes.extend(vnet_host::apply(&mut host, &lock, header, &desired)?);
        Ok(changes)
    }

    /// Follows a change of a network: its name server is on the hosts that have guests of it.
    pub(super) fn follow_names(&self, network: &mut OvnNetwork) -> Result<Vec<Change>, Error> {
        if self.has_names(network)? { self.serve_names(network, &Chassis::here()?.bridge) } else { Ok(Vec::new()) }
    }

    /// What [`follow_names`](Self::follow_names) would change.
    pub(super) fn plan_names(&self, network: &mut OvnNetwork) -> Result<Vec<Change>, Error> {
        if !self.has_names(network)? {
            return Ok(Vec::new());
        }
        let (store, host) = (self.name_servers(), self.host()?);
        let desired = wanted(network, &Chassis::here()?.bridge, &host, &store)?.unwrap_or_default();
        Ok(vnet_host::plan(&host, &store, &network.name, &desired)?)
    }

    fn has_names(&self, network: &OvnNetwork) -> Result<bool, Error> {
        Ok(self.name_servers().has(&network.name)? || self.has_guests_of(network.uuid)?)
    }

    /// Removes the name server of a network, if it is there.
    pub(super) fn end_names(&self, network: &NetworkName) -> Result<Vec<Change>, Error> {
        if !self.may_have_names() {
            return Ok(Vec::new());
        }
        // Whoever releases the lock removes what a process that was killed early has left.
        self.end_locked(&mut self.host()?, &self.name_servers().lock()?, network)
    }

    /// Whether there is a name server, or what is left of one.
    fn may_have_names(&self) -> bool {
        self.state().join(FOLDER).exists()
    }

    fn end_locked(&self, host: &mut LinuxHost, lock: &Lock, network: &NetworkName) -> Result<Vec<Change>, Error> {
        match vnet_host::stop(host, lock, network, LinuxHost::namespace()?) {
            Err(vnet_host::Error::Absent(_)) => Ok(Vec::new()),
            stopped => Ok(stopped?),
        }
    }

    /// Removes the name server of a network whose last guest on this host is gone.
    pub(crate) fn end_unused_names(&self, network: &NetworkName, uuid: Uuid) -> Result<(), Error> {
        if !self.may_have_names() || self.has_guests_of(uuid)? {
            return Ok(());
        }
        self.end_names(network).map(drop)
    }

    /// The same for a port that is gone.
    pub(super) fn leave_names(&self, record: &PortRecord) -> Result<(), Error> {
        let network: Network = record.network.parse()?;
        self.end_unused_names(&network_name(&network.name)?, uuid_of(&network))
    }

    /// Whether a guest of a network of OVN is attached to this host.
    fn has_guests_of(&self, uuid: Uuid) -> Result<bool, Error> {
        for port in self.store.ports()? {
            // What cannot be read is a guest of it: nothing is taken from those that are there.
            match self.port_record_on_ovn(&port.dev) {
                Ok(None) => {}
                Ok(Some(record)) if record.network.parse::<Network>().is_ok_and(|it| uuid_of(&it) != uuid) => {}
                _ => return Ok(true),
            }
        }
        Ok(false)
    }

    /// Removes the name servers of networks that have no guests here, or that OVN's northbound
    /// database does not have any more. Returns those that are gone, and why others could not be
    /// removed or asked for.
    pub(crate) fn collect_names(&self) -> Result<(Vec<NetworkName>, Vec<Error>), Error> {
        let store = self.name_servers();
        let (mut gone, mut failed) = (Vec::new(), Vec::new());
        if !self.may_have_names() {
            return Ok((gone, failed));
        }
        // An attach makes the name server first, and has the lock until its guest is there.
        let _lock = self.lock()?;
        drop(store.lock()?);
        for known in store.networks()? {
            let kept = store.directory(&known.name).join(KEPT);
            let is_left = match fs::read_to_string(&kept) {
                // It was killed before it had its definition, or its folder was emptied.
                Err(_) => Ok(true),
                Ok(text) => text.parse::<Network>().map_err(Error::from).and_then(|network| {
                    if !self.has_guests_of(uuid_of(&network))? {
                        return Ok(true);
                    }
                    let mut network = OvnNetwork::open(&network)?.patient_for(GLANCE);
                    Ok(network.read()?.rows.is_empty())
                }),
            };
            match is_left
                .and_then(|is_left| if is_left { self.end_names(&known.name).map(|_| true) } else { Ok(false) })
            {
                Ok(true) => gone.push(known.name),
                Ok(false) => {}
                Err(error) => failed.push(error),
            }
        }
        Ok((gone, failed))
    }

    /// Whether the name server of a network is as it was made. `None` where it is not on this host.
    pub(super) fn state_of_names(&self, network: &NetworkName) -> Result<Option<State>, Error> {
        let drift = self.drift_of_names(network)?;
        Ok(drift.map(|drift| if drift.is_empty() { State::InSync } else { State::Drifted }))
    }

    /// What keeps the guests of this host from a name server that their network has, in words.
    pub(crate) fn trouble_of_names(&self, network: &OvnNetwork) -> Result<Option<String>, Error> {
        let name = &network.name;
        let repairs = format!("`vnet apply {name}` makes it anew, and so does the next attach");
        Ok(match self.drift_of_names(name)? {
            None => {
                let is_due = OvnNameServer::of(&network.network, network.uuid).is_some();
                let is_missing = is_due && self.has_guests_of(network.uuid)?;
                is_missing.then(|| format!("network `{name}` has no name server on this host; {repairs}"))
            }
            Some(drift) if drift.is_empty() => None,
            Some(drift) => {
                let changes: Vec<String> = drift.iter().map(ToString::to_string).collect();
                let changes = changes.join("\n");
                Some(format!("the name server of network `{name}` is not as it was made; {repairs}:\n{changes}"))
            }
        })
    }

    fn drift_of_names(&self, network: &NetworkName) -> Result<Option<Vec<Change>>, Error> {
        let store = self.name_servers();
        let drift = match vnet_host::drift(&self.host()?, &store, network, LinuxHost::namespace()?) {
            Err(vnet_host::Error::Absent(_)) => return Ok(None),
            drift => drift?,
        };
        Ok(Some(drift))
    }
}

/// The name server that a network has to have on this host. `None` where OVN's own records are
/// enough.
fn wanted(network: &mut OvnNetwork, bridge: &str, host: &LinuxHost, store: &Store) -> Result<Option<HostState>, Error> {
    let Some(server) = OvnNameServer::of(&network.network, network.uuid) else { return Ok(None) };
    let guests = network.read_guests()?.map(|there| there.guests).unwrap_or_default();
    let bridge = bridge.parse().map_err(|_| vnet_plan::AttachError::NoSwitchBridge(bridge.to_owned()))?;
    let directory = store.directory(&network.name);
    let mut choices = NameServerChoices::new(directory.clone(), bridge, server.port, server.mac, server.addresses);
    choices.guests = guests.iter().flat_map(names_of).collect();
    choices.owned = store.receipt(&network.name)?.map(|receipt| receipt.owned).unwrap_or_default();
    let near = Near { links: Vec::new(), nets: vec![LINK_LOCAL.parse().expect("a subnet")] };
    let mut desired = name_server(&network.network, &host.inventory_near(&near)?, &choices)?;
    let contents = Some(network.network.inactive().to_string());
    desired.insert(Resource::File(File { path: directory.join(KEPT), contents, mode: 0o600 }));
    Ok(Some(desired))
}

/// The names of a guest.
fn names_of(guest: &OvnGuest) -> Vec<DnsHost> {
    let is_plain = |name: &&str| name.bytes().all(|it| it.is_ascii_alphanumeric() || b"-._".contains(&it));
    let Some(name) = guest.name.as_deref().filter(is_plain) else { return Vec::new() };
    guest.addresses.iter().map(|ip| DnsHost { ip: *ip, hostnames: vec![name.to_owned()] }).collect()
}

/// Whether it is not there as it was made, or differs in what its links go with: then Open vSwitch
/// has to be told of new links.
fn is_to_be_made_anew(host: &LinuxHost, store: &Store, receipt: &Receipt, desired: &HostState) -> bool {
    let is_relay = |key: &Key| matches!(key, Key::Relay(_) | Key::SwitchPort(_));
    let changes = vnet_host::plan(host, store, &receipt.header.network, desired);
    !receipt.settled || changes.map_or(true, |changes| changes.iter().any(|change| is_relay(&change.key())))
}
