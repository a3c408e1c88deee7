//! Ports of networks.

use vnet_driver::Driver;
use vnet_rpc::{NetworkRef, Reply};

use super::known::find;
use super::only_flags;
use crate::refusal::{self, Refusal};

pub(super) fn all(driver: &Driver, network: &NetworkRef, _need: bool, flags: u32) -> Result<Reply, Refusal> {
    only_flags(flags, 0, "networkListAllPorts")?;
    let known = find(driver, network)?;
    if !known.is_active {
        return Err(refusal::invalid(format!("network '{}' is not active", known.name)));
    }
    Ok(Reply::Ports { ports: Vec::new(), count: 0 })
}
