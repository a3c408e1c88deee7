//! Which networks there are, and what they are.

use vnet_driver::{Driver, NetworkIdentity};
use vnet_rpc::{ListElement, NetworkRef, Reply, Uuid};

use super::known::{find, named, reference};
use super::only_flags;
use crate::refusal::{self, Refusal};

/// The filters of a list, in pairs: the flag for networks that have a property, the flag for those
/// that have it not, and the property. Neither or both flags of a pair mean no filter.
type Filter = (u32, u32, fn(&NetworkIdentity) -> bool);
const FILTERS: [Filter; 3] = [(2, 1, |it| it.is_active), (4, 8, |it| it.is_persistent), (16, 32, |it| it.autostart)];

fn known(driver: &Driver) -> Result<Vec<NetworkIdentity>, Refusal> {
    driver.identities().map_err(refusal::other)
}

pub(super) fn count(driver: &Driver, active: bool) -> Result<Reply, Refusal> {
    let count = known(driver)?.iter().filter(|network| network.is_active == active).count();
    Ok(Reply::Int { value: i32::try_from(count).unwrap_or(i32::MAX) })
}

pub(super) fn names(driver: &Driver, active: bool, maxnames: i32) -> Result<Reply, Refusal> {
    let most = usize::try_from(maxnames).map_err(|_| refusal::protocol("maxnames must be non-negative"))?;
    if most > String::LIMIT {
        return Err(refusal::protocol("maxnames > REMOTE_NETWORK_LIST_MAX"));
    }
    let networks = known(driver)?.into_iter().filter(|network| network.is_active == active);
    Ok(Reply::Texts { texts: networks.map(|network| network.name.to_string()).take(most).collect() })
}

pub(super) fn all(driver: &Driver, need_results: bool, flags: u32) -> Result<Reply, Refusal> {
    let every = FILTERS.iter().fold(0, |every, (with, without, _)| every | with | without);
    only_flags(flags, every, "networkConnectListAllNetworks")?;
    let passes = |network: &NetworkIdentity| {
        FILTERS.iter().all(|(with, without, property)| match (flags & with != 0, flags & without != 0) {
            (true, false) => property(network),
            (false, true) => !property(network),
            _ => true,
        })
    };
    let networks: Vec<NetworkRef> = known(driver)?.iter().filter(|it| passes(it)).map(reference).collect();
    let count = u32::try_from(networks.len()).unwrap_or(u32::MAX);
    Ok(Reply::Networks { networks: if need_results { networks } else { Vec::new() }, count })
}

pub(super) fn by_name(driver: &Driver, name: &str) -> Result<Reply, Refusal> {
    let network = named(driver, name)?.ok_or_else(|| refusal::no_name(name))?;
    Ok(Reply::Network { network: reference(&network) })
}

pub(super) fn by_uuid(driver: &Driver, uuid: Uuid) -> Result<Reply, Refusal> {
    let network = driver.identity_of_uuid(uuid).map_err(refusal::other)?;
    let network = network.ok_or_else(|| refusal::no_uuid(uuid, None))?;
    Ok(Reply::Network { network: reference(&network) })
}

pub(super) fn fact(
    driver: &Driver,
    network: &NetworkRef,
    fact: impl FnOnce(&NetworkIdentity) -> bool,
) -> Result<Reply, Refusal> {
    Ok(Reply::Int { value: i32::from(fact(&find(driver, network)?)) })
}
