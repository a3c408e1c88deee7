//! Queueing disciplines.

use vnet_types::{Qdisc, QdiscKind, TrafficHandle};

use super::{Kind, LinuxHost, gone_is_fine};
use crate::{Error, Fact};

impl Kind for Qdisc {
    /// The qdisc at the same place. The kernel's default qdisc has no number and does not count.
    /// When no queue is wanted, any number compares equal, because the kernel chooses it.
    fn look(&self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Self>, Error> {
        let all = match &host.seen {
            Some(seen) => seen.qdiscs_of(&host.netlink, &self.link)?,
            None => match host.netlink.qdiscs(&self.link) {
                Err(error) if error.is_not_found() => return Ok(None),
                all => all?,
            },
        };
        let there = all.into_iter().find(|it| it.parent == self.parent);
        Ok(match there {
            Some(Self { kind: QdiscKind::Noqueue, .. }) if self.kind == QdiscKind::Noqueue => Some(self.clone()),
            there => there.filter(|it| it.handle != TrafficHandle::qdisc(0)),
        })
    }

    fn create(&self, host: &LinuxHost) -> Result<Option<Fact>, Error> {
        host.netlink.add_qdisc(self)?;
        Ok(None)
    }

    fn update(&self, to: &Self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Fact>, Error> {
        gone_is_fine(host.netlink.delete_qdisc(self))?;
        if let Err(error) = host.netlink.add_qdisc(to) {
            host.netlink.add_qdisc(self)?;
            return Err(error.into());
        }
        Ok(None)
    }

    /// Another qdisc in its place is somebody else's.
    fn delete(&self, host: &LinuxHost, fact: Option<Fact>) -> Result<(), Error> {
        match self.look(host, fact)? {
            Some(found) if found.handle == self.handle => gone_is_fine(host.netlink.delete_qdisc(self)),
            _ => Ok(()),
        }
    }
}
