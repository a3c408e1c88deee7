//! What can go wrong with a host, and what to do about it.

mod help;

use std::io;
use std::path::{Path, PathBuf};

use vnet_netlink::Capability;
use vnet_plan::Key;
use vnet_types::{InterfaceName, NetworkName};

use crate::Named;

/// A host could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel refused something about links, addresses or routes.
    #[error(transparent)]
    Netlink(Box<vnet_netlink::Error>),
    /// The kernel's packet filter cannot be reached.
    #[error(transparent)]
    Firewall(vnet_firewall::Error),
    /// The rules of a network cannot be read or changed.
    #[error("cannot read or change the rules of network `{network}`")]
    Rules {
        /// The network.
        network: NetworkName,
        /// The cause.
        source: Box<vnet_firewall::Error>,
    },
    /// firewalld refused something.
    #[error("firewalld does not {action}")]
    Firewalld {
        /// The request: "put virbr0 into its zone libvirt".
        action: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// firewalld asked polkit, which does not allow it.
    #[error("firewalld does not {action}: polkit, which it asks first, refuses")]
    Polkit {
        /// The request: "put virbr0 into its zone libvirt".
        action: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// firewalld did not answer.
    #[error("firewalld did not {action} within {seconds} s: it may still load its rules, or wait for polkit")]
    FirewalldHangs {
        /// The request: "put virbr0 into its zone libvirt".
        action: String,
        /// The time it was given.
        seconds: u64,
    },
    /// firewalld has ended since it was asked for its zones.
    #[error("cannot {action}: firewalld has ended meanwhile")]
    FirewalldEnded {
        /// The request: "put virbr0 into its zone libvirt".
        action: String,
    },
    /// systemd-resolved refused something.
    #[error("systemd-resolved does not {action}")]
    Resolved {
        /// The request: "take the name servers of virbr0".
        action: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// systemd-resolved did not answer.
    #[error("systemd-resolved did not {action} within {seconds} s")]
    ResolvedHangs {
        /// The request: "take the name servers of virbr0".
        action: String,
        /// The time it was given.
        seconds: u64,
    },
    /// systemd-resolved has ended since it was asked.
    #[error("cannot have systemd-resolved {action}: it has ended meanwhile")]
    ResolvedEnded {
        /// The request: "take the name servers of virbr0".
        action: String,
    },
    /// Open vSwitch's database refused something, or cannot be used.
    #[error("Open vSwitch does not {action}")]
    Switch {
        /// The request: "make vnet0 a port of br0".
        action: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Open vSwitch does not have the bridge.
    #[error("Open vSwitch has no bridge `{bridge}`; `ovs-vsctl add-br {bridge}` makes it")]
    NoSwitchBridge {
        /// The bridge.
        bridge: InterfaceName,
    },
    /// Open vSwitch did not do what its database says.
    #[error("Open vSwitch did not {action} within {seconds} s; check that ovs-vswitchd runs")]
    SwitchHangs {
        /// The request: "make vnet0 a port of br0".
        action: String,
        /// The time it was given.
        seconds: u64,
    },
    /// Open vSwitch cannot use a link.
    #[error("Open vSwitch cannot use {link}: {why}")]
    SwitchRefuses {
        /// The link.
        link: InterfaceName,
        /// Its words.
        why: String,
    },
    /// A guest's passt does not start, or does not end.
    #[error(transparent)]
    Passt(#[from] vnet_passt::run::Error),
    /// A file could not be used.
    #[error("cannot {action} `{}`", path.display())]
    File {
        /// The action that was tried: "write".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Another process has the lock for longer than the caller waits.
    #[error(
        "{} has the lock on `{}`, and did not release it within {seconds} s",
        holder.map_or("another process".to_owned(), |pid| format!("process {pid}")),
        folder.display()
    )]
    Locked {
        /// The folder of state.
        folder: PathBuf,
        /// The process, if known.
        holder: Option<u32>,
        /// The time that the caller waited.
        seconds: u64,
    },
    /// A program is not installed.
    #[error("the program `{program}` is not installed")]
    NoProgram {
        /// Its name.
        program: String,
        /// Its package on Debian and Ubuntu.
        debian: String,
        /// Its package on Fedora.
        fedora: String,
    },
    /// A program did not start.
    #[error("`{command}` failed ({status}): {stderr}")]
    Program {
        /// The command line.
        command: String,
        /// Its exit status or signal.
        status: String,
        /// Its standard error.
        stderr: String,
    },
    /// A program did not go to the background.
    #[error("`{command}` did not go to the background within {seconds} s, and was ended")]
    Slow {
        /// The command line.
        command: String,
        /// The time it was given.
        seconds: u64,
    },
    /// A program reported that it started, but no such process runs.
    #[error("`{command}` started, but is not there: `{}` names no process of it", pid_file.display())]
    Vanished {
        /// The command line.
        command: String,
        /// The file that should have its process number.
        pid_file: PathBuf,
    },
    /// A process does not end.
    #[error("process {pid} does not end, not even killed")]
    Immortal {
        /// Its process number.
        pid: i32,
    },
    /// Something that vnet did not make is in the way.
    #[error("there is already: {}; vnet did not make it, and it stays as it is", list(.0))]
    Conflict(Vec<Key>),
    /// A change expects something that is not on the host, or something is there that it creates.
    #[error("{0} is not as the change expects it")]
    Unexpected(Key),
    /// A network or port of this name runs already.
    #[error("{} {} already", .0, .0.is_there())]
    Running(Named),
    /// No network or port has this name.
    #[error("{} {}", .0, .0.is_not_there())]
    Absent(Named),
    /// A network or port of this name is in another network namespace.
    #[error(
        "{} {} in another network namespace", .0, .0.is_there()
    )]
    Elsewhere(Named),
    /// The network namespace of a receipt still exists.
    #[error(
        "{of} is in {} network namespace, which is there: process {user} is in it or holds it",
        if *here { "this" } else { "another" }
    )]
    Lives {
        /// The network or port.
        of: Named,
        /// A process that keeps the namespace alive.
        user: i32,
        /// Whether it is the namespace of this process.
        here: bool,
    },
    /// Others could have written to a file or a folder that vnet relies on.
    #[error(
        "`{}` cannot be trusted: {why}", path.display()
    )]
    Untrusted {
        /// The file or folder.
        path: PathBuf,
        /// The reason: "it belongs to user 65534".
        why: String,
    },
    /// A receipt cannot be understood.
    #[error("the receipt `{}` cannot be read in line {line}", path.display())]
    Receipt {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The cause.
        source: serde_json::Error,
    },
    /// A receipt is cut short.
    #[error("the receipt `{}` is cut short", path.display())]
    CutShort {
        /// The file.
        path: PathBuf,
    },
    /// A later version of vnet wrote the receipt.
    #[error("the receipt `{}` has format {version}, that of a newer vnet", path.display())]
    NewerReceipt {
        /// The file.
        path: PathBuf,
        /// Its format.
        version: u32,
    },
    /// The last change of a network was interrupted. Its rules may allow more than they should.
    #[error("the last change of network `{0}` did not come to its end")]
    Unfinished(NetworkName),
    /// libvirt runs the network.
    #[error("libvirt runs network `{0}`, so guests are attached to it through libvirt")]
    OfLibvirt(NetworkName),
    /// The host is not as it was before a failed change.
    #[error("not as before: {}", list(.0))]
    NotAsBefore(Vec<Key>),
    /// Every change was made, but the receipt could not be written.
    #[error("the receipt cannot be written; {}", how_undone(rollback))]
    Unrecorded {
        /// The cause.
        source: Box<Error>,
        /// What could not be undone. When empty, the host was checked and is as before.
        rollback: Vec<Error>,
    },
    /// A daemon has its lock.
    #[error("process {pid} has the lock `{}`", path.display())]
    DaemonRuns {
        /// The lock.
        path: PathBuf,
        /// The process number.
        pid: i32,
    },
    /// A step failed.
    #[error("{step} failed; {}", how_undone(rollback))]
    Step {
        /// The resource.
        step: Key,
        /// The cause.
        source: Box<Error>,
        /// What could not be undone. When empty, the host was checked and is as before.
        rollback: Vec<Error>,
    },
    /// Parts of a network or a port could not be removed.
    #[error("{of} is not gone in full: {}", in_words(.errors))]
    Leftover {
        /// The network or port.
        of: Named,
        /// The error for each part.
        errors: Vec<Error>,
    },
    /// A fault that a test asked for, see [`MemoryHost`](crate::MemoryHost).
    #[error("an injected fault")]
    Injected,
}

