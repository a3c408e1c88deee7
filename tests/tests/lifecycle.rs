//! The life of a network, in scenarios that a host of values and this kernel go through alike.

use std::path::PathBuf;

use rstest::rstest;
use vnet_host::{Error, Facts, Header, Host, LinuxHost, MemoryHost, Named, Namespace, Store};
use vnet_plan::{Change, Choices, File, HostState, Key, Lowered, Resource, lower};
use vnet_tests::run;
use vnet_types::{BridgeOptions, InterfaceName, Link, LinkKind, NetworkName};
use vnet_xml::Network;

const HOME: Namespace = Namespace::new(0, 1);

/// A routed network with DHCP and a static route, and what is added to it.
fn network(more: &str) -> Network {
    let text = format!(
        "<network><name>lab</name><forward mode='route'/><bridge name='virbr0' stp='off'/>
         <mac address='52:54:00:00:00:01'/>{more}
         <ip address='192.168.130.1' prefix='24'><dhcp><range start='192.168.130.2' end='192.168.130.99'/></dhcp></ip>
         <route address='10.130.0.0' prefix='16' gateway='192.168.130.9' metric='7'/></network>"
    );
    text.parse().expect("a definition without errors")
}

/// A host on its way through a scenario.
struct Scenario<H> {
    host: H,
    store: Store,
}

impl<H: Host> Scenario<H> {
    fn desired(&self, network: &Network) -> HostState {
        let inventory = vnet_host::inventory(&self.host, &self.store).expect("an inventory");
        let directory = self.store.directory(&lab());
        let choices = Choices { directory, random: [0; 3], bridge: None, leases: None };
        let Lowered { desired, .. } = lower(network, &inventory, &choices).expect("a sound definition");
        desired
    }

    fn start(&mut self, network: &Network) -> Result<Vec<Change>, Error> {
        let desired = self.desired(network);
        vnet_host::start(&mut self.host, &self.store.lock().expect("a lock"), header(), &desired)
    }

    fn apply(&mut self, network: &Network) -> Result<Vec<Change>, Error> {
        let desired = self.desired(network);
        vnet_host::apply(&mut self.host, &self.store.lock().expect("a lock"), header(), &desired)
    }

    fn stop(&mut self) -> Result<Vec<Change>, Error> {
        vnet_host::stop(&mut self.host, &self.store.lock().expect("a lock"), &lab(), HOME)
    }

    fn drift(&self) -> Vec<Key> {
        let drift = vnet_host::drift(&self.host, &self.store, &lab(), HOME).expect("it runs");
        drift.iter().map(Change::key).collect()
    }

    /// Someone else does something to the host.
    fn meddle(&mut self, change: &Change) {
        self.host.apply(change, &Facts::default()).expect("a change that can be made");
    }

    /// What is there of a state.
    fn look(&self, expected: &HostState) -> HostState {
        self.host.observe(expected, &Facts::default()).expect("a host that can be read")
    }
}

fn lab() -> NetworkName {
    "lab".parse().expect("a name")
}

fn bridge() -> InterfaceName {
    "virbr0".parse().expect("a name")
}

fn header() -> Header {
    Header {
        network: lab(),
        uuid: None,
        bridge: Some(bridge()),
        namespace: HOME,
        owner: None,
        awaits_hooks: false,
        of_libvirt: false,
    }
}

fn starts_once_and_stops_once(mut it: Scenario<impl Host>) {
    let network = network("");
    let before = it.look(&it.desired(&network));
    it.start(&network).expect("it starts");
    assert_eq!(it.drift(), []);
    assert!(matches!(it.start(&network), Err(Error::Running(name)) if name == Named::Network(lab())));
    let elsewhere = vnet_host::stop(&mut it.host, &it.store.lock().expect("a lock"), &lab(), Namespace::new(0, 2));
    assert!(matches!(elsewhere, Err(Error::Elsewhere(_))));
    it.stop().expect("it stops");
    let links = |state: &HostState| state.iter().filter(|it| !matches!(it, Resource::Sysctl(_))).cloned().collect();
    let (before, after): (Vec<_>, Vec<_>) = (links(&before), links(&it.look(&it.desired(&network))));
    assert_eq!(before, after);
    assert!(matches!(it.stop(), Err(Error::Absent(_))));
}

