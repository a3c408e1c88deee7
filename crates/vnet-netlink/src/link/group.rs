//! Deletes links together, as a group (`IFLA_GROUP`). The kernel then waits once for all taps. For
//! bridges it saves less: it waits for each alone before that, in `br_multicast_dev_del`
//! (`net/bridge/br_multicast.c`), which calls `rcu_barrier`.

use std::collections::{BTreeMap, BTreeSet};

use nix::libc::EBUSY;

use super::{HEADER, IFLA_EXT_MASK, RTM_DELLINK, RTM_GETLINK, RTM_NEWLINK, header};
use crate::message::{Message, Request, attribute, number32};
use crate::{Error, Intent, Netlink, Operation, Refused};

const IFLA_GROUP: u16 = 27;
const SKIP_STATISTICS: u32 = 8;
/// The first group that is tried. Group 0 is the default.
const FIRST: u32 = 0x766e_0000;

impl Netlink {
    /// Deletes links with one message, as a group that no other link is in. Their addresses, routes
    /// and ports go with them. A link that is gone already is left out.
    ///
    /// # Errors
    /// The kernel's refusal, or `EBUSY` when another link has joined the group meanwhile: then no
    /// link is deleted and each is in its earlier group.
    pub fn delete_links(&self, indexes: &[u32]) -> Result<(), Error> {
        self.delete_group(indexes).map_err(Operation::Delete.of(format_args!("{} links", indexes.len())))
    }

    fn delete_group(&self, indexes: &[u32]) -> Result<(), Refused> {
        let before = self.groups()?;
        let taken: BTreeSet<u32> = before.values().copied().collect();
        let group = (FIRST..).find(|group| !taken.contains(group)).unwrap_or(FIRST);
        let members: BTreeSet<u32> = indexes.iter().copied().filter(|index| before.contains_key(index)).collect();
        if members.is_empty() {
            return Ok(());
        }
        let deleted = self.gather(&members, group).and_then(|()| {
            let request = Request::new(RTM_DELLINK, &header(0, 0)).with(IFLA_GROUP, &group.to_ne_bytes());
            self.tell(request, Intent::Existing)
        });
        if deleted.is_err() {
            for index in members {
                // The first refusal is the one to report.
                let _ = self.set_group(index, before[&index]);
            }
        }
        deleted
    }

    /// Puts links into a group, and checks that no other link is in it.
    fn gather(&self, members: &BTreeSet<u32>, group: u32) -> Result<(), Refused> {
        for index in members {
            match self.set_group(*index, group) {
                Err(refused) if !refused.is_not_found() => return Err(refused),
                _ => {}
            }
        }
        let is_other = |(index, of): (&u32, &u32)| *of == group && !members.contains(index);
        if self.groups()?.iter().any(is_other) { Err(Refused::from_errno(EBUSY)) } else { Ok(()) }
    }

    fn set_group(&self, index: u32, group: u32) -> Result<(), Refused> {
        let request = Request::new(RTM_NEWLINK, &header(0, index)).with(IFLA_GROUP, &group.to_ne_bytes());
        self.tell(request, Intent::Existing)
    }

    /// The group of each link, by index.
    fn groups(&self) -> Result<BTreeMap<u32, u32>, Refused> {
        let request = Request::new(RTM_GETLINK, &header(0, 0)).with(IFLA_EXT_MASK, &SKIP_STATISTICS.to_ne_bytes());
        let read = |message: Message<'_>| {
            let (header, attributes) = message.payload().split_at_checked(HEADER)?;
            let group = attribute(attributes, IFLA_GROUP).and_then(number32).unwrap_or_default();
            Some((number32(header.get(4..)?)?, group))
        };
        Ok(self.ask(request, Intent::List, read)?.into_iter().collect())
    }
}
