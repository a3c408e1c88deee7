//! The laws that plans and their execution hold to, on hosts that are values.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use proptest::prelude::*;
use vnet_host::{Error, Facts, Header, Host, MemoryHost, Namespace, Store};
use vnet_plan::{
    Change, Choices, HostState, Key, PortChoices, Resource, Sysctl, SysctlSetting, Zone, attach, diff, lower,
};
use vnet_types::{BridgeOptions, Features, Firewalld, Inventory, Link, LinkKind, MacAddr};
use vnet_xml::interface::Source;
use vnet_xml::network::{Bridge, Dhcp, DhcpRange, Forward, ForwardMode, Ip, MacTableManager, Route};
use vnet_xml::{Bandwidth, Interface, Network, Rate, Vlan};

const MODES: [Option<ForwardMode>; 4] =
    [None, Some(ForwardMode::Nat), Some(ForwardMode::Route), Some(ForwardMode::Open)];

/// What some network, and perhaps a guest in it, asks of a host.
fn desired() -> impl Strategy<Value = HostState> {
    (network(), prop::option::of(port())).prop_map(|(network, port)| {
        let port = port.into_iter().flat_map(|port: HostState| port.iter().cloned().collect::<Vec<_>>());
        network.iter().cloned().chain(port).collect()
    })
}

/// The beginning of an interface, without the end of its `<source>` or the like.
const SOURCES: [&str; 3] =
    ["bridge'><source bridge='br0'", "direct'><source dev='eth0' mode='passthrough'", "ethernet'><mtu size='1400'"];

/// What some guest asks of a host. All are on `vnet0`, so that one can become the other.
fn port() -> impl Strategy<Value = HostState> {
    let link = |name: &str, kind| Link {
        name: name.parse().expect("a name"),
        kind,
        mac: Some(MacAddr([2, 0, 0, 0, 0, 1])),
        mtu: Some(1500),
        up: true,
    };
    let (bridge, card) = (
        LinkKind::Bridge(BridgeOptions { vlan_filtering: true, ..BridgeOptions::default() }),
        LinkKind::Other(String::new()),
    );
    let inventory = Inventory { links: vec![link("br0", bridge), link("eth0", card)], ..Inventory::default() };
    let source = prop::sample::select(&SOURCES[..]);
    (source, any::<[bool; 3]>(), 1u8..4).prop_map(move |(source, [managed, tagged, isolated], guest)| {
        let bridge = source.starts_with("bridge");
        let text = format!("<interface type='{source}/><mac address='52:54:00:00:00:{guest:02x}'/></interface>");
        let mut interface: Interface = text.parse().expect("an interface");
        interface.coalesce_rx_frames = (!source.starts_with("direct")).then_some(guest.into());
        interface.port_isolated = (bridge && isolated).then_some(true);
        interface.vlan = (bridge && tagged).then(|| Vlan::tag(u16::from(guest)));
        if let Source::Bridge(source) = &mut interface.source {
            source.mac_table_manager = managed.then_some(MacTableManager::Libvirt);
        }
        attach(&interface, None, &inventory, &PortChoices::default()).expect("a sound interface").desired
    })
}

/// What some network asks of a host. All are called `lab` and are on `virbr0`, so that one can
/// become the other.
fn network() -> impl Strategy<Value = HostState> {
    let subnets = prop::collection::btree_set(0u8..6, 0..4);
    let rate = || prop::option::of((1u64..9000).prop_map(Rate::average));
    let mtu = prop::option::of(1280u32..9000);
    let zone = prop::option::of(Just("work".to_owned()));
    (prop::sample::select(&MODES[..]), subnets, any::<bool>(), any::<bool>(), mtu, (rate(), rate(), zone)).prop_map(
        |(mode, subnets, ipv6, dhcp, mtu, (inbound, outbound, zone))| {
            let mut network = Network::new("lab");
            let mut bridge = Bridge::default();
            bridge.zone = zone;
            network.bridge = Some(bridge);
            network.forward = mode.map(Forward::new);
            network.mtu = mtu;
            let mut limits = Bandwidth::default();
            (limits.inbound, limits.outbound) = (inbound, outbound);
            network.bandwidth = Some(limits).filter(|limits| *limits != Bandwidth::default());
            for number in subnets {
                network.ips.push(subnet(number, dhcp && network.ips.is_empty()));
                let gateway = Ipv4Addr::new(10, 0, number, 9).into();
                network.routes.push(Route::new(format!("172.16.{number}.0/24").parse().expect("a network"), gateway));
            }
            if ipv6 {
                network.ips.push(Ip::new("fd00::1/64".parse().expect("an address")));
            }
            // The longer way: through an ifb.
            let features = Features { vlan_filtering: false, police: false, sfq: false, fw: false, ..Features::ALL };
            let inventory = Inventory { ipv6: true, features, ..firewalld() };
            let choices =
                Choices { directory: PathBuf::from("/run/vnet/lab"), random: [1, 2, 3], bridge: None, leases: None };
            lower(&network, &inventory, &choices).expect("a sound network").desired
        },
    )
}

