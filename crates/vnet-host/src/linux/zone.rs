//! Zones of firewalld, over D-Bus (firewalld.dbus(5)).
//!
//! The bus belongs to the whole machine, but firewalld's rules belong to one network namespace: a
//! firewalld in another namespace does not count. Each query opens its own connection.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use vnet_plan::Zone;
use vnet_types::{Firewalld, InterfaceName};
use zbus::connection::Builder;
use zbus::message::Body;
use zbus::names::OwnedUniqueName;
use zbus::{Connection, DBusError as _};

use super::bus::{self, BUS, BUS_PATH};
use super::{Kind, LinuxHost};
use crate::{Error, Fact, Namespace};

const FIREWALLD: &str = "org.fedoraproject.FirewallD1";
const FIREWALLD_PATH: &str = "/org/fedoraproject/FirewallD1";
const ZONE: &str = "org.fedoraproject.FirewallD1.zone";
const POLICY: &str = "org.fedoraproject.FirewallD1.policy";
/// The time for one question. firewalld answers when it has loaded its rules, and after 25 s when
/// polkit, which it asks first, does not answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

impl LinuxHost {
    /// What firewalld has. `None` when no firewalld runs for this network namespace. It is asked
    /// once, and again when a zone was changed.
    pub(super) fn firewalld(&self) -> Result<Option<Firewalld>, Error> {
        let mut known = self.firewalld.borrow_mut();
        match &*known {
            Some(known) => Ok(known.clone()),
            None => Ok(known.insert(firewalld(self)?).clone()),
        }
    }
}

fn firewalld(host: &LinuxHost) -> Result<Option<Firewalld>, Error> {
    ask(host, "tell its zones", async |bus| {
        let zones: Vec<String> = bus.call(ZONE, "getZones", &()).await?.deserialize()?;
        let active = bus.call(ZONE, "getActiveZones", &()).await?;
        let active: HashMap<String, HashMap<String, Vec<String>>> = active.deserialize()?;
        let interfaces = |zone: &str| {
            let interfaces = active.get(zone).and_then(|kinds| kinds.get("interfaces"));
            interfaces.into_iter().flatten().cloned().collect::<BTreeSet<String>>()
        };
        // firewalld before 0.9 has no policies.
        let policies = match bus.call(POLICY, "getPolicies", &()).await {
            Ok(policies) => policies.deserialize::<BTreeSet<String>>()?,
            Err(zbus::Error::MethodError(..) | zbus::Error::FDO(_)) => BTreeSet::new(),
            Err(error) => return Err(error),
        };
        let zones = zones.into_iter().map(|zone| (zone.clone(), interfaces(&zone))).collect();
        Ok(Firewalld { zones, policies })
    })
}

impl Kind for Zone {
    /// A link that is in its earlier zone, or in no zone, was not put into ours.
    fn look(&self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Self>, Error> {
        let found = zone_of(host, &self.link).map(|zone| {
            let zone = zone.flatten().filter(|zone| Some(zone) != self.was.as_ref());
            zone.map(|zone| Self { zone, ..self.clone() })
        });
        host.found_or(self, found)
    }

    fn create(&self, host: &LinuxHost) -> Result<Option<Fact>, Error> {
        host.firewalld.take();
        put(host, &self.link, &self.zone).map(|()| None)
    }

    fn update(&self, to: &Self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Fact>, Error> {
        to.create(host)
    }

    /// Removes the link from its zone, unless somebody has put it into another zone since.
    fn delete(&self, host: &LinuxHost, _: Option<Fact>) -> Result<(), Error> {
        host.firewalld.take();
        let Self { link, zone, was } = self;
        if zone_of(host, link)?.flatten().as_ref() != Some(zone) {
            return Ok(());
        }
        if let Some(was) = was {
            return put(host, link, was);
        }
        let action = format!("take {link} out of its zone {zone}");
        let arguments = (zone.clone(), link.to_string());
        ask(host, &action, async move |bus| bus.call(ZONE, "removeInterface", &arguments).await.map(drop)).map(drop)
    }
}

fn put(host: &LinuxHost, link: &InterfaceName, zone: &str) -> Result<(), Error> {
    let action = format!("put {link} into its zone {zone}");
    let arguments = (zone.to_owned(), link.to_string());
    let done =
        ask(host, &action, async move |bus| bus.call(ZONE, "changeZoneOfInterface", &arguments).await.map(drop))?;
    done.ok_or(Error::FirewalldEnded { action })
}

/// The zone that a link is in, if firewalld runs.
fn zone_of(host: &LinuxHost, link: &InterfaceName) -> Result<Option<Option<String>>, Error> {
    let name = link.to_string();
    let zone = ask(host, &format!("tell the zone of {link}"), async move |bus| {
        let zone = bus.call(ZONE, "getZoneOfInterface", &name).await?;
        zone.deserialize::<String>()
    })?;
    Ok(zone.map(|zone| Some(zone).filter(|zone| !zone.is_empty())))
}

/// A connection to a running firewalld.
struct Bus<'a> {
    connection: &'a Connection,
    owner: OwnedUniqueName,
}

impl<'a> Bus<'a> {
    /// `None` when no firewalld runs for this network namespace.
    async fn find(connection: &'a Connection) -> zbus::Result<Option<Self>> {
        // Calling it by its well-known name would start a firewalld that does not run.
        let owner = connection.call_method(Some(BUS), BUS_PATH, Some(BUS), "GetNameOwner", &FIREWALLD).await;
        let owner: OwnedUniqueName = match owner {
            Err(zbus::Error::FDO(_)) => return Ok(None),
            owner => owner?.body().deserialize()?,
        };
        let pid = connection.call_method(Some(BUS), BUS_PATH, Some(BUS), "GetConnectionUnixProcessID", &owner).await?;
        let is_here = is_here(pid.body().deserialize()?);
        Ok(is_here.then_some(Self { connection, owner }))
    }

