//! A network that runs or is defined, for programs and as a row of a list.

use std::collections::BTreeSet;

use serde::Serialize;
use vnet_driver::{DefinitionNews, Driver, Error, NetworkInfo, State, Unread};
use vnet_xml::{KEPT_FILE_UNUSED, KEPT_UNDER_OTHER_NAME};

use crate::output::{note, plain};
use crate::style::{BOLD, WARNING};
use crate::table::words;

/// A network that runs or is defined.
#[derive(Serialize)]
pub(crate) struct NetworkJson {
    pub(crate) network: String,
    /// `None` when its definition cannot be read.
    pub(crate) uuid: Option<String>,
    pub(crate) title: Option<String>,
    /// `None` when it does not run.
    pub(crate) state: Option<State>,
    pub(crate) active: bool,
    pub(crate) persistent: bool,
    pub(crate) autostart: bool,
    /// `None` when it has no bridge of its own.
    pub(crate) bridge: Option<String>,
    /// The number of attached guests.
    pub(crate) connections: usize,
    /// What of it could not be read.
    pub(crate) unread: BTreeSet<Unread>,
    /// Whether the kept definition is not the one that it runs with.
    pub(crate) definition_differs: bool,
    /// Why the kept definition cannot be used.
    pub(crate) definition_error: Option<String>,
    /// Whether libvirt runs it: forwards and egress alone are ours.
    pub(crate) runs_in_libvirt: bool,
}

impl NetworkJson {
    /// As the driver has it.
    pub(crate) fn of(info: &NetworkInfo) -> Self {
        Self {
            network: info.name.to_string(),
            uuid: info.uuid.map(|uuid| uuid.to_string()),
            title: info.title.clone(),
            state: info.state,
            active: info.is_active(),
            persistent: info.is_persistent,
            autostart: info.autostart,
            bridge: info.bridge.as_ref().map(ToString::to_string),
            connections: info.guests,
            unread: info.unread.clone(),
            definition_differs: info.differs,
            definition_error: info.trouble.as_ref().map(|error| unusable(info.name.as_str(), error)),
            runs_in_libvirt: info.runs_in_libvirt,
        }
    }

    /// The word for its state: virsh's, unless something is not as it was made.
    pub(crate) fn state(&self) -> &'static str {
        match self.state {
            None => "inactive",
            Some(State::InSync) if self.runs_in_libvirt => "in libvirt",
            Some(State::InSync) => "active",
            Some(state) => words(state),
        }
    }

    /// What there is to know of its kept definition, and what to do.
    pub(crate) fn news(&self) -> Option<String> {
        let name = plain(&self.network);
        match &self.definition_error {
            Some(error) => Some(format!("network `{name}`: its kept definition cannot be used: {}", plain(error))),
            None if self.definition_differs => Some(format!("network `{name}`: {}", differs(&name))),
            None => None,
        }
    }
}

/// What a part that could not be read is, and why it could not be.
pub(crate) fn unread_part(unread: Unread) -> &'static str {
    match unread {
        Unread::Rules => "rules: that needs CAP_NET_ADMIN",
        Unread::NameServers => "domain in systemd-resolved: it did not tell it",
        Unread::SwitchPorts => "ports of Open vSwitch: its database cannot be used",
        _ => "zone of the bridge: firewalld did not tell it",
    }
}

/// Tells what of networks could not be read.
pub(crate) fn tell_unread_parts(parts: &BTreeSet<Unread>) {
    for part in parts {
        let part = unread_part(*part);
        note(format!("{WARNING}note{WARNING:#}{BOLD}: not read: the {part}{BOLD:#}\n"));
    }
}

/// What is said of a kept definition in the network's own report.
pub(crate) fn news(name: &str, news: &DefinitionNews) -> String {
    match news {
        DefinitionNews::Unusable(error) => {
            format!("kept definition cannot be used: {}", plain(&unusable(name, error)))
        }
        _ => differs(&plain(name)),
    }
}

/// Why a kept definition cannot be used, and what to do.
pub(crate) fn unusable(name: &str, error: &Error) -> String {
    match error {
        Error::OtherName { .. } => format!("{KEPT_UNDER_OTHER_NAME}: {error:?}; `vnet edit {name}` opens it"),
        Error::Kept { .. } => format!("{error:?}; `vnet edit {name}` opens it"),
        _ => format!("{error:?}"),
    }
}

/// Tells of files among the kept definitions that are not named as one.
pub(crate) fn tell_unused(driver: &Driver) -> anyhow::Result<()> {
    for file in driver.unused_files()? {
        let file = plain(&file.display().to_string());
        note(format!(
            "{WARNING}warning[{KEPT_FILE_UNUSED}]{WARNING:#}{BOLD}: nothing reads `{file}`, which is not named as the file \
             of a network; `vnet define {file}` keeps its network{BOLD:#}\n"
        ));
    }
    Ok(())
}

/// Tells of sockets of libvirt's clients at which nobody listens.
pub(crate) fn tell_dead_sockets(driver: &Driver) {
    for socket in driver.client_sockets().into_iter().filter(|socket| !socket.is_alive) {
        let (path, mend) = (socket.path.display(), socket.mend);
        note(format!(
            "{WARNING}warning{WARNING:#}{BOLD}: nobody listens at `{path}`, so clients of libvirt fail there: \
             `{mend}`{BOLD:#}\n"
        ));
    }
}

/// What is said of a kept definition that is not the one that a network runs with.
pub(crate) fn differs(name: &str) -> String {
    format!(
        "kept definition differs: `vnet apply {name}` takes it, `vnet define --from-running {name}` keeps what runs"
    )
}

/// The word for a condition, as virsh has it.
pub(crate) fn yes_no(holds: bool) -> &'static str {
    if holds { "yes" } else { "no" }
}
