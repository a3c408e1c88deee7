//! Takes a network that runs over from libvirt, with its guests connected.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use vnet_firewall::{Firewall, LibvirtRules};
use vnet_host::{DaemonLock, LinuxHost};
use vnet_plan::{File, HostState, Process, Resource};
use vnet_types::{InterfaceName, KnownNetwork, NetworkName};
use vnet_xml::Network;
use vnet_xml::network::{ForwardMode, Nat};

use super::definitions::{DEFINITIONS, DNSMASQ, LibvirtFolders, file};
use super::import::same;
use super::running::{self, Running, STATE};
use crate::driver::Driver;
use crate::error::Error;
use crate::network::NetworkOutcome;
use crate::port::Followed;

/// The result of taking a network over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TakenOver {
    /// What was changed on the host.
    pub outcome: NetworkOutcome,
    /// The ports of the bridge, which stay connected.
    pub ports: Vec<InterfaceName>,
}

impl Driver {
    /// Takes a network that runs over from libvirt: its bridge, addresses and routes become ours as
    /// they are, with every guest that is connected; dnsmasq is replaced by one with the same
    /// leases; our rules are made before libvirt's go. libvirt forgets the network. It goes on with
    /// the kept definition, or with the one that libvirt runs it with if that differs. A take-over
    /// that was killed is continued.
    ///
    /// # Errors
    /// [`Error::LibvirtRuns`] while libvirt's network driver runs, because it would interfere;
    /// [`Error::NotOfLibvirt`]; [`Error::LegacyRules`]; [`Error::AlreadyRuns`]; [`Error::Refused`];
    /// [`Error::Host`] when a step fails: then libvirt's network is as before.
    pub fn take_over(&self, name: &NetworkName) -> Result<TakenOver, Error> {
        let there = running::read(&file(Path::new(STATE), name.as_str(), "xml"));
        let mut host = self.host()?;
        let lock = self.lock()?;
        let mut begun = self.store.receipt(name)?;
        if there.is_none() && begun.is_none() {
            return Err(Error::NotOfLibvirt(name.clone()));
        }
        let _excluded = exclude()?;
        if let (Some(there), None) = (&there, &begun)
            && has_legacy_rules(there)?
        {
            return Err(Error::LegacyRules(name.clone()));
        }
        let added = begun.take_if(|receipt| receipt.header.of_libvirt);
        let network = self.definition_of(name, there.as_ref())?;
        let (mut inventory, _) = self.survey(&host, Some(&network))?;
        if let (Some(bridge), None) = (there.as_ref().and_then(|there| there.bridge.clone()), &begun) {
            if let Some(firewalld) = &mut inventory.firewalld {
                firewalld.put(&bridge, None);
            }
            let known = KnownNetwork { name: name.clone(), uuid: network.uuid, bridge: Some(bridge) };
            inventory.networks.push(known);
        }
        let has_probed = self.look_closer(std::slice::from_ref(&network), &host, &mut inventory)?;
        let prepared = self.prepare_whole(&network, &host, &inventory, has_probed)?;
        let desired = &prepared.lowered.desired;
        let mut theirs = there.as_ref().map(made_by_libvirt).unwrap_or_default();
        theirs.extend(desired.iter().filter(|resource| is_of_the_bridge(resource)).cloned());
        self.make_data(&lock, &prepared.lowered)?;
        if begun.is_none() {
            // A lease that libvirt's dnsmasq gives until it is ended is not among them. Ours is
            // authoritative, so the guest keeps that address when it asks again.
            let text = self.libvirt_leases(&LibvirtFolders::system(), &network)?;
            self.write_leases(&lock, name, &text.unwrap_or_default())?;
        }
        let ports = prepared.lowered.bridge.as_ref().map(ports).unwrap_or_default();
        let header = prepared.header(None, false)?;
        // What was added to libvirt's network is made anew with all the rest.
        if added.is_some() {
            vnet_host::stop(&mut host, &lock, name, LinuxHost::namespace()?)?;
        }
        let taken = vnet_host::take_over(&mut host, &lock, header, &theirs, desired);
        if let (Err(_), Some(added)) = (&taken, added) {
            // The first error is the one to report.
            let _ = vnet_host::apply(&mut host, &lock, added.header, &added.owned);
        }
        let made = match taken {
            Err(vnet_host::Error::Running(_)) => return Err(Error::AlreadyRuns(name.clone())),
            made => made.map_err(|error| prepared.refusal(&network, error))?,
        };
        forget(name.as_str());
        Ok(TakenOver {
            outcome: prepared.outcome(self, &host, Followed { changes: made, ..Followed::default() }),
            ports,
        })
    }

    /// The definition that a network goes on with: the kept one, unless libvirt runs another.
    fn definition_of(&self, name: &NetworkName, there: Option<&Running>) -> Result<Network, Error> {
        let kept = self.kept(name)?;
        let Some(Running { network, .. }) = there else {
            let known = if kept.is_some() { kept } else { self.as_it_runs(name)? };
            return known.ok_or_else(|| Error::NotOfLibvirt(name.clone()));
        };
        let mut running: Network = network.inactive().to_string().parse()?;
        // libvirt fills in the ports of a network that runs.
        if let Some(nat) = running.forward.as_mut().and_then(|forward| forward.nat.as_mut())
            && nat.ports == Some(Nat::DEFAULT_PORTS)
        {
            nat.ports = None;
        }
        Ok(kept.filter(|kept| same(kept, &running)).unwrap_or(running))
    }
}

