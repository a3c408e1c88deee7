//! Classes of queueing disciplines.
//!
//! One class of a bridge is guaranteed the rate that the other classes leave of the ceiling. Its
//! rate is set again whenever another class is added, changed or removed.

use vnet_netlink::Netlink;
use vnet_types::{Class, QdiscKind, TrafficHandle};

use super::{Kind, LinuxHost, gone_is_fine};
use crate::{Error, Fact};

impl Kind for Class {
    /// The class with the same number. The class for the remaining rate is as expected when it has
    /// that rate.
    fn look(&self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Self>, Error> {
        let netlink = &host.netlink;
        let rate = if self.remainder { remainder(netlink, self)? } else { None };
        let Some(rate) = rate else { return Ok(netlink.class(self)?) };
        let wanted = Self { rate, ..self.clone() };
        let near = |burst: Option<u32>| {
            let [wanted, found] = [wanted.burst, burst].map(Option::unwrap_or_default);
            wanted.abs_diff(found) <= wanted / 100
        };
        let found = netlink.class(&wanted)?;
        // The kernel keeps the burst as a time, so it changes with the rate, up to rounding.
        Ok(found.map(|found| {
            let same = Self { burst: wanted.burst, ..found.clone() } == wanted && near(found.burst);
            if same { self.clone() } else { found }
        }))
    }

    fn create(&self, host: &LinuxHost) -> Result<Option<Fact>, Error> {
        host.netlink.add_class(self)?;
        settle(&host.netlink, self).inspect_err(|_| drop(host.netlink.delete_class(self)))?;
        Ok(None)
    }

    fn update(&self, to: &Self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Fact>, Error> {
        host.netlink.change_class(to)?;
        settle(&host.netlink, to).inspect_err(|_| drop(host.netlink.change_class(self)))?;
        Ok(None)
    }

    fn delete(&self, host: &LinuxHost, _: Option<Fact>) -> Result<(), Error> {
        if host.netlink.class(self)?.is_none() {
            return Ok(());
        }
        gone_is_fine(host.netlink.delete_class(self))?;
        settle(&host.netlink, self)
    }
}

/// After a class was added, changed or removed: gives the default class the rate that the others
/// leave.
fn settle(netlink: &Netlink, changed: &Class) -> Result<(), Error> {
    if changed.parent.minor == 0 {
        return Ok(());
    }
    let root = netlink.qdiscs(&changed.link)?.into_iter().find(|it| it.parent == TrafficHandle::ROOT);
    let Some(QdiscKind::Htb { default }) = root.map(|root| root.kind) else { return Ok(()) };
    let handle = TrafficHandle::new(changed.parent.major, default);
    let known = netlink.classes(&changed.link)?;
    let Some(rest) = known.into_iter().find(|it| it.handle == handle && it.parent == changed.parent) else {
        return Ok(());
    };
    match remainder(netlink, &rest)? {
        Some(rate) if rate != rest.rate => {
            let burst = if changed.handle == handle { changed.burst } else { rest.burst };
            Ok(netlink.change_class(&Class { rate, burst, ..rest })?)
        }
        _ => Ok(()),
    }
}

/// The rate that the other classes of its parent leave of the ceiling, or the parent's own rate
/// when there are no others. `None` when the parent is gone.
fn remainder(netlink: &Netlink, class: &Class) -> Result<Option<u64>, Error> {
    let all = match netlink.classes(&class.link) {
        Err(error) if error.is_not_found() => return Ok(None),
        all => all?,
    };
    let Some(parent) = all.iter().find(|it| it.handle == class.parent) else { return Ok(None) };
    let others = all.iter().filter(|it| it.parent == class.parent && it.handle != class.handle);
    let rates: Vec<u64> = others.map(|other| other.rate).collect();
    Ok(Some(match rates.is_empty() {
        true => parent.rate,
        // The kernel refuses a class without a rate.
        false => parent.ceil.saturating_sub(rates.iter().sum()).max(1000),
    }))
}
