//! What was seen of networks, and what differs from what was seen before.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use vnet_dnsmasq::Lease;
use vnet_host::{Fact, Header, LinuxHost, Listed, Named, PortHeader, Receipt, Subject, Unreadable};
use vnet_plan::{Change, HostState, Resource};
use vnet_types::{InterfaceName, NetworkName};
use vnet_xml::network::MetadataPart;

use super::event::{Event, EventKind};
use super::noted::{Noted, parts_since};
use crate::driver::Driver;
use crate::error::Error;

/// dnsmasq empties its file before it writes it: a lease that is not in it is gone when it is still
/// not in it after this time.
const ABSENCE: Duration = Duration::from_millis(300);

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    defined: BTreeMap<NetworkName, Kept>,
    running: BTreeMap<NetworkName, Seat<Header>>,
    ports: BTreeMap<InterfaceName, Seat<PortHeader>>,
    leases: BTreeMap<NetworkName, BTreeMap<IpAddr, Held>>,
    drift: BTreeMap<NetworkName, Vec<Change>>,
}

/// The file of a kept definition.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    file: Identity,
    /// `None` when it cannot be read.
    noted: Option<Noted>,
}

/// A file or folder, distinguished from another one of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    born: Option<SystemTime>,
    /// When it was changed. `None` for a folder.
    changed: Option<(i64, i64)>,
}

/// A network that runs, or a port that is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seat<S> {
    folder: Option<Identity>,
    header: S,
    owned: HostState,
    pid: Option<i32>,
}

/// A lease, and since when it is not in the file.
#[derive(Clone, Debug)]
struct Held {
    lease: Lease,
    absent: Option<Instant>,
}

impl Driver {
    /// The folders in which something happens.
    pub(super) fn watched_folders(&self, seen: &Seen) -> BTreeSet<PathBuf> {
        let state = self.state();
        let of_leases = seen.running.keys().filter_map(|name| Some(self.lease_file(name).parent()?.to_owned()));
        let fixed = [state.to_owned(), state.join(PortHeader::FOLDER), self.definitions.folder().to_owned()];
        fixed.into_iter().chain(of_leases).collect()
    }
}

impl Seen {
    /// Reads the folders. What is being changed at this moment stays as it was seen before.
    pub(super) fn look(driver: &Driver, before: Option<&Self>) -> Result<Self, Error> {
        let nothing = Self::default();
        let before = before.unwrap_or(&nothing);
        let store = &driver.store;
        let mut seen = Self {
            defined: defined(driver, &before.defined)?,
            running: seats(store.receipts()?, &before.running, |name| store.directory(name), network_of)?,
            ports: seats(store.port_receipts()?, &before.ports, |dev| store.port_directory(dev), port_of)?,
            ..Self::default()
        };
        for (name, seat) in &seen.running {
            let ran = before.running.get(name).is_some_and(|before| before.folder == seat.folder);
            let held = before.leases.get(name).filter(|_| ran);
            seen.leases.insert(name.clone(), leases(driver, name, held));
            if let Some(drift) = before.drift.get(name).filter(|_| ran) {
                seen.drift.insert(name.clone(), drift.clone());
            }
        }
        Ok(seen)
    }

    /// What has happened between two looks.
    pub(super) fn news_since(&self, before: &Self) -> Vec<Event> {
        let mut news = News::default();
        for name in before.defined.keys().filter(|name| !self.defined.contains_key(*name)) {
            news.tell(Some(name.clone()), EventKind::Undefined);
        }
        for (dev, seat) in &before.ports {
            if self.ports.get(dev).is_none_or(|now| now.folder != seat.folder) {
                let port = &seat.header.port;
                let (dev, mac, guest) = (dev.clone(), port.mac, port.guest.clone());
                news.tell(port.network.clone(), EventKind::PortDetached { dev, mac, guest });
            }
        }
        for (name, seat) in &before.running {
            if self.running.get(name).is_none_or(|now| now.folder != seat.folder) {
                news.tell(Some(name.clone()), EventKind::Stopped);
            }
        }
        for (name, now) in &self.defined {
            match before.defined.get(name) {
                Some(before) if before.file == now.file => {}
                before => {
                    let noted = before.and_then(|before| Some((now.noted.as_ref()?, before.noted.as_ref()?)));
                    let parts = noted.map(|(now, before)| now.since(before)).unwrap_or_default();
                    news.tell_parts_or(name, parts, EventKind::Defined);
                }
            }
        }
        for (name, seat) in &self.running {
            match before.running.get(name).filter(|before| before.folder == seat.folder) {
                None => news.tell(Some(name.clone()), EventKind::Started),
                Some(before) if before.owned != seat.owned => {
                    news.tell_parts_or(name, parts_since(&seat.owned, &before.owned), EventKind::Changed);
                }
                Some(_) => {}
            }
        }
        for (dev, seat) in &self.ports {
            if before.ports.get(dev).is_none_or(|before| before.folder != seat.folder) {
                let port = &seat.header.port;
                let (dev, mac, guest) = (dev.clone(), port.mac, port.guest.clone());
                news.tell(port.network.clone(), EventKind::PortAttached { dev, mac, guest });
            }
        }
        self.leases_since(before, &mut news);
        news.events
    }

