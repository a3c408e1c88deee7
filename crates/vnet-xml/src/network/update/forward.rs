//! Updates of the devices of `<forward>`, and of the port groups.

use super::{Command, Given, Put, Section, UpdateError, UpdateRefusal, Updated};
use crate::NodePath;
use crate::network::forward::interface;
use crate::network::portgroup::port_group;
use crate::network::{Forward, ForwardMode, Network};

pub(super) fn interfaces(mut network: Network, command: Command, document: &[u8]) -> Result<Updated, UpdateError> {
    let given = Given::read(document, "interface", interface)?;
    if command == Command::Modify {
        return Err(given.refuse("", UpdateRefusal::NotModified(Section::ForwardInterface)));
    }
    let dev = &given.value.dev;
    let path = |at| NodePath::root("network").element("forward").nth("interface", at);
    let Some(Forward { interfaces, .. }) = network.forward.as_mut().filter(|it| it.mode != ForwardMode::None) else {
        return Err(given.refuse("", UpdateRefusal::NoParent("<forward>")));
    };
    let found = interfaces.iter().position(|interface| interface.dev == *dev);
    if command == Command::Delete {
        let absent = || given.refuse("dev", UpdateRefusal::Absent(format!("interface `{dev}`")));
        let at = found.ok_or_else(absent)?;
        let connections = interfaces[at].connections;
        if connections > 0 {
            return Err(given.refuse("dev", UpdateRefusal::InUse { dev: dev.clone(), connections }));
        }
        interfaces.remove(at);
        return Ok(given.deleted(network, &path(at)));
    }
    if found.is_some() {
        return Err(given.refuse("dev", UpdateRefusal::Exists(format!("the interface `{dev}`"))));
    }
    // A new device has no connections.
    let at = Put::new(command).into(interfaces, dev.clone().into());
    Ok(given.put(network, command, path(at)))
}

pub(super) fn port_groups(mut network: Network, command: Command, document: &[u8]) -> Result<Updated, UpdateError> {
    let given = Given::read(document, "portgroup", port_group)?;
    let group = &given.value;
    let path = |at| NodePath::root("network").nth("portgroup", at);
    let groups = &mut network.port_groups;
    let found = groups.iter().position(|other| other.name == group.name);
    let put = match (command, found) {
        (Command::AddFirst | Command::AddLast, None) => Put::new(command),
        (Command::AddFirst | Command::AddLast, Some(_)) => {
            let what = format!("a portgroup `{}`", group.name);
            return Err(given.refuse("name", UpdateRefusal::Exists(what)));
        }
        (Command::Modify | Command::Delete, None) => {
            let what = format!("portgroup `{}`", group.name);
            return Err(given.refuse("name", UpdateRefusal::Absent(what)));
        }
        (Command::Modify, Some(at)) => Put::InPlaceOf(at),
        (Command::Delete, Some(at)) => {
            groups.remove(at);
            return Ok(given.deleted(network, &path(at)));
        }
    };
    let other = groups.iter().find(|other| group.default && other.default && other.name != group.name);
    if let Some(other) = other {
        return Err(given.refuse("default", UpdateRefusal::SecondDefault(other.name.clone())));
    }
    let at = put.into(groups, given.value.clone());
    Ok(given.put(network, command, path(at)))
}
