//! Programs that are asked over the system's bus: firewalld and systemd-resolved.
//!
//! The bus belongs to the whole machine, but what these programs do belongs to one network
//! namespace: one in another namespace does not count. Each question opens its own connection.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use zbus::connection::Builder;
use zbus::message::Body;
use zbus::names::OwnedUniqueName;
use zbus::{Connection, DBusError as _};

use super::LinuxHost;
use super::bus::{self, BUS, BUS_PATH};
use crate::{Error, Namespace};

/// The socket of the system's bus, unless the environment names another (D-Bus specification).
const SOCKET: &str = "/var/run/dbus/system_bus_socket";

/// A program on the system's bus.
pub(super) struct Service {
    /// Its name on the bus.
    pub(super) name: &'static str,
    /// Its main object.
    pub(super) path: &'static str,
    /// How its program ends in its command line.
    pub(super) program: &'static str,
}

/// Why a program that runs gives no answer.
pub(super) enum Unanswered {
    /// It takes too long, now or at an earlier question.
    Hangs,
    /// It, or the bus, refuses.
    Refused(zbus::Error),
}

/// A connection to a program that runs.
pub(super) struct Asked<'a> {
    connection: &'a Connection,
    owner: OwnedUniqueName,
    path: &'static str,
}

impl Asked<'_> {
    /// Calls a method of its main object.
    pub(super) async fn call<B>(&self, interface: &str, method: &str, arguments: &B) -> zbus::Result<Body>
    where
        B: serde::Serialize + zbus::DynamicType,
    {
        self.call_at(self.path, interface, method, arguments).await
    }

    /// Calls a method of another object.
    pub(super) async fn call_at<B>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        arguments: &B,
    ) -> zbus::Result<Body>
    where
        B: serde::Serialize + zbus::DynamicType,
    {
        let owner = Some(self.owner.as_str());
        Ok(self.connection.call_method(owner, path, Some(interface), method, arguments).await?.body())
    }
}

impl Service {
    /// Asks it. `None` when it does not run for this network namespace, or ended before it
    /// answered.
    pub(super) fn ask<T: Send + 'static>(
        &'static self,
        host: &LinuxHost,
        question: impl AsyncFnOnce(&Asked<'_>) -> zbus::Result<T> + Send + 'static,
    ) -> Result<Option<T>, Unanswered> {
        // Most hosts without these programs have no bus; a connection needs a thread and more.
        if !has_bus() {
            return Ok(None);
        }
        // What is undone after that would wait as long again for each question.
        if host.hanging.borrow().contains(self.name) {
            return Err(Unanswered::Hangs);
        }
        let answer =
            bus::ask(Builder::system, host.patience, async move |connection| match self.find(connection).await? {
                Some(asked) => question(&asked).await.map(Some),
                None => Ok(None),
            });
        match answer {
            Ok(answer) => Ok(answer.flatten()),
            Err(error) if has_ended(&error) => Ok(None),
            Err(error) if bus::is_timeout(&error) => {
                host.hanging.borrow_mut().insert(self.name);
                Err(Unanswered::Hangs)
            }
            Err(error) => Err(Unanswered::Refused(error)),
        }
    }

    /// `None` when it does not run for this network namespace.
    async fn find<'a>(&self, connection: &'a Connection) -> zbus::Result<Option<Asked<'a>>> {
        // Calling it by its well-known name would start a program that does not run.
        let owner = connection.call_method(Some(BUS), BUS_PATH, Some(BUS), "GetNameOwner", &self.name).await;
        let owner: OwnedUniqueName = match owner {
            Err(zbus::Error::FDO(_)) => return Ok(None),
            owner => owner?.body().deserialize()?,
        };
        let pid = connection.call_method(Some(BUS), BUS_PATH, Some(BUS), "GetConnectionUnixProcessID", &owner).await?;
        let is_here = is_here(pid.body().deserialize()?, self.program);
        Ok(is_here.then_some(Asked { connection, owner, path: self.path }))
    }
}

/// Whether the system's bus may be there.
fn has_bus() -> bool {
    std::env::var_os("DBUS_SYSTEM_BUS_ADDRESS").is_some() || Path::new(SOCKET).exists()
}

/// Whether it ended between two questions, or before it answered.
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

/// Whether this process is such a program in our network namespace. The process number comes from
/// the bus; in another PID namespace it may be somebody else's. An ordinary user cannot look, but
/// is in our namespace, because the bus refuses users from a user namespace.
fn is_here(pid: u32, program: &str) -> bool {
    let folder = Path::new("/proc").join(pid.to_string());
    let is_it = fs::read(folder.join("cmdline"))
        .is_ok_and(|line| line.split(|byte| *byte == 0).any(|word| word.ends_with(program.as_bytes())));
    let is_ours = match Namespace::of(&folder.join("ns/net")) {
        Ok(theirs) => LinuxHost::namespace().is_ok_and(|ours| ours.is(&theirs)),
        Err(Error::File { source, .. }) => source.kind() == ErrorKind::PermissionDenied,
        Err(_) => false,
    };
    is_it && is_ours
}
