//! Ends of veth pairs in containers.

use std::fs::{self, File};
use std::io;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};
use vnet_netlink::{KernelLink, Netlink, PortState, Tap};
use vnet_plan::{ContainerEnd, ContainerTap, Key};
use vnet_types::{
    BridgeOptions, Filter, FilterAction, FilterMatch, InterfaceName, IpNet, Link, LinkKind, MacAddr, Qdisc, QdiscKind,
    Route, RouteProtocol, TapOptions, TrafficHandle,
};

use super::{Kind, LinuxHost, gone_is_fine};
use crate::{Error, Fact};

/// How long the kernel may take to notice that both ends of a pair are up.
const PATIENCE: Duration = Duration::from_millis(200);

/// The queueing discipline of what a link receives.
const INGRESS: TrafficHandle = TrafficHandle::qdisc(0xffff);

/// An interface in a container, as the kernel has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContainerSeen {
    /// Administratively up.
    pub up: bool,
    /// Its MAC address.
    pub mac: Option<MacAddr>,
    /// Its MTU.
    pub mtu: Option<u32>,
    /// Its addresses, but for those of the link itself.
    pub addresses: Vec<IpNet>,
    /// Its routes, but for those that follow from the addresses.
    pub routes: Vec<Route>,
    /// Whether the kernel fills in the checksums of what it sends there.
    pub fills_in_checksums: bool,
}

/// Looks at an interface in a network namespace. `None` when the namespace or the interface is
/// gone.
///
/// # Errors
/// [`Error::File`] where the namespace cannot be entered; [`Error::Netlink`] where the kernel
/// cannot be asked.
pub fn look_into(namespace: &Path, interface: &InterfaceName) -> Result<Option<ContainerSeen>, Error> {
    let Some(file) = open(namespace)? else { return Ok(None) };
    within(namespace, &file, |netlink| seen(netlink, interface))
}

/// A tap beside an interface in a container, as the kernel has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContainerTapSeen {
    /// Administratively up.
    pub up: bool,
    /// Its MTU.
    pub mtu: Option<u32>,
    /// Whether it sends what the interface receives.
    pub has_redirect_from_interface: bool,
    /// Whether the interface sends what the tap receives.
    pub has_redirect_to_interface: bool,
}

/// Looks at a tap beside an interface in a network namespace. `None` when the namespace or the tap
/// is gone.
///
/// # Errors
/// [`Error::File`] where the namespace cannot be entered; [`Error::Netlink`] where the kernel
/// cannot be asked.
pub fn look_at_tap(
    namespace: &Path,
    interface: &InterfaceName,
    tap: &InterfaceName,
) -> Result<Option<ContainerTapSeen>, Error> {
    let Some(file) = open(namespace)? else { return Ok(None) };
    within(namespace, &file, |netlink| {
        let Some(KernelLink { link, .. }) = netlink.link(tap)? else { return Ok(None) };
        let has = |filter: Filter| Ok::<_, Error>(netlink.filter(&filter)?.as_ref() == Some(&filter));
        Ok(matches!(link.kind, LinkKind::Tap(_)).then_some(ContainerTapSeen {
            up: link.up,
            mtu: link.mtu,
            has_redirect_from_interface: has(redirect(interface, tap))?,
            has_redirect_to_interface: has(redirect(tap, interface))?,
        }))
    })
}

