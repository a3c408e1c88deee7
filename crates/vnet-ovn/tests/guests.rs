//! Guests come and go, whatever else of the network is not as defined.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::net::IpAddr;

use proptest::prelude::*;
use vnet_ovn::{ColumnValue, Northbound, NorthboundTable, OvnGuest, northbound_rows, transaction, with_guests};
use vnet_types::{MacAddr, Uuid};
use vnet_xml::Network;

const NETWORK: Uuid = Uuid([0x3e; 16]);

fn network(isolated: &str, expiry: u32) -> Network {
    let text = format!(
        "<network><name>lab</name><metadata><vnet:network xmlns:vnet='https://github.com/vnet-rs/vnet/network/1.0'>\
         <vnet:ovn northbound='tcp:192.0.2.1:6641'/></vnet:network></metadata>{isolated}<domain name='lab.example'/>\
         <ip address='10.77.0.1' prefix='24'><dhcp><range start='10.77.0.2' end='10.77.0.254'><lease expiry='{expiry}'/>\
         </range></dhcp></ip></network>"
    );
    text.parse().unwrap()
}

fn guest(number: u8) -> OvnGuest {
    let mut guest = OvnGuest::new(Uuid([number; 16]), MacAddr([0x52, 0x54, 0, 0, 0, number]));
    guest.addresses = vec![IpAddr::from([10, 77, 0, number])];
    guest.name = Some(format!("guest{number}"));
    guest.isolated = number.is_multiple_of(3);
    guest.chassis = number.is_multiple_of(2).then(|| "h1".to_owned());
    guest.container = number.is_multiple_of(5).then(|| format!("blue c{number} eth0"));
    guest
}

fn guests() -> impl Strategy<Value = Vec<OvnGuest>> {
    proptest::collection::btree_set(2u8..20, 0..6).prop_map(|all| all.into_iter().map(guest).collect())
}

proptest! {
    /// The rows say who is there, and the change of guests is what a definition with them says.
    #[test]
    fn rows_tell_their_guests(before in guests(), after in guests()) {
        let network = network("", 60);
        let [from, to] = [&before, &after].map(|all| northbound_rows(&network, NETWORK, all, &BTreeMap::new()).unwrap());
        let mut there = Northbound::new(NETWORK);
        there.rows = from.clone();
        prop_assert_eq!(there.guests(), before);
        prop_assert_eq!(with_guests(&from, &from, &to), to);
    }

    /// Neither the definition of this host nor what others have changed moves with a guest.
    #[test]
    fn a_guest_brings_nothing_else(before in guests(), number in 20u8..30) {
        let (theirs, ours) = (network("<port isolated='yes'/>", 60), network("", 90));
        let mut there = northbound_rows(&theirs, NETWORK, &before, &BTreeMap::new()).unwrap();
        let switch = there.values_mut().find(|row| row.table == NorthboundTable::Switch).unwrap();
        switch.columns.insert("name", ColumnValue::Text("by hand".to_owned()));
        let rows = |all: &[OvnGuest]| northbound_rows(&ours, NETWORK, all, &BTreeMap::new()).unwrap();
        let all: Vec<_> = before.iter().cloned().chain([guest(number)]).collect();
        let with = with_guests(&there, &rows(&before), &rows(&all));
        let lost = there.keys().filter(|uuid| !with.contains_key(*uuid)).count();
        prop_assert_eq!(lost, 0);
        let renamed = with.values().find(|row| row.table == NorthboundTable::Switch).unwrap();
        prop_assert_eq!(&renamed.columns["name"], &ColumnValue::Text("by hand".to_owned()));
        let without = with_guests(&with, &rows(&all), &rows(&before));
        let mut again = Northbound::new(NETWORK);
        again.rows = without;
        prop_assert!(again.guests().iter().map(|it| it.id).eq(before.iter().map(|it| it.id)));
        // As many operations for the first guest as for the last.
        let mut all = Northbound::new(NETWORK);
        all.rows = there;
        prop_assert!(transaction(&all, &with).len() <= 20);
    }
}
