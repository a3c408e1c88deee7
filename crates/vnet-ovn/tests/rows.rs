//! Definitions as rows, and the transactions between them.
#![allow(clippy::unwrap_used, reason = "a test")]

mod database;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use database::Database;
use proptest::prelude::*;
use vnet_ovn::{
    ColumnValue, Northbound, NorthboundGuests, NorthboundRow, OvnError, OvnGuest, OvnMatch, northbound_rows,
    transaction, with_guests,
};
use vnet_types::{MacAddr, Uuid};
use vnet_xml::{Bandwidth, Network, Rate};

const OVN: &str = "<metadata><vnet:network xmlns:vnet='https://github.com/vnet-rs/vnet/network/1.0'>FORWARDS\
    <vnet:ovn northbound='tcp:192.0.2.1:6641'><vnet:outside network='physical' vlan='30'>\
    <vnet:address address='198.51.100.10' prefix='24' gateway='198.51.100.1'/>\
    <vnet:address address='2001:db8:2::10' prefix='64' gateway='2001:db8:2::1'/>\
    <vnet:gateway chassis='host1' priority='20'/><vnet:gateway chassis='host2' priority='10'/>\
    </vnet:outside></vnet:ovn></vnet:network></metadata>";

const DEFAULT: &str = "<forward mode='nat'/><bridge name='virbr0' stp='on' delay='0'/>\
    <ip address='192.168.122.1' netmask='255.255.255.0'>\
    <dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp></ip>";

const DUAL_STACK: &str = "<forward mode='nat'><nat ipv6='yes'><port start='2000' end='3000'/></nat></forward>\
    <ip address='192.168.122.1' prefix='24'/><ip family='ipv6' address='fd00:77::1' prefix='64'>\
    <dhcp><range start='fd00:77::10' end='fd00:77::ff'/></dhcp></ip>";

const EVERYTHING: &str = "<forward mode='nat'/><mtu size='1400'/><mac address='52:54:00:aa:bb:cc'/>\
    <domain name='Lab.example'/><dns><forwarder addr='9.9.9.9'/><forwarder addr='149.112.112.112'/>\
    <host ip='192.168.122.9'><hostname>Git</hostname><hostname>wiki</hostname></host></dns>\
    <port isolated='yes'/><ip address='192.168.122.1' prefix='24'><dhcp>\
    <range start='192.168.122.100' end='192.168.122.200'><lease expiry='10' unit='hours'/></range>\
    <host mac='52:54:00:00:00:01' name='web' ip='192.168.122.11'><lease expiry='0'/></host>\
    <bootp file='pxe.0' server='192.168.122.9'/></dhcp></ip><ip family='ipv6' address='fd00:77::1' prefix='64'/>\
    <route address='10.9.0.0' prefix='16' gateway='192.168.122.9'/>";

const FORWARDS: &str = "<vnet:portForward proto='tcp' guest='web'><vnet:range start='8080' end='8081' to='80'/>\
    </vnet:portForward><vnet:portForward proto='udp' address='198.51.100.77' guest='192.168.122.9'>\
    <vnet:range start='53'/></vnet:portForward>";

/// A routed network whose guests reach the internet and little else.
const LIMITED: &str = "<forward mode='route'/><ip address='192.168.122.1' prefix='24'>\
    <dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp></ip>\
    <ip family='ipv6' address='fd00:77::1' prefix='64'/>";

const EGRESS: &str = "<vnet:egress preset='internet-only'><vnet:allow address='10.0.0.5' proto='tcp' port='80-90'/>\
    <vnet:allow proto='icmp'/><vnet:deny port='25'/></vnet:egress>";

const ISOLATED: &str = "<ip address='192.168.122.1' prefix='24'><dhcp>\
    <range start='192.168.122.2' end='192.168.122.254'/></dhcp></ip>";

const NETWORK: Uuid = Uuid([0x3e; 16]);

fn network(parts: &str, forwards: &str) -> Network {
    let ovn = OVN.replace("FORWARDS", forwards);
    format!("<network><name>lab</name>{ovn}{parts}</network>").parse().unwrap()
}

fn rows(network: &Network, guests: &[OvnGuest]) -> Result<BTreeMap<Uuid, NorthboundRow>, OvnError> {
    northbound_rows(network, NETWORK, guests, &BTreeMap::new())
}

