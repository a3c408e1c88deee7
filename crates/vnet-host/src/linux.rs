//! Linux, through netlink, nf_tables, `/proc/sys`, files, processes, firewalld and
//! systemd-resolved. Each kind of resource has a file.

mod address;
mod borrowed;
#[cfg(feature = "firewalld")]
mod bus;
mod class;
mod coalesce;
mod container;
mod fdb;
pub(crate) mod file;
mod filter;
mod known;
mod leaving;
pub(crate) mod ledger;
mod libvirt_forwards;
mod libvirt_rules;
mod link;
mod near;
#[cfg(not(feature = "firewalld"))]
mod no_bus;
#[cfg(not(feature = "openvswitch"))]
mod no_switch;
mod passt;
mod port;
mod process;
mod qdisc;
mod relay;
mod remains;
#[cfg(feature = "firewalld")]
mod resolver;
mod route;
mod rules;
mod scope;
mod seen;
#[cfg(feature = "firewalld")]
mod service;
#[cfg(feature = "openvswitch")]
mod switch;
mod switch_socket;
mod sysctl;
#[cfg(feature = "firewalld")]
mod unit;
mod unread;
mod vf;
mod vlan_filtering;
mod vlans;
#[cfg(feature = "firewalld")]
mod zone;

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use vnet_firewall::Firewall;
use vnet_netlink::{KernelLink, Netlink};
use vnet_plan::{Change, HostState, Key, Resource, Sysctl, for_kind};
use vnet_types::{Features, Firewalld, InterfaceName, Inventory, Link, LinkKind, NetworkName, Route, RouteProtocol};

pub use container::{ContainerSeen, ContainerTapSeen, look_at_tap, look_into};
pub use leaving::delete_links_for_another;
pub use near::SharedLists;
#[cfg(not(feature = "openvswitch"))]
pub use no_switch::known_switch;
pub use scope::Unscoped;
#[cfg(feature = "openvswitch")]
pub use switch::known_switch;
pub use switch_socket::switch_socket;
pub use unread::Unread;

use self::known::Known;
use self::leaving::{Deputy, Leaving, Starting};
use self::ledger::LedgerFile;
use self::near::Ahead;
#[cfg(not(feature = "firewalld"))]
use self::no_bus::PATIENCE;
use self::seen::Seen;
#[cfg(feature = "firewalld")]
use self::zone::PATIENCE;
use crate::view::goes_with;
use crate::{Error, Fact, Facts, Host, Lock, Namespace, Near, Store};

/// This host, in the network namespace of the thread that opened it. Use it from that thread.
pub struct LinuxHost {
    netlink: Netlink,
    namespace: OnceCell<Namespace>,
    /// The packet filter, once something asks for it: most calls about guests do not.
    firewall: OnceCell<Firewall>,
    /// Networks whose rules came or went with those of others, before their own change is made.
    filtered: RefCell<BTreeSet<NetworkName>>,
    unscoped: RefCell<Vec<Unscoped>>,
    /// Programs that were begun and not waited for yet, by the file of their number.
    begun: RefCell<BTreeMap<PathBuf, process::Begun>>,
    /// Who deletes links that were begun to be deleted.
    deputy: Deputy,
    ready: RefCell<Option<Starting>>,
    leaving: RefCell<Option<Leaving>>,
    /// What has been read since the last change, while it is to be kept.
    seen: Option<Seen>,
    /// Links that were looked up since the last change, while they are to be kept.
    near: RefCell<Option<BTreeMap<InterfaceName, Option<KernelLink>>>>,
    /// What firewalld has, once it was asked.
    #[cfg_attr(not(feature = "firewalld"), expect(dead_code, reason = "nobody is asked"))]
    firewalld: RefCell<Option<Option<Firewalld>>>,
    ledger: Option<LedgerFile>,
    /// The addresses and routes, if somebody keeps them.
    lists: Option<SharedLists>,
    /// Who lists addresses meanwhile.
    ahead: RefCell<Option<Ahead>>,
    /// What is known of the rules of the receipts that were read.
    known: Option<Known>,
    /// What could not be read. `None` when everything must be.
    unread: Option<RefCell<BTreeSet<Unread>>>,
    /// How long firewalld and systemd-resolved may take for an answer.
    patience: Duration,
    /// Those that took longer, by their names on the bus.
    #[cfg_attr(not(feature = "firewalld"), expect(dead_code, reason = "nobody is asked"))]
    hanging: RefCell<BTreeSet<&'static str>>,
    /// The database of Open vSwitch, once it was asked.
    #[cfg(feature = "openvswitch")]
    switch: RefCell<Option<vnet_ovsdb::Database>>,
}

