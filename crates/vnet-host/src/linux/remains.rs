//! Leftovers that `stop` cannot reach: receipts of network namespaces that are gone, and rules and
//! links that no receipt names.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use vnet_plan::Resource;
use vnet_types::{InterfaceName, LinkKind, NetworkName};

use super::{Kind, LinuxHost, gone_is_fine, process};
use crate::{Error, Fact, Header, Lock, Name, Named, Namespace, PortHeader, Receipt, Store, Subject, guests};

impl LinuxHost {
    /// Drops the receipt of a network or a port whose network namespace is gone, with its files.
    /// The ports of a network go with it. A namespace that only vnet's own programs keep alive
    /// counts as gone, and they are ended. A receipt that cannot be read is dropped too; what it
    /// named stays on the host.
    ///
    /// # Errors
    /// [`Error::Absent`]; [`Error::Lives`] when the namespace exists; [`Error::NewerReceipt`].
    pub fn forget<N: Name>(&self, lock: &Lock, name: &N) -> Result<(), Error> {
        let (store, named) = (lock.store(), N::Header::named(name));
        let receipt = match store.read::<N::Header>(name) {
            Ok(receipt) => receipt.ok_or_else(|| Error::Absent(named.clone()))?,
            Err(Error::CutShort { .. } | Error::Receipt { .. }) => return store.remove::<N::Header>(name),
            Err(error) => return Err(error),
        };
        let ports = match &named {
            Named::Network(network) => guests::receipts(store, network)?,
            Named::Port(_) => Vec::new(),
        };
        let namespace = receipt.header.namespace();
        let ports: Vec<_> = ports.into_iter().filter(|port| port.header.namespace.is(&namespace)).collect();
        let own: Vec<(i32, u64)> = programs(&receipt).chain(ports.iter().flat_map(programs)).collect();
        let here = Self::namespace()?;
        if !namespace.is_of_an_earlier_boot(&here) {
            let is_own = |pid: i32| own.iter().any(|(own, _)| *own == pid);
            if let Some(user) = namespace.users().into_iter().find(|user| !is_own(*user)) {
                return Err(Error::Lives { of: named, user, here: namespace.is(&here) });
            }
            own.iter().try_for_each(|(pid, started)| process::end(*pid, *started))?;
        }
        for port in &ports {
            self.drop_receipt(store, port)?;
        }
        self.drop_receipt(store, &receipt)
    }

    fn drop_receipt<S: Subject>(&self, store: &Store, receipt: &Receipt<S>) -> Result<(), Error> {
        for resource in receipt.owned.iter() {
            if let Resource::File(file) = resource {
                file.delete(self, None)?;
            }
        }
        store.remove::<S>(receipt.header.name())
    }

    /// The networks that have rules here and no receipt.
    ///
    /// # Errors
    /// [`Error::Firewall`], [`Error::File`] when rules or receipts cannot be read.
    pub fn orphans(&self, store: &Store) -> Result<Vec<NetworkName>, Error> {
        let here = Self::namespace()?;
        let named = |listed: crate::Listed<Receipt<Header>>| match listed {
            Ok(receipt) => receipt.header.namespace.is(&here).then_some(receipt.header.network),
            Err(unreadable) => match unreadable.of {
                Named::Network(network) => Some(network),
                Named::Port(_) => None,
            },
        };
        let named: BTreeSet<NetworkName> = store.receipts()?.into_iter().filter_map(named).collect();
        let table = self.firewall()?.read().map_err(Error::Firewall)?;
        let networks = table.networks().into_iter().filter_map(|network| network.parse().ok());
        Ok(networks.filter(|network| !named.contains(network)).collect())
    }

    /// Removes the rules of a network that is among the [`orphans`](Self::orphans).
    ///
    /// # Errors
    /// [`Error::Running`] when a receipt names it by now; [`Error::Rules`].
    pub fn remove_orphan(&self, lock: &Lock, network: &NetworkName) -> Result<(), Error> {
        if !self.orphans(lock.store())?.contains(network) {
            return Err(Error::Running(Named::Network(network.clone())));
        }
        self.firewall()?.remove(network.as_str()).map_err(Error::rules(network))
    }
}

impl LinuxHost {
    /// Removes what a port without a receipt has left: a veth pair that has its name and this alias
    /// here, and its files in the state folder. Returns whether there was any of it.
    ///
    /// # Errors
    /// [`Error::Running`] when a receipt names it by now; [`Error::Netlink`]; [`Error::File`].
    pub fn remove_unowned_port(&self, lock: &Lock, port: &InterfaceName, alias: &str) -> Result<bool, Error> {
        let store = lock.store();
        if store.port_receipt(port)?.is_some() {
            return Err(Error::Running(Named::Port(port.clone())));
        }
        let is_pair = |kind: &LinkKind| matches!(kind, LinkKind::Other(word) if word == "veth");
        let known = self.netlink.link(port)?;
        let known = known.filter(|known| is_pair(&known.link.kind) && known.alias.as_deref() == Some(alias));
        if let Some(known) = &known {
            gone_is_fine(self.netlink.delete_link(known.index))?;
        }
        let folder = store.port_directory(port);
        let had_files = match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            removed => removed.map(|()| true).map_err(Error::file("remove", &folder))?,
        };
        store.remove::<PortHeader>(port)?;
        Ok(known.is_some() || had_files)
    }
}

/// The processes of a receipt, by number and start time.
fn programs<S>(receipt: &Receipt<S>) -> impl Iterator<Item = (i32, u64)> + '_ {
    receipt.owned.iter().filter_map(|resource| match receipt.facts.get(&resource.key()) {
        Some(Fact::Process { pid, start_time }) => {
            // One that cannot be looked at may run.
            let runs = process::start_time(pid).map_or(true, |found| found == Some(start_time));
            runs.then_some((pid, start_time))
        }
        _ => None,
    })
}

impl Namespace {
    /// The processes that keep the namespace: they are in it, hold it open, or have it mounted.
    fn users(&self) -> Vec<i32> {
        let link = self.link();
        let numbers = entries(Path::new("/proc")).filter_map(|name| name.parse().ok());
        numbers.filter(|pid| is_user(Path::new(&format!("/proc/{pid}")), &link)).collect()
    }
}

/// Whether a process, by its folder in `/proc`, is in the namespace that `link` names, such as
/// `net:[1]`, holds it open, or has it mounted.
fn is_user(process: &Path, link: &str) -> bool {
    let leads_there = |path: &Path| fs::read_link(path).is_ok_and(|target| target == Path::new(link));
    let threads = process.join("task");
    let files = process.join("fd");
    entries(&threads).any(|thread| leads_there(&threads.join(thread).join("ns/net")))
        || entries(&files).any(|file| leads_there(&files.join(file)))
        || fs::read_to_string(process.join("mountinfo"))
            .is_ok_and(|mounts| mounts.lines().any(|mount| mount.split(' ').nth(3) == Some(link)))
}

fn entries(folder: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok())
}
