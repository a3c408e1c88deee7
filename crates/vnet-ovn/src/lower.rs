//! Turns a definition and its guests into rows.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use vnet_types::{IpNet, MacAddr, Uuid};
use vnet_validate::{Finding, refused_by_ovn};
use vnet_xml::network::{ForwardMode, Ip, OvnGateway, OvnOutside};
use vnet_xml::{Network, Severity};

use crate::dhcp_value::DhcpTextError;
use crate::identity::{mac_of, name_of, row_of};
use crate::row::{NorthboundRow, ROLE};
use crate::{NorthboundTable, OvnGuest, acl, dhcp, dns, forward, name_server, qos, router};

/// Why a definition has no rows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OvnError {
    /// The definition does not ask for OVN.
    #[error("the definition has no `<vnet:ovn>`")]
    NoEngine,
    /// OVN cannot do what the definition says.
    #[error("OVN cannot make this network: {}", .0.message)]
    NotCarried(Box<Finding>),
    /// An `<ip>` has no usable prefix.
    #[error("the address {0} has no usable netmask or prefix")]
    Prefix(IpAddr),
    /// A text cannot be sent by DHCP.
    #[error(transparent)]
    Text(#[from] DhcpTextError),
    /// A guest's address is in no subnet of the network.
    #[error("the guest's address {0} is in no subnet of the network")]
    Outside(IpAddr),
    /// The gateway is to be one of a group that there is not, or that has no hosts.
    #[error("OVN's northbound database has no `HA_Chassis_Group` with hosts that is called `{0}`")]
    NoGroup(String),
    /// Two guests, or a guest and the gateway or the name server, have the same address.
    #[error("the address {0} is used twice")]
    Twice(IpAddr),
}

/// What is known of the network while its rows are made.
pub(crate) struct Context<'a> {
    pub(crate) network: &'a Network,
    pub(crate) uuid: Uuid,
    pub(crate) guests: &'a [OvnGuest],
    /// The subnets, each with the gateway's address.
    pub(crate) subnets: Vec<(&'a Ip, IpNet)>,
    pub(crate) router_mac: MacAddr,
    /// What the gateway leads to. `None` for an isolated network.
    pub(crate) outside: Option<&'a OvnOutside>,
    /// The row of its group of hosts, where it names one.
    pub(crate) group: Option<Uuid>,
    pub(crate) rows: BTreeMap<Uuid, NorthboundRow>,
}

impl Context<'_> {
    /// A row without values.
    pub(crate) fn row(&self, table: NorthboundTable) -> NorthboundRow {
        NorthboundRow::new(table, self.uuid)
    }

    /// Adds the row with a role, of which it tells people.
    pub(crate) fn add(&mut self, role: &str, row: NorthboundRow) -> Uuid {
        let uuid = row_of(self.uuid, role);
        self.rows.insert(uuid, row.mark(ROLE, role));
        uuid
    }

    /// Adds the row with a role, and refers to it from another row.
    pub(crate) fn add_to(&mut self, owner: &str, column: &'static str, role: &str, row: NorthboundRow) -> Uuid {
        let uuid = self.add(role, row);
        self.refer(owner, column, uuid);
        uuid
    }

    /// Refers to a row from the one with a role.
    pub(crate) fn refer(&mut self, owner: &str, column: &'static str, row: Uuid) {
        if let Some(owner) = self.rows.get_mut(&row_of(self.uuid, owner)) {
            owner.refer(column, row);
        }
    }

    pub(crate) fn name(&self, role: &str) -> String {
        name_of(self.uuid, role)
    }
}

/// The largest packet of a guest: what Geneve over IPv4 leaves of Ethernet's 1500.
pub(crate) const MTU: u32 = 1442;

