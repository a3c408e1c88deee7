//! Linux, through netlink, nf_tables, `/proc/sys`, files, processes and firewalld: a file for each kind of resource.

mod address;
mod file;
mod link;
mod passt;
mod port;
mod process;
mod route;
mod ruleset;
mod sysctl;
mod traffic;
mod vf;
mod zone;

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::Path;

use vnet_firewall::{Firewall, Judgement, Packet};
use vnet_netlink::Netlink;
use vnet_plan::{
    Borrowed, Change, HostState, LinkAddress, LinkCoalesce, NetworkRules, Port, Resource, Sysctl, SysctlSetting, Vf,
    VlanFiltering, Vlans, Zone,
};
use vnet_types::{Features, InterfaceName, Inventory, RouteProtocol};

use crate::{Error, Fact, Facts, Host, Namespace};

/// This host, in the network namespace of the thread that opened it; use it from that thread.
pub struct LinuxHost {
    netlink: Netlink,
    firewall: Firewall,
}

impl LinuxHost {
    /// Opens sockets to the kernel. They stay open: closing one after rules were deleted takes some milliseconds.
    ///
    /// # Errors
    /// [`Error::Netlink`], [`Error::Firewall`] where the kernel has none for us.
    pub fn open() -> Result<Self, Error> {
        Ok(Self { netlink: Netlink::open()?, firewall: Firewall::open().map_err(Error::Firewall)? })
    }

    /// The network namespace of this thread.
    ///
    /// # Errors
    /// [`Error::File`] where `/proc` cannot be read.
    pub fn namespace() -> Result<Namespace, Error> {
        Namespace::this()
    }

    /// Bytes for what a definition leaves to chance.
    ///
    /// # Errors
    /// [`Error::File`] where `/dev/urandom` is not to be had.
    pub fn random() -> Result<[u8; 16], Error> {
        let (path, mut bytes) = (Path::new("/dev/urandom"), [0; 16]);
        let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut bytes));
        read.map(|()| bytes).map_err(Error::file("read", path))
    }

    /// What becomes of packets under the rules of others than vnet.
    ///
    /// # Errors
    /// [`Error::Firewall`] where the rules cannot be read.
    pub fn judge<'a>(&self, packets: impl Iterator<Item = &'a Packet>) -> Result<Vec<Judgement>, Error> {
        self.firewall.judge(packets).map_err(Error::Firewall)
    }

    fn look(&self, expected: &Resource, facts: &Facts) -> Result<Option<Resource>, Error> {
        Ok(match expected {
            Resource::Link(link) => link::look(&self.netlink, link)?.map(Resource::Link),
            Resource::Vf(_) => vf::look(&self.netlink, expected)?,
            Resource::Borrowed(_) => port::look_borrowed(&self.netlink, expected)?,
            Resource::VlanFiltering(VlanFiltering { bridge, .. }) => port::look_filtering(&self.netlink, bridge)?,
            Resource::Port(Port { link, .. }) => {
                self.netlink.port(link)?.map(|port| Resource::Port(Port { link: link.clone(), port }))
            }
            Resource::Vlans(Vlans { link, .. }) => port::look_vlans(&self.netlink, link)?,
            Resource::Fdb(entry) => port::look_fdb(&self.netlink, entry)?,
            Resource::Coalesce(LinkCoalesce { link, rx_frames }) => {
                port::look_coalesce(&self.netlink, link, *rx_frames)?
            }
            Resource::Sysctl(SysctlSetting { switch, .. }) => {
                sysctl::look(switch)?.map(|value| Resource::Sysctl(SysctlSetting { switch: switch.clone(), value }))
            }
            Resource::Zone(_) => zone::look(expected)?,
            Resource::Ruleset(NetworkRules { network, ruleset }) => ruleset::look(&self.firewall, network, ruleset)?
                .map(|ruleset| Resource::Ruleset(NetworkRules { network: network.clone(), ruleset })),
            Resource::Address(LinkAddress { link, address }) => address::look(&self.netlink, link, address)?
                .map(|address| Resource::Address(LinkAddress { link: link.clone(), address })),
            Resource::Route(route) => route::look(&self.netlink, route)?.map(Resource::Route),
            Resource::Qdisc(qdisc) => traffic::look_qdisc(&self.netlink, qdisc)?.map(Resource::Qdisc),
            Resource::Class(class) => traffic::look_class(&self.netlink, class)?.map(Resource::Class),
            Resource::Filter(filter) => traffic::look_filter(&self.netlink, filter)?.map(Resource::Filter),
            Resource::File(file) => file::look(file)?.map(Resource::File),
            Resource::Process(process) => {
                let there = process::is_there(process, facts.get(&expected.key()));
                there.then(|| Resource::Process(process.clone()))
            }
            Resource::Passt(passt) => passt::running(passt).map(|_| expected.clone()),
        })
    }
}