/// Keeps libvirt's network driver from being started meanwhile.
fn exclude() -> Result<Option<DaemonLock>, Error> {
    if !Path::new(STATE).exists() {
        return Ok(None);
    }
    match DaemonLock::take(&Path::new(STATE).join("driver.pid")) {
        Err(vnet_host::Error::DaemonRuns { pid, .. }) => {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            let program = if name.trim().is_empty() { "libvirtd".to_owned() } else { name.trim().to_owned() };
            Err(Error::LibvirtRuns { program, pid })
        }
        taken => Ok(Some(taken?)),
    }
}

/// What libvirt has made for a network beside its bridge.
fn made_by_libvirt(there: &Running) -> HostState {
    let Running { network, bridge } = there;
    let mut theirs = HostState::new();
    let name = network.name.as_str();
    let is_written = |path: PathBuf| File { path, contents: Some(String::new()), mode: 0o600 };
    let ports = fs::read_dir(Path::new(STATE).join(name).join("ports")).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = ports.map(|entry| entry.path()).collect();
    files.push(file(Path::new(STATE), name, "xml"));
    files.push(file(Path::new(DEFINITIONS), name, "xml"));
    files.extend(["conf", "hostsfile", "addnhosts"].map(|it| file(Path::new(DNSMASQ), name, it)));
    if let Some(bridge) = bridge {
        files.extend(["status", "macs"].map(|it| file(Path::new(DNSMASQ), bridge.as_str(), it)));
        let subnets = network.ips.iter().filter_map(|ip| ip.net().map(|net| net.trunc())).collect();
        theirs.insert(LibvirtRules { bridge: bridge.clone(), subnets });
    }
    theirs.extend(files.into_iter().map(|path| Resource::File(is_written(path))));
    let pid_file = file(Path::new(STATE), name, "pid");
    if let Some(process) = dnsmasq(&pid_file, bridge.as_ref()) {
        theirs.insert(process);
    }
    if pid_file.exists() {
        theirs.insert(File { path: pid_file, contents: None, mode: 0o644 });
    }
    theirs
}

/// Whether libvirt's rules for the network are where only iptables-legacy finds them: nf_tables has
/// none, and the kernel has the tables of iptables-legacy.
fn has_legacy_rules(there: &Running) -> Result<bool, Error> {
    let mode = there.network.forward_mode();
    let Some(bridge) = there.bridge.clone().filter(|_| mode.has_own_bridge() && mode != ForwardMode::Open) else {
        return Ok(false);
    };
    let has_rules = Firewall::open()?.has_rules_of_libvirt(&LibvirtRules { bridge, subnets: Vec::new() })?;
    let tables = fs::read_to_string("/proc/net/ip_tables_names").unwrap_or_default();
    Ok(!has_rules && tables.lines().any(|table| table == "filter"))
}

/// libvirt's dnsmasq, as it was started.
fn dnsmasq(pid_file: &Path, bridge: Option<&InterfaceName>) -> Option<Process> {
    let pid: u32 = fs::read_to_string(pid_file).ok()?.trim().parse().ok()?;
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let mut words = line.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    let program = String::from_utf8(words.next()?.to_vec()).ok()?;
    let args = words.map(|word| String::from_utf8(word.to_vec()).ok()).collect::<Option<Vec<_>>>()?;
    let is_it = program.ends_with("dnsmasq") && args.iter().any(|argument| argument.starts_with("--conf-file="));
    let env = bridge.map(|bridge| ("VIR_BRIDGE_NAME".to_owned(), bridge.to_string()));
    let env: BTreeMap<String, String> = env.into_iter().collect();
    let (restart_on, reload_on, pid_file) = (String::new(), String::new(), pid_file.to_owned());
    is_it.then_some(Process { program, args, env, pid_file, restart_on, reload_on, stopped: false })
}

/// Whether libvirt makes such a resource with the bridge.
fn is_of_the_bridge(resource: &Resource) -> bool {
    !resource.key().is_shared()
        && !matches!(resource, Resource::File(_) | Resource::Process(_) | Resource::Passt(_) | Resource::Ruleset(_))
}

/// The ports of a bridge.
fn ports(bridge: &InterfaceName) -> Vec<InterfaceName> {
    let entries = fs::read_dir(format!("/sys/class/net/{bridge}/brif")).into_iter().flatten().flatten();
    let mut ports: Vec<InterfaceName> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    ports.sort();
    ports
}

/// Removes what has no meaning without the network's files: the autostart link and empty folders.
fn forget(name: &str) {
    let link = file(&Path::new(DEFINITIONS).join("autostart"), name, "xml");
    if fs::symlink_metadata(&link).is_ok() && !link.exists() {
        let _ = fs::remove_file(link);
    }
    let own = Path::new(STATE).join(name);
    let _ = fs::remove_dir(own.join("ports"));
    let _ = fs::remove_dir(own);
}