fn guest(number: u8, addresses: &[&str]) -> OvnGuest {
    let mut guest = OvnGuest::new(Uuid([number; 16]), MacAddr([0x52, 0x54, 0, 0, 0, number]));
    guest.addresses = addresses.iter().map(|it| it.parse().unwrap()).collect();
    guest
}

/// The rows, each after its table, with references by what is referred to, and `~` for the
/// beginning of the network's names.
fn printed(rows: &BTreeMap<Uuid, NorthboundRow>) -> String {
    let first = |row: &NorthboundRow| match row.columns.values().next() {
        Some(ColumnValue::Number(it)) => it.to_string(),
        _ => String::new(),
    };
    let title = |row: &NorthboundRow| {
        let text =
            ["name", "match", "logical_ip", "ip_prefix", "cidr"].iter().find_map(|it| match row.columns.get(it) {
                Some(ColumnValue::Text(it)) => Some(it.clone()),
                _ => None,
            });
        format!("{} {}", row.table.name(), text.unwrap_or_else(|| first(row)))
    };
    let mut lines = Vec::new();
    for row in rows.values() {
        let mut text = title(row);
        for (name, value) in &row.columns {
            let value = match value {
                ColumnValue::Text(it) if it.is_empty() => continue,
                ColumnValue::Texts(it) if it.is_empty() => continue,
                ColumnValue::Numbers(it) if it.is_empty() => continue,
                ColumnValue::Map(it) if it.is_empty() => continue,
                ColumnValue::Amounts(it) if it.is_empty() => continue,
                ColumnValue::Rows(it) if it.is_empty() => continue,
                ColumnValue::Text(it) => it.clone(),
                ColumnValue::Number(it) => it.to_string(),
                ColumnValue::Texts(it) => format!("{it:?}"),
                ColumnValue::Numbers(it) => format!("{it:?}"),
                ColumnValue::Map(it) => {
                    it.iter().fold(String::new(), |all, (key, it)| format!("{all}\n    {key}={it}"))
                }
                ColumnValue::Amounts(it) => format!("{it:?}"),
                ColumnValue::Rows(it) => {
                    let mut all: Vec<String> = it.iter().map(|it| title(&rows[it])).collect();
                    all.sort();
                    all.iter().fold(String::new(), |all, it| format!("{all}\n    -> {it}"))
                }
            };
            write!(text, "\n  {name}: {value}").unwrap();
        }
        lines.push(text);
    }
    lines.sort();
    lines.join("\n").replace("vnet_3e3e3e3e_3e3e_3e3e_3e3e_3e3e3e3e3e3e_", "~")
}

#[test]
fn definitions_are_these_rows() {
    let web = || {
        let mut guest = guest(1, &["192.168.122.11"]);
        (guest.name, guest.chassis) = (Some("web".to_owned()), Some("host1".to_owned()));
        guest
    };
    let slow = || {
        let mut guest = guest(1, &["192.168.122.2"]);
        let mut bandwidth = Bandwidth::default();
        let mut rate = Rate::average(1000);
        rate.burst = Some(512);
        (bandwidth.inbound, bandwidth.outbound) = (Some(rate), Some(Rate::average(250)));
        (guest.bandwidth, guest.isolated) = (Some(bandwidth), true);
        guest
    };
    let cases = [
        ("default", DEFAULT, "", vec![guest(1, &["192.168.122.2"])]),
        ("dual_stack", DUAL_STACK, "", vec![guest(1, &["192.168.122.2", "fd00:77::10"])]),
        ("everything", EVERYTHING, FORWARDS, vec![web(), guest(2, &["192.168.122.100"])]),
        ("limited", LIMITED, EGRESS, vec![slow()]),
    ];
    for (name, parts, forwards, guests) in cases {
        let rows = self::rows(&network(parts, forwards), &guests).unwrap();
        insta::assert_snapshot!(name, printed(&rows));
    }
}

fn observed(database: &Database) -> Northbound {
    Northbound::read(NETWORK, database.results(&Northbound::selects(NETWORK))).unwrap()
}

/// Any of the definitions.
fn definition() -> impl Strategy<Value = Network> {
    let parts = [
        (DEFAULT, ""),
        (DUAL_STACK, ""),
        (EVERYTHING, FORWARDS),
        (LIMITED, EGRESS),
        (ISOLATED, "<vnet:egress preset='host-only'/>"),
        ("", ""),
    ];
    prop::sample::select(parts.to_vec()).prop_map(|(parts, more)| network(parts, more))
}

