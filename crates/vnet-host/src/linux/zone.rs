//! Zones of firewalld, over D-Bus (firewalld.dbus(5)).

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use vnet_plan::Zone;
use vnet_types::{Firewalld, InterfaceName};

use super::service::{Asked, Service, Unanswered};
use super::{Kind, LinuxHost};
use crate::{Error, Fact};

const FIREWALLD: Service =
    Service { name: "org.fedoraproject.FirewallD1", path: "/org/fedoraproject/FirewallD1", program: "firewalld" };
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

/// Queries firewalld, if one runs for this network namespace.
fn ask<T: Send + 'static>(
    host: &LinuxHost,
    action: &str,
    question: impl AsyncFnOnce(&Asked<'_>) -> zbus::Result<T> + Send + 'static,
) -> Result<Option<T>, Error> {
    FIREWALLD.ask(host, question).map_err(|unanswered| match unanswered {
        Unanswered::Hangs => Error::FirewalldHangs { action: action.to_owned(), seconds: host.patience.as_secs() },
        Unanswered::Refused(error) if is_of_polkit(&error) => {
            Error::Polkit { action: action.to_owned(), source: Box::new(error) }
        }
        Unanswered::Refused(error) => Error::Firewalld { action: action.to_owned(), source: Box::new(error) },
    })
}

/// Whether firewalld hands on an error of polkit, which it asks for every call.
fn is_of_polkit(error: &zbus::Error) -> bool {
    matches!(error, zbus::Error::MethodError(name, ..) if name.starts_with("org.freedesktop.PolicyKit1."))
}
