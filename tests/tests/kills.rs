//! A process that is killed at any step, and the next one too: whoever comes then brings everything
//! to its end, or takes all of it away.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use vnet_firewall::LibvirtRules;
use vnet_host::{Error, Fact, Facts, Header, Host, MemoryHost, Namespace, PortHeader, Store};
use vnet_plan::{
    Change, Choices, File, HostState, LoweredPort, NameServerChoices, PortChoices, Process, Resource, Sysctl,
    SysctlSetting, attach, lower, name_server,
};
use vnet_types::{BridgeOptions, InterfaceName, Inventory, Link, LinkKind, MacAddr, NetworkName, Uuid};
use vnet_xml::{Interface, Network};

const HOME: Namespace = Namespace::new(0, 1);

/// A host on which a process dies before a change, or right after it.
struct Mortal<'a> {
    host: &'a mut MemoryHost,
    /// How often it still comes past a place to die.
    left: usize,
}

/// What a process that was killed leaves of itself.
struct Killed;

impl Mortal<'_> {
    fn pass(&mut self) {
        match self.left.checked_sub(1) {
            Some(left) => self.left = left,
            None => resume_unwind(Box::new(Killed)),
        }
    }
}

impl Host for Mortal<'_> {
    fn inventory(&self) -> Result<Inventory, Error> {
        self.host.inventory()
    }

    fn namespace(&self) -> Result<Namespace, Error> {
        self.host.namespace()
    }

    fn locate(&self, link: &Link, fact: Option<Fact>) -> Result<Option<(InterfaceName, Fact)>, Error> {
        self.host.locate(link, fact)
    }

    fn observe(&self, expected: &HostState, facts: &Facts) -> Result<HostState, Error> {
        self.host.observe(expected, facts)
    }

    fn apply(&mut self, change: &Change, facts: &Facts) -> Result<Option<Fact>, Error> {
        self.pass();
        let made = self.host.apply(change, facts);
        self.pass();
        made
    }
}

