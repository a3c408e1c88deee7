//! Containers that no receipt tells of, as somebody has removed it: the end of their pair on the
//! host has an alias, and their port of Open vSwitch has the network namespace that made it.

use vnet_host::{LinuxHost, Lock};
use vnet_types::{InterfaceName, NetworkName};
use vnet_xml::Network;

use super::{Attachment, ContainersLeft};
use crate::driver::Driver;
use crate::error::Error;
use crate::features;

/// How the names of ends on the host begin.
const DEV: &str = "veth";

/// What this host has of containers, and no receipt tells of.
#[derive(Debug, Default)]
pub(super) struct Forgotten {
    /// Those whose pairs are there.
    pub(super) pairs: Vec<Attachment>,
    /// Ports of Open vSwitch whose devices are gone.
    pub(super) switch_ports: Vec<InterfaceName>,
}

impl Forgotten {
    pub(super) fn is_empty(&self) -> bool {
        self.pairs.is_empty() && self.switch_ports.is_empty()
    }
}

impl Driver {
    /// What no receipt tells of: of a runtime's network. Open vSwitch is asked where the network
    /// `is_switched`.
    pub(super) fn forgotten(&self, host: &LinuxHost, runtime: &str, is_switched: bool) -> Result<Forgotten, Error> {
        let mut forgotten = Forgotten::default();
        for attachment in host.links()?.iter().filter_map(Attachment::of_link) {
            // One that cannot be read may tell of it.
            if attachment.network == runtime && matches!(self.store.port_receipt(&attachment.dev()), Ok(None)) {
                forgotten.pairs.push(attachment);
            }
        }
        if is_switched {
            forgotten.switch_ports = self.stale_switch_ports(host)?;
            forgotten.switch_ports.retain(|port| port.as_str().starts_with(DEV));
        }
        Ok(forgotten)
    }

    /// Whether this host has something of a container that no receipt tells of.
    pub(super) fn is_forgotten(
        &self,
        host: &LinuxHost,
        attachment: &Attachment,
        is_switched: bool,
    ) -> Result<bool, Error> {
        let dev = attachment.dev();
        let alias = host.link(&dev)?.and_then(|known| known.alias);
        if alias.is_some_and(|alias| alias == attachment.alias()) || self.store.port_directory(&dev).exists() {
            return Ok(true);
        }
        Ok(is_switched && self.stale_switch_ports(host)?.contains(&dev))
    }

    /// Removes what no receipt tells of a container: its pair, its files in the state folder, and
    /// its port of Open vSwitch. Returns whether there was any of it. A link of its name without
    /// its alias is not ours.
    pub(super) fn remove_forgotten(
        &self,
        host: &LinuxHost,
        lock: &Lock,
        attachment: &Attachment,
        is_switched: bool,
    ) -> Result<bool, Error> {
        let dev = attachment.dev();
        let was_there = host.remove_unowned_port(lock, &dev, &attachment.alias())?;
        // Its device has to be gone.
        let has_port = is_switched && self.stale_switch_ports(host)?.contains(&dev);
        if has_port {
            host.remove_stale_switch_port(lock, &dev)?;
        }
        Ok(was_there || has_port)
    }

    /// Removes those that are not in the list of a runtime. Without a list, pairs stay: their
    /// containers live.
    pub(super) fn collect_forgotten(
        &self,
        host: &mut LinuxHost,
        lock: &Lock,
        runtime: &str,
        valid: Option<&[Attachment]>,
        (network, is_switched): (&NetworkName, bool),
        left: &mut ContainersLeft,
    ) -> Result<(), Error> {
        let forgotten = self.forgotten(host, runtime, is_switched)?;
        let goes = |attachment: &&Attachment| valid.is_some_and(|valid| !valid.contains(attachment));
        for attachment in forgotten.pairs.iter().filter(goes) {
            match self.remove_forgotten(host, lock, attachment, is_switched) {
                Ok(_) => left.removed.push(attachment.clone()),
                Err(error) => left.errors.push(error),
            }
        }
        for port in &forgotten.switch_ports {
            left.errors.extend(host.remove_stale_switch_port(lock, port).err().map(Error::from));
        }
        self.tell_network(host, lock, network, None, None)?;
        Ok(())
    }

    /// Whether containers of a network are ports of Open vSwitch, as far as its definition can be
    /// read.
    pub(super) fn has_switch_ports(&self, network: &NetworkName, definition: Option<&Network>) -> bool {
        let is_it = |network: &Network| features::is_switched(network) || network.is_on_ovn();
        let running = self.as_it_runs(network).ok().flatten();
        match running.as_ref().or(definition) {
            Some(network) => is_it(network),
            None => self.kept(network).ok().flatten().is_some_and(|network| is_it(&network)),
        }
    }
}
