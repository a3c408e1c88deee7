//! The rows of networks, as OVN's northd turns them into flows and its ovn-trace follows packets
//! through these.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use vnet_ovn::{Northbound, OvnGuest, northbound_rows, transaction};
use vnet_ovsdb::Database;
use vnet_tests::{OvnCentral, isolate};
use vnet_types::{MacAddr, Uuid};
use vnet_xml::{Bandwidth, Network, Rate};

const NETWORK: Uuid = Uuid([0x3e; 16]);
const NAME: &str = "vnet_3e3e3e3e_3e3e_3e3e_3e3e_3e3e3e3e3e3e";
const ROUTER: &str = "52:54:00:aa:bb:cc";
/// The next router outside.
const NEXT: &str = "02:00:00:00:00:99";
/// Where packets leave to the physical network.
const LINK: &str = "link";

const DEFINITION: &str = "<network><name>lab</name><metadata>\
    <vnet:network xmlns:vnet='https://github.com/vnet-rs/vnet/network/1.0'>MORE\
    <vnet:ovn northbound='tcp:192.0.2.1:6641'><vnet:outside network='physical'>\
    <vnet:address address='198.51.100.10' prefix='24' gateway='198.51.100.1'/>\
    <vnet:address address='2001:db8:2::10' prefix='64' gateway='2001:db8:2::1'/>\
    <vnet:gateway chassis='h1' priority='20'/></vnet:outside></vnet:ovn></vnet:network></metadata>\
    FORWARD<mac address='52:54:00:aa:bb:cc'/><domain name='lab.example'/>\
    <ip address='192.168.122.1' prefix='24'><dhcp><range start='192.168.122.2' end='192.168.122.254'/>\
    <host mac='52:54:00:00:00:01' name='web' ip='192.168.122.11'/><bootp file='pxe.0' server='192.168.122.9'/>\
    </dhcp></ip><ip family='ipv6' address='fd00:77::1' prefix='64'>\
    <dhcp><range start='fd00:77::10' end='fd00:77::ff'/></dhcp></ip>\
    <route address='10.9.0.0' prefix='16' gateway='192.168.122.12'/></network>";

const PORTS: &str = "<vnet:portForward proto='tcp' guest='web'><vnet:range start='8080' end='8085' to='80'/>\
    </vnet:portForward>";

const EGRESS: &str = "<vnet:egress preset='internet-only'><vnet:allow address='10.0.0.5' proto='tcp' port='80-90'/>\
    <vnet:deny port='25'/></vnet:egress>";

struct Lab {
    central: OvnCentral,
    database: Database,
    guests: Vec<OvnGuest>,
}

fn definition(forward: &str, more: &str) -> Network {
    DEFINITION.replace("FORWARD", forward).replace("MORE", more).parse().unwrap()
}

/// Two guests that are isolated and one that is not.
fn guests() -> Vec<OvnGuest> {
    let guest = |number: u8| {
        let mut guest = OvnGuest::new(Uuid([number; 16]), MacAddr([0x52, 0x54, 0, 0, 0, number]));
        guest.addresses = vec![[192, 168, 122, 10 + number].into(), format!("fd00:77::1{number}").parse().unwrap()];
        guest.isolated = number < 3;
        guest
    };
    let mut guests: Vec<OvnGuest> = (1..=3).map(guest).collect();
    let mut bandwidth = Bandwidth::default();
    (bandwidth.inbound, bandwidth.outbound) = (Some(Rate::average(1000)), Some(Rate::average(250)));
    (guests[0].bandwidth, guests[0].name) = (Some(bandwidth), Some("web".to_owned()));
    guests
}

impl Lab {
    fn start() -> Self {
        let central = OvnCentral::start(Path::new("/run/ovn-lab"));
        let database = Database::open([central.remote().parse().unwrap()], "OVN_Northbound").unwrap();
        central.sbctl(&["chassis-add", "h1", "geneve", "127.0.0.1"]);
        Self { central, database, guests: guests() }
    }

    fn read(&mut self) -> Northbound {
        Northbound::read(NETWORK, self.database.transact(&Northbound::selects(NETWORK)).unwrap()).unwrap()
    }