/// Any guests of it, none of which have the addresses of others.
fn guests(network: &Network, numbers: BTreeSet<u8>) -> Vec<OvnGuest> {
    let with = |number: u8| {
        let mut guest = guest(number, &[]);
        guest.isolated = number.is_multiple_of(2);
        guest.name = number.is_multiple_of(3).then(|| format!("g{number}"));
        guest.chassis = number.is_multiple_of(5).then(|| "host1".to_owned());
        if number.is_multiple_of(4) {
            let mut bandwidth = Bandwidth::default();
            bandwidth.outbound = Some(Rate::average(u64::from(number)));
            guest.bandwidth = Some(bandwidth);
        }
        if !network.ips.is_empty() {
            guest.addresses.push([192, 168, 122, number].into());
        }
        guest
    };
    numbers.into_iter().map(with).collect()
}

fn numbers() -> impl Strategy<Value = BTreeSet<u8>> {
    prop::collection::btree_set(20_u8..40, 0..5)
}

/// The rows of any of the definitions with any guests, or no rows.
fn wanted() -> impl Strategy<Value = BTreeMap<Uuid, NorthboundRow>> {
    (definition(), numbers(), any::<bool>()).prop_map(|(network, numbers, stops)| match stops {
        true => BTreeMap::new(),
        false => rows(&network, &guests(&network, numbers)).unwrap(),
    })
}

#[test]
fn a_gateway_is_one_of_a_group_that_others_share() {
    let network = self::network(DEFAULT, "");
    let text = network.to_string();
    let begin = text.find("<vnet:gateway").unwrap();
    let end = text.find("</vnet:outside>").unwrap();
    let network: Network = (text[..begin].to_owned() + "<vnet:gateway group='edge'/>" + &text[end..]).parse().unwrap();
    assert_eq!(rows(&network, &[]), Err(OvnError::NoGroup("edge".to_owned())), "no gateway would be silence");
    let edge = Uuid([7; 16]);
    let groups = BTreeMap::from([("edge".to_owned(), edge), ("other".to_owned(), NETWORK)]);
    let rows = northbound_rows(&network, NETWORK, &[], &groups).unwrap();
    let refers = rows.values().filter_map(|row| row.columns.get("ha_chassis_group"));
    let refers: Vec<_> = refers.filter(|it| **it == ColumnValue::Rows([edge].into())).collect();
    assert_eq!(refers.len(), 1, "the port outside");
    assert!(rows.values().all(|row| row.table.name() != "Gateway_Chassis") && !rows.contains_key(&edge));
}

/// A host takes the route with the smallest metric. What leads to more than the own subnet does not
/// close it to those outside.
#[test]
fn routes_of_ovn_are_those_that_a_host_takes() {
    let network = network(
        "<forward mode='route'/><ip address='10.44.4.1' prefix='24'/>\
         <route address='10.45.0.0' prefix='16' gateway='10.44.4.3' metric='2'/>\
         <route address='10.45.0.0' netmask='255.255.0.0' gateway='10.44.4.2'/>\
         <route address='10.44.0.0' prefix='16' gateway='10.44.4.2'/>",
        "",
    );
    let all = rows(&network, &[]).unwrap();
    let text = |row: &NorthboundRow, column: &str| match row.columns.get(column) {
        Some(ColumnValue::Text(it)) => it.clone(),
        _ => String::new(),
    };
    let of = |table: &str| all.values().filter(|row| row.table.name() == table).collect::<Vec<_>>();
    let static_routes = of("Logical_Router_Static_Route");
    let mut next: Vec<String> = static_routes
        .iter()
        .filter(|it| text(it, "ip_prefix") == "10.45.0.0/16")
        .map(|it| text(it, "nexthop"))
        .collect();
    next.sort();
    assert_eq!(next, ["10.44.4.2"]);
    let policies = of("Logical_Router_Policy");
    let is_own = |row: &&&NorthboundRow| {
        let like = text(row, "match");
        text(row, "action") == "allow" && like.contains("outside") && like.contains("10.44.4.0/24")
    };
    assert_eq!(policies.iter().filter(is_own).count(), 1, "{}", printed(&all));
}

