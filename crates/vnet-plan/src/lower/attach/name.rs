//! The name of a guest's device on the host, and the existing device that an interface uses.

use vnet_types::{InterfaceName, Inventory, LinkKind};
use vnet_xml::Interface;

use super::{AttachError, PortChoices};

/// The name of a device that is created.
pub(super) fn name(
    interface: &Interface,
    prefix: &str,
    inventory: &Inventory,
    choices: &PortChoices,
) -> Result<InterfaceName, AttachError> {
    if let Some(kept) = &choices.kept {
        return Ok(kept.dev.clone());
    }
    // Names with these prefixes were generated for an earlier run of the guest.
    let prefixes = ["vnet", "macvtap", "macvlan", "hostdev", "passt"];
    let chosen = |name: &&str| prefixes.iter().any(|prefix| name.starts_with(prefix));
    let given = interface.target.as_ref().and_then(|target| target.dev.as_deref());
    let given = given.filter(|name| !chosen(name) || name.contains('%'));
    let template = match given {
        None => format!("{prefix}%d"),
        Some(given) if given.contains('%') => given.to_owned(),
        Some(given) => {
            let name: InterfaceName = given.parse().map_err(|_| AttachError::Name(given.to_owned()))?;
            return if is_taken(&name, inventory) { Err(AttachError::Exists(name)) } else { Ok(name) };
        }
    };
    free(&template, inventory)
}

/// The first free name of a template such as `vnet%d`.
pub(super) fn free(template: &str, inventory: &Inventory) -> Result<InterfaceName, AttachError> {
    let Some((before, after)) = template.split_once("%d").filter(|(_, after)| !after.contains('%')) else {
        return Err(AttachError::Name(template.to_owned()));
    };
    let names = (0..10_000).filter_map(|number| format!("{before}{number}{after}").parse::<InterfaceName>().ok());
    let free = names.into_iter().find(|name| !is_taken(name, inventory));
    free.ok_or_else(|| AttachError::NoFreeName(template.to_owned()))
}

fn is_taken(name: &InterfaceName, inventory: &Inventory) -> bool {
    inventory.links.iter().any(|link| link.name == *name) || inventory.ports.iter().any(|port| port.dev == *name)
}

/// The existing device that is used as it is.
pub(super) fn existing(
    interface: &Interface,
    queues: u32,
    inventory: &Inventory,
) -> Result<InterfaceName, AttachError> {
    let given = interface.target.as_ref().and_then(|target| target.dev.as_deref()).ok_or(AttachError::Unnamed)?;
    let dev: InterfaceName = given.parse().map_err(|_| AttachError::Name(given.to_owned()))?;
    let link = inventory.links.iter().find(|link| link.name == dev).ok_or_else(|| AttachError::Missing(dev.clone()))?;
    match &link.kind {
        LinkKind::Tap(tap) if queues > 1 && !tap.multi_queue => Err(AttachError::Queues { dev, queues }),
        LinkKind::Tap(_) | LinkKind::Macvtap(_) => Ok(dev),
        LinkKind::Other(word) if word == "macvtap" => Ok(dev),
        LinkKind::Bridge(_) | LinkKind::Veth(_) | LinkKind::Other(_) => Err(AttachError::NotATap(dev)),
    }
}