    /// Makes the network, and nothing else of it is there afterwards.
    fn make(&mut self, network: &Network) {
        let wanted = northbound_rows(network, NETWORK, &self.guests, &BTreeMap::new()).unwrap();
        let operations = transaction(&self.read(), &wanted);
        self.database.transact(&operations).unwrap();
        let seen = self.read();
        assert_eq!(seen.rows, wanted);
        assert_eq!(transaction(&seen, &wanted), []);
        assert_eq!(seen.guests(), self.guests);
        self.central.nbctl(&["--wait=sb", "sync"]);
        // Without these, packets to the outside end in a question for the MAC address.
        let port = format!("logical_port={NAME}_outside");
        let router = self.central.sbctl(&["--bare", "--columns=datapath", "find", "port_binding", &port]);
        self.central.sbctl(&["--all", "destroy", "mac_binding"]);
        for next in ["198.51.100.1", "198.51.100.7", "2001:db8:2::1", "2001:db8:2::7"] {
            let [next, mac] = [format!("ip=\"{next}\""), format!("mac=\"{NEXT}\"")];
            let router = format!("datapath={}", router.trim());
            self.central.sbctl(&["create", "mac_binding", &port, &next, &mac, &router]);
        }
        for guest in &self.guests {
            self.central.sbctl(&["--may-exist", "lsp-bind", &guest.id.to_string(), "h1"]);
        }
    }

    /// What ovn-trace prints of a packet from a port, of the switch that people would name.
    fn trace(&self, port: &str, packet: &str, connection: &str) -> String {
        // Each look at connections finds the same.
        let mut arguments = vec!["--minimal", "--no-friendly-names"];
        arguments.extend(["--ct", connection].repeat(6));
        let packet = format!("inport == \"{port}\" && ip.ttl == 64 && {packet}");
        arguments.extend([if port.ends_with(LINK) { "lab-outside" } else { "lab" }, &packet]);
        self.central.trace(&arguments)
    }

    /// The ports that a packet, or the answer to it, reaches.
    fn reaches(&self, port: &str, packet: &str, connection: &str) -> BTreeSet<String> {
        let printed = self.trace(port, packet, connection);
        let names = printed.lines().filter_map(|line| line.trim().strip_prefix("output(\"")?.strip_suffix("\");"));
        names.map(|name| name.strip_prefix(NAME).map_or(name, |it| &it[1..]).to_owned()).collect()
    }

    /// The same, of the first packet of a connection, from a guest in a frame to a MAC address.
    fn guest(&self, number: u8, mac: &str, packet: &str) -> String {
        let id = self.guests[usize::from(number) - 1].id.to_string();
        let packet = format!("eth.src == 52:54:00:00:00:0{number} && eth.dst == {mac} && {packet}");
        self.words(&self.reaches(&id, &packet, "new"))
    }

    /// The same, of a packet from outside.
    fn outside(&self, packet: &str) -> String {
        let port = format!("{NAME}_outside");
        let mac = self.central.nbctl(&["get", "logical_router_port", &port, "mac"]);
        let packet = format!("eth.src == {NEXT} && eth.dst == {} && {packet}", mac.trim().trim_matches('"'));
        self.words(&self.reaches(&format!("{NAME}_{LINK}"), &packet, "new"))
    }

    /// Guests by their numbers.
    fn words(&self, ports: &BTreeSet<String>) -> String {
        let word = |port: &String| match self.guests.iter().position(|it| it.id.to_string() == *port) {
            Some(at) => (at + 1).to_string(),
            None => port.clone(),
        };
        ports.iter().map(word).collect::<Vec<_>>().join(" ")
    }
}

fn tcp(source: &str, destination: &str, port: u16) -> String {
    let word = if source.contains(':') { "ip6" } else { "ip4" };
    format!("{word}.src == {source} && {word}.dst == {destination} && tcp && tcp.src == 40000 && tcp.dst == {port}")
}

const INTERNET: &str = "8.8.8.8";