impl Host for LinuxHost {
    fn inventory(&self) -> Result<Inventory, Error> {
        let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        let users = map.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok());
        let routes = self.netlink.routes()?;
        let learned = routes.iter().filter(|route| route.protocol == RouteProtocol::Ra);
        let mut hears_routers = Vec::new();
        for link in learned.map(|route| &route.link).collect::<BTreeSet<_>>() {
            // Where it is 0, a program hears them in the kernel's place; 2 is meant for hosts that forward.
            if sysctl::look(&Sysctl::AcceptRa(link.clone()))? == Some(1) {
                hears_routers.push(link.clone());
            }
        }
        let links = self.netlink.links()?;
        let given = |card: &InterfaceName| Ok(self.netlink.vfs(card)?);
        let functions = vf::all(Path::new(vf::CLASS), &links, given)?;
        Ok(Inventory {
            links: links.into_iter().map(|known| known.link).collect(),
            functions,
            addresses: self.netlink.addresses()?,
            routes,
            networks: Vec::new(),
            ports: Vec::new(),
            hears_routers,
            ipv6: Path::new("/proc/sys/net/ipv6").exists(),
            single_user: users.sum::<u64>() == 1,
            user: nix::unistd::geteuid().as_raw(),
            features: Features { csum: self.netlink.fills_checksums().unwrap_or(false), ..Features::ALL },
            firewalld: zone::firewalld()?,
        })
    }

    fn observe(&self, expected: &HostState, facts: &Facts) -> Result<HostState, Error> {
        expected.iter().filter_map(|resource| self.look(resource, facts).transpose()).collect()
    }

    fn apply(&mut self, change: &Change, facts: &Facts) -> Result<Option<Fact>, Error> {
        let fact = facts.get(&change.key());
        match change {
            Change::Create { to } => self.create(to),
            Change::Update { from, to } => self.update(from, to, fact),
            Change::Delete { from } => self.delete(from, fact).map(|()| None),
        }
    }
}

impl LinuxHost {
    fn create(&self, resource: &Resource) -> Result<Option<Fact>, Error> {
        match resource {
            Resource::Link(link) => return link::create(&self.netlink, link).map(Some),
            Resource::Vf(Vf { card, settings, .. }) => self.netlink.set_vf(card, settings)?,
            Resource::Borrowed(Borrowed { link, mac, was }) => port::lend(&self.netlink, link, *was, *mac)?,
            Resource::VlanFiltering(VlanFiltering { bridge, on }) => port::filter(&self.netlink, bridge, *on)?,
            Resource::Port(Port { link, port }) => self.netlink.set_port(link, port)?,
            Resource::Vlans(Vlans { link, vlans }) => port::set_vlans(&self.netlink, link, vlans)?,
            Resource::Fdb(entry) => port::add_fdb(&self.netlink, entry)?,
            Resource::Coalesce(LinkCoalesce { link, rx_frames }) => port::coalesce(&self.netlink, link, *rx_frames)?,
            Resource::Sysctl(SysctlSetting { switch, value }) => sysctl::set(switch, *value)?,
            Resource::Zone(Zone { link, zone, .. }) => zone::put(link, zone)?,
            Resource::Ruleset(NetworkRules { network, ruleset }) => {
                ruleset::replace(&self.firewall, network, None, Some(ruleset))?;
            }
            Resource::Address(LinkAddress { link, address }) => self.netlink.add_address(link, address)?,
            Resource::Route(route) => self.netlink.add_route(route)?,
            Resource::Qdisc(qdisc) => traffic::create_qdisc(&self.netlink, qdisc)?,
            Resource::Class(class) => traffic::create_class(&self.netlink, class)?,
            Resource::Filter(filter) => traffic::create_filter(&self.netlink, filter)?,
            Resource::File(file) => file::write(file)?,
            Resource::Process(process) => return process::start(process).map(Some),
            Resource::Passt(passt) => return passt::start(passt),
        }
        Ok(None)
    }