fn subnet(number: u8, dhcp: bool) -> Ip {
    let mut ip = Ip::new(format!("10.0.{number}.1/24").parse().expect("an address"));
    if dhcp {
        let end = |low| Ipv4Addr::new(10, 0, number, low).into();
        let mut ranges = Dhcp::default();
        ranges.ranges.push(DhcpRange::new(end(100), end(199)));
        ip.dhcp = Some(ranges);
    }
    ip
}

fn applied(mut state: HostState, changes: &[Change]) -> HostState {
    changes.iter().for_each(|change| change.apply_to(&mut state));
    state
}

/// A host where firewalld runs.
fn firewalld() -> Inventory {
    let zones = ["libvirt", "work"].map(|zone| (zone.to_owned(), BTreeSet::new())).into();
    Inventory { firewalld: Some(Firewalld { zones, ..Firewalld::default() }), ..Inventory::default() }
}

/// A host that forwards nothing yet.
fn host() -> MemoryHost {
    let off = |switch| Resource::Sysctl(SysctlSetting { switch, value: 0 });
    MemoryHost {
        state: [off(Sysctl::Ipv4Forward), off(Sysctl::Ipv6Forward)].into_iter().collect(),
        inventory: firewalld(),
        ..MemoryHost::default()
    }
}

fn header() -> Header {
    Header {
        network: "lab".parse().expect("a name"),
        uuid: None,
        bridge: Some("virbr0".parse().expect("a name")),
        namespace: HOME,
        owner: None,
        awaits_hooks: false,
        of_libvirt: false,
    }
}

const HOME: Namespace = Namespace::new(0, 1);

