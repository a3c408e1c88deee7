//! The ports that are attached.

use std::fs;
use std::io;

use vnet_host::{LinuxHost, Listed, PortHeader, Receipt};
use vnet_passt::Passt;
use vnet_passt::run::Running;
use vnet_types::{InterfaceName, KnownPort};
use vnet_xml::NetworkPort;

use super::device::Device;
use super::prepare::{RECORD, passt};
use crate::driver::Driver;
use crate::error::Error;
use crate::gc::is_left;
use crate::manager;
use crate::obstacle::Obstacle;
use crate::state::State;

/// A port that is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PortStatus {
    /// The port.
    pub port: KnownPort,
    /// Its state.
    pub state: State,
    /// Its device, as the kernel reports it.
    pub device: Device,
    /// The arguments of its passt. `None` when the guest is not behind passt.
    pub passt: Option<Passt>,
    /// Other programs that manage its device.
    pub obstacles: Vec<Obstacle>,
}

impl Driver {
    /// Lists the attached ports by name. Leftovers of processes that have ended are removed first.
    ///
    /// # Errors
    /// [`Error::Host`] when the folder or the host cannot be read. A port whose receipt cannot be
    /// read is an entry.
    pub fn ports(&self) -> Result<Vec<Listed<PortStatus>>, Error> {
        let mut host = self.host()?;
        let mut receipts = self.store.port_receipts()?;
        if receipts.iter().flatten().any(is_left) && self.tidy(&mut host) {
            receipts = self.store.port_receipts()?;
        }
        // A list does not fail because one of its ports cannot be looked at.
        host.look_once();
        host.look_as_allowed();
        let mut ports = Vec::new();
        for listed in receipts {
            match listed {
                Ok(receipt) => ports.extend(self.port_status(&host, receipt)?.map(Ok)),
                Err(unreadable) => ports.push(Err(unreadable)),
            }
        }
        Ok(ports)
    }

    /// How a port is attached to its network. `None` when it is attached to a device of the host.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Kept`] when its file is damaged.
    pub fn port_record(&self, port: &InterfaceName) -> Result<Option<NetworkPort>, Error> {
        let path = self.store.port_directory(port).join(RECORD);
        match fs::read_to_string(&path) {
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Read { path, source }),
            Ok(text) => {
                let record = text.parse::<NetworkPort>();
                record.map(Some).map_err(|error| Error::Kept { path, what: "a network port", source: error.into() })
            }
        }
    }

    /// The port of a guest behind passt, by the guest's name.
    ///
    /// # Errors
    /// [`Error::Host`] when the receipts or the host cannot be read.
    pub fn port_of_guest(&self, guest: &str) -> Result<Option<PortStatus>, Error> {
        let host = self.host()?;
        self.behind(guest)?.map_or(Ok(None), |receipt| self.port_status(&host, receipt))
    }

    /// `None` when it was detached meanwhile.
    fn port_status(&self, host: &LinuxHost, receipt: Receipt<PortHeader>) -> Result<Option<PortStatus>, Error> {
        let (settled, passt) = (receipt.settled, passt(&receipt.owned).cloned());
        let port = receipt.header.port.clone();
        let drift = match vnet_host::drift_of(host, &receipt, LinuxHost::namespace()?) {
            // It may have been changed or detached since its receipt was read.
            Ok(drift) if !drift.is_empty() => {
                vnet_host::drift(&self.onlooker()?, &self.store, &port.dev, LinuxHost::namespace()?)
            }
            drift => drift,
        };
        let state = match drift {
            Err(vnet_host::Error::Absent(_)) => return Ok(None),
            Err(vnet_host::Error::Elsewhere(_)) => State::Elsewhere,
            drift => State::of(settled, !drift?.is_empty()).without(&host.unread()),
        };
        let device = Device::of(&port, host)?;
        let obstacles = match state {
            State::Elsewhere => Vec::new(),
            _ if port.recorded => Vec::new(),
            _ => manager::obstacles(host, std::slice::from_ref(&port.dev))?,
        };
        Ok(Some(PortStatus { port, state, device, passt, obstacles }))
    }
}

/// The process of a guest's passt, if it runs.
pub fn passt_process(passt: &Passt) -> Option<Running> {
    // One that cannot be looked at is not shown.
    Running::find(passt.pid_file.as_deref()?, &passt.socket).ok().flatten()
}