    fn update(&self, from: &Resource, to: &Resource, fact: Option<Fact>) -> Result<Option<Fact>, Error> {
        match (from, to) {
            (Resource::Link(from), Resource::Link(to)) => link::change(&self.netlink, from, to)?,
            (Resource::Vf(_), Resource::Vf(Vf { card, settings, .. })) => self.netlink.set_vf(card, settings)?,
            (Resource::Borrowed(Borrowed { mac, .. }), Resource::Borrowed(Borrowed { link, mac: to, .. })) => {
                port::lend(&self.netlink, link, *mac, *to)?;
            }
            (Resource::VlanFiltering(_), Resource::VlanFiltering(VlanFiltering { bridge, on })) => {
                port::filter(&self.netlink, bridge, *on)?;
            }
            (Resource::Port(_), Resource::Port(Port { link, port })) => self.netlink.set_port(link, port)?,
            (Resource::Vlans(_), Resource::Vlans(Vlans { link, vlans })) => {
                port::set_vlans(&self.netlink, link, vlans)?;
            }
            (Resource::Fdb(from), Resource::Fdb(to)) => {
                gone_is_fine(self.netlink.delete_fdb(from))?;
                port::add_fdb(&self.netlink, to)?;
            }
            (Resource::Coalesce(_), Resource::Coalesce(LinkCoalesce { link, rx_frames })) => {
                port::coalesce(&self.netlink, link, *rx_frames)?;
            }
            (Resource::Sysctl(_), Resource::Sysctl(SysctlSetting { switch, value })) => sysctl::set(switch, *value)?,
            (Resource::Zone(_), Resource::Zone(Zone { link, zone, .. })) => zone::put(link, zone)?,
            (
                Resource::Ruleset(NetworkRules { ruleset: from, .. }),
                Resource::Ruleset(NetworkRules { network, ruleset: to }),
            ) => {
                ruleset::replace(&self.firewall, network, Some(from), Some(to))?;
            }
            (
                Resource::Address(LinkAddress { address: from, .. }),
                Resource::Address(LinkAddress { link, address: to }),
            ) => {
                address::replace(&self.netlink, link, from, to)?;
            }
            (Resource::Route(from), Resource::Route(to)) => route::replace(&self.netlink, from, to)?,
            (Resource::Qdisc(from), Resource::Qdisc(to)) => traffic::change_qdisc(&self.netlink, from, to)?,
            (Resource::Class(from), Resource::Class(to)) => traffic::change_class(&self.netlink, from, to)?,
            (Resource::Filter(from), Resource::Filter(to)) => traffic::change_filter(&self.netlink, from, to)?,
            (Resource::File(_), Resource::File(to)) => file::write(to)?,
            (Resource::Passt(from), Resource::Passt(to)) => {
                passt::stop(from)?;
                return passt::start(to);
            }
            (Resource::Process(from), Resource::Process(to)) => return process::change(from, to, fact).map(Some),
            (from, _) => return Err(Error::Unexpected(from.key())),
        }
        Ok(fact)
    }

    fn delete(&self, resource: &Resource, fact: Option<Fact>) -> Result<(), Error> {
        match resource {
            Resource::Link(link) => link::delete(&self.netlink, link, fact),
            Resource::Vf(Vf { card, settings, was }) => vf::give_back(&self.netlink, card, settings, was),
            Resource::Borrowed(Borrowed { link, mac, was }) => port::give_back(&self.netlink, link, *mac, *was),
            Resource::Port(Port { link, port }) => port::remove(&self.netlink, link, port),
            Resource::Vlans(Vlans { link, .. }) => port::reset_vlans(&self.netlink, link),
            Resource::Fdb(entry) => gone_is_fine(self.netlink.delete_fdb(entry)),
            Resource::Coalesce(LinkCoalesce { link, .. }) => port::reset_coalesce(&self.netlink, link),
            // It goes with its link; what is shared is never deleted.
            Resource::Sysctl(_) | Resource::VlanFiltering(_) => Ok(()),
            Resource::Zone(Zone { link, zone, was }) => zone::take_back(link, zone, was.as_deref()),
            Resource::Ruleset(NetworkRules { network, ruleset }) => {
                ruleset::replace(&self.firewall, network, Some(ruleset), None)
            }
            Resource::Address(LinkAddress { link, address }) => {
                gone_is_fine(self.netlink.delete_address(link, address))
            }
            Resource::Route(route) => gone_is_fine(self.netlink.delete_route(route)),
            Resource::Qdisc(qdisc) => traffic::delete_qdisc(&self.netlink, qdisc),
            Resource::Class(class) => traffic::delete_class(&self.netlink, class),
            Resource::Filter(filter) => traffic::delete_filter(&self.netlink, filter),
            Resource::File(file) => file::remove(file),
            Resource::Process(process) => process::stop(process, fact),
            Resource::Passt(passt) => passt::stop(passt),
        }
    }
}

fn gone_is_fine(result: Result<(), vnet_netlink::Error>) -> Result<(), Error> {
    match result {
        Err(error) if error.is_not_found() => Ok(()),
        result => Ok(result?),
    }
}
