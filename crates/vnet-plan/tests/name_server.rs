//! The name server of a network of OVN on one host.
#![allow(clippy::unwrap_used, reason = "a test")]

use vnet_dnsmasq::DnsHost;
use vnet_plan::{HostState, Key, NameServerChoices, Relay, Resource, name_server};
use vnet_types::{Address, Inventory, IpNet, MacAddr, Uuid};
use vnet_xml::Network;

const NETWORK: &str = "<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'><name>lab</name><domain name='lab.example' localOnly='yes'/>\
    <dns forwardPlainNames='no'><forwarder domain='corp.example' addr='192.0.2.53' port='5353'/>\
    <txt name='a.lab.example' value='b'/><srv service='ldap' protocol='tcp' target='git.lab.example' port='389'/>\
    <host ip='10.77.0.9'><hostname>git</hostname></host></dns><forward mode='nat'/>\
    <ip address='10.77.0.1' prefix='24' localPtr='yes'><dhcp><range start='10.77.0.2' end='10.77.0.99'/>\
    <host mac='52:54:00:00:00:01' name='web' ip='10.77.0.11'/></dhcp></ip>\
    <ip family='ipv6' address='fd00:77::1' prefix='64' localPtr='yes'/>\
    <dnsmasq:options><dnsmasq:option value='address=/apps.example/10.77.0.9'/><dnsmasq:option value='log-dhcp'/>\
    </dnsmasq:options></network>";

fn choices() -> NameServerChoices {
    let addresses = vec!["10.77.0.254/24".parse().unwrap(), "fd00:77::2/64".parse().unwrap()];
    let mac = MacAddr([0x52, 0x54, 0, 1, 2, 3]);
    let (folder, bridge) = ("/run/vnet/@ovn/lab".into(), "br-int".parse().unwrap());
    let mut choices = NameServerChoices::new(folder, bridge, Uuid([7; 16]), mac, addresses);
    let guest = |ip: &str, name: &str| DnsHost { ip: ip.parse().unwrap(), hostnames: vec![name.to_owned()] };
    choices.guests = vec![guest("10.77.0.12", "db"), guest("10.77.0.11", "web")];
    choices
}

fn lowered(inventory: &Inventory, choices: &NameServerChoices) -> HostState {
    let network: Network = NETWORK.parse().unwrap();
    name_server(&network, inventory, choices).unwrap()
}

fn relay(state: &HostState) -> Relay {
    let found =
        state.iter().find_map(|resource| if let Resource::Relay(it) = resource { Some((**it).clone()) } else { None });
    found.unwrap()
}

/// The address of the host that the relay asks.
fn between(state: &HostState) -> IpNet {
    let mut found = state.iter().filter_map(|it| if let Key::Address(_, net) = it.key() { Some(net) } else { None });
    let own = found.next().unwrap();
    assert_eq!(found.next(), None);
    own
}

fn file(state: &HostState, name: &str) -> String {
    let contents = state.iter().find_map(|resource| match resource {
        Resource::File(file) if file.path.ends_with(name) => file.contents.clone(),
        _ => None,
    });
    contents.unwrap()
}

#[test]
fn the_relay_knows_nothing() {
    let state = lowered(&Inventory::default(), &choices());
    let (relay, own) = (relay(&state), between(&state));
    for argument in ["--no-resolv", "--no-hosts", "--listen-address=10.77.0.254", "--listen-address=fd00:77::2"] {
        assert!(relay.process.args.iter().any(|it| it == argument), "{argument}: {relay:?}");
    }
    let servers: Vec<_> = relay.process.args.iter().filter(|it| it.starts_with("--server=")).collect();
    assert_eq!(servers, [&format!("--server={}", own.addr())]);
    let [guests, host] = &relay.ends[..] else { panic!("{relay:?}") };
    assert_eq!((guests.mac, guests.mtu, &guests.addresses), (choices().mac, 1442, &choices().addresses));
    assert!(host.addresses.iter().all(|net| net.trunc() == own.trunc() && *net != own), "{host:?}");
    // Only the end of guests is a port.
    let ports: Vec<_> =
        state.iter().filter_map(|it| if let Resource::SwitchPort(it) = it { Some(it) } else { None }).collect();
    let [port] = &ports[..] else { panic!("{ports:?}") };
    assert_eq!((&port.link, port.interface_id, port.bridge.as_str()), (&guests.link, Uuid([7; 16]), "br-int"));
}

#[test]
fn the_server_has_the_names_and_no_addresses() {
    let state = lowered(&Inventory::default(), &choices());
    let host = &relay(&state).ends[1];
    let conf = file(&state, "dnsmasq.conf");
    for line in [
        "server=/corp.example/192.0.2.53#5353",
        "local=/lab.example/",
        "local=/0.77.10.in-addr.arpa/",
        "domain-needed",
        "txt-record=a.lab.example,b",
        "srv-host=_ldap._tcp,git.lab.example,389",
        "address=/apps.example/10.77.0.9",
        "bind-dynamic",
        &format!("interface={}", host.link),
    ] {
        assert!(conf.lines().any(|it| it == line), "{line}:\n{conf}");
    }
    assert!(!conf.contains("dhcp") && !conf.contains("ra-param") && !conf.contains("enable-ra"), "{conf}");
    let names = file(&state, "dnsmasq.addnhosts");
    let lines: Vec<Vec<&str>> = names.lines().map(|line| line.split_whitespace().collect()).collect();
    for line in [["10.77.0.9", "git"], ["10.77.0.11", "web"], ["10.77.0.12", "db"]] {
        assert_eq!(lines.iter().filter(|it| **it == line).count(), 1, "{line:?}:\n{names}");
    }
}

#[test]
fn the_addresses_between_are_nobody_elses_and_stay() {
    let mut choices = choices();
    let free = lowered(&Inventory::default(), &choices);
    let own = between(&free);
    let mut inventory = Inventory::default();
    inventory.addresses.push(("eth0".parse().unwrap(), Address { net: own, broadcast: None }));
    let other = between(&lowered(&inventory, &choices));
    assert!(!other.contains(&own.addr()), "{other} and {own}");
    // Once it runs, the host has the address because of it.
    choices.owned = free.clone();
    assert_eq!(lowered(&inventory, &choices), free);
}