impl LinuxHost {
    /// Opens a socket to the kernel.
    ///
    /// # Errors
    /// [`Error::Netlink`] when the kernel refuses it.
    pub fn open() -> Result<Self, Error> {
        Ok(Self {
            netlink: Netlink::open()?,
            namespace: OnceCell::new(),
            firewall: OnceCell::new(),
            filtered: RefCell::default(),
            unscoped: RefCell::default(),
            begun: RefCell::default(),
            deputy: Deputy::default(),
            ready: RefCell::default(),
            leaving: RefCell::default(),
            seen: None,
            near: RefCell::default(),
            firewalld: RefCell::default(),
            patience: PATIENCE,
            hanging: RefCell::default(),
            ledger: None,
            lists: None,
            ahead: RefCell::default(),
            known: None,
            unread: None,
            #[cfg(feature = "openvswitch")]
            switch: RefCell::default(),
        })
    }

    /// Changes how long firewalld and systemd-resolved may take for an answer, which is 30 seconds
    /// by default. One that gave none is not asked again.
    #[must_use]
    pub fn with_firewalld_limit(mut self, limit: Duration) -> Self {
        self.patience = limit;
        self
    }

    /// Keeps what is known of the rules of all networks in a folder, so that the rules of one can
    /// be read alone.
    ///
    /// # Errors
    /// [`Error::File`] where `/proc` cannot be read.
    pub fn remembering(mut self, store: &Store) -> Result<Self, Error> {
        self.ledger = Some(LedgerFile::new(store, Namespace::this()?));
        Ok(self)
    }

    /// The network namespace of this thread.
    ///
    /// # Errors
    /// [`Error::File`] where `/proc` cannot be read.
    pub fn namespace() -> Result<Namespace, Error> {
        Namespace::this()
    }

    /// Random bytes for what a definition leaves open.
    ///
    /// # Errors
    /// [`Error::File`] where `/dev/urandom` cannot be read.
    pub fn random() -> Result<[u8; 16], Error> {
        let (path, mut bytes) = (Path::new("/dev/urandom"), [0; 16]);
        let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut bytes));
        read.map(|()| bytes).map_err(Error::file("read", path))
    }

    /// What of the inventory decides whether packets of a network pass: the default routes, and
    /// whether bridged packets pass through the IP rules.
    ///
    /// # Errors
    /// [`Error::Netlink`] where the kernel cannot be asked.
    pub fn ways_out(&self) -> Result<Inventory, Error> {
        let routes = self.netlink.default_routes()?;
        Ok(Inventory { routes, bridge_netfilter: filters_bridged(), ..Inventory::default() })
    }

    /// What an inventory has beside links and addresses.
    fn inventory_of(&self, routes: Vec<Route>) -> Result<Inventory, Error> {
        let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        let users = map.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok());
        let learned = routes.iter().filter(|route| route.protocol == RouteProtocol::Ra);
        let mut hears_routers = Vec::new();
        for link in learned.map(|route| &route.link).collect::<BTreeSet<_>>() {
            // At 0, a program handles router advertisements in the kernel's place. 2 is meant for
            // hosts that forward.
            if sysctl::read(&Sysctl::AcceptRa(link.clone()))? == Some(1) {
                hears_routers.push(link.clone());
            }
        }
        Ok(Inventory {
            routes,
            hears_routers,
            ipv6: Path::new("/proc/sys/net/ipv6").exists(),
            single_user: users.sum::<u64>() == 1,
            user: nix::unistd::geteuid().as_raw(),
            bridge_netfilter: filters_bridged(),
            features: Features { csum: self.netlink.fills_checksums().unwrap_or(false), ..Features::ALL },
            firewalld: self.firewalld()?,
            ..Inventory::default()
        })
    }

    fn look(&self, expected: &Resource, facts: &Facts) -> Result<Option<Resource>, Error> {
        let fact = facts.get(&expected.key());
        for_kind!(expected, it => Ok(it.look(self, fact)?.map(Resource::from)))
    }

    fn update(&self, from: &Resource, to: &Resource, fact: Option<Fact>) -> Result<Option<Fact>, Error> {
        for_kind!(to, to => match from.try_into() {
            Ok(from) => Kind::update(from, to, self, fact),
            Err(_) => Err(Error::Unexpected(from.key())),
        })
    }
}

impl Drop for LinuxHost {
    fn drop(&mut self) {
        if let (Some(ledger), Some(firewall)) = (&self.ledger, self.firewall.get()) {
            ledger.save(firewall);
        }
        self.known.iter().for_each(Known::save);
        if let (Some(leaving), Some(firewall)) = (self.leaving.get_mut(), self.firewall.get()) {
            leaving.pass_on(firewall.as_fd());
        }
        self.ready.take().into_iter().for_each(Starting::dismiss);
    }
}

/// Whether bridged packets pass through the IP rules. Neither file exists when br_netfilter is not
/// loaded.
fn filters_bridged() -> bool {
    let files = ["iptables", "ip6tables"].map(|rules| format!("/proc/sys/net/bridge/bridge-nf-call-{rules}"));
    files.iter().any(|file| fs::read(file).is_ok_and(|value| value != b"0\n"))
}

