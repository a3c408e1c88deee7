//! Removing what is left of containers that are gone.

use vnet_host::{LinuxHost, PortHeader, Receipt};
use vnet_types::{InterfaceName, NetworkName};
use vnet_xml::Network;

use super::{Attachment, namespace, of};
use crate::driver::Driver;
use crate::error::Error;

/// What was removed, and what could not be.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct ContainersLeft {
    /// The interfaces that are gone.
    pub removed: Vec<Attachment>,
    /// What could not be removed, and why. The call can be repeated.
    pub errors: Vec<Error>,
}

impl Driver {
    /// Removes the containers' interfaces of a runtime's network, `runtime`, that are not in its
    /// list. Without a list, those whose container or link is gone. Pairs that no receipt tells of
    /// are found by their aliases. `network` and its definition tell whether Open vSwitch or OVN
    /// may have ports of this host's containers that no receipt tells of.
    ///
    /// # Errors
    /// [`Error::Host`] where the folder cannot be locked or read.
    pub fn collect_containers(
        &self,
        runtime: &str,
        valid: Option<&[Attachment]>,
        network: &NetworkName,
        definition: Option<&Network>,
    ) -> Result<ContainersLeft, Error> {
        let mut left = ContainersLeft::default();
        let is_there = |listed: &Receipt<PortHeader>| {
            listed.header.port.container.as_ref().is_some_and(|container| container.network == runtime)
        };
        // A definition that cannot be used has made nothing.
        let on_ovn = self.container_on_ovn(network, definition).ok().flatten();
        let mut host = self.host()?;
        let is_switched = self.has_switch_ports(network, definition);
        // What cannot be looked for is told of below.
        let forgets = !self.forgotten(&host, runtime, is_switched).is_ok_and(|forgotten| forgotten.is_empty());
        if on_ovn.is_none() && !forgets && !self.store.port_receipts()?.iter().flatten().any(is_there) {
            self.tell_of_gone(network)?;
            return Ok(left);
        }
        let lock = self.lock()?;
        for listed in self.store.port_receipts()? {
            let receipt = match listed {
                Ok(receipt) => receipt,
                Err(unreadable) => {
                    left.errors.push(unreadable.error.into());
                    continue;
                }
            };
            let Some(attachment) = attachment(&receipt).filter(|it| it.network == runtime) else { continue };
            let stays = match valid {
                Some(valid) => valid.contains(&attachment),
                None => is_alive(&host, &receipt)?,
            };
            if stays {
                continue;
            }
            let dev: InterfaceName = receipt.header.port.dev;
            match self.detach_locked(&mut host, &lock, &dev) {
                Err(error) if !error.is_absent() => left.errors.push(error),
                _ => left.removed.push(attachment),
            }
        }
        if forgets {
            let of_network = (network, is_switched);
            let collected = self.collect_forgotten(&mut host, &lock, runtime, valid, of_network, &mut left);
            left.errors.extend(collected.err());
        }
        if let Some(network) = on_ovn {
            let collected = self.collect_on_ovn(network, runtime, valid, &mut left);
            left.errors.extend(collected.err());
        }
        Ok(left)
    }
}

fn attachment(receipt: &Receipt<PortHeader>) -> Option<Attachment> {
    let container = receipt.header.port.container.as_ref()?;
    Some(Attachment {
        network: container.network.clone(),
        container: container.id.clone(),
        interface: container.interface.clone(),
    })
}

/// Whether the container's namespace is where it was, and the link is there.
fn is_alive(host: &LinuxHost, receipt: &Receipt<PortHeader>) -> Result<bool, Error> {
    let Some((_, end)) = of(receipt) else { return Ok(false) };
    let same = namespace::identity(&end.namespace).is_ok_and(|identity| identity == (end.device, end.inode));
    Ok(same && host.link(&receipt.header.port.dev)?.is_some())
}