impl Kind for ContainerEnd {
    fn look(&self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Self>, Error> {
        let Some(file) = self.open()? else { return self.left(host) };
        let there = within(&self.namespace, &file, |netlink| {
            let Some(seen) = seen(netlink, &self.interface)? else { return Ok(None) };
            let tap = match &self.tap {
                Some(tap) => netlink.link(&tap.name)?.and_then(as_tap),
                None => None,
            };
            Ok(Some((seen, tap)))
        })?;
        Ok(there.map(|(seen, tap)| Self {
            addresses: self.addresses.iter().filter(|net| seen.addresses.contains(net)).copied().collect(),
            // The kernel drops the routes of a link that is set down. Others may take routes away.
            gateways: if seen.up { self.gateways.clone() } else { Vec::new() },
            up: seen.up,
            fills_in_checksums: self.fills_in_checksums && seen.fills_in_checksums,
            // Whoever opens a tap decides whether frames have a header.
            tap: tap.zip(self.tap.as_ref()).map(|(tap, wanted)| ContainerTap {
                options: TapOptions { vnet_hdr: wanted.options.vnet_hdr, ..tap.options },
                ..tap
            }),
            ..self.clone()
        }))
    }

    fn create(&self, host: &LinuxHost) -> Result<Option<Fact>, Error> {
        let gone = || Error::file("enter", &self.namespace)(io::ErrorKind::NotFound.into());
        let file = self.open()?.ok_or_else(gone)?;
        self.set_alias(host)?;
        self.set_tree(host, false)?;
        let made = within(&self.namespace, &file, |netlink| self.set_up(netlink));
        let forwards = match made {
            Ok(()) if self.without_tree.is_some() => wait_until_it_forwards(host, &self.link),
            made => made,
        };
        self.set_tree(host, true)?;
        forwards.map(|()| None)
    }

    fn update(&self, to: &Self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Fact>, Error> {
        let Some(file) = to.open()? else { return to.create(host) };
        within(&to.namespace, &file, |netlink| {
            for net in self.addresses.iter().filter(|net| !to.addresses.contains(net)) {
                gone_is_fine(netlink.delete_address(&to.interface, &(*net).into()))?;
            }
            self.take_tap_away(netlink)
        })?;
        to.create(host)
    }

    /// The end goes with the one on the host. A tap beside it has to be deleted. A process that was
    /// killed may have left the bridge without spanning tree.
    fn delete(&self, host: &LinuxHost, _: Option<Fact>) -> Result<(), Error> {
        self.set_tree(host, true)?;
        match self.open()?.filter(|_| self.tap.is_some()) {
            Some(file) => within(&self.namespace, &file, |netlink| self.take_tap_away(netlink)),
            None => Ok(()),
        }
    }
}

/// The work inside the container, and on the bridge.
trait End {
    fn left(&self, host: &LinuxHost) -> Result<Option<ContainerEnd>, Error>;
    fn tree(&self, host: &LinuxHost) -> Result<Option<(KernelLink, BridgeOptions)>, Error>;
    fn set_tree(&self, host: &LinuxHost, on: bool) -> Result<(), Error>;
    fn set_alias(&self, host: &LinuxHost) -> Result<(), Error>;
    fn open(&self) -> Result<Option<File>, Error>;
    fn set_up(&self, netlink: &Netlink) -> Result<(), Error>;
    fn leads_to(&self, gateway: IpAddr, netlink: &Netlink) -> Result<bool, Error>;
    fn add_tap(&self, netlink: &Netlink, mtu: Option<u32>) -> Result<(), Error>;
    fn take_tap_away(&self, netlink: &Netlink) -> Result<(), Error>;
}

impl End for ContainerEnd {
    /// What is left of it when the namespace is gone: the bridge without spanning tree.
    fn left(&self, host: &LinuxHost) -> Result<Option<Self>, Error> {
        let is_off = self.tree(host)?.is_some_and(|(_, options)| !options.stp);
        let left = || Self { addresses: Vec::new(), gateways: Vec::new(), up: false, tap: None, ..self.clone() };
        Ok(is_off.then(left))
    }

    /// The bridge whose spanning tree is off while the pair comes up.
    fn tree(&self, host: &LinuxHost) -> Result<Option<(KernelLink, BridgeOptions)>, Error> {
        let Some(bridge) = &self.without_tree else { return Ok(None) };
        Ok(host.netlink.link(bridge)?.and_then(|known| match known.link.kind {
            LinkKind::Bridge(options) => Some((known, options)),
            _ => None,
        }))
    }

    fn set_tree(&self, host: &LinuxHost, on: bool) -> Result<(), Error> {
        let Some((known, options)) = self.tree(host)? else { return Ok(()) };
        let of = |stp| Link { kind: LinkKind::Bridge(BridgeOptions { stp, ..options }), ..known.link.clone() };
        Ok(host.netlink.set_link(known.index, &of(options.stp), &of(on))?)
    }

    fn set_alias(&self, host: &LinuxHost) -> Result<(), Error> {
        let Some(alias) = &self.alias else { return Ok(()) };
        match host.netlink.link(&self.link)?.filter(|known| known.alias.as_ref() != Some(alias)) {
            Some(known) => Ok(host.netlink.set_alias(known.index, alias)?),
            None => Ok(()),
        }
    }

    /// The namespace. `None` when it is gone, even if another one has its path now.
    fn open(&self) -> Result<Option<File>, Error> {
        let Some(file) = open(&self.namespace)? else { return Ok(None) };
        let about = file.metadata().map_err(Error::file("look at", &self.namespace))?;
        Ok(Some(file).filter(|_| (about.dev(), about.ino()) == (self.device, self.inode)))
    }

    fn set_up(&self, netlink: &Netlink) -> Result<(), Error> {
        let unexpected = || Error::Unexpected(Key::Container(self.link.clone()));
        let known = netlink.link(&self.interface)?.ok_or_else(unexpected)?;
        if self.fills_in_checksums {
            netlink.fill_in_checksums(&self.interface, true)?;
        }
        if self.tap.is_some() {
            // The guest has the same MAC address, and so the same link-local address.
            switch(&self.interface, "ipv6", "disable_ipv6", "1")?;
        } else if !self.addresses.is_empty() {
            switch(&self.interface, "ipv4", "arp_notify", "1")?;
            switch(&self.interface, "ipv6", "accept_ra", "0")?;
            // The addresses are known to be free.
            switch(&self.interface, "ipv6", "accept_dad", "0")?;
        }
        for net in &self.addresses {
            match netlink.add_address(&self.interface, &(*net).into()) {
                Err(error) if error.is_exists() => {}
                added => added?,
            }
        }
        if !known.link.up {
            netlink.set_up(known.index, true)?;
        }
        for gateway in &self.gateways {
            // A link that was down had no routes.
            if !known.link.up || !self.leads_to(*gateway, netlink)? {
                netlink.add_route(&default_route(&self.interface, *gateway))?;
            }
        }
        self.add_tap(netlink, known.link.mtu)
    }

    fn leads_to(&self, gateway: IpAddr, netlink: &Netlink) -> Result<bool, Error> {
        let is_it = |it: &Route| it.destination.prefix_len() == 0 && it.gateway == Some(gateway);
        Ok(netlink.routes_of(&self.interface)?.iter().any(is_it))
    }

    fn add_tap(&self, netlink: &Netlink, mtu: Option<u32>) -> Result<(), Error> {
        let Some(tap) = &self.tap else { return Ok(()) };
        let made = Tap::create(&(&tap.name).into(), &tap.options, NonZeroU16::MIN)?;
        let known = netlink.link(&tap.name)?.ok_or_else(|| Error::Unexpected(Key::Container(self.link.clone())))?;
        switch(&tap.name, "ipv6", "disable_ipv6", "1")?;
        netlink.set_link(known.index, &known.link, &Link { mtu, up: true, ..known.link.clone() })?;
        for (from, to) in [(&self.interface, &tap.name), (&tap.name, &self.interface)] {
            netlink.add_qdisc(&Qdisc {
                link: from.clone(),
                parent: TrafficHandle::INGRESS,
                handle: INGRESS,
                kind: QdiscKind::Ingress,
            })?;
            netlink.add_filter(&redirect(from, to))?;
        }
        Ok(made.persist(true)?)
    }

    fn take_tap_away(&self, netlink: &Netlink) -> Result<(), Error> {
        let Some(tap) = &self.tap else { return Ok(()) };
        if let Some(known) = netlink.link(&tap.name)?.filter(|known| matches!(known.link.kind, LinkKind::Tap(_))) {
            gone_is_fine(netlink.delete_link(known.index))?;
        }
        let of_interface = netlink.qdiscs(&self.interface)?;
        for qdisc in of_interface.iter().filter(|qdisc| qdisc.kind == QdiscKind::Ingress) {
            gone_is_fine(netlink.delete_qdisc(qdisc))?;
        }
        Ok(())
    }
}

fn open(namespace: &Path) -> Result<Option<File>, Error> {
    match File::open(namespace) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => file.map(Some).map_err(Error::file("open", namespace)),
    }
}

/// Runs something in a network namespace, in a thread that ends with it: the threads of the caller
/// stay where they are.
pub(super) fn within<T: Send>(
    path: &Path,
    namespace: &File,
    run: impl FnOnce(&Netlink) -> Result<T, Error> + Send,
) -> Result<T, Error> {
    thread::scope(|scope| {
        let inside = scope.spawn(|| {
            setns(namespace, CloneFlags::CLONE_NEWNET).map_err(|errno| Error::file("enter", path)(errno.into()))?;
            run(&Netlink::open()?)
        });
        inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

pub(super) fn seen(netlink: &Netlink, interface: &InterfaceName) -> Result<Option<ContainerSeen>, Error> {
    let Some(KernelLink { link, .. }) = netlink.link(interface)? else { return Ok(None) };
    let addresses = netlink.addresses_of(interface)?.into_iter().map(|address| address.net);
    let of_link = |net: &IpNet| matches!(net, IpNet::V6(net) if net.addr().is_unicast_link_local());
    let mut routes = netlink.routes_of(interface)?;
    routes.retain(|route| route.protocol != RouteProtocol::Kernel);
    Ok(Some(ContainerSeen {
        up: link.up,
        mac: link.mac,
        mtu: link.mtu,
        addresses: addresses.filter(|net| !of_link(net)).collect(),
        routes,
        fills_in_checksums: netlink.fills_in_checksums(interface)?,
    }))
}

/// The filter by which a link sends what another one receives.
fn redirect(from: &InterfaceName, to: &InterfaceName) -> Filter {
    Filter {
        link: from.clone(),
        parent: INGRESS,
        priority: 1,
        handle: 0x8000_0800,
        matches: FilterMatch::All,
        action: FilterAction::Redirect(to.clone()),
    }
}

fn as_tap(known: KernelLink) -> Option<ContainerTap> {
    match known.link.kind {
        LinkKind::Tap(options) => Some(ContainerTap { name: known.link.name, options }),
        _ => None,
    }
}

fn default_route(interface: &InterfaceName, gateway: IpAddr) -> Route {
    let everything = match gateway {
        IpAddr::V4(_) => IpNet::V4(vnet_types::Ipv4Net::default()),
        IpAddr::V6(_) => IpNet::V6(vnet_types::Ipv6Net::default()),
    };
    Route {
        destination: everything,
        gateway: Some(gateway),
        link: interface.clone(),
        metric: 0,
        protocol: RouteProtocol::Boot,
    }
}

/// Sets a switch of an interface, in the namespace of this thread.
fn switch(interface: &InterfaceName, protocol: &str, name: &str, value: &str) -> Result<(), Error> {
    set(Path::new(&format!("/proc/sys/net/{protocol}/conf/{interface}/{name}")), value)
}

/// Sets a switch, in the namespace of this thread. A kernel without the protocol has no such
/// switch.
pub(super) fn set(path: &Path, value: &str) -> Result<(), Error> {
    match fs::write(path, value) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        written => written.map_err(Error::file("write", path)),
    }
}

/// The kernel opens a port some time after both ends of its pair are up.
fn wait_until_it_forwards(host: &LinuxHost, port: &InterfaceName) -> Result<(), Error> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let state = host.netlink.condition(port)?.and_then(|condition| condition.port);
        if !matches!(state, Some(PortState::Disabled)) {
            break;
        }
        thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}