#[test]
fn a_network_keeps_its_promises() {
    isolate!();
    let mut lab = Lab::start();
    lab.make(&definition("<forward mode='nat'><nat ipv6='yes'/></forward>", PORTS));
    // Out, by the gateway; guests reach each other.
    assert_eq!(lab.guest(1, ROUTER, &tcp("192.168.122.11", INTERNET, 80)), LINK);
    assert_eq!(lab.guest(1, ROUTER, &tcp("fd00:77::11", "2606:4700::1111", 80)), LINK);
    assert_eq!(lab.guest(3, "52:54:00:00:00:01", &tcp("192.168.122.13", "192.168.122.11", 80)), "1");
    let own = lab.guests[0].id.to_string();
    let packet = format!("eth.src == 52:54:00:00:00:01 && eth.dst == {ROUTER} && ");
    let printed = lab.trace(&own, &(packet + &tcp("192.168.122.11", INTERNET, 80)), "new");
    assert!(printed.contains("(ip4.src=198.51.100.10)"), "{printed}");

    // What has another source is dropped, and what is behind a guest stays inside.
    assert_eq!(lab.guest(1, ROUTER, &tcp("10.1.1.1", INTERNET, 80)), "");
    assert_eq!(lab.guest(1, ROUTER, &tcp("fd00:78::1", "2606:4700::1111", 80)), "");
    assert_eq!(lab.guest(2, ROUTER, &tcp("10.9.0.7", INTERNET, 80)), "");
    assert_eq!(lab.guest(2, ROUTER, &tcp("10.9.0.7", "192.168.122.13", 80)), "3");
    assert_eq!(lab.outside(&tcp("192.168.122.13", "192.168.122.11", 80)), "");

    // Nothing comes in unasked, answers do.
    assert_eq!(lab.outside(&tcp("198.51.100.7", "192.168.122.11", 22)), "");
    assert_eq!(lab.outside(&tcp("2001:db8:2::7", "fd00:77::11", 22)), "");
    assert_eq!(lab.outside(&tcp("198.51.100.7", "10.9.0.7", 22)), "");
    let gateway = format!("{NAME}_gateway");
    let from_router = format!("eth.src == {ROUTER} && eth.dst == 52:54:00:00:00:01 && ");
    let packet = from_router + &tcp("198.51.100.7", "192.168.122.11", 40001);
    assert_eq!(lab.words(&lab.reaches(&gateway, &packet, "new")), "");
    assert_eq!(lab.words(&lab.reaches(&gateway, &packet, "est,rpl")), "1");

    // Forwards.
    assert_eq!(lab.outside(&tcp("198.51.100.7", "198.51.100.10", 8080)), "1");
    assert_eq!(lab.outside(&tcp("198.51.100.7", "198.51.100.10", 8085)), "1");
    assert_eq!(lab.outside(&tcp("198.51.100.7", "198.51.100.10", 8086)), "");
    assert_eq!(lab.guest(3, ROUTER, &tcp("192.168.122.13", "198.51.100.10", 8080)), "1");

    // A static route, isolation, directly and through the router.
    assert_eq!(lab.guest(3, ROUTER, &tcp("192.168.122.13", "10.9.0.7", 80)), "2");
    assert_eq!(lab.guest(1, "52:54:00:00:00:02", &tcp("192.168.122.11", "192.168.122.12", 80)), "");
    assert_eq!(lab.guest(1, ROUTER, &tcp("192.168.122.11", "192.168.122.12", 80)), "");
    assert_eq!(lab.guest(1, ROUTER, &tcp("fd00:77::11", "fd00:77::12", 80)), "");
    assert_eq!(lab.guest(1, "52:54:00:00:00:03", &tcp("192.168.122.11", "192.168.122.13", 80)), "3");
    let forged = format!("eth.src == {ROUTER} && eth.dst == 52:54:00:00:00:02 && ");
    let packet = forged + &tcp("192.168.122.11", "192.168.122.12", 80);
    assert_eq!(lab.words(&lab.reaches(&own, &packet, "new")), "", "whatever MAC address it shows");

    // DHCP, and routers of IPv6.
    let asks = "eth.src == 52:54:00:00:00:01 && eth.dst == ff:ff:ff:ff:ff:ff && ip4.src == 0.0.0.0 && \
                ip4.dst == 255.255.255.255 && udp && udp.src == 68 && udp.dst == 67";
    assert!(lab.reaches(&own, asks, "new").contains(&own));
    // ovn-trace 23.03 cannot follow the question for a router.
    let stage = "external_ids:stage-name=lr_in_nd_ra_options";
    let flows = lab.central.sbctl(&["--bare", "--columns=actions", "find", "logical_flow", stage]);
    assert!(flows.contains("put_nd_ra_opts(addr_mode = \"dhcpv6_stateful\""), "{flows}");
}