    fn leases_since(&self, before: &Self, news: &mut News) {
        for (name, leases) in &self.leases {
            // A network that has just started goes on with the leases of before.
            let Some(previous) = before.leases.get(name).filter(|_| self.goes_on(before, name)) else { continue };
            let is_same = |one: &Lease, other: Option<&Held>| other.is_some_and(|it| it.lease.client == one.client);
            for (ip, Held { lease, .. }) in previous {
                if !is_same(lease, leases.get(ip)) {
                    let (client, hostname) = (lease.client.to_string(), lease.hostname.clone());
                    news.tell(Some(name.clone()), EventKind::LeaseExpired { ip: *ip, client, hostname });
                }
            }
            for (ip, Held { lease, .. }) in leases {
                if !is_same(lease, previous.get(ip)) {
                    let (client, hostname) = (lease.client.to_string(), lease.hostname.clone());
                    let granted = EventKind::LeaseGranted { ip: *ip, client, hostname, expiry: lease.expiry };
                    news.tell(Some(name.clone()), granted);
                }
            }
        }
    }

    /// Whether a network runs since before the other look.
    fn goes_on(&self, before: &Self, name: &NetworkName) -> bool {
        let [now, then] = [self, before].map(|seen| seen.running.get(name).map(|seat| &seat.folder));
        now.is_some() && now == then
    }

    /// The processes of networks.
    pub(super) fn processes(&self) -> BTreeSet<i32> {
        self.running.values().filter_map(|seat| seat.pid).collect()
    }

    /// When a lease expires, or is gone for long enough.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let now = (now, since_1970());
        self.leases.values().flat_map(BTreeMap::values).filter_map(|held| held.due(now)).min()
    }

    /// Whether a lease is due.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.due(now).is_some_and(|due| due <= now)
    }

    /// Looks at the drift of the networks that run here and are not being changed.
    pub(super) fn look_for_drift(&mut self, driver: &Driver) -> Result<Vec<Event>, Error> {
        let (host, here) = (driver.host()?, LinuxHost::namespace()?);
        let mut news = News::default();
        for (name, _) in self.running.iter().filter(|(_, seat)| seat.header.namespace.is(&here)) {
            let Some(drift) = driver.settled_drift(&host, name)? else { continue };
            let known = self.drift.get(name).map(Vec::as_slice).unwrap_or_default();
            if drift == known {
                continue;
            }
            if drift.is_empty() {
                self.drift.remove(name);
                news.tell(Some(name.clone()), EventKind::InSync);
            } else {
                self.drift.insert(name.clone(), drift.clone());
                news.tell(Some(name.clone()), EventKind::DriftSeen { changes: drift });
            }
        }
        Ok(news.events)
    }
}

impl Driver {
    /// The drift of a network and its ports. `None` while somebody changes one of them.
    fn settled_drift(&self, host: &LinuxHost, network: &NetworkName) -> Result<Option<Vec<Change>>, Error> {
        let Some(before) = self.settled(network)? else { return Ok(None) };
        let drift = match self.drift(host, network) {
            Err(Error::NotRunning(_)) => return Ok(None),
            Err(Error::Host(error)) if matches!(*error, vnet_host::Error::Elsewhere(_)) => return Ok(None),
            drift => drift?,
        };
        // A stop tells programs to end before it writes down anything. When it ends, its lock is
        // closed, which is seen.
        let is_changed = !drift.is_empty() && self.store.is_locked();
        Ok((!is_changed && self.settled(network)? == Some(before)).then_some(drift))
    }

    /// What a network and its ports are to be like. `None` while somebody changes one of them.
    #[allow(clippy::type_complexity, reason = "the two kinds of receipts")]
    fn settled(&self, network: &NetworkName) -> Result<Option<(Receipt, Vec<Receipt<PortHeader>>)>, Error> {
        let Ok(Some(receipt)) = self.store.receipt(network) else { return Ok(None) };
        let ports = self.store.port_receipts()?.into_iter().flatten();
        let ports: Vec<_> = ports.filter(|port| port.header.port.network.as_ref() == Some(network)).collect();
        let is_settled = receipt.settled && ports.iter().all(|port| port.settled);
        Ok(is_settled.then_some((receipt, ports)))
    }
}

impl Held {
    fn due(&self, (now, since_1970): (Instant, u64)) -> Option<Instant> {
        let absent = self.absent.map(|since| since + ABSENCE);
        // The second after the last one in which it is valid.
        let expiry = self.lease.expiry.map(|expiry| now + Duration::from_secs((expiry + 1).saturating_sub(since_1970)));
        [absent, expiry].into_iter().flatten().min()
    }
}

#[derive(Default)]
struct News {
    events: Vec<Event>,
}

impl News {
    fn tell(&mut self, network: Option<NetworkName>, kind: EventKind) {
        self.events.push(Event { time: SystemTime::now(), network, kind });
    }

