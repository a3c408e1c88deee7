//! How a bridge treats a port (`linux/if_link.h`, `IFLA_BRPORT_*`).

use nix::libc::EOPNOTSUPP;
use vnet_types::{BridgePort, InterfaceName, LinkKind};

use crate::link::{IFLA_INFO_SLAVE_DATA, IFLA_INFO_SLAVE_KIND, IFLA_LINKINFO, IFLA_MASTER, RTM_NEWLINK, header, names};
use crate::message::{Request, attribute, number32, text};
use crate::{Cause, Error, Intent, KernelLink, Netlink, Operation, Refused};

const IFLA_BRPORT_MODE: u16 = 4;
const IFLA_BRPORT_LEARNING: u16 = 8;
const IFLA_BRPORT_UNICAST_FLOOD: u16 = 9;
const IFLA_BRPORT_NEIGH_SUPPRESS: u16 = 32;
const IFLA_BRPORT_ISOLATED: u16 = 33;

/// A link as a port: the bridge's index, and the settings in the order of [`flags`].
pub(crate) type RawPort = (u32, [bool; 5]);

impl Netlink {
    /// Reads a link as a port; `None` if it is not a port or does not exist.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn port(&self, link: &InterfaceName) -> Result<Option<BridgePort>, Error> {
        let look = || -> Result<Option<BridgePort>, Refused> {
            let Some((bridge, settings)) = self.raw_port(link)? else { return Ok(None) };
            Ok(Some(with_settings(self.name(bridge)?, settings)))
        };
        match look() {
            Err(error) if error.is_not_found() => Ok(None),
            result => result.map_err(Operation::List.of(format_args!("port {link}"))),
        }
    }

    /// Lists the ports of the bridges among these links, for a caller that has just listed the
    /// [`links`](Self::links).
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn ports_among(&self, links: &[KernelLink]) -> Result<Vec<(InterfaceName, BridgePort)>, Error> {
        let names = names(links);
        let ports = self.raw_ports().map_err(Operation::List.of("ports"))?;
        let known = |(link, (bridge, settings)): (InterfaceName, RawPort)| {
            Some((link, with_settings((*names.get(&bridge)?).clone(), settings)))
        };
        Ok(ports.into_iter().filter_map(known).collect())
    }

    /// Makes a link a port of a bridge, or changes how the bridge treats it. If the kernel refuses
    /// a part, the link goes back to its previous bridge, or to none.
    ///
    /// The bridge takes the smallest MTU of its ports, unless it has an MTU of its own.
    ///
    /// # Errors
    /// The kernel's refusal: [`Error::is_not_found`] when one of them does not exist;
    /// [`Cause::NoBridge`].
    pub fn set_port(&self, link: &InterfaceName, port: &BridgePort) -> Result<(), Error> {
        let refused = Operation::Change.of(format!("port {link} {port}"));
        let is_bridge = |known: &KernelLink| matches!(known.link.kind, LinkKind::Bridge(_));
        let bridge = match self.find(&port.bridge) {
            Ok(known) if is_bridge(&known) => known.index,
            other => {
                let refusal = other.err().unwrap_or(Refused::from_errno(EOPNOTSUPP));
                return Err(refused(refusal).because(true, Cause::NoBridge(port.bridge.clone())));
            }
        };
        let set = || -> Result<(), Refused> {
            let known = self.find(link)?;
            let (index, before) = (known.index, known.controller);
            if before != Some(bridge) {
                self.tell(controller(index, bridge), Intent::Existing)?;
            }
            let settings = self.tell(settings(index, port), Intent::Existing);
            if settings.is_err() && before != Some(bridge) {
                // The first refusal is the one to report.
                let _ = self.tell(controller(index, before.unwrap_or(0)), Intent::Existing);
            }
            settings
        };
        set().map_err(refused)
    }

    /// Takes a link out of its bridge.
    ///
    /// # Errors
    /// The kernel's refusal: [`Error::is_not_found`] when the link is gone.
    pub fn remove_port(&self, link: &InterfaceName) -> Result<(), Error> {
        let remove = || self.tell(controller(self.index(link)?, 0), Intent::Existing);
        remove().map_err(Operation::Delete.of(format_args!("port {link}")))
    }
}

/// Reads the port from `IFLA_LINKINFO`.
pub(crate) fn read(attributes: &[u8]) -> Option<RawPort> {
    let bridge = attribute(attributes, IFLA_MASTER).and_then(number32)?;
    let info = attribute(attributes, IFLA_LINKINFO)?;
    attribute(info, IFLA_INFO_SLAVE_KIND).and_then(text).filter(|kind| *kind == "bridge")?;
    let data = attribute(info, IFLA_INFO_SLAVE_DATA)?;
    let on = |kind| attribute(data, kind).is_some_and(|value| value.first() == Some(&1));
    let kinds = [
        IFLA_BRPORT_LEARNING,
        IFLA_BRPORT_UNICAST_FLOOD,
        IFLA_BRPORT_ISOLATED,
        IFLA_BRPORT_NEIGH_SUPPRESS,
        IFLA_BRPORT_MODE,
    ];
    Some((bridge, kinds.map(on)))
}

fn with_settings(bridge: InterfaceName, settings: [bool; 5]) -> BridgePort {
    let [learning, unicast_flood, isolated, neigh_suppress, hairpin] = settings;
    BridgePort { bridge, learning, unicast_flood, isolated, neigh_suppress, hairpin }
}

fn controller(index: u32, bridge: u32) -> Request {
    Request::new(RTM_NEWLINK, &header(0, index)).with(IFLA_MASTER, &bridge.to_ne_bytes())
}

fn settings(index: u32, port: &BridgePort) -> Request {
    let flags = [
        (IFLA_BRPORT_LEARNING, port.learning),
        (IFLA_BRPORT_UNICAST_FLOOD, port.unicast_flood),
        (IFLA_BRPORT_ISOLATED, port.isolated),
        (IFLA_BRPORT_NEIGH_SUPPRESS, port.neigh_suppress),
        (IFLA_BRPORT_MODE, port.hairpin),
    ];
    Request::new(RTM_NEWLINK, &header(0, index)).nest(IFLA_LINKINFO, |info| {
        info.with_text(IFLA_INFO_SLAVE_KIND, "bridge").nest(IFLA_INFO_SLAVE_DATA, |data| {
            flags.into_iter().fold(data, |data, (kind, on)| data.with(kind, &[u8::from(on)]))
        })
    })
}
