//! The name server that each host runs for its guests: a port of type `localport`, which every host
//! has with the same addresses, and which guests of that host alone reach.

use vnet_types::{IpNet, MacAddr, Uuid};
use vnet_xml::Network;

use crate::NorthboundTable;
use crate::identity::{mac_of, row_of};
use crate::lower::Context;

const ROLE: &str = "name server";

/// The name server of a network, the same on every host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OvnNameServer {
    /// The name of its port, and the `iface-id` of its interface on each host.
    pub port: Uuid,
    /// Its MAC address.
    pub mac: MacAddr,
    /// Its addresses, one in each subnet that has a free one.
    pub addresses: Vec<IpNet>,
}

impl OvnNameServer {
    /// The name server of a network. `None` where OVN's own records are enough.
    pub fn of(network: &Network, uuid: Uuid) -> Option<Self> {
        let addresses = network.ovn_name_servers();
        (!addresses.is_empty()).then(|| Self { port: row_of(uuid, ROLE), mac: mac_of(uuid, ROLE), addresses })
    }
}

pub(crate) fn port(context: &mut Context<'_>) {
    let Some(server) = OvnNameServer::of(context.network, context.uuid) else { return };
    let addresses = server.addresses.iter().map(|net| net.addr().to_string());
    let words = [server.mac.to_string()].into_iter().chain(addresses).collect::<Vec<_>>().join(" ");
    let row = context.row(NorthboundTable::SwitchPort).text("name", server.port).text("type", "localport");
    context.add_to("switch", "ports", ROLE, row.texts("addresses", [words]));
}