    /// Tells each part of the metadata that has changed, once for both definitions of a network.
    fn tell_parts_or(&mut self, network: &NetworkName, parts: Vec<MetadataPart>, otherwise: EventKind) {
        if parts.is_empty() {
            return self.tell(Some(network.clone()), otherwise);
        }
        for kind in parts.into_iter().map(EventKind::MetadataChanged) {
            if !self.events.iter().any(|event| event.network.as_ref() == Some(network) && event.kind == kind) {
                self.tell(Some(network.clone()), kind);
            }
        }
    }
}

/// The network or port of a receipt that cannot be read. Who may read none sees nothing.
fn may_be_unreadable(unreadable: Unreadable) -> Result<Named, Error> {
    match unreadable.error.missing_capability() {
        Some(_) => Err(unreadable.error.into()),
        None => Ok(unreadable.of),
    }
}

/// The networks or ports of receipts, by name. One that is being changed stays as it was seen
/// before.
fn seats<S: Subject>(
    listed: Vec<Listed<Receipt<S>>>,
    before: &BTreeMap<S::Name, Seat<S>>,
    folder: impl Fn(&S::Name) -> PathBuf,
    name_of: fn(Named) -> Option<S::Name>,
) -> Result<BTreeMap<S::Name, Seat<S>>, Error>
where
    S::Name: Ord,
{
    let mut seats = BTreeMap::new();
    for listed in listed {
        let (name, seat) = match listed {
            Ok(receipt) => {
                let name = receipt.header.name().clone();
                let folder = fs::metadata(folder(&name)).ok().map(|about| Identity::of(&about, false));
                // One that was stopped, and whose next start is not at its end, does not run.
                let known = before.get(&name).filter(|known| known.folder == folder).cloned();
                (name, if receipt.settled { Some(Seat::of(receipt, folder)) } else { known })
            }
            Err(unreadable) => {
                let Some(name) = name_of(may_be_unreadable(unreadable)?) else { continue };
                let known = before.get(&name).cloned();
                (name, known)
            }
        };
        seats.extend(seat.map(|seat| (name, seat)));
    }
    Ok(seats)
}

fn network_of(named: Named) -> Option<NetworkName> {
    match named {
        Named::Network(name) => Some(name),
        Named::Port(_) => None,
    }
}

fn port_of(named: Named) -> Option<InterfaceName> {
    match named {
        Named::Port(dev) => Some(dev),
        Named::Network(_) => None,
    }
}

impl<S: Subject> Seat<S> {
    fn of(receipt: Receipt<S>, folder: Option<Identity>) -> Self {
        let process = receipt.owned.iter().find(|resource| matches!(resource, Resource::Process(_)));
        let pid = process.and_then(|process| match receipt.facts.get(&process.key())? {
            Fact::Process { pid, .. } => Some(pid),
            Fact::Link(_) => None,
        });
        let Receipt { header, owned, .. } = receipt;
        Self { folder, header, owned, pid }
    }
}

/// The leases of a network. Those that are not in the file any more are gone after some time.
fn leases(driver: &Driver, network: &NetworkName, before: Option<&BTreeMap<IpAddr, Held>>) -> BTreeMap<IpAddr, Held> {
    // A file that is being written is read when it is written.
    let Ok(current) = driver.current_leases(network) else { return before.cloned().unwrap_or_default() };
    let held = |lease: Lease| (lease.ip, Held { lease, absent: None });
    let mut leases: BTreeMap<IpAddr, Held> = current.into_iter().map(held).collect();
    let (now, seconds) = (Instant::now(), since_1970());
    for (ip, known) in before.into_iter().flatten() {
        let since = known.absent.unwrap_or(now);
        let has_expired = known.lease.expiry.is_some_and(|expiry| expiry < seconds);
        if !leases.contains_key(ip) && !has_expired && since + ABSENCE > now {
            leases.insert(*ip, Held { absent: Some(since), ..known.clone() });
        }
    }
    leases
}

/// The files of kept definitions. Those that are as before are not read again.
fn defined(driver: &Driver, before: &BTreeMap<NetworkName, Kept>) -> Result<BTreeMap<NetworkName, Kept>, Error> {
    let mut defined = BTreeMap::new();
    for name in driver.definitions.names()? {
        // One that is undefined meanwhile is left out.
        let Ok(about) = fs::metadata(driver.definitions.file(&name)) else { continue };
        let file = Identity::of(&about, true);
        let kept = match before.get(&name).filter(|before| before.file == file) {
            Some(before) => before.clone(),
            None => {
                let text = driver.kept_text(&name).ok().flatten().and_then(|text| String::from_utf8(text).ok());
                Kept { file, noted: text.and_then(|text| Noted::of(&text)) }
            }
        };
        defined.insert(name, kept);
    }
    Ok(defined)
}

impl Identity {
    fn of(about: &fs::Metadata, with_time: bool) -> Self {
        let changed = with_time.then(|| (about.ctime(), about.ctime_nsec()));
        Self { device: about.dev(), inode: about.ino(), born: about.created().ok(), changed }
    }
}

fn since_1970() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