/// What a process is told to do.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Command {
    Start(&'static str),
    Apply(&'static str),
    Stop,
    Attach,
    Detach,
    /// The names of hosts are replaced.
    Replace,
    /// libvirt starts the network.
    Libvirt,
    TakeOver,
}

const NAT: &str =
    "<network><name>lab</name><forward mode='nat'/><bridge name='lab0'/><mac address='52:54:00:00:00:01'/>
    <ip address='10.9.0.1' prefix='24'><dhcp><range start='10.9.0.2' end='10.9.0.9'/></dhcp></ip></network>";
const ROUTED: &str = "<network><name>lab</name><forward mode='route'/><bridge name='lab0'/>
    <mac address='52:54:00:00:00:02'/><mtu size='1400'/>
    <domain name='lab.test' localOnly='yes' register='yes'/><ip address='10.9.1.1' prefix='24'/>
    <route address='10.77.0.0' prefix='16' gateway='10.9.1.9'/></network>";
const RENAMED: &str = "<network><name>lab</name><forward mode='nat'/><bridge name='other0'/>
    <mac address='52:54:00:00:00:01'/><bandwidth><outbound average='100'/></bandwidth>
    <ip address='10.9.0.1' prefix='24'><dhcp><range start='10.9.0.2' end='10.9.0.99'/></dhcp></ip></network>";
const OPEN: &str = "<network><name>lab</name><forward mode='open'/><bridge name='other1'/>
    <mac address='52:54:00:00:00:03'/><ip address='10.9.2.1' prefix='24'/></network>";

const EGRESS: &str = "<network><name>lab</name>
    <metadata><vnet:network xmlns:vnet='https://github.com/vnet-rs/vnet/network/1.0'>
    <vnet:egress preset='internet-only'><vnet:allow address='10.1.2.3'/></vnet:egress></vnet:network></metadata>
    <forward mode='nat'/><bridge name='lab0'/><mac address='52:54:00:00:00:01'/>
    <ip address='10.9.0.1' prefix='24'><dhcp><range start='10.9.0.2' end='10.9.0.9'/></dhcp></ip></network>";

/// A network of OVN, of which a host has the name server.
const NAMES: &str = "<network><name>lab</name>
    <metadata><vnet:network xmlns:vnet='https://github.com/vnet-rs/vnet/network/1.0'>
    <vnet:ovn northbound='unix:/nb'/></vnet:network></metadata>
    <dns><txt name='about.lab' value='a text'/></dns><ip address='10.9.0.1' prefix='24'/></network>";
const OTHER_NAMES: &str = "<network><name>lab</name>
    <metadata><vnet:network xmlns:vnet='https://github.com/vnet-rs/vnet/network/1.0'>
    <vnet:ovn northbound='unix:/nb'/></vnet:network></metadata>
    <dns><host ip='10.9.1.7'><hostname>git</hostname></host><txt name='about.lab' value='another'/></dns>
    <ip address='10.9.1.1' prefix='24'/></network>";

/// What a host has of the network: all of it, or its name server.
fn desired(text: &str, store: &Store) -> (Header, HostState) {
    let network: Network = text.parse().expect("a network");
    let name: NetworkName = network.name.parse().expect("a name");
    if network.is_on_ovn() {
        let (directory, bridge) = (store.directory(&name), "br-int".parse().expect("a name"));
        let (port, mac) = (Uuid([7; 16]), MacAddr([0x52, 0x54, 0, 0, 0, 7]));
        let choices = NameServerChoices::new(directory, bridge, port, mac, network.ovn_name_servers());
        let inventory = Inventory { ipv6: true, ..Inventory::default() };
        let desired = name_server(&network, &inventory, &choices).expect("a sound network");
        return (header(name, None), desired);
    }
    let choices = Choices { directory: store.directory(&name), random: [1, 2, 3], bridge: None, leases: None };
    let inventory = Inventory { ipv6: true, resolved: true, ..Inventory::default() };
    let lowered = lower(&network, &inventory, &choices).expect("a sound network");
    (header(name, lowered.bridge), lowered.desired)
}

fn header(network: NetworkName, bridge: Option<InterfaceName>) -> Header {
    Header { network, uuid: None, bridge, namespace: HOME, owner: None, awaits_hooks: false, of_libvirt: false }
}

fn port(host: &MemoryHost, store: &Store) -> LoweredPort {
    let known = store.networks().expect("receipts");
    let bridge =
        known.first().and_then(|known| known.bridge.clone()).map_or("lab0".to_owned(), |name| name.to_string());
    // As one sees it who knows that the guest's device is its own, and the bridge on its way.
    let mut links: Vec<Link> = host.state.links().filter(|link| link.name.as_str() != "guest0").cloned().collect();
    if links.iter().all(|link| link.name.as_str() != bridge) {
        let kind = LinkKind::Bridge(BridgeOptions::default());
        links.push(Link { name: bridge.parse().expect("a name"), kind, mac: None, mtu: Some(1500), up: true });
    }
    let inventory = Inventory { links, networks: known, ..Inventory::default() };
    let text = "<interface type='network'><source network='lab'/><target dev='guest0'/>\
                <mac address='52:54:00:00:00:77'/></interface>";
    let interface: Interface = text.parse().expect("an interface");
    let network: Network = NAT.replace("lab0", &bridge).parse().expect("a network");
    attach(&interface, Some(&network), &inventory, &PortChoices::default()).expect("a sound interface")
}

fn run(command: Command, host: &mut impl Host, seen: &MemoryHost, store: &Store) -> Result<Vec<Change>, Error> {
    let lock = store.lock()?;
    match command {
        Command::Start(text) => {
            let (header, desired) = desired(text, store);
            vnet_host::start(host, &lock, header, &desired)
        }
        Command::Apply(text) => {
            let (header, desired) = desired(text, store);
            vnet_host::apply(host, &lock, header, &desired)
        }
        Command::Libvirt => {
            for resource in made_by_libvirt(store).iter() {
                host.apply(&Change::Create { to: resource.clone() }, &Facts::default())?;
            }
            Ok(Vec::new())
        }
        Command::TakeOver => {
            let (header, desired) = desired(NAT, store);
            vnet_host::take_over(host, &lock, header, &made_by_libvirt(store), &desired)
        }
        Command::Stop => vnet_host::stop(host, &lock, &"lab".parse().expect("a name"), HOME),
        Command::Attach => {
            let LoweredPort { port, desired, .. } = port(seen, store);
            vnet_host::start(host, &lock, PortHeader { port, namespace: HOME, owner: None }, &desired)
        }
        Command::Detach => vnet_host::detach(host, &lock, &"guest0".parse().expect("a name"), HOME),
        Command::Replace => {
            vnet_host::replace(host, &lock, &"lab".parse().expect("a name"), HOME, vec![names_of_hosts(store).into()])
        }
    }
}

fn names_of_hosts(store: &Store) -> File {
    let path = store.directory(&"lab".parse().expect("a name")).join("dnsmasq.addnhosts");
    File { path, contents: Some("10.9.0.5 five\n".to_owned()), mode: 0o644 }
}

/// What libvirt makes for the network: the same bridge and addresses, with its own dnsmasq, files
/// and rules.
fn made_by_libvirt(store: &Store) -> HostState {
    let (_, desired) = desired(NAT, store);
    let is_of_both = |it: &&Resource| {
        let is_own = matches!(it, Resource::File(_) | Resource::Process(_) | Resource::Ruleset(_));
        !is_own && !it.key().is_shared()
    };
    let mut theirs: HostState = desired.iter().filter(is_of_both).cloned().collect();
    let pid_file = PathBuf::from("/run/libvirt/network/lab.pid");
    theirs.insert(Process {
        program: "dnsmasq".to_owned(),
        args: vec!["--conf-file=/var/lib/libvirt/dnsmasq/lab.conf".to_owned()],
        env: BTreeMap::new(),
        pid_file: pid_file.clone(),
        restart_on: String::new(),
        reload_on: String::new(),
        stopped: false,
    });
    theirs.insert(File { path: pid_file.with_extension("xml"), contents: Some("<network/>".to_owned()), mode: 0o600 });
    theirs.insert(LibvirtRules { bridge: "lab0".parse().expect("a name"), subnets: Vec::new() });
    theirs
}

/// Runs a command that dies at the given place. `None` where it came to its end before.
fn run_killed(command: Command, host: &mut MemoryHost, store: &Store, place: usize) -> Option<()> {
    let seen = host.clone();
    let mut mortal = Mortal { host, left: place };
    match catch_unwind(AssertUnwindSafe(|| run(command, &mut mortal, &seen, store))) {
        Ok(_) => None,
        Err(payload) => payload.downcast::<Killed>().map(drop).map_or_else(|panic| resume_unwind(panic), Some),
    }
}

fn run_whole(command: Command, host: &mut MemoryHost, store: &Store) -> Result<Vec<Change>, Error> {
    let seen = host.clone();
    run(command, host, &seen, store)
}

fn copy(from: &Path, to: &Path) {
    drop(fs::remove_dir_all(to));
    fs::create_dir(to).expect("a new folder");
    let mode = fs::metadata(from).expect("a folder").permissions();
    fs::set_permissions(to, mode).expect("a folder of ours");
    for entry in fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry")) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match from.is_dir() {
            true => copy(&from, &to),
            false => drop(fs::copy(from, to).expect("a file")),
        }
    }
}

