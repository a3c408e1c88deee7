//! The guests of a network.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use vnet_types::{MacAddr, Uuid};
use vnet_xml::{Bandwidth, Rate};

use crate::identity::row_of;
use crate::row::NorthboundRow;
use crate::{Northbound, NorthboundTable};

/// A guest's port. Its addresses were chosen before: OVN moves those that it chooses itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OvnGuest {
    /// The `interfaceid` of its `<virtualport>`, which is the name of the port.
    pub id: Uuid,
    /// Its MAC address.
    pub mac: MacAddr,
    /// Its addresses, at most one in each subnet, in any order.
    pub addresses: Vec<IpAddr>,
    /// Its name in DNS, and what DHCP tells it.
    pub name: Option<String>,
    /// Whether it cannot reach other isolated guests.
    pub isolated: bool,
    /// The only host that it can be on; any if absent.
    pub chassis: Option<String>,
    /// The container that it is: what its runtime calls the interface.
    pub container: Option<String>,
    /// The most that it gets and sends.
    pub bandwidth: Option<Bandwidth>,
}

const GUEST: &str = "vnet-guest";
const MAC: &str = "vnet-mac";
const ADDRESSES: &str = "vnet-addresses";
const NAME: &str = "vnet-name";
const ISOLATED: &str = "vnet-isolated";
const CHASSIS: &str = "vnet-chassis";
const CONTAINER: &str = "vnet-container";
const INBOUND: &str = "vnet-inbound";
const OUTBOUND: &str = "vnet-outbound";

impl OvnGuest {
    /// A guest without addresses.
    pub fn new(id: Uuid, mac: MacAddr) -> Self {
        Self {
            id,
            mac,
            addresses: Vec::new(),
            name: None,
            isolated: false,
            chassis: None,
            container: None,
            bandwidth: None,
        }
    }

    /// What the row of its port is marked with, so that the guest is known whatever others write
    /// into the row's columns.
    pub fn marks(&self) -> BTreeMap<String, String> {
        let rate = |of: fn(&Bandwidth) -> Option<Rate>| self.bandwidth.as_ref().and_then(of).map(rate_words);
        let marks = [
            (GUEST, Some(self.id.to_string())),
            (MAC, Some(self.mac.to_string())),
            (ADDRESSES, Some(self.address_words()).filter(|words| !words.is_empty())),
            (NAME, self.name.clone()),
            (ISOLATED, self.isolated.then(|| "yes".to_owned())),
            (CHASSIS, self.chassis.clone()),
            (CONTAINER, self.container.clone()),
            (INBOUND, rate(|it| it.inbound)),
            (OUTBOUND, rate(|it| it.outbound)),
        ];
        marks.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    }

    pub(crate) fn marked(&self, row: NorthboundRow) -> NorthboundRow {
        self.marks().into_iter().fold(row, |row, (key, value)| row.mark(key, value))
    }

    /// Its addresses, in order.
    pub(crate) fn address_words(&self) -> String {
        let addresses: BTreeSet<IpAddr> = self.addresses.iter().copied().collect();
        addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    /// The guest that the marks of a port's row tell of. `None` where they tell of none.
    pub fn of_marks(marks: &BTreeMap<String, String>) -> Option<Self> {
        let mut guest = Self::new(marks.get(GUEST)?.parse().ok()?, marks.get(MAC)?.parse().ok()?);
        let addresses = marks.get(ADDRESSES).map_or("", String::as_str).split_whitespace();
        guest.addresses = addresses.filter_map(|word| word.parse().ok()).collect();
        (guest.name, guest.chassis) = (marks.get(NAME).cloned(), marks.get(CHASSIS).cloned());
        guest.container = marks.get(CONTAINER).cloned();
        guest.isolated = marks.contains_key(ISOLATED);
        let [inbound, outbound] = [INBOUND, OUTBOUND].map(|key| marks.get(key).map(|words| read_rate(words)));
        if inbound.is_some() || outbound.is_some() {
            let mut bandwidth = Bandwidth::default();
            (bandwidth.inbound, bandwidth.outbound) = (inbound, outbound);
            guest.bandwidth = Some(bandwidth);
        }
        Some(guest)
    }
}

/// The id of a guest's port where its definition gives none: it follows from the network and the
/// MAC address, so that a guest has the same port on every host.
pub fn port_id(network: Uuid, mac: MacAddr) -> Uuid {
    row_of(network, &format!("guest {mac}"))
}

/// What OVN does of a rate.
fn rate_words(rate: Rate) -> String {
    [rate.average, rate.burst].map(|it| it.unwrap_or(0).to_string()).join(" ")
}

fn read_rate(words: &str) -> Rate {
    let mut amounts = words.split(' ').map(|word| word.parse().ok().filter(|it| *it > 0));
    let mut rate = Rate::default();
    (rate.average, rate.burst) = (amounts.next().flatten(), amounts.next().flatten());
    rate
}

impl Northbound {
    /// The guests that the rows tell of, in the order of their ids. It is what vnet has written,
    /// and not what others have made of it.
    pub fn guests(&self) -> Vec<OvnGuest> {
        let ports = self.rows.values().filter(|row| row.table == NorthboundTable::SwitchPort);
        let mut guests: Vec<OvnGuest> = ports.filter_map(|row| OvnGuest::of_marks(&row.marks)).collect();
        guests.sort_by_key(|guest| guest.id);
        guests
    }
}