impl From<vnet_netlink::Error> for Error {
    fn from(error: vnet_netlink::Error) -> Self {
        Self::Netlink(Box::new(error))
    }
}

impl Error {
    /// The privilege that was missing, where that is why it failed. The key of [`Error::Step`] and
    /// its source name the call that needed it.
    pub fn missing_capability(&self) -> Option<Capability> {
        match self {
            Self::Netlink(error) => error.missing_capability(),
            Self::Firewall(error) => of_firewall(error),
            Self::Rules { source, .. } => of_firewall(source),
            Self::Step { source, .. } | Self::Unrecorded { source, .. } => source.missing_capability(),
            Self::Leftover { errors, .. } => errors.iter().find_map(Self::missing_capability),
            Self::File { path, source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some(if path.starts_with("/proc/sys/net") { Capability::NetAdmin } else { Capability::File })
            }
            _ => None,
        }
    }

    /// Whether the host is as it was before the call.
    pub(crate) fn is_undone(&self) -> bool {
        matches!(self, Self::Step { rollback, .. } | Self::Unrecorded { rollback, .. } if rollback.is_empty())
    }

    /// Adds the errors of undoing it.
    pub(crate) fn not_undone(&mut self, error: Error) {
        if let Self::Step { rollback, .. } | Self::Unrecorded { rollback, .. } = self {
            rollback.push(error);
        }
    }

    pub(crate) fn rules(network: &NetworkName) -> impl FnOnce(vnet_firewall::Error) -> Self {
        let network = network.clone();
        move |source| Self::Rules { network, source: Box::new(source) }
    }

    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }
}

fn of_firewall(error: &vnet_firewall::Error) -> Option<Capability> {
    match error {
        vnet_firewall::Error::Links(error) => error.missing_capability(),
        vnet_firewall::Error::Open(refused)
        | vnet_firewall::Error::Read(refused)
        | vnet_firewall::Error::Refused { source: refused, .. } => {
            refused.is_permission_denied().then_some(Capability::NetAdmin)
        }
        _ => None,
    }
}

fn list(keys: &[Key]) -> String {
    keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Joins errors with their causes in one line.
fn in_words(errors: &[Error]) -> String {
    let chain = |error: &Error| {
        let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
        causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
    };
    errors.iter().map(chain).collect::<Vec<_>>().join("; ")
}

fn how_undone(rollback: &[Error]) -> String {
    match rollback {
        [] => "what was done before it is undone".to_owned(),
        errors => format!("not everything that was done before it could be undone: {}", in_words(errors)),
    }
}
