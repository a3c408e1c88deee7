//! What a definition requires of a host.
#![allow(clippy::unwrap_used, reason = "a test")]

use rstest::rstest;
use vnet_plan::{
    Choices, HostState, Key, LowerError, NetworkRules, Resource, Sysctl, Zone, accelerated_devices, diff, lower,
};
use vnet_types::{Features, Firewalld, InterfaceName, Inventory, KnownNetwork, Link, LinkKind};
use vnet_xml::network::{Bridge, Dhcp, DhcpRange, Forward, ForwardMode, Ip, OvnEngine, Route};
use vnet_xml::{BridgeName, Network};

fn choices() -> Choices {
    Choices { directory: "/run/vnet/networks/lab".into(), random: [1, 2, 3], bridge: None, leases: None }
}

fn inventory() -> Inventory {
    Inventory { ipv6: true, ..Inventory::default() }
}

/// A NAT network with one subnet and DHCP in it.
fn lab() -> Network {
    let mut network = Network::new("lab");
    network.forward = Some(Forward::new(ForwardMode::Nat));
    let mut ip = Ip::new("192.168.122.1/24".parse().unwrap());
    let mut dhcp = Dhcp::default();
    dhcp.ranges.push(DhcpRange::new("192.168.122.2".parse().unwrap(), "192.168.122.254".parse().unwrap()));
    ip.dhcp = Some(dhcp);
    network.ips.push(ip);
    network
}

fn name(text: &str) -> InterfaceName {
    text.parse().unwrap()
}

fn desired(network: &Network) -> HostState {
    lower(network, &inventory(), &choices()).unwrap().desired
}

fn start(network: &Network) -> Vec<String> {
    diff(&HostState::new(), &desired(network)).iter().map(|change| change.to_string()).collect()
}

/// Where nobody could register the domain, the network is refused, and the error names the domain.
#[test]
fn a_domain_that_nobody_registers_is_refused() {
    let part = "<domain name='lab' localOnly='yes' register='yes'/><ip address='10.0.0.1' prefix='24'/>";
    let network: Network = format!("<network><name>lab</name>{part}</network>").parse().unwrap();
    let error = lower(&network, &Inventory::default(), &choices()).unwrap_err();
    assert!(error.to_string().contains("name='lab'"), "{error}");
    assert!(vnet_plan::preview(&network, &Inventory::default(), &choices()).is_ok(), "it can be looked at");
}

/// The flowtable has the bridge, and the devices where connections leave.
#[rstest]
#[case::default_routes("mode='nat'", &["eth0", "virbr0"])]
#[case::named("mode='route' dev='eth1'", &["eth1", "virbr0"])]
#[case::not_there_yet("mode='nat' dev='eth9'", &[])]
fn a_flowtable_has_the_devices_of_both_ends(#[case] forward: &str, #[case] expected: &[&str]) {
    let network = |forward: &str, switch: &str| -> Network {
        format!(
            "<network><name>lab</name><metadata><v:network xmlns:v='https://github.com/vnet-rs/vnet/network/1.0'>\
             <v:driver flowtable='{switch}'/></v:network></metadata><forward {forward}/><bridge name='virbr0'/>\
             <ip address='10.0.0.1' prefix='24'/></network>"
        )
        .parse()
        .unwrap()
    };
    let mut host = inventory();
    let link = |name: &str| Link {
        name: self::name(name),
        kind: LinkKind::Other(String::new()),
        mac: None,
        mtu: None,
        up: true,
    };
    host.links = ["eth0", "eth1"].map(link).into();
    let route = |destination: &str, link: &str| vnet_types::Route {
        destination: destination.parse().unwrap(),
        gateway: None,
        link: name(link),
        metric: 0,
        protocol: vnet_types::RouteProtocol::Boot,
    };
    host.routes = vec![route("0.0.0.0/0", "eth0"), route("::/0", "eth1"), route("192.0.2.0/24", "eth1")];
    let devices = |network: &Network| -> Vec<String> {
        let desired = lower(network, &host, &choices()).unwrap().desired;
        let flowtable = desired.iter().find_map(|resource| match resource {
            Resource::Ruleset(NetworkRules { ruleset, .. }) => ruleset.flowtable.clone(),
            _ => None,
        });
        flowtable.into_iter().flat_map(|it| it.devices).map(|device| device.to_string()).collect()
    };
    assert_eq!(devices(&network(forward, "on")), expected);
    assert_eq!(devices(&network(forward, "off")), Vec::<String>::new());
    let refused = lower(&network("mode='open'", "on"), &host, &choices()).unwrap_err();
    assert_eq!(refused, LowerError::Flowtable(ForwardMode::Open));

    // Connections do not skip the rules of another network.
    let devices_on = |host: &Inventory| accelerated_devices(&network("mode='nat'", "on"), host);
    let bridge = Some(name("eth0"));
    let between = KnownNetwork { name: "other".parse().unwrap(), uuid: None, bridge };
    assert_eq!(devices_on(&Inventory { networks: vec![between], ..host.clone() }), []);
    let features = Features { flowtable: false, ..Features::ALL };
    assert_eq!(devices_on(&Inventory { features, ..host.clone() }), []);
    assert_eq!(devices_on(&host), [name("eth0")]);
}