    async fn call<B>(&self, interface: &str, method: &str, arguments: &B) -> zbus::Result<Body>
    where
        B: serde::Serialize + zbus::DynamicType,
    {
        let owner = Some(self.owner.as_str());
        let reply = self.connection.call_method(owner, FIREWALLD_PATH, Some(interface), method, arguments).await?;
        Ok(reply.body())
    }
}

/// Queries firewalld, if one runs for this network namespace.
fn ask<T: Send + 'static>(
    host: &LinuxHost,
    action: &str,
    question: impl AsyncFnOnce(&Bus<'_>) -> zbus::Result<T> + Send + 'static,
) -> Result<Option<T>, Error> {
    let (action, limit) = (|| action.to_owned(), host.patience);
    let hangs = || Error::FirewalldHangs { action: action(), seconds: limit.as_secs() };
    // What is undone after that would wait as long again for each question.
    if host.hangs.get() {
        return Err(hangs());
    }
    let answer = bus::ask(Builder::system, limit, async move |connection| match Bus::find(connection).await? {
        Some(bus) => question(&bus).await.map(Some),
        None => Ok(None),
    });
    match answer {
        Ok(answer) => Ok(answer.flatten()),
        Err(error) if has_ended(&error) => Ok(None),
        Err(error) if bus::is_timeout(&error) => {
            host.hangs.set(true);
            Err(hangs())
        }
        Err(error) if is_of_polkit(&error) => Err(Error::Polkit { action: action(), source: Box::new(error) }),
        Err(error) => Err(Error::Firewalld { action: action(), source: Box::new(error) }),
    }
}

/// Whether firewalld ended between two questions, or before it answered.
fn has_ended(error: &zbus::Error) -> bool {
    let name = match error {
        zbus::Error::MethodError(name, ..) => name.to_string(),
        zbus::Error::FDO(error) => error.name().to_string(),
        _ => return false,
    };
    ["NameHasNoOwner", "ServiceUnknown", "NoReply"]
        .iter()
        .any(|ended| name.strip_prefix("org.freedesktop.DBus.Error.") == Some(ended))
}

/// Whether firewalld hands on an error of polkit, which it asks for every call.
fn is_of_polkit(error: &zbus::Error) -> bool {
    matches!(error, zbus::Error::MethodError(name, ..) if name.starts_with("org.freedesktop.PolicyKit1."))
}

/// Whether this process is a firewalld in our network namespace. The process number comes from the
/// bus; in another PID namespace it may be somebody else's. An ordinary user cannot look, but is in
/// our namespace, because the bus refuses users from a user namespace.
fn is_here(pid: u32) -> bool {
    let folder = Path::new("/proc").join(pid.to_string());
    let is_firewalld = fs::read(folder.join("cmdline"))
        .is_ok_and(|line| line.split(|byte| *byte == 0).any(|word| word.ends_with(b"firewalld")));
    let is_ours = match Namespace::of(&folder.join("ns/net")) {
        Ok(theirs) => LinuxHost::namespace().is_ok_and(|ours| ours.is(&theirs)),
        Err(Error::File { source, .. }) => source.kind() == ErrorKind::PermissionDenied,
        Err(_) => false,
    };
    is_firewalld && is_ours
}
