//! The bandwidth limits of one guest, and the bandwidth that is reserved for it.

use vnet_types::{InterfaceName, Inventory, KnownFloor, KnownPort, Qdisc, QdiscKind, TrafficHandle};
use vnet_xml::{Bandwidth, Network};

use crate::lower::bandwidth::{End, Floor, FloorError, REST, floor, free_class, interface};
use crate::{HostState, Resource};

/// Adds a guest's limits to the desired state, and its floor, if it has one, to the port.
///
/// `network`: its network, if that has a bridge of its own.
pub(super) fn add_to(
    desired: &mut HostState,
    port: &mut KnownPort,
    limits: &Bandwidth,
    network: Option<&Network>,
    kept: Option<&KnownPort>,
    inventory: &Inventory,
) -> Result<(), FloorError> {
    let end = if port.lower.is_some() { End::Guest } else { End::Host };
    let mut all = interface(&port.dev, end, limits, &inventory.features);
    all.extend(reserve(port, limits, network, kept, inventory)?);
    all.into_iter().for_each(|resource| desired.insert(resource));
    Ok(())
}

/// The floor of a guest, if it has one: its class on the bridge of the network.
pub(super) fn reserve(
    port: &mut KnownPort,
    limits: &Bandwidth,
    network: Option<&Network>,
    kept: Option<&KnownPort>,
    inventory: &Inventory,
) -> Result<Vec<Resource>, FloorError> {
    let floored = limits.inbound.as_ref().and_then(|rate| Some((rate, rate.floor.filter(|it| *it != 0)?)));
    let Some((guest, rate)) = floored else { return Ok(Vec::new()) };
    let (Some(network), Some(bridge)) = (network, &port.bridge) else { return Err(FloorError::NotShared) };
    let shared = network.bandwidth.as_ref().and_then(|limits| limits.inbound.as_ref());
    let shared = shared.ok_or(FloorError::NoInbound)?;
    let others = inventory.ports.iter().filter(|other| other.dev != port.dev && other.bridge == port.bridge);
    let floors: Vec<KnownFloor> = others.filter_map(|other| other.floor).collect();
    let is_free = |class: &u16| *class > REST.minor && floors.iter().all(|floor| floor.class != *class);
    let had = limits.class_id.and_then(|class| u16::try_from(class).ok()).filter(is_free);
    let class = kept.and_then(|kept| kept.floor).map(|floor| floor.class).or(had);
    let class = class.or_else(|| free_class(floors.iter().map(|floor| floor.class))).ok_or(FloorError::NoClass)?;
    let wanted = Floor { bridge, network: shared, mac: port.mac, guest, class };
    let promised = floors.iter().fold(0, |sum: u64, floor| sum.saturating_add(floor.rate));
    let made = floor(&wanted, promised, &inventory.features)?;
    port.floor = Some(KnownFloor { class, rate });
    Ok(made)
}

/// Adds `noqueue` to a device without another qdisc, as libvirt does: the guest reads a tap as fast
/// as it can, and a queue in front of it would only add delay.
pub(super) fn add_rest(desired: &mut HostState, dev: &InterfaceName) {
    let qdisc = Qdisc {
        link: dev.clone(),
        parent: TrafficHandle::ROOT,
        handle: TrafficHandle::qdisc(0),
        kind: QdiscKind::Noqueue,
    };
    let root = Resource::Qdisc(qdisc);
    if desired.get(&root.key()).is_none() {
        desired.insert(root);
    }
}
