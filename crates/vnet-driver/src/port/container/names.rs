//! What a network's dnsmasq and rules know of its containers.

use vnet_host::{LinuxHost, Lock};
use vnet_plan::{Change, Files, Key, Process, Resource, preview};
use vnet_types::{InterfaceName, Inventory, KnownPort, NetworkName};

use crate::driver::Driver;
use crate::error::Error;

impl Driver {
    /// Writes the addresses and names of a network's containers, with one that comes or without one
    /// that goes, into the files of its dnsmasq, which reads them again: no guest gets such an
    /// address by DHCP. The rules let through what other programs on the host redirect to these
    /// addresses.
    pub(in crate::port) fn tell_network(
        &self,
        host: &mut LinuxHost,
        lock: &Lock,
        network: &NetworkName,
        goes: Option<&InterfaceName>,
        comes: Option<&KnownPort>,
    ) -> Result<Vec<Change>, vnet_host::Error> {
        let here = LinuxHost::namespace()?;
        let Some(receipt) = self.store.receipt(network)?.filter(|receipt| receipt.header.namespace.is(&here)) else {
            return Ok(Vec::new());
        };
        // A definition that cannot be read keeps nobody from leaving; `vnet apply` tells of it.
        let Ok(Some(definition)) = self.as_it_runs(network) else { return Ok(Vec::new()) };
        let mut ports = self.store.ports()?;
        ports.retain(|known| goes != Some(&known.dev) && comes.is_none_or(|port| port.dev != known.dev));
        ports.extend(comes.cloned());
        let choices = self.choices(&definition, network, Some(&receipt));
        let Ok(lowered) = preview(&definition, &Inventory { ports, ..Inventory::default() }, &choices) else {
            return Ok(Vec::new());
        };
        let files = Files::of(&choices);
        let process = Key::Process(files.pid_file);
        let mut wanted = Vec::new();
        for key in [Key::File(files.hosts), Key::File(files.addn_hosts), Key::Ruleset(network.clone())] {
            // An act that was killed may have replaced any of them.
            let is_other = |now: &&Resource| receipt.owned.get(&key).is_some_and(|had| had != *now || !receipt.settled);
            wanted.extend(lowered.desired.get(&key).filter(is_other).cloned());
        }
        if wanted.is_empty() && receipt.settled {
            return Ok(Vec::new());
        }
        if let (Some(Resource::Process(had)), Some(Resource::Process(now))) =
            (receipt.owned.get(&process), lowered.desired.get(&process))
        {
            wanted.push(Process { reload_on: now.reload_on.clone(), ..had.clone() }.into());
        }
        vnet_host::replace(host, lock, network, here, wanted)
    }

    /// Tells a network that runs which containers there are: an attach that was killed before it
    /// had a receipt may have told it of another.
    pub(super) fn tell_of_gone(&self, network: &NetworkName) -> Result<(), Error> {
        if !self.runs(network)? {
            return Ok(());
        }
        let (mut host, lock) = (self.host()?, self.lock()?);
        self.tell_network(&mut host, &lock, network, None, None)?;
        Ok(())
    }
}
