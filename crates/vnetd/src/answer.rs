//! What calls do: each is one call of the driver.

mod connection;
mod foreign;
mod functions;
mod known;
mod leases;
mod lifecycle;
mod list;
pub(crate) mod metadata;
mod ports;
mod update;
mod xml;

use vnet_rpc::{Call, Procedure, Reply};

use crate::refusal::{self, Refusal};
use crate::server::Shared;

pub(crate) use connection::{identity, leave, listen};
pub(crate) use foreign::foreign;

/// Whether a procedure is about networks and not about the connection. Before the connection is
/// open, libvirt refuses these in other words.
pub(crate) fn is_of_networks(procedure: Procedure) -> bool {
    procedure.name().contains("NETWORK")
}

/// Refuses flags that a function of libvirt's network driver does not know.
fn only_flags(flags: u32, known: u32, function: &str) -> Result<(), Refusal> {
    match flags & !known {
        0 => Ok(()),
        unknown => Err(refusal::flags(unknown, function)),
    }
}

/// Answers a call about networks.
pub(crate) fn network_call(shared: &Shared, call: Call) -> Result<Reply, Refusal> {
    let (driver, news) = (&shared.driver, &shared.news);
    match call {
        Call::ConnectNumOfNetworks {} => list::count(driver, true),
        Call::ConnectNumOfDefinedNetworks {} => list::count(driver, false),
        Call::ConnectListNetworks { maxnames } => list::names(driver, true, maxnames),
        Call::ConnectListDefinedNetworks { maxnames } => list::names(driver, false, maxnames),
        Call::ConnectListAllNetworks { need_results, flags } => list::all(driver, need_results != 0, flags),
        Call::NetworkLookupByName { name } => list::by_name(driver, &name),
        Call::NetworkLookupByUuid { uuid } => list::by_uuid(driver, uuid),
        Call::NetworkIsActive { network } => list::fact(driver, &network, |known| known.is_active),
        Call::NetworkIsPersistent { network } => list::fact(driver, &network, |known| known.is_persistent),
        Call::NetworkGetAutostart { network } => list::fact(driver, &network, |known| known.autostart),
        Call::NetworkGetBridgeName { network } => xml::bridge(driver, &network),
        Call::NetworkGetXmlDesc { network, flags } => xml::of_network(driver, &network, flags),
        Call::NetworkDefineXml { xml } => lifecycle::define(driver, news, &xml, 0),
        Call::NetworkDefineXmlFlags { xml, flags } => lifecycle::define(driver, news, &xml, flags),
        Call::NetworkCreateXml { xml } => lifecycle::create(driver, news, &xml, 0),
        Call::NetworkCreateXmlFlags { xml, flags } => lifecycle::create(driver, news, &xml, flags),
        Call::NetworkCreate { network } => lifecycle::start(driver, news, &network),
        Call::NetworkDestroy { network } => lifecycle::stop(driver, news, &network),
        Call::NetworkUndefine { network } => lifecycle::undefine(driver, news, &network),
        Call::NetworkSetAutostart { network, autostart } => lifecycle::set_autostart(driver, &network, autostart != 0),
        Call::NetworkUpdate { network, command, section, parent_index, xml, flags } => {
            update::update(driver, news, &network, (command, section, parent_index), &xml, flags)
        }
        Call::NetworkGetDhcpLeases { network, mac, need_results, flags } => {
            leases::leases(driver, &network, mac.as_deref(), need_results != 0, flags)
        }
        Call::NetworkGetMetadata { network, kind, uri, flags } => metadata::get(driver, &network, kind, uri, flags),
        Call::NetworkSetMetadata { network, kind, metadata, key, uri, flags } => {
            let wanted = metadata::Wanted { kind, text: metadata, key, uri };
            metadata::set(driver, news, &network, wanted, flags)
        }
        Call::NetworkListAllPorts { network, need_results, flags } => {
            ports::all(driver, &network, need_results != 0, flags)
        }
        Call::NetworkPortLookupByUuid { network, uuid } => ports::by_uuid(driver, &network, uuid),
        Call::NetworkPortCreateXml { network, xml, flags } => ports::create(driver, &network, &xml, flags),
        Call::NetworkPortGetParameters { port, flags, .. } => ports::parameters(driver, &port, flags),
        Call::NetworkPortSetParameters { port, parameters, flags } => {
            ports::set_parameters(driver, &port, &parameters, flags)
        }
        Call::NetworkPortGetXmlDesc { port, flags } => ports::xml(driver, &port, flags),
        Call::NetworkPortDelete { port, flags } => ports::delete(driver, &port, flags),
        // Those about the connection are answered before.
        other => Err(refusal::network(vnet_rpc::ErrorCode::NoSupport, other.procedure().function())),
    }
}
