//! Lists of the kernel that are read once and serve many networks.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::fs;
#[cfg(feature = "openvswitch")]
use std::sync::Arc;

use vnet_firewall::{Firewall, Foreign, Networks};
use vnet_netlink::{Ipv6Switches, KernelLink, Netlink};
use vnet_plan::Sysctl;
use vnet_types::{Address, BridgePort, InterfaceName, Qdisc, Route};

#[cfg(feature = "openvswitch")]
use super::switch::SwitchRows;
use super::{LinuxHost, sysctl};
use crate::Error;

/// What the kernel has. Each list is read when something first needs it, and then kept.
#[derive(Default)]
pub(super) struct Seen {
    links: OnceCell<Links>,
    addresses: OnceCell<Vec<(InterfaceName, Address)>>,
    addresses_by_link: OnceCell<BTreeMap<InterfaceName, Vec<Address>>>,
    routes: OnceCell<Vec<Route>>,
    routes_by_link: OnceCell<BTreeMap<InterfaceName, Vec<Route>>>,
    ports: OnceCell<BTreeMap<InterfaceName, BridgePort>>,
    qdiscs: OnceCell<BTreeMap<InterfaceName, Vec<Qdisc>>>,
    rules: OnceCell<Networks>,
    foreign: OnceCell<Foreign>,
    ipv6: OnceCell<BTreeMap<u32, Ipv6Switches>>,
    switches: RefCell<BTreeMap<Sysctl, Option<u32>>>,
    legacy: OnceCell<bool>,
    /// What Open vSwitch has, or why it cannot be asked.
    #[cfg(feature = "openvswitch")]
    pub(super) switch: OnceCell<Result<SwitchRows, Arc<vnet_ovsdb::Error>>>,
}

/// All links.
pub(super) struct Links {
    pub(super) all: Vec<KernelLink>,
    by_name: BTreeMap<InterfaceName, usize>,
    by_index: BTreeMap<u32, usize>,
}

impl Links {
    fn new(all: Vec<KernelLink>) -> Self {
        let by_name = all.iter().enumerate().map(|(at, known)| (known.link.name.clone(), at)).collect();
        let by_index = all.iter().enumerate().map(|(at, known)| (known.index, at)).collect();
        Self { all, by_name, by_index }
    }

    pub(super) fn named(&self, name: &InterfaceName) -> Option<&KernelLink> {
        self.by_name.get(name).map(|at| &self.all[*at])
    }

    pub(super) fn at(&self, index: u32) -> Option<&KernelLink> {
        self.by_index.get(&index).map(|at| &self.all[*at])
    }
}

impl LinuxHost {
    /// From now on, until the next change, lists links, addresses, routes and rules once and
    /// answers from the lists: for those who look at many networks. Without it, each resource is
    /// asked for alone.
    pub fn look_once(&mut self) {
        self.seen = Some(Seen::default());
    }

    /// From now on, until the next change, looks each link up once.
    pub fn look_near(&mut self) {
        self.near = RefCell::new(Some(BTreeMap::new()));
    }

    /// A link, by its name.
    ///
    /// # Errors
    /// [`Error::Netlink`] where the kernel cannot be asked.
    pub fn link(&self, name: &InterfaceName) -> Result<Option<KernelLink>, Error> {
        if let Some(seen) = &self.seen {
            return Ok(seen.links(&self.netlink)?.named(name).cloned());
        }
        let Some(known) = &mut *self.near.borrow_mut() else { return Ok(self.netlink.link(name)?) };
        if let Some(link) = known.get(name) {
            return Ok(link.clone());
        }
        let link = self.netlink.link(name)?;
        known.insert(name.clone(), link.clone());
        Ok(link)
    }

    /// Whether a link was looked up and is not there, so that nothing stands on it.
    pub(super) fn is_absent(&self, link: &InterfaceName) -> bool {
        self.near.borrow().as_ref().is_some_and(|known| known.get(link) == Some(&None))
    }

    pub(super) fn link_at(&self, index: u32) -> Result<Option<KernelLink>, Error> {
        if let Some(seen) = &self.seen {
            return Ok(seen.links(&self.netlink)?.at(index).cloned());
        }
        let Some(name) = self.netlink.link_name(index)? else { return Ok(None) };
        Ok(self.netlink.link(&name)?.filter(|known| known.index == index))
    }

    /// All links.
    ///
    /// # Errors
    /// [`Error::Netlink`] where the kernel cannot be asked.
    pub fn links(&self) -> Result<Vec<KernelLink>, Error> {
        match &self.seen {
            Some(seen) => Ok(seen.links(&self.netlink)?.all.clone()),
            None => Ok(self.netlink.links()?),
        }
    }
}

impl Seen {
    pub(super) fn links(&self, netlink: &Netlink) -> Result<&Links, Error> {
        once(&self.links, || Ok(Links::new(netlink.links()?)))
    }