#[test]
fn a_network_of_ovn_is_not_made_on_the_host() {
    let mut network = lab();
    network.extensions.ovn = Some(OvnEngine::new("unix:/run/ovn/ovnnb_db.sock"));
    assert_eq!(lower(&network, &inventory(), &choices()), Err(LowerError::OtherEngine));
}

/// The new and the old zone of a bridge; `-` means that firewalld is asked for nothing.
#[rstest]
#[case::nowhere_to_be_put("", "route", None, "-")]
#[case::no_zone_of_libvirt("", "nat", Some("public"), "-")]
#[case::nat("", "nat", Some("libvirt libvirt-routed +libvirt-routed-out"), "libvirt")]
#[case::open("", "open", Some("libvirt"), "-")]
#[case::open_asked("zone='libvirt'", "open", Some("libvirt"), "libvirt")]
#[case::routed("", "route", Some("libvirt libvirt-routed +libvirt-routed-out"), "libvirt-routed")]
#[case::routed_without_a_way_out("", "route", Some("libvirt libvirt-routed"), "libvirt")]
#[case::asked("zone='work'", "nat", Some("libvirt work"), "work")]
#[case::administrator("", "nat", Some("libvirt work:virbr7"), "-")]
#[case::asked_before_administrator("zone='libvirt'", "nat", Some("libvirt work:virbr7"), "libvirt was work")]
#[case::asked_as_administrator("zone='work'", "nat", Some("libvirt work:virbr7"), "-")]
#[case::of_the_host("zone='work'", "bridge", None, "-")]
fn bridges_are_put_into_zones(
    #[case] asked: &str,
    #[case] mode: &str,
    #[case] firewalld: Option<&str>,
    #[case] expected: &str,
) {
    let text = format!("<network><name>lab</name><forward mode='{mode}'/><bridge name='virbr7' {asked}/></network>");
    let inventory = Inventory { firewalld: firewalld.map(zones), ..Inventory::default() };
    let desired = lower(&text.parse().unwrap(), &inventory, &choices()).unwrap().desired;
    let zone = desired.get(&Key::Zone(name("virbr7"))).map_or("-".to_owned(), |zone| match zone {
        Resource::Zone(Zone { zone, was: Some(was), .. }) => format!("{zone} was {was}"),
        Resource::Zone(Zone { zone, .. }) => zone.clone(),
        other => panic!("{other:?}"),
    });
    assert_eq!(zone, expected);
}

#[rstest]
#[case::no_firewalld(None, "`<bridge zone='work'>` needs firewalld, which does not run for this network namespace")]
#[case::unknown(Some("libvirt"), "firewalld has no zone `work`")]
fn zones_that_are_not_to_be_had_are_refused(#[case] firewalld: Option<&str>, #[case] expected: &str) {
    let network: Network = "<network><name>lab</name><bridge name='virbr7' zone='work'/></network>".parse().unwrap();
    let inventory = Inventory { firewalld: firewalld.map(zones), ..Inventory::default() };
    assert_eq!(lower(&network, &inventory, &choices()).unwrap_err().to_string(), expected);
    assert!(vnet_plan::preview(&network, &inventory, &choices()).is_ok(), "it can be looked at");
}