impl Host for LinuxHost {
    fn inventory(&self) -> Result<Inventory, Error> {
        let fresh = Seen::default();
        let seen = self.seen.as_ref().unwrap_or(&fresh);
        let links = &seen.links(&self.netlink)?.all;
        let given = |card: &InterfaceName| Ok(self.netlink.vfs(card)?);
        Ok(Inventory {
            links: links.iter().map(|known| known.link.clone()).collect(),
            functions: vf::all(Path::new(vf::CLASS), links, given)?,
            addresses: seen.addresses(&self.netlink)?.to_vec(),
            ..self.inventory_of(seen.routes(&self.netlink)?.to_vec())?
        })
    }

    fn expect_near(&self, near: &Near) {
        self.list_ahead(&near.nets);
    }

    fn inventory_near(&self, near: &Near) -> Result<Inventory, Error> {
        let mut links = Vec::new();
        for name in near.links.iter().collect::<BTreeSet<_>>() {
            links.extend(self.link(name)?.map(|known| known.link));
        }
        // An inventory without a link is that of an unknown host.
        if let (true, Ok(loopback)) = (links.is_empty(), "lo".parse()) {
            links.extend(self.link(&loopback)?.map(|known| known.link));
        }
        let (addresses, routes) = self.near_to(&near.nets)?;
        Ok(Inventory { links, addresses, ..self.inventory_of(routes)? })
    }

    fn namespace(&self) -> Result<Namespace, Error> {
        seen::once(&self.namespace, Namespace::this).copied()
    }

    fn locate(&self, link: &Link, fact: Option<Fact>) -> Result<Option<(InterfaceName, Fact)>, Error> {
        Ok(link::locate(self, link, fact)?.map(|known| (known.link.name, Fact::Link(known.index))))
    }

    fn observe(&self, expected: &HostState, facts: &Facts) -> Result<HostState, Error> {
        let mut seen = HostState::new();
        for resource in expected.iter() {
            let key = resource.key();
            if !key.link().is_some_and(|link| self.is_absent(link) && goes_with(&key, link)) {
                seen.extend(self.look(resource, facts)?);
            }
        }
        Ok(seen)
    }

    fn is_unread(&self, key: &Key) -> bool {
        self.has_not_read(key)
    }

    fn apply(&mut self, change: &Change, facts: &Facts) -> Result<Option<Fact>, Error> {
        let fact = facts.get(&change.key());
        (self.seen, self.unread) = (None, None);
        self.near.take();
        match change {
            Change::Create { to } => for_kind!(to, it => it.create(self)),
            Change::Update { from, to } => self.update(from, to, fact),
            Change::Delete { from } => for_kind!(from, it => it.delete(self, fact)).map(|()| None),
            Change::Rename { from, to } => link::rename(&self.netlink, from, to).map(|()| None),
        }
    }

    fn expect_deletions(&mut self, lock: &Lock) {
        self.make_deputy_ready(lock);
    }

    fn hasten(&mut self, lock: &Lock, changes: &[(&Change, &Facts)]) {
        self.seen = None;
        self.near.take();
        let (mut links, mut bridges) = (BTreeMap::new(), 0);
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for (change, facts) in changes {
            let fact = facts.get(&change.key());
            match change {
                Change::Create { to: Resource::Process(process) } => process::begin(process, self),
                Change::Delete { from: Resource::Process(process) } => process::tell_to_end(process, fact),
                Change::Create { to: Resource::Ruleset(rules) } => added.push(rules),
                Change::Delete { from: Resource::Ruleset(rules) } => removed.push(rules),
                Change::Delete { from: Resource::Link(link) } => {
                    if let Ok(Some(known)) = link::locate(self, link, fact) {
                        links.insert(link.name.clone(), known.index);
                        bridges += usize::from(matches!(link.kind, LinkKind::Bridge(_)));
                    }
                }
                _ => {}
            }
        }
        self.filtered.take();
        self.add_rules(added);
        self.remove_rules(&removed);
        if !links.is_empty() {
            self.begin_to_delete(links, bridges > 1, lock);
        }
    }
}

/// The operations on one kind of resource.
trait Kind: Sized {
    /// What the host has under the same key. Values that the resource leaves open compare equal.
    fn look(&self, host: &LinuxHost, fact: Option<Fact>) -> Result<Option<Self>, Error>;
    /// Creates it completely or not at all.
    fn create(&self, host: &LinuxHost) -> Result<Option<Fact>, Error>;
    /// Changes it into `to`, or leaves it as it was.
    fn update(&self, to: &Self, host: &LinuxHost, fact: Option<Fact>) -> Result<Option<Fact>, Error>;
    /// Deletes it, if it exists and vnet made it.
    fn delete(&self, host: &LinuxHost, fact: Option<Fact>) -> Result<(), Error>;
}

fn gone_is_fine(result: Result<(), vnet_netlink::Error>) -> Result<(), Error> {
    match result {
        Err(error) if error.is_not_found() => Ok(()),
        result => Ok(result?),
    }
}
