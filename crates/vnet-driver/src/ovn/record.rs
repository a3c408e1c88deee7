//! What this host keeps of a guest's port on OVN: a file beside its receipt, which goes with it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::{fs, io};

use serde::{Deserialize, Serialize};
use vnet_host::{PortHeader, Receipt};
use vnet_ovn::OvnGuest;
use vnet_plan::{File, LoweredPort, Resource};
use vnet_types::{InterfaceName, Uuid};
use vnet_xml::Network;

use super::attach::OnOvn;
use crate::definitions::uuid_of;
use crate::driver::Driver;
use crate::error::Error;

/// The file in the folder of the port.
const FILE: &str = "ovn.json";

/// A port on OVN, by the definition that its network had when it was attached.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct PortRecord {
    /// What identifies it.
    pub(crate) port: Uuid,
    /// This host.
    pub(crate) chassis: String,
    /// The definition of its network.
    pub(crate) network: String,
    /// The marks of its row. Records of before lack them.
    #[serde(default)]
    guest: BTreeMap<String, String>,
}

impl Driver {
    /// Keeps of a port what a detach has to remove, and of one that is there what an apply makes
    /// anew.
    pub(crate) fn keep_on_ovn(
        &self,
        lowered: &mut LoweredPort,
        on_ovn: &OnOvn,
        receipt: Option<&Receipt<PortHeader>>,
    ) -> Result<(), Error> {
        self.keep_record(lowered, &on_ovn.record.clone().after(receipt))
    }

    /// The same of a guest whose row was made, with these addresses.
    pub(crate) fn keep_put_on_ovn(
        &self,
        lowered: &mut LoweredPort,
        on_ovn: &OnOvn,
        addresses: Vec<IpAddr>,
    ) -> Result<(), Error> {
        let mut guest = on_ovn.guest.clone();
        guest.addresses = addresses;
        self.keep_record(lowered, &on_ovn.record.clone().with_guest(&guest))
    }

    fn keep_record(&self, lowered: &mut LoweredPort, record: &PortRecord) -> Result<(), Error> {
        let path = self.store.port_directory(&lowered.port.dev).join(FILE);
        let text =
            serde_json::to_string(record).map_err(|error| Error::Read { path: path.clone(), source: error.into() });
        lowered.desired.insert(Resource::File(File { path, contents: Some(text?), mode: 0o600 }));
        Ok(())
    }

    /// The guests of a network that are attached here, as their rows were made: who has read the
    /// rows knows which are gone. An attach makes the row first, and a detach removes it last.
    pub(super) fn guests_here(&self, network: Uuid) -> Result<Vec<OvnGuest>, Error> {
        let is_its = |record: &PortRecord| record.network.parse::<Network>().is_ok_and(|it| uuid_of(&it) == network);
        let its = self.port_records_on_ovn()?.into_iter().filter(is_its);
        Ok(its.filter_map(|record| OvnGuest::of_marks(&record.guest)).collect())
    }

    /// What is kept of all ports on OVN. To Open vSwitch they are on no network, so that the others
    /// have no file to look for.
    pub(super) fn port_records_on_ovn(&self) -> Result<Vec<PortRecord>, Error> {
        let mut records = Vec::new();
        for port in self.store.ports()?.iter().filter(|port| port.network.is_none()) {
            records.extend(self.port_record_on_ovn(&port.dev)?);
        }
        Ok(records)
    }

    /// What is kept of a port. `None` when it is not on OVN.
    pub(crate) fn port_record_on_ovn(&self, dev: &InterfaceName) -> Result<Option<PortRecord>, Error> {
        let path = self.store.port_directory(dev).join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => match serde_json::from_str(&text) {
                Ok(record) => Ok(Some(record)),
                Err(error) => Err(Error::Kept { path, what: "the record of a port on OVN", source: error.into() }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Read { path, source }),
        }
    }
}

impl PortRecord {
    pub(super) fn new(port: Uuid, chassis: String, network: String) -> Self {
        Self { port, chassis, network, guest: BTreeMap::new() }
    }

    /// With the guest, as its row is made.
    pub(super) fn with_guest(self, guest: &OvnGuest) -> Self {
        Self { guest: guest.marks(), ..self }
    }

    /// With the guest of a port that is there already, as its receipt tells it.
    pub(super) fn after(self, receipt: Option<&Receipt<PortHeader>>) -> Self {
        match receipt.and_then(Self::of).filter(|it| it.port == self.port) {
            Some(it) => Self { guest: it.guest, ..self },
            None => self,
        }
    }

    /// That of a port whose attach was killed before its file was written.
    pub(crate) fn of(receipt: &Receipt<PortHeader>) -> Option<Self> {
        let text = receipt.owned.iter().find_map(|resource| match resource {
            Resource::File(file) if file.path.ends_with(FILE) => file.contents.as_deref(),
            _ => None,
        });
        serde_json::from_str(text?).ok()
    }
}