#[test]
fn what_is_not_asked_for_or_cannot_be_has_no_rows() {
    let network: Network = "<network><name>lab</name></network>".parse().unwrap();
    assert_eq!(rows(&network, &[]), Err(OvnError::NoEngine));
    let network = self::network("<mtu size='9000'/>", "");
    let error = rows(&network, &[]).unwrap_err();
    assert!(matches!(error, OvnError::NotCarried(it) if it.path.as_str() == "/network/mtu/@size"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_transaction_leads_from_any_rows_to_any(first in wanted(), second in wanted()) {
        let mut database = Database::default();
        for wanted in [&first, &second] {
            let before = observed(&database);
            prop_assert!(database.transact(&transaction(&before, wanted)));
            let after = observed(&database);
            prop_assert_eq!(&after.rows, wanted);
            prop_assert!(transaction(&after, wanted).is_empty());
        }
    }

    #[test]
    fn of_two_hosts_one_wins_whole(start in wanted(), one in wanted(), other in wanted()) {
        let mut database = Database::default();
        database.transact(&transaction(&observed(&database), &start));
        let seen = observed(&database);
        let (first, second) = (transaction(&seen, &one), transaction(&seen, &other));
        prop_assert!(database.transact(&first));
        prop_assert_eq!(database.transact(&second), first.is_empty() || second.is_empty());
        prop_assert_eq!(observed(&database).rows, if first.is_empty() { other } else { one });
    }

    /// What is decided by the guests alone is what is decided by all rows, or is refused; and it is
    /// not where nobody has changed anything.
    #[test]
    fn a_guest_is_attached_by_the_guests_alone(
        (theirs, ours, same) in (definition(), definition(), any::<bool>()),
        (there, leave, come) in (numbers(), numbers(), numbers()),
    ) {
        let theirs = if same { &ours } else { &theirs };
        let [there, come] = [there, come].map(|all| guests(&ours, all));
        let then: Vec<OvnGuest> = {
            let is_new = |it: &&OvnGuest| there.iter().all(|other| other.id != it.id);
            let stay = there.iter().filter(|it| !leave.contains(&it.id.0[0]));
            stay.chain(come.iter().filter(is_new)).cloned().collect()
        };
        let Ok(made) = rows(theirs, &there) else { return Ok(()) };
        let (before, after) = (rows(&ours, &there).unwrap(), rows(&ours, &then).unwrap());
        let mut database = Database::default();
        prop_assume!(!made.is_empty());
        database.transact(&transaction(&observed(&database), &made));
        let seen = NorthboundGuests::read(NETWORK, database.results(&NorthboundGuests::selects(NETWORK))).unwrap();
        prop_assert_eq!(&seen.guests, &observed(&database).guests());
        let (mut by_guests, mut by_all) = (database.clone(), database.clone());
        let (near, wanted) = seen.change(&ours, &then, &BTreeMap::new()).unwrap();
        let is_done = by_guests.transact(&transaction(&near, &wanted));
        prop_assert!(is_done || !same);
        let all = observed(&database);
        by_all.transact(&transaction(&all, &with_guests(&all.rows, &before, &after)));
        if is_done {
            prop_assert_eq!(observed(&by_guests).rows, observed(&by_all).rows);
        }
        // Another host was faster: with another guest, or with the network's end.
        let again = transaction(&near, &wanted);
        let other: Vec<OvnGuest> = there.iter().cloned().chain(guests(&ours, BTreeSet::from([99]))).collect();
        let mut elsewhere = database.clone();
        let other = with_guests(&all.rows, &before, &rows(&ours, &other).unwrap());
        prop_assert!(elsewhere.transact(&transaction(&all, &other)));
        prop_assert!(again.is_empty() || !elsewhere.transact(&again));
        by_all.transact(&transaction(&observed(&by_all), &BTreeMap::new()));
        prop_assert!(again.is_empty() || !by_all.transact(&again));
    }

    /// OVN reads every match, so no rule is missing in silence.
    #[test]
    fn every_match_is_read(rows in wanted()) {
        for row in rows.values() {
            if let Some(ColumnValue::Text(text)) = row.columns.get("match") {
                prop_assert!(text.parse::<OvnMatch>().is_ok(), "{}", text);
            }
        }
    }

    #[test]
    fn the_rows_tell_of_the_guests(network in definition(), numbers in numbers()) {
        let guests = guests(&network, numbers);
        let mut database = Database::default();
        database.transact(&transaction(&observed(&database), &rows(&network, &guests).unwrap()));
        prop_assert_eq!(observed(&database).guests(), guests.clone());
        // Whatever others have made of the columns.
        database.overwrite("Logical_Switch_Port", "addresses", "unknown");
        prop_assert_eq!(observed(&database).guests(), guests);
    }
}