fn changes_in_place(mut it: Scenario<impl Host>) {
    it.start(&network("")).expect("it starts");
    let named = network("<dns><host ip='192.168.130.5'><hostname>five</hostname></host></dns>");
    let keys: Vec<String> = it.apply(&named).expect("it changes").iter().map(|it| it.key().to_string()).collect();
    assert_eq!(keys.len(), 2, "the names and dnsmasq's reading of them: {keys:?}");
    assert_eq!(it.apply(&named).expect("it is so"), []);
    let mut isolated = named.clone();
    isolated.forward = None;
    let changes = it.apply(&isolated).expect("it changes");
    assert!(changes.iter().all(|change| !matches!(change.key(), Key::Link(_) | Key::Address(..))), "{changes:?}");
    assert_eq!(it.drift(), []);
    it.stop().expect("it stops");
}

fn repairs_what_drifted(mut it: Scenario<impl Host>) {
    let network = network("");
    it.start(&network).expect("it starts");
    let desired = it.desired(&network);
    let rules = desired.get(&Key::Ruleset(lab())).expect("rules").clone();
    let route = desired.iter().find(|it| matches!(it, Resource::Route(_))).expect("a route").clone();
    for lost in [rules, route] {
        it.meddle(&Change::Delete { from: lost.clone() });
        assert_eq!(it.drift(), [lost.key()]);
        it.apply(&network).expect("it is repaired");
        assert_eq!(it.drift(), []);
    }
    let bridge = desired.get(&Key::Link(bridge())).expect("a bridge").clone();
    it.meddle(&Change::Delete { from: bridge.clone() });
    assert!(it.drift().contains(&bridge.key()));
    it.apply(&network).expect("it is repaired");
    assert_eq!(it.drift(), []);
    it.stop().expect("it stops");
}

fn leaves_what_is_in_the_way(mut it: Scenario<impl Host>) {
    let kind = LinkKind::Bridge(BridgeOptions { forward_delay: 1500, ..BridgeOptions::default() });
    let mac = Some("52:54:00:ff:ff:ff".parse().expect("a MAC address"));
    let foreign = Resource::Link(Link { name: bridge(), kind, mac, mtu: None, up: false });
    it.meddle(&Change::Create { to: foreign.clone() });
    let refused = it.start(&network(""));
    assert!(matches!(refused, Err(Error::Conflict(keys)) if keys.contains(&foreign.key())));
    assert_eq!(it.look(&[foreign.clone()].into_iter().collect()).iter().collect::<Vec<_>>(), [&foreign]);
    assert!(matches!(it.stop(), Err(Error::Absent(_))));
}

fn replaces_one_file(mut it: Scenario<impl Host>) {
    let network = network("");
    it.start(&network).expect("it starts");
    let desired = it.desired(&network);
    let route = desired.iter().find(|it| matches!(it, Resource::Route(_))).expect("a route").clone();
    it.meddle(&Change::Delete { from: route.clone() });
    let hosts = |it: &Resource| matches!(it, Resource::File(file) if file.path.ends_with("lab/dnsmasq.addnhosts"));
    let before = desired.iter().find(|it| hosts(it)).expect("names of hosts").clone();
    let Resource::File(file) = &before else { unreachable!() };
    let file = File { contents: Some("192.168.130.5 five\n".to_owned()), ..file.clone() };
    let to = Resource::from(file.clone());
    let mut replace = |home| {
        let lock = it.store.lock().expect("a lock");
        vnet_host::replace(&mut it.host, &lock, &lab(), home, vec![file.clone().into()])
    };
    assert!(matches!(replace(Namespace::new(0, 2)), Err(Error::Elsewhere(_))));
    assert_eq!(replace(HOME).expect("it is replaced"), [Change::Update { from: before.clone(), to: to.clone() }]);
    assert_eq!(replace(HOME).expect("it is so"), []);
    assert_eq!(it.look(&[before].into_iter().collect()).iter().collect::<Vec<_>>(), [&to]);
    // What has drifted stays so, and is still known to be ours.
    assert_eq!(it.drift(), [route.key()]);
    it.stop().expect("it stops");
    let lock = it.store.lock().expect("a lock");
    let absent = vnet_host::replace(&mut it.host, &lock, &lab(), HOME, vec![file.into()]);
    assert!(matches!(absent, Err(Error::Absent(_))), "{absent:?}");
}

type OnMemory = fn(Scenario<MemoryHost>);
type OnLinux = fn(Scenario<LinuxHost>);