/// Parses zones, each with an interface after a colon, and policies after a plus.
fn zones(words: &str) -> Firewalld {
    let mut firewalld = Firewalld::default();
    for word in words.split(' ') {
        match (word.strip_prefix('+'), word.split_once(':')) {
            (Some(policy), _) => drop(firewalld.policies.insert(policy.to_owned())),
            (None, Some((zone, link))) => drop(firewalld.zones.insert(zone.to_owned(), [link.to_owned()].into())),
            (None, None) => drop(firewalld.zones.insert(word.to_owned(), [].into())),
        }
    }
    firewalld
}

/// Answers to IPv4 DHCP clients get their checksums, if the kernel can fill them in.
#[rstest]
#[case::offered("<forward/>", "<dhcp><range start='10.0.0.2' end='10.0.0.9'/></dhcp>", "", 2)]
#[case::reserved("", "<dhcp><host mac='52:54:00:00:00:01' ip='10.0.0.2'/></dhcp>", "", 2)]
#[case::beside_limits(
    "",
    "<dhcp><range start='10.0.0.2' end='10.0.0.9'/></dhcp>",
    "<bandwidth><inbound average='9'/></bandwidth>",
    6
)]
#[case::not_offered("<forward/>", "", "", 0)]
#[case::open("<forward mode='open'/>", "<dhcp><range start='10.0.0.2' end='10.0.0.9'/></dhcp>", "", 0)]
fn dhcp_clients_get_checksums(#[case] forward: &str, #[case] dhcp: &str, #[case] more: &str, #[case] count: usize) {
    let text = format!(
        "<network><name>lab</name>{forward}<bridge name='virbr7'/>{more}<ip address='10.0.0.1' prefix='24'>{dhcp}</ip></network>"
    );
    let network: Network = text.parse().unwrap();
    let traffic = |features| {
        let inventory = Inventory { features, ..inventory() };
        let lines = diff(&HostState::new(), &lower(&network, &inventory, &choices()).unwrap().desired);
        lines.iter().map(ToString::to_string).filter(|line| line.starts_with("+ tc ")).collect::<Vec<_>>()
    };
    let fix = "+ tc filter add dev virbr7 parent 1: prio 2 protocol ip handle 800::800 u32 match ip dport 68 0xffff \
               action csum ip and udp";
    let all = traffic(Features::ALL);
    assert_eq!((all.len(), all.iter().any(|line| line == fix)), (count, !dhcp.is_empty() && count > 0), "{all:#?}");
    assert!(!traffic(Features::default()).contains(&fix.to_owned()), "nobody has said that the kernel can");
}

/// A bridge without learning filters VLANs, whether it is vnet's or the host's. If the kernel
/// cannot filter, that is an error beforehand.
#[rstest]
#[case::ours("<bridge name='virbr7' macTableManager='libvirt'/>", "vlan_filtering 1 address 52:54:00:01:02:03 up")]
#[case::of_the_host(
    "<forward mode='bridge'/><bridge name='br0' macTableManager='libvirt'/>",
    "bridge vlan_filtering 1"
)]
fn bridges_do_without_learning(#[case] part: &str, #[case] words: &str) {
    let network: Network = format!("<network><name>lab</name>{part}</network>").parse().unwrap();
    let desired = lower(&network, &Inventory::default(), &choices()).unwrap().desired;
    let first = diff(&HostState::new(), &desired)[0].to_string();
    assert!(first.ends_with(words), "{first}");
    assert!(vnet_plan::asks_features(&network));
    let features = Features { vlan_filtering: false, ..Features::ALL };
    let without = Inventory { features, ..Inventory::default() };
    assert_eq!(lower(&network, &without, &choices()).unwrap_err(), LowerError::NoVlanFiltering);
}

/// The host's own bridge gets bandwidth limits, and nothing else changes on it.
#[test]
fn bandwidth_is_limited_on_the_bridge_of_the_host() {
    let text = "<network><name>lab</name><forward mode='bridge'/><bridge name='br0'/>
                <bandwidth><outbound average='128'/></bandwidth></network>";
    let words = start(&text.parse().unwrap());
    assert_eq!(words[0], "+ tc qdisc add dev br0 ingress");
    assert!(words[1].starts_with("+ tc filter add dev br0 parent ffff:"), "{words:?}");
    assert_eq!(words.len(), 2);
}

#[test]
fn guests_of_other_modes_use_what_the_host_has() {
    let network: Network = "<network><name>lab</name><forward mode='vepa' dev='eth1'/></network>".parse().unwrap();
    let lowered = lower(&network, &Inventory::default(), &choices()).unwrap();
    assert_eq!((lowered.bridge, lowered.desired.iter().count()), (None, 0));
}

