//! Defines, starts, stops and undefines.

use vnet_driver::{Driver, Error};
use vnet_host::LinuxHost;
use vnet_rpc::{ErrorCode, Lifecycle, NetworkRef, Reply, Uuid};
use vnet_xml::Network;

use super::known::{find, named, reference};
use super::xml::read;
use crate::news::{Deed, News};
use crate::refusal::{self, Refusal};

const DONE: Reply = Reply::Nothing {};

/// Keeps a definition.
pub(super) fn define(driver: &Driver, news: &News, text: &str, flags: u32) -> Result<Reply, Refusal> {
    let (network, uuid) = identified(read(text, flags, "networkDefineXMLFlags")?)?;
    news.change(|| {
        let defined = driver.define(&network).map_err(|error| refusal::definition(error, text))?;
        let network = NetworkRef { name: defined.name.to_string(), uuid };
        Ok((Reply::Network { network: network.clone() }, Deed::Lifecycle(network, Lifecycle::Defined)))
    })
}

/// Starts a network by a definition that is not kept.
pub(super) fn create(driver: &Driver, news: &News, text: &str, flags: u32) -> Result<Reply, Refusal> {
    let (network, uuid) = identified(read(text, flags, "networkCreateXMLFlags")?)?;
    news.change(|| {
        if let Some(there) = named(driver, &network.name)?.filter(|there| there.uuid != uuid) {
            return Err(refusal::other(Error::NameTaken { name: there.name, uuid: there.uuid }));
        }
        let same = driver.identity_of_uuid(uuid).map_err(refusal::other)?;
        if let Some(there) = same.filter(|there| there.name.as_str() != network.name) {
            return Err(refusal::other(Error::UuidTaken { name: there.name, uuid }));
        }
        let started = driver.start(&network).map_err(|error| match error {
            Error::AlreadyRuns(name) => refusal::invalid(format!("network is already active as '{name}'")),
            error => refusal::definition(error, text),
        })?;
        let network = known(driver, started.name.as_str())?;
        Ok((Reply::Network { network: network.clone() }, Deed::Lifecycle(network, Lifecycle::Started)))
    })
}

/// Starts a network that is defined.
pub(super) fn start(driver: &Driver, news: &News, network: &NetworkRef) -> Result<Reply, Refusal> {
    news.change(|| {
        let known = find(driver, network)?;
        let kept = driver.kept(&known.name).map_err(refusal::other)?;
        // Without a kept definition it is there because it runs.
        let kept = kept.filter(|_| !known.is_active).ok_or_else(|| refusal::invalid("network is already active"))?;
        driver.start(&kept).map_err(|error| refusal::definition(error, &kept.to_string()))?;
        Ok((DONE, Deed::Lifecycle(reference(&known), Lifecycle::Started)))
    })
}

/// Stops a network. Guests on it do not prevent that.
pub(super) fn stop(driver: &Driver, news: &News, network: &NetworkRef) -> Result<Reply, Refusal> {
    news.change(|| {
        let known = find(driver, network)?;
        driver.stop(&known.name).map_err(refusal::other)?;
        Ok((DONE, Deed::Lifecycle(reference(&known), Lifecycle::Stopped)))
    })
}

/// Drops a kept definition. A network that runs goes on as a transient one.
pub(super) fn undefine(driver: &Driver, news: &News, network: &NetworkRef) -> Result<Reply, Refusal> {
    news.change(|| {
        let known = find(driver, network)?;
        driver.undefine(&known.name).map_err(|error| match error {
            Error::NotDefined(_) => refusal::invalid("can't undefine transient network"),
            error => refusal::other(error),
        })?;
        Ok((DONE, Deed::Lifecycle(reference(&known), Lifecycle::Undefined)))
    })
}

/// Makes a network start at boot, or no longer.
pub(super) fn set_autostart(driver: &Driver, network: &NetworkRef, on: bool) -> Result<Reply, Refusal> {
    let known = find(driver, network)?;
    driver.set_autostart(&known.name, on).map_err(|error| match error {
        Error::NotDefined(_) => refusal::invalid("cannot set autostart for transient network"),
        error => refusal::other(error),
    })?;
    Ok(DONE)
}

/// The definition with a UUID, and this UUID. libvirt draws one before it compares: a definition
/// without a UUID is not that of a network with the same name.
fn identified(mut network: Network) -> Result<(Network, Uuid), Refusal> {
    let draw = || LinuxHost::random().map(Uuid::from_random).map_err(|error| refusal::other(error.into()));
    let uuid = network.uuid.map_or_else(draw, Ok)?;
    network.uuid = Some(uuid);
    Ok((network, uuid))
}

fn known(driver: &Driver, name: &str) -> Result<NetworkRef, Refusal> {
    let gone = || refusal::network(ErrorCode::OperationFailed, format!("network '{name}' was removed meanwhile"));
    Ok(reference(&named(driver, name)?.ok_or_else(gone)?))
}