#[rstest]
#[case::start_and_stop(starts_once_and_stops_once, "a")]
#[case::change(changes_in_place, "b")]
#[case::repair(repairs_what_drifted, "c")]
#[case::in_the_way(leaves_what_is_in_the_way, "d")]
#[case::one_file(replaces_one_file, "e")]
fn on_a_host_of_values(#[case] scenario: OnMemory, #[case] folder: &str) {
    let folder = format!("vnet-lifecycle-{}-{folder}", std::process::id());
    let root: PathBuf = std::env::temp_dir().join(folder);
    let host =
        MemoryHost { inventory: vnet_types::Inventory { ipv6: true, ..Default::default() }, ..Default::default() };
    scenario(Scenario { host, store: Store::new(&root) });
    assert!(!root.exists(), "the folder of receipts is gone");
}

#[rstest]
#[case::start_and_stop(starts_once_and_stops_once)]
#[case::change(changes_in_place)]
#[case::repair(repairs_what_drifted)]
#[case::in_the_way(leaves_what_is_in_the_way)]
#[case::one_file(replaces_one_file)]
fn on_this_kernel(#[case] scenario: OnLinux) {
    vnet_tests::isolate!();
    scenario(Scenario { host: LinuxHost::open().expect("sockets"), store: Store::new("/run/vnet") });
    assert!(!PathBuf::from("/run/vnet").exists(), "the folder of receipts is gone");
}

/// The kernel takes no route through a gateway that it cannot reach. The checks would have found
/// it: they are not asked.
#[test]
fn a_route_that_the_kernel_refuses_undoes_the_start() {
    vnet_tests::isolate!();
    let mut it = Scenario { host: LinuxHost::open().expect("sockets"), store: Store::new("/run/vnet") };
    let network = network("<route address='10.140.0.0' prefix='16' gateway='172.16.0.1'/>");
    let error = it.start(&network).expect_err("no such gateway");
    let Error::Step { step, source, rollback } = &error else { panic!("{error}") };
    assert_eq!(step.to_string(), "route 10.140.0.0/16 dev virbr0");
    assert!(source.to_string().contains("10.140.0.0/16 via 172.16.0.1 dev virbr0"), "{source}");
    assert!(
        source.to_string().contains("Network is unreachable") || source.to_string().contains("gateway"),
        "{source}"
    );
    assert!(rollback.is_empty());
    assert_eq!(run("ip", &["-br", "link", "show", "type", "bridge"]), "");
    assert_eq!(run("nft", &["list", "ruleset"]), "");
    assert_eq!(std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward").expect("a sysctl").trim(), "0");
    assert!(!PathBuf::from("/run/vnet").exists());
}

#[test]
fn a_route_that_is_there_already_is_named() {
    vnet_tests::isolate!();
    run("ip", &["link", "add", "other", "type", "bridge"]);
    run("ip", &["address", "add", "203.0.113.1/24", "dev", "other"]);
    run("ip", &["link", "set", "other", "up"]);
    run("ip", &["route", "add", "10.130.0.0/16", "via", "203.0.113.9", "metric", "7"]);
    let mut it = Scenario { host: LinuxHost::open().expect("sockets"), store: Store::new("/run/vnet") };
    let error = it.start(&network("")).expect_err("that route is there");
    let Error::Step { source, .. } = &error else { panic!("{error}") };
    assert!(source.to_string().contains("10.130.0.0/16 via 203.0.113.9 dev other"), "{source}");
    assert!(run("ip", &["route"]).contains("10.130.0.0/16 via 203.0.113.9 dev other"));
    assert!(!run("ip", &["-br", "link"]).contains("virbr0"));
}

#[test]
fn a_killed_dnsmasq_is_drift_and_comes_back() {
    vnet_tests::isolate!();
    let mut it = Scenario { host: LinuxHost::open().expect("sockets"), store: Store::new("/run/vnet") };
    it.start(&network("")).expect("it starts");
    let pid = std::fs::read_to_string("/run/vnet/lab/dnsmasq.pid").expect("a pid file");
    run("kill", &["-KILL", pid.trim()]);
    vnet_tests::wait_for(std::time::Duration::from_secs(5), "the end of dnsmasq", || {
        it.drift().iter().any(|key| matches!(key, Key::Process(_))).then_some(())
    });
    it.apply(&network("")).expect("it is repaired");
    assert_eq!(it.drift(), []);
    it.stop().expect("it stops");
}