#[test]
fn a_nat_network_comes_up_in_this_order() {
    let lines = start(&lab());
    let heads: Vec<&str> = lines.iter().map(|lines| lines.lines().next().unwrap()).collect();
    assert_eq!(
        heads,
        [
            "+ ip link add virbr0 type bridge stp_state 1 forward_delay 200 address 52:54:00:01:02:03 up",
            "+ sysctl net/ipv6/conf/virbr0/disable_ipv6 = 1",
            "+ sysctl net/ipv6/conf/virbr0/accept_ra = 0",
            "+ sysctl net/ipv6/conf/virbr0/autoconf = 0",
            "+ nft -f -",
            "+ ip address add 192.168.122.1/24 brd 192.168.122.255 dev virbr0",
            "+ sysctl net/ipv4/ip_forward = 1",
            "+ file /run/vnet/networks/lab/dnsmasq.addnhosts (0 lines)",
            "+ file /run/vnet/networks/lab/dnsmasq.conf (13 lines)",
            "+ file /run/vnet/networks/lab/dnsmasq.hosts (0 lines)",
            "+ file /run/vnet/networks/lab/dnsmasq.leases (written by its program)",
            "+ file /run/vnet/networks/lab/dnsmasq.pid (written by its program)",
            "+ run dnsmasq --conf-file=/run/vnet/networks/lab/dnsmasq.conf",
        ]
    );
}

#[rstest]
#[case::isolated(None, "", false)]
#[case::none(Some(ForwardMode::None), "", false)]
#[case::nat(Some(ForwardMode::Nat), "masquerade", true)]
#[case::route(Some(ForwardMode::Route), "accept", true)]
#[case::open(Some(ForwardMode::Open), "", true)]
fn modes(#[case] mode: Option<ForwardMode>, #[case] word: &str, #[case] forwards: bool) {
    let mut network = lab();
    network.forward = mode.map(Forward::new);
    let state = desired(&network);
    let rules = state.get(&Key::Ruleset("lab".parse().unwrap()));
    assert_eq!(rules.is_none(), mode == Some(ForwardMode::Open));
    if let Some(Resource::Ruleset(NetworkRules { ruleset, .. })) = rules {
        assert!(ruleset.to_string().contains(word));
    }
    assert_eq!(state.get(&Key::SharedSysctl(Sysctl::Ipv4Forward)).is_some(), forwards);
    assert!(state.get(&Key::SharedSysctl(Sysctl::Ipv6Forward)).is_none());
}

#[rstest]
#[case::first_free(None, &["virbr0"], "virbr1")]
#[case::template(Some("lab%d"), &["lab0", "lab1"], "lab2")]
#[case::fixed(Some("lab7"), &[], "lab7")]
fn bridge_names(#[case] written: Option<&str>, #[case] taken: &[&str], #[case] expected: &str) {
    let mut network = lab();
    let mut bridge = Bridge::default();
    bridge.name = written.map(|text| text.parse::<BridgeName>().unwrap());
    network.bridge = Some(bridge);
    let mut inventory = inventory();
    inventory.links = taken.iter().map(|link| foreign(link)).collect();
    assert_eq!(lower(&network, &inventory, &choices()).unwrap().bridge, Some(name(expected)));
}

/// Nothing is filtered for guests of mode `open`; guests of others are kept from those that have
/// addresses of the internet.
#[rstest]
#[case::private("192.168.9.1/24", None, false)]
#[case::of_the_internet("9.9.9.1/24", None, true)]
#[case::behind_a_guest("192.168.9.1/24", Some("9.9.8.0/24"), true)]
fn open_networks_are_known_to_others(#[case] net: &str, #[case] behind: Option<&str>, #[case] expected: bool) {
    let mut network = lab();
    network.forward = Some(Forward::new(ForwardMode::Open));
    network.ips = vec![Ip::new(net.parse().unwrap())];
    network.routes.extend(behind.map(|net| Route::new(net.parse().unwrap(), "192.168.9.7".parse().unwrap())));
    let state = desired(&network);
    let rules = state.get(&Key::Ruleset("lab".parse().unwrap()));
    assert_eq!(rules.is_some(), expected);
    if let Some(Resource::Ruleset(NetworkRules { ruleset, .. })) = rules {
        assert_eq!(ruleset.rules().count(), 1, "guests of one network: {ruleset}");
    }
}

