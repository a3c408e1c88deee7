//! What is left without the feature `firewalld`: no program is asked over D-Bus.
//!
//! Networks start as where neither firewalld nor systemd runs. What was made with the feature is
//! not taken to be gone: to look at it or to remove it fails.

use std::path::Path;
use std::time::Duration;

use vnet_plan::{LinkResolver, Zone};
use vnet_types::Firewalld;

use super::scope::{is_booted, unscoped};
use super::{Kind, LinuxHost};
use crate::{Error, Fact};

/// Nobody is waited for.
pub(super) const PATIENCE: Duration = Duration::ZERO;

const REASON: &str = "this program is built without the feature `firewalld` of vnet-host, which asks over D-Bus";

impl LinuxHost {
    pub(super) fn firewalld(&self) -> Result<Option<Firewalld>, Error> {
        Ok(None)
    }

    /// Whether systemd-resolved can be asked: not without the feature `firewalld`.
    ///
    /// # Errors
    /// None.
    pub fn has_resolved(&self) -> Result<bool, Error> {
        Ok(false)
    }

    /// Notes that a program has no scope where systemd runs: it takes the feature `firewalld` to
    /// ask for one.
    pub fn put_in_scope(&self, _: &Path, program: &str, pid: i32) {
        if is_booted() {
            self.unscoped.borrow_mut().push(unscoped(program, pid, REASON.to_owned()));
        }
    }
}

/// What only a program on the bus knows.
trait OnBus: Clone {
    fn refusal() -> Error;
}

impl OnBus for Zone {
    fn refusal() -> Error {
        Error::Firewalld { action: "tell the zones of links".to_owned(), source: REASON.into() }
    }
}

impl OnBus for LinkResolver {
    fn refusal() -> Error {
        Error::Resolved { action: "tell the name servers of links".to_owned(), source: REASON.into() }
    }
}

impl<T: OnBus> Kind for T {
    fn look(&self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Self>, Error> {
        host.found_or(self, Err(Self::refusal()))
    }

    fn create(&self, _: &LinuxHost) -> Result<Option<Fact>, Error> {
        Err(Self::refusal())
    }

    fn update(&self, _: &Self, _: &LinuxHost, _: Option<Fact>) -> Result<Option<Fact>, Error> {
        Err(Self::refusal())
    }

    fn delete(&self, _: &LinuxHost, _: Option<Fact>) -> Result<(), Error> {
        Err(Self::refusal())
    }
}
