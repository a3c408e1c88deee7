//! Reading a host as far as it lets itself be read.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde::Serialize;
use vnet_plan::Key;

use super::LinuxHost;
use crate::Error;

/// A part of a host that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Unread {
    /// Rules of nf_tables: this process may not read them.
    Rules,
    /// firewalld's zones: it does not answer, or does not tell them.
    Zones,
    /// Name servers of links in systemd-resolved: it does not answer, or does not tell them.
    NameServers,
    /// Ports of Open vSwitch: its database cannot be used.
    SwitchPorts,
}

impl LinuxHost {
    /// From now on, what cannot be read of rules, zones and name servers is taken to be as it was
    /// made, and [`unread`](Self::unread) tells of it: for those who only look.
    pub fn look_as_allowed(&mut self) {
        self.unread = Some(RefCell::default());
    }

    /// What could not be read since this was last asked.
    pub fn unread(&self) -> BTreeSet<Unread> {
        self.unread.as_ref().map(RefCell::take).unwrap_or_default()
    }

    /// Whether what is under a key could not be read.
    pub(super) fn has_not_read(&self, key: &Key) -> bool {
        let part = match key {
            Key::Ruleset(_) | Key::LibvirtForwards(_) => Unread::Rules,
            Key::Zone(_) => Unread::Zones,
            Key::Resolver(_) => Unread::NameServers,
            Key::SwitchPort(_) => Unread::SwitchPorts,
            _ => return false,
        };
        self.unread.as_ref().is_some_and(|unread| unread.borrow().contains(&part))
    }

    /// What was found; what is expected where it could not be read, if that is allowed.
    pub(super) fn found_or<T: Clone>(&self, expected: &T, found: Result<Option<T>, Error>) -> Result<Option<T>, Error> {
        match (&self.unread, found) {
            (Some(unread), Err(error)) => match part(&error) {
                Some(part) => {
                    unread.borrow_mut().insert(part);
                    Ok(Some(expected.clone()))
                }
                None => Err(error),
            },
            (_, found) => found,
        }
    }
}

/// The part of the host that an error is about, if it need not be read.
fn part(error: &Error) -> Option<Unread> {
    match error {
        Error::FirewalldHangs { .. } | Error::Firewalld { .. } | Error::Polkit { .. } => Some(Unread::Zones),
        Error::Switch { .. } => Some(Unread::SwitchPorts),
        Error::Resolved { .. } | Error::ResolvedHangs { .. } => Some(Unread::NameServers),
        Error::Rules { .. } | Error::Firewall(_) => error.missing_capability().map(|_| Unread::Rules),
        _ => None,
    }
}