/// Another name is changed to what a fresh start chooses.
#[rstest]
#[case::kept("virbr5", None, "virbr5")]
#[case::kept_template("lab5", Some("lab%d"), "lab5")]
#[case::was_written("lab0", None, "virbr1")]
#[case::other_template("virbr5", Some("lab%d"), "lab0")]
fn a_running_network_keeps_a_bridge_that_a_start_could_choose(
    #[case] runs: &str,
    #[case] written: Option<&str>,
    #[case] expected: &str,
) {
    let mut network = lab();
    network.bridge.get_or_insert_default().name = written.map(|text| text.parse::<BridgeName>().unwrap());
    let mut inventory = inventory();
    inventory.links = vec![foreign("virbr0"), foreign(runs)];
    inventory.networks = vec![KnownNetwork { name: "lab".parse().unwrap(), uuid: None, bridge: Some(name(runs)) }];
    let running = Choices { bridge: Some(name(runs)), ..choices() };
    assert_eq!(lower(&network, &inventory, &running).unwrap().bridge, Some(name(expected)));
}

#[test]
fn no_name_is_left_for_the_bridge() {
    let mut inventory = inventory();
    inventory.links = (0..257).map(|number| foreign(&format!("virbr{number}"))).collect();
    let Err(LowerError::NoFreeBridge(template)) = lower(&lab(), &inventory, &choices()) else { panic!("an error") };
    assert_eq!(template.to_string(), "virbr%d");
}

#[rstest]
#[case::written(
    "10.1.0.0/16",
    Some(7),
    "+ ip route add 10.1.0.0/16 via 192.168.122.9 dev virbr0 proto static metric 7"
)]
#[case::metric_1("10.1.0.0/16", None, "+ ip route add 10.1.0.0/16 via 192.168.122.9 dev virbr0 proto static metric 1")]
#[case::default("0.0.0.0/0", None, "+ ip route add default via 192.168.122.9 dev virbr0 proto static metric 1")]
fn routes(#[case] destination: &str, #[case] metric: Option<u32>, #[case] expected: &str) {
    let mut network = lab();
    let mut route = Route::new(destination.parse().unwrap(), "192.168.122.9".parse().unwrap());
    route.metric = metric;
    network.routes.push(route);
    assert!(start(&network).contains(&expected.to_owned()), "{:#?}", start(&network));
}

#[rstest]
#[case::stp_needs_two_seconds(None, None, 200)]
#[case::longer(None, Some(4), 400)]
#[case::no_stp(Some(false), None, 0)]
fn forward_delays(#[case] stp: Option<bool>, #[case] delay: Option<u64>, #[case] expected: u32) {
    let mut network = lab();
    let mut bridge = Bridge::default();
    (bridge.stp, bridge.delay) = (stp, delay);
    network.bridge = Some(bridge);
    let state = desired(&network);
    let Some(Resource::Link(Link { kind: LinkKind::Bridge(options), .. })) = state.get(&Key::Link(name("virbr0")))
    else {
        panic!("a bridge")
    };
    assert_eq!(options.forward_delay, expected);
}

#[test]
fn a_reservation_makes_dnsmasq_read_its_hosts_again_and_nothing_else() {
    let mut network = lab();
    let before = desired(&network);
    let mut host = vnet_xml::network::DhcpHost::new("192.168.122.9".parse().unwrap());
    host.mac = Some("52:54:00:00:00:09".parse().unwrap());
    network.ips[0].dhcp.as_mut().unwrap().hosts.push(host);
    let changes = diff(&before, &desired(&network));
    let lines: Vec<String> = changes.iter().map(|change| change.to_string()).collect();
    assert_eq!(
        lines,
        [
            "~ file /run/vnet/networks/lab/dnsmasq.hosts (1 lines)\n    + 52:54:00:00:00:09,192.168.122.9",
            "~ reload dnsmasq --conf-file=/run/vnet/networks/lab/dnsmasq.conf",
        ]
    );
}

#[test]
fn states_travel() {
    let state = desired(&lab());
    let text = serde_json::to_string(&state).unwrap();
    assert_eq!(serde_json::from_str::<HostState>(&text).unwrap(), state);
}

fn foreign(link: &str) -> Link {
    Link { name: name(link), kind: LinkKind::Other(String::new()), mac: None, mtu: None, up: true }
}
