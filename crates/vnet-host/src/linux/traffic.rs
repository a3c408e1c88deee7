//! Traffic control: qdiscs, classes, filters.

use vnet_netlink::Netlink;
use vnet_types::{Class, Filter, Qdisc, QdiscKind, TrafficHandle};

use super::gone_is_fine;
use crate::Error;

/// What schedules the packets of the same place. What the kernel has put there itself, which has no number, is nothing;
/// where there shall be no queue, any number is as good as another: the kernel chooses one.
pub(super) fn look_qdisc(netlink: &Netlink, expected: &Qdisc) -> Result<Option<Qdisc>, Error> {
    let all = match netlink.qdiscs(&expected.link) {
        Err(error) if error.is_not_found() => return Ok(None),
        all => all?,
    };
    let there = all.into_iter().find(|it| it.parent == expected.parent);
    Ok(match there {
        Some(Qdisc { kind: QdiscKind::Noqueue, .. }) if expected.kind == QdiscKind::Noqueue => Some(expected.clone()),
        there => there.filter(|it| it.handle != TrafficHandle::qdisc(0)),
    })
}

/// The class of the same number. One that has what others leave counts as it is expected when that is what it has.
pub(super) fn look_class(netlink: &Netlink, expected: &Class) -> Result<Option<Class>, Error> {
    if !expected.remainder {
        return Ok(netlink.class(expected)?);
    }
    let Some(rate) = remainder(netlink, expected)? else { return Ok(netlink.class(expected)?) };
    let wanted = Class { rate, ..expected.clone() };
    let near = |burst: Option<u32>| {
        let [wanted, found] = [wanted.burst, burst].map(Option::unwrap_or_default);
        wanted.abs_diff(found) <= wanted / 100
    };
    let found = netlink.class(&wanted)?;
    // The burst is kept as a time: at another rate it is another one, up to rounding.
    Ok(found.map(|found| {
        let same = Class { burst: wanted.burst, ..found.clone() } == wanted && near(found.burst);
        if same { expected.clone() } else { found }
    }))
}

pub(super) fn look_filter(netlink: &Netlink, expected: &Filter) -> Result<Option<Filter>, Error> {
    Ok(netlink.filter(expected)?)
}

pub(super) fn create_qdisc(netlink: &Netlink, qdisc: &Qdisc) -> Result<(), Error> {
    Ok(netlink.add_qdisc(qdisc)?)
}

/// Adds a class, and leaves so much less to the one that has what the others leave.
pub(super) fn create_class(netlink: &Netlink, class: &Class) -> Result<(), Error> {
    netlink.add_class(class)?;
    settle(netlink, class).inspect_err(|_| drop(netlink.delete_class(class)))
}

pub(super) fn create_filter(netlink: &Netlink, filter: &Filter) -> Result<(), Error> {
    Ok(netlink.add_filter(filter)?)
}

pub(super) fn change_qdisc(netlink: &Netlink, from: &Qdisc, to: &Qdisc) -> Result<(), Error> {
    gone_is_fine(netlink.delete_qdisc(from))?;
    netlink.add_qdisc(to).or_else(|error| {
        netlink.add_qdisc(from)?;
        Err(error.into())
    })
}

pub(super) fn change_class(netlink: &Netlink, from: &Class, to: &Class) -> Result<(), Error> {
    netlink.change_class(to)?;
    settle(netlink, to).inspect_err(|_| drop(netlink.change_class(from)))
}

pub(super) fn change_filter(netlink: &Netlink, from: &Filter, to: &Filter) -> Result<(), Error> {
    delete_filter(netlink, from)?;
    netlink.add_filter(to).or_else(|error| {
        netlink.add_filter(from)?;
        Err(error.into())
    })
}

pub(super) fn delete_qdisc(netlink: &Netlink, qdisc: &Qdisc) -> Result<(), Error> {
    match look_qdisc(netlink, qdisc)? {
        // Somebody has put another one in its place.
        Some(found) if found.handle != qdisc.handle => Ok(()),
        Some(_) => gone_is_fine(netlink.delete_qdisc(qdisc)),
        None => Ok(()),
    }
}

pub(super) fn delete_class(netlink: &Netlink, class: &Class) -> Result<(), Error> {
    if netlink.class(class)?.is_none() {
        return Ok(());
    }
    gone_is_fine(netlink.delete_class(class))?;
    settle(netlink, class)
}

pub(super) fn delete_filter(netlink: &Netlink, filter: &Filter) -> Result<(), Error> {
    match netlink.filter(filter)? {
        Some(_) => gone_is_fine(netlink.delete_filter(filter)),
        None => Ok(()),
    }
}

/// After a class has come, changed or gone: gives the class of what no filter sorts what the others leave.
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

/// What the other classes of its parent leave of the ceiling; the parent's own rate, where there is none. `None` where
/// the parent is gone.
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
        // A class must have something.
        false => parent.ceil.saturating_sub(rates.iter().sum()).max(1000),
    }))
}