/// At how many places of the second command a process dies, of all: with `VNET_SWEEP=all` at each.
fn stride() -> usize {
    if std::env::var("VNET_SWEEP").is_ok_and(|all| all == "all") { 1 } else { 3 }
}

fn sweep(before: &[Command], first: Command, second: Command) {
    let name = format!("{before:?}{first:?}{second:?}")
        .bytes()
        .fold(7u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let folder = |part: &str| std::env::temp_dir().join(format!("vnet-kills-{}-{name:x}-{part}", std::process::id()));
    let (root, kept) = (folder("run"), folder("kept"));
    let store = Store::new(&root);
    let off = |switch| Resource::from(SysctlSetting { switch, value: 0 });
    let clean = MemoryHost {
        state: [off(Sysctl::Ipv4Forward), off(Sysctl::Ipv6Forward)].into_iter().collect(),
        ..MemoryHost::default()
    };
    let mut prepared = clean.clone();
    for command in before {
        run_whole(*command, &mut prepared, &store).expect("it is prepared");
    }
    // The folder is there, whatever is in it.
    drop(fs::create_dir(&root));
    let begin = folder("begin");
    copy(&root, &begin);
    let mut kills = 0;
    for place in 0.. {
        copy(&begin, &root);
        let mut once = prepared.clone();
        if run_killed(first, &mut once, &store, place).is_none() {
            break;
        }
        drop(fs::create_dir(&root));
        copy(&root, &kept);
        // Each kill of the first command is followed by others than the one before.
        for again in (place % stride()..).step_by(stride()) {
            copy(&kept, &root);
            let mut twice = once.clone();
            let is_killed = run_killed(second, &mut twice, &store, again).is_some();
            let told = format!("{first:?} killed at {place}, {second:?} at {again}");
            converges(first, &mut twice, &store, &told);
            if !is_killed {
                break;
            }
            kills += 1;
        }
    }
    assert!(kills > 3, "{kills}");
    for folder in [root, kept, begin] {
        drop(fs::remove_dir_all(folder));
    }
}

/// After one more run of the same command it is as wanted, and after a stop nothing is left.
fn converges(command: Command, host: &mut MemoryHost, store: &Store, told: &str) {
    let finished = run_whole(command, host, store);
    let is_fine = match (&command, &finished) {
        (_, Ok(_)) | (Command::Start(_) | Command::Attach | Command::TakeOver, Err(Error::Running(_))) => true,
        (Command::Stop | Command::Detach | Command::Replace, Err(Error::Absent(_))) => true,
        // The second command was more than that, and an apply ends it.
        (Command::Replace, Err(Error::Unfinished(_))) => true,
        // The second command may have taken the network away, or left it half-way.
        (Command::Attach, Err(Error::Unexpected(_) | Error::Step { .. } | Error::Unfinished(_))) => true,
        _ => false,
    };
    assert!(is_fine, "{told}: {finished:?}");
    let lab = "lab".parse().expect("a name");
    if let Command::TakeOver = command {
        let libvirt = made_by_libvirt(store);
        let own: Vec<_> = desired(NAT, store).1.iter().map(Resource::key).collect();
        let theirs = libvirt.iter().map(Resource::key).filter(|key| !own.contains(key));
        let left: Vec<_> = theirs.filter(|key| host.state.get(key).is_some()).collect();
        assert!(left.is_empty(), "{told}: {left:?}");
        assert_eq!(vnet_host::drift(host, store, &lab, HOME).expect("it runs"), [], "{told}");
    }
    if let Command::Start(text) | Command::Apply(text) = command {
        // One that ran already runs as it was: that is another definition where the second command
        // was an apply.
        if finished.is_ok() {
            assert_eq!(vnet_host::drift(host, store, &lab, HOME).expect("it runs"), [], "{told}");
            let (header, desired) = desired(text, store);
            assert_eq!(store.networks().expect("receipts")[0].bridge, header.bridge, "{told}");
            for resource in desired.iter() {
                assert_eq!(host.state.get(&resource.key()), Some(resource), "{told}");
            }
        }
    }
    drop(run_whole(Command::Stop, host, store));
    drop(run_whole(Command::Detach, host, store));
    let left: Vec<_> = host.state.iter().filter(|left| !left.key().is_shared()).collect();
    assert!(left.is_empty(), "{told}: {left:?}");
    let folders = fs::read_dir(store.directory(&lab).parent().expect("a folder"));
    let left: Vec<_> = folders.into_iter().flatten().flatten().map(|entry| entry.file_name()).collect();
    assert!(left.is_empty(), "{told}: {left:?}");
}

#[rstest::rstest]
#[case(&[], Command::Start(NAT), Command::Start(NAT))]
#[case(&[], Command::Start(NAT), Command::Apply(ROUTED))]
#[case(&[], Command::Start(NAT), Command::Stop)]
#[case(&[Command::Start(NAT)], Command::Stop, Command::Stop)]
#[case(&[Command::Start(NAT)], Command::Stop, Command::Apply(NAT))]
#[case(&[Command::Start(NAT)], Command::Apply(ROUTED), Command::Apply(ROUTED))]
#[case(&[Command::Start(NAT)], Command::Apply(ROUTED), Command::Apply(NAT))]
#[case(&[Command::Start(NAT)], Command::Apply(RENAMED), Command::Apply(RENAMED))]
#[case(&[Command::Start(NAT)], Command::Apply(RENAMED), Command::Apply(NAT))]
#[case(&[Command::Start(NAT)], Command::Apply(RENAMED), Command::Stop)]
#[case(&[Command::Start(RENAMED)], Command::Apply(OPEN), Command::Apply(NAT))]
#[case(&[Command::Start(RENAMED), Command::Attach], Command::Apply(EGRESS), Command::Apply(NAT))]
#[case(&[Command::Start(EGRESS)], Command::Apply(ROUTED), Command::Apply(EGRESS))]
#[case(&[Command::Start(NAT), Command::Attach], Command::Apply(RENAMED), Command::Stop)]
#[case(&[Command::Start(NAT), Command::Attach], Command::Apply(OPEN), Command::Apply(OPEN))]
#[case(&[Command::Start(NAT), Command::Attach], Command::Stop, Command::Start(NAT))]
#[case(&[Command::Libvirt], Command::TakeOver, Command::TakeOver)]
#[case(&[Command::Libvirt], Command::TakeOver, Command::Apply(NAT))]
#[case(&[Command::Libvirt], Command::TakeOver, Command::Stop)]
#[case(&[Command::Start(NAT)], Command::Replace, Command::Apply(ROUTED))]
#[case(&[Command::Start(NAT)], Command::Attach, Command::Attach)]
#[case(&[Command::Start(NAT)], Command::Attach, Command::Stop)]
#[case(&[Command::Start(NAT), Command::Attach], Command::Detach, Command::Attach)]
#[case(&[], Command::Apply(NAMES), Command::Stop)]
#[case(&[Command::Start(NAMES)], Command::Apply(OTHER_NAMES), Command::Apply(NAMES))]
#[case(&[Command::Start(NAMES)], Command::Stop, Command::Apply(NAMES))]
fn two_processes_that_are_killed_leave_nothing_that_a_third_cannot_end(
    #[case] before: &[Command],
    #[case] first: Command,
    #[case] second: Command,
) {
    sweep(before, first, second);
}

#[test]
fn a_file_whose_replacement_was_killed_is_replaced_by_the_next() {
    let root = std::env::temp_dir().join(format!("vnet-kills-{}-file", std::process::id()));
    let (store, lab) = (Store::new(&root), "lab".parse().expect("a name"));
    let mut host = MemoryHost::default();
    run_whole(Command::Start(NAT), &mut host, &store).expect("it starts");
    for place in 0..2 {
        let begin = run_killed(Command::Replace, &mut host, &store, place);
        assert!(begin.is_some() && !store.receipt(&lab).expect("a receipt").expect("it runs").settled);
        let made = run_whole(Command::Replace, &mut host, &store).expect("it is replaced");
        // The process died before the change, or right after it.
        assert_eq!(made.len(), 1 - place);
        assert_eq!(vnet_host::drift(&host, &store, &lab, HOME).expect("it runs"), []);
        let file = Resource::from(names_of_hosts(&store));
        assert_eq!(host.state.get(&file.key()), Some(&file));
        assert!(store.receipt(&lab).expect("a receipt").expect("it runs").settled);
        let other = File { contents: Some(String::new()), ..names_of_hosts(&store) };
        let lock = store.lock().expect("a lock");
        vnet_host::replace(&mut host, &lock, &lab, HOME, vec![other.into()]).expect("it is as before");
    }
    run_whole(Command::Stop, &mut host, &store).expect("it stops");
}