    pub(super) fn addresses(&self, netlink: &Netlink) -> Result<&[(InterfaceName, Address)], Error> {
        once(&self.addresses, || Ok(netlink.addresses_among(&self.links(netlink)?.all)?)).map(Vec::as_slice)
    }

    pub(super) fn addresses_of(&self, netlink: &Netlink, link: &InterfaceName) -> Result<Vec<Address>, Error> {
        let by_link = once(&self.addresses_by_link, || {
            let all = self.addresses(netlink)?.iter().cloned();
            Ok(grouped(all))
        });
        Ok(by_link?.get(link).cloned().unwrap_or_default())
    }

    pub(super) fn routes(&self, netlink: &Netlink) -> Result<&[Route], Error> {
        once(&self.routes, || Ok(netlink.routes_among(&self.links(netlink)?.all)?)).map(Vec::as_slice)
    }

    pub(super) fn routes_of(&self, netlink: &Netlink, link: &InterfaceName) -> Result<Vec<Route>, Error> {
        let by_link = once(&self.routes_by_link, || {
            let all = self.routes(netlink)?.iter();
            Ok(grouped(all.map(|route| (route.link.clone(), route.clone()))))
        });
        Ok(by_link?.get(link).cloned().unwrap_or_default())
    }

    pub(super) fn port(&self, netlink: &Netlink, link: &InterfaceName) -> Result<Option<BridgePort>, Error> {
        let ports = once(&self.ports, || {
            Ok(netlink.ports_among(&self.links(netlink)?.all)?.into_iter().collect::<BTreeMap<_, _>>())
        });
        Ok(ports?.get(link).cloned())
    }

    pub(super) fn qdiscs_of(&self, netlink: &Netlink, link: &InterfaceName) -> Result<Vec<Qdisc>, Error> {
        let by_link = once(&self.qdiscs, || {
            let all = netlink.qdiscs_among(&self.links(netlink)?.all)?.into_iter();
            Ok(grouped(all.map(|qdisc| (qdisc.link.clone(), qdisc))))
        });
        Ok(by_link?.get(link).cloned().unwrap_or_default())
    }

    /// The rules of networks.
    pub(super) fn rules(&self, netlink: &Netlink, firewall: &Firewall) -> Result<&Networks, Error> {
        let links = self.links(netlink)?;
        let name_of = |index| links.at(index).map(|known| known.link.name.clone());
        once(&self.rules, || Ok(firewall.read_among(name_of).map_err(Error::Firewall)?.into()))
    }

    /// The rules of other programs.
    pub(super) fn foreign(&self, firewall: &Firewall) -> Result<&Foreign, Error> {
        once(&self.foreign, || firewall.foreign().map_err(Error::Firewall))
    }
}

impl Seen {
    /// The value of a switch. Those of links are listed, because each takes a file otherwise.
    pub(super) fn switch(&self, netlink: &Netlink, switch: &Sysctl) -> Result<Option<u32>, Error> {
        let (link, value): (_, fn(&Ipv6Switches) -> u32) = match switch {
            Sysctl::DisableIpv6(link) => (link, |it| it.disable_ipv6),
            Sysctl::AcceptRa(link) => (link, |it| it.accept_ra),
            Sysctl::Autoconf(link) => (link, |it| it.autoconf),
            Sysctl::Ipv4Forward | Sysctl::Ipv6Forward => return self.shared_switch(switch),
        };
        let Some(known) = self.links(netlink)?.named(link) else { return Ok(None) };
        Ok(once(&self.ipv6, || Ok(netlink.ipv6_switches()?))?.get(&known.index).map(value))
    }

    pub(super) fn filters_by_legacy(&self) -> bool {
        *self.legacy.get_or_init(filters_by_legacy)
    }

    fn shared_switch(&self, switch: &Sysctl) -> Result<Option<u32>, Error> {
        if let Some(known) = self.switches.borrow().get(switch) {
            return Ok(*known);
        }
        let value = sysctl::read(switch)?;
        self.switches.borrow_mut().insert(switch.clone(), value);
        Ok(value)
    }
}

/// Whether iptables-legacy has a table that filters.
pub(super) fn filters_by_legacy() -> bool {
    let tables = ["/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"].map(fs::read_to_string);
    tables.iter().flatten().any(|names| names.lines().any(|name| name == "filter"))
}

fn grouped<T>(all: impl Iterator<Item = (InterfaceName, T)>) -> BTreeMap<InterfaceName, Vec<T>> {
    let mut groups = BTreeMap::<_, Vec<T>>::new();
    for (link, it) in all {
        groups.entry(link).or_default().push(it);
    }
    groups
}

pub(super) fn once<T>(cell: &OnceCell<T>, read: impl FnOnce() -> Result<T, Error>) -> Result<&T, Error> {
    if let Some(known) = cell.get() {
        return Ok(known);
    }
    let new = read()?;
    Ok(cell.get_or_init(|| new))
}