/// The rows that a network and its guests are in the northbound database. `groups` are the rows of
/// the `HA_Chassis_Group`s with hosts that the gateway can be one of, by their names; the database
/// has them.
///
/// # Errors
/// [`OvnError`].
pub fn northbound_rows(
    network: &Network,
    uuid: Uuid,
    guests: &[OvnGuest],
    groups: &BTreeMap<String, Uuid>,
) -> Result<BTreeMap<Uuid, NorthboundRow>, OvnError> {
    if !network.is_on_ovn() {
        return Err(OvnError::NoEngine);
    }
    if let Some(finding) = refused_by_ovn(network).into_iter().find(|it| it.severity == Severity::Error) {
        return Err(OvnError::NotCarried(Box::new(finding)));
    }
    addresses_agree(network, guests)?;
    let subnets = subnets(network)?;
    let is_isolated = network.forward_mode() == ForwardMode::None;
    let engine = network.extensions.ovn.as_ref().filter(|_| !is_isolated);
    let router_mac = network.mac.unwrap_or_else(|| mac_of(uuid, "router"));
    let outside = engine.and_then(|it| it.outside.as_ref());
    let group = outside.and_then(|it| it.gateways.iter().find_map(OvnGateway::as_group));
    let group = group.map(|name| groups.get(name).copied().ok_or_else(|| OvnError::NoGroup(name.to_owned())));
    let group = group.transpose()?;
    let mut context = Context { network, uuid, guests, subnets, router_mac, outside, group, rows: BTreeMap::new() };
    let switch = context.row(NorthboundTable::Switch).text("name", &network.name);
    context.add("switch", switch);
    let group = context.row(NorthboundTable::PortGroup).text("name", context.name("guests"));
    context.add("guests", group);
    ports(&mut context);
    name_server::port(&mut context);
    dhcp::options(&mut context)?;
    dns::records(&mut context);
    router::router(&mut context);
    forward::balancers(&mut context);
    acl::acls(&mut context);
    Ok(context.rows)
}

/// The role of a guest's port.
pub(crate) fn port_of(guest: &OvnGuest) -> String {
    format!("port {}", guest.id)
}

fn ports(context: &mut Context<'_>) {
    for guest in context.guests {
        let words = format!("{} {}", guest.mac, guest.address_words());
        let row =
            context.row(NorthboundTable::SwitchPort).text("name", guest.id).texts("addresses", [words.trim_end()]);
        let own = acl::is_isolated(context.network, guest).then_some(guest.mac);
        let row = row.texts("port_security", own);
        let chassis = guest.chassis.iter().map(|it| ("requested-chassis".to_owned(), it.clone()));
        // OVN reads the name with its quotes, as any text of DHCP.
        let name = guest.name.as_deref().filter(|it| dns::is_host_name(it));
        let name = name.map(|it| ("hostname".to_owned(), format!("\"{it}\"")));
        let row = guest.marked(row.map("options", chassis.chain(name)));
        let port = context.add_to("switch", "ports", &port_of(guest), row);
        context.refer("guests", "ports", port);
        qos::limits(context, guest);
    }
}

fn subnets(network: &Network) -> Result<Vec<(&Ip, IpNet)>, OvnError> {
    network.ips.iter().map(|ip| Ok((ip, ip.net().ok_or(OvnError::Prefix(ip.address))?))).collect()
}

/// Refuses guests' addresses that are in no subnet, or that something else has.
pub(crate) fn addresses_agree(network: &Network, guests: &[OvnGuest]) -> Result<(), OvnError> {
    let subnets = subnets(network)?;
    let mut seen: BTreeSet<IpAddr> = subnets.iter().map(|(ip, _)| ip.address).collect();
    seen.extend(network.ovn_name_servers().iter().map(IpNet::addr));
    for address in guests.iter().flat_map(|guest| &guest.addresses) {
        if !subnets.iter().any(|(_, net)| net.contains(address)) {
            return Err(OvnError::Outside(*address));
        }
        if !seen.insert(*address) {
            return Err(OvnError::Twice(*address));
        }
    }
    Ok(())
}
