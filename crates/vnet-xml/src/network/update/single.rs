//! Updates of the sections that libvirt cannot update.

use super::{Command, Given, Put, Section, UpdateError, UpdateRefusal, Updated, only, places};
use crate::NodePath;
use crate::bandwidth::{BandwidthOf, bandwidth};
use crate::element::Element;
use crate::network::{Forward, ForwardMode, Network, bridge, forward, ip, read, route};
use crate::vlan::vlan;

/// Updates an element that occurs at most once.
pub(super) fn update(
    network: Network,
    section: Section,
    command: Command,
    document: &[u8],
) -> Result<Updated, UpdateError> {
    let root = || NodePath::root("network");
    match section {
        Section::Bridge => one(network, command, document, root(), "bridge", bridge::bridge, |it| Ok(&mut it.bridge)),
        Section::Forward => {
            one(network, command, document, root(), "forward", forward::forward, |it| Ok(&mut it.forward))
        }
        Section::Domain => some(network, command, document, root(), "domain", read::domain, |it| Ok(&mut it.domain)),
        Section::Mtu => some(network, command, document, root(), "mtu", read::mtu, |it| Ok(&mut it.mtu)),
        Section::Vlan => some(network, command, document, root(), "vlan", vlan, |it| Ok(&mut it.vlan)),
        Section::Port => some(network, command, document, root(), "port", read::port, |it| Ok(&mut it.port_isolated)),
        Section::Bandwidth => {
            let read = |element: &Element<'_>| bandwidth(element, BandwidthOf::Anything);
            some(network, command, document, root(), "bandwidth", read, |it| Ok(&mut it.bandwidth))
        }
        Section::ForwardPf => {
            let path = root().element("forward");
            some(network, command, document, path, "pf", forward::pf, |it| Ok(&mut parent(it, false)?.pf))
        }
        _ => {
            let path = root().element("forward");
            one(network, command, document, path, "nat", forward::translation, |it| Ok(&mut parent(it, true)?.nat))
        }
    }
}

/// The `<forward>` that an element belongs to.
fn parent(network: &mut Network, nat: bool) -> Result<&mut Forward, UpdateRefusal> {
    let fits = |forward: &&mut Forward| match nat {
        true => forward.mode == ForwardMode::Nat,
        false => forward.mode != ForwardMode::None,
    };
    let lacking = if nat { "<forward mode='nat'>" } else { "<forward>" };
    network.forward.as_mut().filter(fits).ok_or(UpdateRefusal::NoParent(lacking))
}

type Slot<T> = for<'n> fn(&'n mut Network) -> Result<&'n mut Option<T>, UpdateRefusal>;

/// Updates an element that has a meaning even if it is empty.
fn one<T: PartialEq + Default>(
    network: Network,
    command: Command,
    document: &[u8],
    parent: NodePath,
    name: &'static str,
    read: impl Fn(&Element<'_>) -> T,
    slot: Slot<T>,
) -> Result<Updated, UpdateError> {
    let given = Given::read(document, name, |element| Some(Some(read(element))))?;
    let is_anything = given.value == Some(T::default());
    apply(network, command, given, is_anything, parent.element(name), name, slot)
}

/// Updates an element that has no meaning if it is empty; an empty one can only be deleted.
fn some<T: PartialEq>(
    network: Network,
    command: Command,
    document: &[u8],
    parent: NodePath,
    name: &'static str,
    read: impl Fn(&Element<'_>) -> Option<T>,
    slot: Slot<T>,
) -> Result<Updated, UpdateError> {
    // `<vlan/>` is not a VLAN, but it is enough to delete one.
    let bare = |element: &Element<'_>| command == Command::Delete && element.is_bare();
    let given = Given::read(document, name, |element| if bare(element) { Some(None) } else { Some(read(element)) })?;
    if given.value.is_none() && command != Command::Delete {
        return Err(given.refuse("", UpdateRefusal::Nothing));
    }
    let is_anything = given.value.is_none();
    apply(network, command, given, is_anything, parent.element(name), name, slot)
}

fn apply<T: PartialEq>(
    mut network: Network,
    command: Command,
    mut given: Given<Option<T>>,
    is_anything: bool,
    path: NodePath,
    name: &'static str,
    slot: Slot<T>,
) -> Result<Updated, UpdateError> {
    let value = given.value.take();
    let place = slot(&mut network).map_err(|reason| given.refuse("", reason))?;
    match (command, &*place) {
        (Command::AddFirst | Command::AddLast, Some(_)) => {
            return Err(given.refuse("", UpdateRefusal::Exists(format!("a `<{name}>`"))));
        }
        (Command::Modify | Command::Delete, None) => {
            return Err(given.refuse("", UpdateRefusal::Absent(format!("`<{name}>`"))));
        }
        (Command::Delete, Some(_)) if !is_anything && *place != value => {
            return Err(given.refuse("", UpdateRefusal::Absent(format!("`<{name}>` like this"))));
        }
        _ => {}
    }
    if command == Command::Delete {
        *place = None;
        return Ok(given.deleted(network, &path));
    }
    *place = value;
    Ok(given.put(network, command, path))
}

pub(super) fn ips(mut network: Network, command: Command, document: &[u8]) -> Result<Updated, UpdateError> {
    let given = Given::read(document, "ip", ip::subnet)?;
    let same = places(&network.ips, |ip| ip.address == given.value.address);
    let what = || format!("`<ip>` with the address `{}`", given.value.address);
    let put = match command {
        Command::AddFirst | Command::AddLast if same.is_empty() => Put::new(command),
        Command::AddFirst | Command::AddLast => {
            return Err(given.refuse("address", UpdateRefusal::Exists(format!("an {}", what()))));
        }
        Command::Modify | Command::Delete => {
            Put::InPlaceOf(only(&same, what).map_err(|reason| given.refuse("address", reason))?)
        }
    };
    if let (Command::Delete, Put::InPlaceOf(at)) = (command, put) {
        network.ips.remove(at);
        return Ok(given.deleted(network, &NodePath::root("network").nth("ip", at)));
    }
    let at = put.into(&mut network.ips, given.value.clone());
    Ok(given.put(network, command, NodePath::root("network").nth("ip", at)))
}

pub(super) fn routes(mut network: Network, command: Command, document: &[u8]) -> Result<Updated, UpdateError> {
    let given = Given::read(document, "route", route::route)?;
    let same_network = places(&network.routes, |route| route.net() == given.value.net());
    let metric = |route: &route::Route| route.metric.unwrap_or(1);
    let same =
        places(&network.routes, |route| route.net() == given.value.net() && metric(route) == metric(&given.value));
    let to = || given.value.net().map_or_else(|| "an unknown network".to_owned(), |net| format!("`{net}`"));
    let what = || format!("`<route>` to {} with the metric {}", to(), metric(&given.value));
    let put = match command {
        Command::AddFirst | Command::AddLast if same.is_empty() => Put::new(command),
        Command::AddFirst | Command::AddLast => {
            return Err(given.refuse("address", UpdateRefusal::Exists(format!("a {}", what()))));
        }
        Command::Modify | Command::Delete => {
            let meant = if same_network.len() == 1 { &same_network } else { &same };
            Put::InPlaceOf(only(meant, what).map_err(|reason| given.refuse("address", reason))?)
        }
    };
    if let (Command::Delete, Put::InPlaceOf(at)) = (command, put) {
        network.routes.remove(at);
        return Ok(given.deleted(network, &NodePath::root("network").nth("route", at)));
    }
    let at = put.into(&mut network.routes, given.value.clone());
    Ok(given.put(network, command, NodePath::root("network").nth("route", at)))
}
