//! Ports by their UUID, as libvirt's clients know them: those that [`attach`](Driver::attach) has
//! made, and those whose device another program makes, such as virtqemud, and that are only
//! recorded (<https://libvirt.org/html/libvirt-libvirt-network.html>, `virNetworkPort`).

use vnet_host::{LinuxHost, PortHeader, Receipt};
use vnet_plan::{Change, LoweredPort, PortChoices, Resource, record_port};
use vnet_types::{Inventory, KnownPort, NetworkName, Uuid};
use vnet_xml::{Bandwidth, Network, NetworkPort};

use super::options::AttachOptions;
use super::prepare::{Kept, header, record_file};
use crate::driver::Driver;
use crate::error::Error;

impl Driver {
    /// Records a port whose device another program makes: decides what it is attached to, and keeps
    /// its floor on the network's bridge. A port with a `<plug>` is attached already and keeps it.
    /// Returns the port as it is recorded.
    ///
    /// # Errors
    /// [`Error::NotRunning`]; [`Error::PortExists`]; [`Error::Attach`]; [`Error::Hook`];
    /// [`Error::Host`] when a step fails: then the steps before it are undone.
    pub fn create_port(&self, network: &NetworkName, port: &NetworkPort) -> Result<NetworkPort, Error> {
        let mut host = self.host()?;
        let lock = self.lock()?;
        let definition = self.as_it_runs(network)?.ok_or_else(|| Error::NotRunning(network.clone()))?;
        if self.find_port(network, port.uuid)?.is_some() {
            return Err(Error::PortExists { network: network.clone(), uuid: port.uuid });
        }
        let inventory = self.inventory(&mut host, Some(&lock), None)?;
        let lowered = self.lower_record(port, &definition, inventory, None)?;
        let header = header(&lowered, None)?;
        let make = || Ok(vnet_host::start(&mut host, &lock, header, &lowered.desired)?);
        self.with_port_hooks(&lowered, make)?;
        Ok(lowered.record.unwrap_or_else(|| port.clone()))
    }

    /// The ports of a network that runs, by their UUIDs, sorted.
    ///
    /// # Errors
    /// [`Error::NotRunning`]; [`Error::Host`] when the receipts cannot be read; those of
    /// [`port_record`](Self::port_record).
    pub fn port_ids(&self, network: &NetworkName) -> Result<Vec<Uuid>, Error> {
        self.must_run(network)?;
        let mut ids = Vec::new();
        for port in self.ports_of(network)? {
            ids.extend(self.id_of(&port)?);
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// How the port with this UUID is attached to its network.
    ///
    /// # Errors
    /// [`Error::NoPortOf`]; [`Error::Host`] when the receipts cannot be read; those of
    /// [`port_record`](Self::port_record).
    pub fn port_by_id(&self, network: &NetworkName, uuid: Uuid) -> Result<NetworkPort, Error> {
        let absent = || Error::NoPortOf { network: network.clone(), uuid };
        let port = self.find_port(network, uuid)?.ok_or_else(absent)?;
        self.port_record(&port.dev)?.ok_or_else(absent)
    }

    /// Changes the bandwidth of a port: its floor, and, if vnet has made its device, the limits of
    /// the guest. `None` takes the limits away.
    ///
    /// # Errors
    /// [`Error::NotRunning`]; [`Error::NoPortOf`]; [`Error::Attach`] when the floor cannot be kept;
    /// [`Error::Host`] when a step fails: then the steps before it are undone.
    pub fn set_port_bandwidth(
        &self,
        network: &NetworkName,
        uuid: Uuid,
        bandwidth: Option<&Bandwidth>,
    ) -> Result<Vec<Change>, Error> {
        let mut host = self.host()?;
        let lock = self.lock()?;
        let definition = self.as_it_runs(network)?.ok_or_else(|| Error::NotRunning(network.clone()))?;
        let absent = || Error::NoPortOf { network: network.clone(), uuid };
        let port = self.find_port(network, uuid)?.ok_or_else(absent)?;
        let receipt = self.store.port_receipt(&port.dev)?.ok_or_else(absent)?;
        let inventory = self.inventory(&mut host, Some(&lock), None)?;
        let mut kept = self.kept_port(&receipt)?;
        match &mut kept {
            Kept::Interface(interface) => interface.bandwidth = bandwidth.cloned(),
            Kept::Record(record) => record.bandwidth = bandwidth.cloned(),
        }
        let lowered = self.lower_kept(&kept, &definition, inventory, &receipt)?;
        let header = header(&lowered, receipt.header.owner)?;
        Ok(vnet_host::apply(&mut host, &lock, header, &lowered.desired)?)
    }

    /// Detaches the port with this UUID: removes what was made for it, and its record.
    ///
    /// # Errors
    /// [`Error::NotRunning`]; [`Error::NoPortOf`]; [`Error::Host`] with what could not be removed:
    /// the call can be repeated.
    pub fn delete_port(&self, network: &NetworkName, uuid: Uuid) -> Result<Vec<Change>, Error> {
        let mut host = self.host()?;
        let lock = self.lock()?;
        self.must_run(network)?;
        let absent = || Error::NoPortOf { network: network.clone(), uuid };
        let port = self.find_port(network, uuid)?.ok_or_else(absent)?;
        match self.detach_locked(&mut host, &lock, &port.dev) {
            Err(error) if error.is_absent() => Err(absent()),
            detached => detached,
        }
    }

    fn must_run(&self, network: &NetworkName) -> Result<(), Error> {
        if self.runs(network)? { Ok(()) } else { Err(Error::NotRunning(network.clone())) }
    }

    fn find_port(&self, network: &NetworkName, uuid: Uuid) -> Result<Option<KnownPort>, Error> {
        for port in self.ports_of(network)? {
            if self.id_of(&port)? == Some(uuid) {
                return Ok(Some(port));
            }
        }
        Ok(None)
    }

    /// The UUID of a port of a network.
    fn id_of(&self, port: &KnownPort) -> Result<Option<Uuid>, Error> {
        match port.uuid {
            Some(uuid) => Ok(Some(uuid)),
            None => Ok(self.port_record(&port.dev)?.map(|record| record.uuid)),
        }
    }

    /// Computes what a recorded port requires of this host.
    pub(super) fn lower_record(
        &self,
        port: &NetworkPort,
        network: &Network,
        mut inventory: Inventory,
        recorded: Option<&Receipt<PortHeader>>,
    ) -> Result<LoweredPort, Error> {
        if port.bandwidth.is_some() {
            self.probe(&mut inventory)?;
        }
        let choices = PortChoices {
            random: LinuxHost::random()?,
            kept: recorded.map(|receipt| receipt.header.port.clone()),
            ..PortChoices::default()
        };
        let mut lowered = record_port(port, network, &inventory, &choices)?;
        let folder = self.store.port_directory(&lowered.port.dev);
        let record = lowered.record.iter().map(|record| Resource::File(record_file(&folder, record)));
        lowered.desired.extend(record.collect::<Vec<_>>());
        Ok(lowered)
    }

    /// Computes what a port requires of this host that is attached already.
    pub(super) fn lower_kept(
        &self,
        kept: &Kept,
        network: &Network,
        inventory: Inventory,
        receipt: &Receipt<PortHeader>,
    ) -> Result<LoweredPort, Error> {
        match kept {
            Kept::Interface(interface) => {
                let options = AttachOptions::default();
                self.lower_port_in(interface, Some(network), inventory, &options, Some(receipt))
            }
            Kept::Record(record) => self.lower_record(record, network, inventory, Some(receipt)),
        }
    }
}