/// The receipts of one case.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("vnet-laws-{}-{number}", std::process::id())))
    }

    fn store(&self) -> Store {
        Store::new(&self.0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_leads_from_a_state_to_itself(state in desired()) {
        prop_assert_eq!(diff(&state, &state), []);
    }

    #[test]
    fn the_difference_leads_there(from in desired(), to in desired()) {
        prop_assert_eq!(applied(from.clone(), &diff(&from, &to)), to);
    }

    #[test]
    fn any_prefix_can_be_taken_back(from in desired(), to in desired(), at in any::<prop::sample::Index>()) {
        let changes = diff(&from, &to);
        let prefix = &changes[..at.index(changes.len() + 1)];
        let back: Vec<Change> = prefix.iter().rev().map(Change::inverse).collect();
        prop_assert_eq!(applied(applied(from.clone(), prefix), &back), from);
    }

    #[test]
    fn a_host_accepts_every_step(from in desired(), to in desired()) {
        let mut host = MemoryHost { state: from.clone(), inventory: firewalld(), ..MemoryHost::default() };
        for change in diff(&from, &to) {
            prop_assert!(host.apply(&change, &Default::default()).is_ok(), "{}", change);
        }
        prop_assert_eq!(host.state, to);
    }

    #[test]
    fn start_then_stop_leaves_what_was_but_for_shared_switches(desired in desired()) {
        let folder = Folder::new();
        let mut started = host();
        vnet_host::start(&mut started, &folder.store().lock().expect("a lock"), header(), &desired).expect("it starts");
        prop_assert!(vnet_host::drift(&started, &folder.store(), &header().network, HOME).expect("it runs").is_empty());
        vnet_host::stop(&mut started, &folder.store().lock().expect("a lock"), &header().network, HOME).expect("it stops");
        let shared = |state: &HostState| {
            state.iter().map(Resource::key).filter(Key::is_shared).collect::<BTreeSet<_>>()
        };
        prop_assert_eq!(shared(&started.state), started.state.iter().map(Resource::key).collect());
        prop_assert!(!folder.0.exists(), "the folder of receipts is gone");
    }

    #[test]
    fn a_start_that_fails_at_any_step_ends_as_it_began(desired in desired()) {
        let folder = Folder::new();
        let steps = vnet_host::plan(&host(), &folder.store(), &header().network, &desired).expect("a plan").len();
        for fault in 0..steps {
            let mut failing = MemoryHost { faults: [fault].into(), ..host() };
            let error = vnet_host::start(&mut failing, &folder.store().lock().expect("a lock"), header(), &desired);
            let undone = matches!(error, Err(Error::Step { rollback, .. }) if rollback.is_empty());
            prop_assert!(undone);
            prop_assert_eq!(&failing.state, &host().state);
            prop_assert!(!folder.0.exists(), "the folder of receipts is gone");
        }
    }

    #[test]
    fn a_change_that_fails_at_any_step_ends_as_it_began(from in desired(), to in desired()) {
        let folder = Folder::new();
        let mut running = host();
        vnet_host::start(&mut running, &folder.store().lock().expect("a lock"), header(), &from).expect("it starts");
        let before = running.state.clone();
        let steps = vnet_host::plan(&running, &folder.store(), &header().network, &to).expect("a plan").len();
        for fault in 0..steps {
            running.faults = [running.asked + fault].into();
            prop_assert!(vnet_host::apply(&mut running, &folder.store().lock().expect("a lock"), header(), &to).is_err());
            prop_assert_eq!(&running.state, &before);
        }
        vnet_host::apply(&mut running, &folder.store().lock().expect("a lock"), header(), &to).expect("it changes");
        prop_assert!(vnet_host::drift(&running, &folder.store(), &header().network, HOME).expect("it runs").is_empty());
        for resource in to.iter() {
            prop_assert_eq!(running.state.get(&resource.key()), Some(resource));
        }
        vnet_host::stop(&mut running, &folder.store().lock().expect("a lock"), &header().network, HOME).expect("it stops");
        prop_assert!(running.state.iter().all(|left| left.key().is_shared()));
    }
}

#[test]
fn what_is_in_the_way_is_refused_and_stays() {
    let folder = Folder::new();
    let network: Network = "<network><name>lab</name><bridge name='virbr0'/></network>".parse().expect("a network");
    let choices = Choices { directory: "/run/vnet/lab".into(), random: [1, 2, 3], bridge: None, leases: None };
    let desired = lower(&network, &Inventory::default(), &choices).expect("sound").desired;
    let mut taken = host();
    let bridge = desired.get(&Key::Link("virbr0".parse().expect("a name"))).expect("a bridge").clone();
    taken.state.insert(bridge);
    let before = taken.state.clone();
    let error = vnet_host::start(&mut taken, &folder.store().lock().expect("a lock"), header(), &desired);
    assert!(matches!(error, Err(Error::Conflict(keys)) if keys.len() == 1));
    assert_eq!(taken.state, before);
    assert!(!folder.0.exists());
}

/// A host without firewalld, or without the zone, refuses; one that loses it has lost the zone.
#[test]
fn zones_are_those_of_firewalld() {
    let zone = |zone: &str| {
        let (link, was) = ("virbr0".parse().expect("a name"), None);
        Resource::Zone(Zone { link, zone: zone.to_owned(), was })
    };
    let facts = Facts::default();
    let mut host = MemoryHost { inventory: firewalld(), ..MemoryHost::default() };
    let refused = host.apply(&Change::Create { to: zone("banana") }, &facts);
    assert!(matches!(refused, Err(Error::Unexpected(_))), "{refused:?}");
    host.apply(&Change::Create { to: zone("work") }, &facts).expect("a zone that there is");
    let made = HostState::from_iter([zone("work")]);
    assert_eq!(host.observe(&made, &facts).expect("it can be seen"), made);
    host.inventory.firewalld = None;
    assert!(host.observe(&made, &facts).expect("it can be seen").is_empty());
    assert!(MemoryHost::default().apply(&Change::Create { to: zone("work") }, &facts).is_err());
}
