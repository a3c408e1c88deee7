//! The ports of this host whose networks OVN makes, as the northbound database has them.

use std::collections::BTreeSet;

use vnet_ovn::{NorthboundGuests, OvnGuest};
use vnet_types::{KnownPort, Uuid};
use vnet_xml::Network;

use super::failure::OvnFailure;
use super::network::OvnNetwork;
use super::record::PortRecord;
use super::status::GLANCE;
use crate::driver::Driver;
use crate::error::Error;
use crate::obstacle::Obstacle;
use crate::port::PortStatus;
use crate::state::State;

/// Ports whose networks are in one database.
struct Asked<'p> {
    /// One of the networks. It has the connection.
    network: OvnNetwork,
    ports: Vec<(&'p mut PortStatus, Uuid, PortRecord)>,
}

impl Driver {
    /// Adds to ports of networks that OVN makes the name of the network. Those that are `meant`
    /// then get the state that OVN's northbound database has of them; each database is asked once.
    /// Returns why one could not be asked: of its ports it is not known whether they are in sync.
    pub fn look_at_ports_on_ovn(&self, ports: &mut [PortStatus], meant: impl Fn(&KnownPort) -> bool) -> Vec<Error> {
        let (mut databases, mut failed) = (Vec::<Asked<'_>>::new(), Vec::new());
        // To Open vSwitch they are on no network.
        for status in ports.iter_mut().filter(|status| status.port.network.is_none()) {
            let (network, record) = match self.network_on_ovn(&status.port) {
                Ok(None) => continue,
                Ok(Some(known)) => known,
                Err(error) => {
                    if meant(&status.port) {
                        status.state = unsure(status.state);
                        failed.push(error);
                    }
                    continue;
                }
            };
            status.port.network = Some(network.name.clone());
            if status.state == State::Elsewhere || !meant(&status.port) {
                continue;
            }
            let port = (status, network.uuid, record);
            match databases.iter_mut().find(|it| it.network.has_database_of(&network)) {
                Some(asked) => asked.ports.push(port),
                None => databases.push(Asked { network, ports: vec![port] }),
            }
        }
        failed.extend(databases.into_iter().filter_map(|asked| asked.look().err()));
        failed
    }

    /// The network of a port, by the definition that it was attached with. `None` where OVN does
    /// not make it.
    fn network_on_ovn(&self, port: &KnownPort) -> Result<Option<(OvnNetwork, PortRecord)>, Error> {
        let Some(record) = self.port_record_on_ovn(&port.dev)? else { return Ok(None) };
        Ok(Some((OvnNetwork::open(&record.network.parse::<Network>()?)?, record)))
    }
}

impl Asked<'_> {
    /// Asks the database for all its ports.
    fn look(self) -> Result<(), Error> {
        let networks: BTreeSet<Uuid> = self.ports.iter().map(|(_, network, _)| *network).collect();
        let read = match self.network.patient_for(GLANCE).read_guests_of(&networks) {
            Ok(read) => read,
            Err(source) => {
                let names: Vec<_> = self.ports.iter().map(|(status, ..)| format!("`{}`", status.port.dev)).collect();
                for (status, ..) in self.ports {
                    status.state = unsure(status.state);
                }
                let what = format!("cannot ask OVN for the state of {}", names.join(", "));
                return Err(OvnFailure::Database { what, source: Box::new(source) }.into());
            }
        };
        for (status, network, record) in self.ports {
            if let Some(obstacle) = obstacle(&status.port, &record, read.get(&network)) {
                status.obstacles.push(obstacle);
                if matches!(status.state, State::InSync | State::Unsure) {
                    status.state = State::Drifted;
                }
            }
        }
        Ok(())
    }
}

/// Why OVN does not connect a port to its network. `None` where nothing stands against it.
fn obstacle(port: &KnownPort, record: &PortRecord, there: Option<&NorthboundGuests>) -> Option<Obstacle> {
    let (dev, id) = (&port.dev, record.port);
    let network = port.network.as_ref()?;
    let (reason, remedy) = match there.map(|there| found(&there.guests, id, port)) {
        None => (
            format!("network `{network}` does not run"),
            format!("`vnet start {network}` makes it, with the ports of guests that are attached here"),
        ),
        Some(None) => (
            format!("OVN's northbound database has no port `{id}` any more"),
            format!("`vnet apply {network}` makes it anew; or detach the guest, and attach it again"),
        ),
        Some(Some(guest)) => {
            let host = guest.chassis.as_ref().filter(|host| **host != record.chassis);
            let reason = match (host, guest.id == id) {
                (Some(host), true) => format!("the guest is attached on host `{host}` by now"),
                (None, true) => return None,
                (Some(host), false) => format!("port `{}` on host `{host}` has its MAC address by now", guest.id),
                (None, false) => format!("port `{}` has its MAC address by now", guest.id),
            };
            (reason, format!("`vnet detach {dev}` removes what this host still has of it"))
        }
    };
    Some(Obstacle::by(&format!("OVN connects `{dev}` to network `{network}`"), reason, remedy))
}

/// The guest of a port; or else another one with its MAC address, beside which an apply cannot make
/// the port anew.
fn found<'g>(guests: &'g [OvnGuest], id: Uuid, port: &KnownPort) -> Option<&'g OvnGuest> {
    let by_id = guests.iter().find(|guest| guest.id == id);
    by_id.or_else(|| guests.iter().find(|guest| guest.mac == port.mac))
}

/// A state that was not looked at everywhere.
fn unsure(state: State) -> State {
    if state == State::InSync { State::Unsure } else { state }
}