#[test]
fn what_guests_may_reach_is_limited() {
    isolate!();
    let mut lab = Lab::start();
    lab.make(&definition("<forward mode='route'/>", &[PORTS, EGRESS].concat()));
    // What is refused is told to the guest itself.
    let to = |address: &str, port| lab.guest(3, ROUTER, &tcp("192.168.122.13", address, port));
    assert_eq!(to(INTERNET, 80), LINK);
    assert_eq!([to("10.8.8.8", 80), to("169.254.169.254", 80), to("100.64.0.1", 80)], ["3", "3", "3"]);
    assert_eq!([to("10.0.0.5", 85), to("10.0.0.5", 91), to(INTERNET, 25)], [LINK, "3", "3"]);
    let to = |address: &str| lab.guest(3, ROUTER, &tcp("fd00:77::13", address, 80));
    assert_eq!([to("2606:4700::1111"), to("fd12::1"), to("2002:a00:1::1")], [LINK, "3", "3"]);
    assert_eq!(lab.guest(3, ROUTER, &tcp("192.168.122.13", "10.9.0.7", 80)), "2");
    // Forwards lead to other guests, also where a balancer has led the packet on already.
    let to = |address: &str, port| lab.guest(3, ROUTER, &tcp("192.168.122.13", address, port));
    assert_eq!([to("198.51.100.10", 8080), to("198.51.100.10", 8085), to("198.51.100.10", 8086)], ["1", "1", "3"]);
    assert_eq!([to("192.168.122.11", 80), to("192.168.122.11", 85), to("192.168.122.11", 86)], ["1", "1", "3"]);
    // A frame to a group is no way around that.
    let to = |mac| lab.guest(3, mac, &tcp("192.168.122.13", "10.8.8.8", 80));
    assert_eq!(to("01:00:5e:00:00:01"), "3");
    // The other guests, and the name server, which forwards nothing.
    let role = "external_ids:vnet-role=\"name server\"";
    let names = lab.central.nbctl(&["--bare", "--columns=name", "find", "logical_switch_port", role]);
    assert_eq!(to("ff:ff:ff:ff:ff:ff"), format!("1 2 {}", names.trim()));
    // Guests reach each other, and DHCP; who comes in reaches guests of a routed network.
    assert_eq!(lab.guest(3, "52:54:00:00:00:01", &tcp("192.168.122.13", "192.168.122.11", 80)), "1");
    let renews = "ip4.src == 192.168.122.13 && ip4.dst == 192.168.122.1 && udp && udp.src == 68 && udp.dst == 67";
    assert_eq!(lab.guest(3, ROUTER, renews), "3");
    assert_eq!(lab.outside(&tcp("10.8.8.8", "192.168.122.13", 22)), "3");
    assert_eq!(lab.outside(&tcp("2001:db8:2::7", "fd00:77::13", 22)), "3");
    // What is behind a guest reaches guests only; in mode `open` it is routed.
    assert_eq!(lab.guest(2, ROUTER, &tcp("10.9.0.7", INTERNET, 80)), "");
    assert_eq!(lab.outside(&tcp("198.51.100.7", "10.9.0.7", 22)), "");
    lab.make(&definition("<forward mode='open'/>", ""));
    assert_eq!(lab.guest(2, ROUTER, &tcp("10.9.0.7", INTERNET, 80)), LINK);
    assert_eq!(lab.outside(&tcp("198.51.100.7", "10.9.0.7", 22)), "2");
    for (preset, gateway, internet) in [("host-only", true, "3"), ("none", false, "3"), ("any", true, LINK)] {
        lab.make(&definition("<forward mode='nat'/>", &format!("<vnet:egress preset='{preset}'/>")));
        assert_eq!(lab.guest(3, ROUTER, &tcp("192.168.122.13", INTERNET, 80)), internet, "{preset}");
        let ping = "ip4.src == 192.168.122.13 && ip4.dst == 192.168.122.1 && icmp4.type == 8";
        let packet = format!("eth.src == 52:54:00:00:00:03 && eth.dst == {ROUTER} && {ping}");
        let printed = lab.trace(&lab.guests[2].id.to_string(), &packet, "new");
        assert_eq!(printed.contains("icmp4.type = 0"), gateway, "{preset}: {printed}");
    }
}
