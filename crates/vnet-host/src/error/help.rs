//! What to do about what a host could not do.

use std::io;

use super::Error;
use crate::Named;

impl Error {
    /// What to do about it. `None` where the message says so itself.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Polkit { .. } => {
                "check that polkit runs, and that /usr/share/polkit-1/actions has org.fedoraproject.FirewallD1.policy, \
                 then `systemctl restart polkit`"
                    .to_owned()
            }
            Self::FirewalldHangs { .. } => "see `systemctl status firewalld polkit`".to_owned(),
            Self::ResolvedHangs { .. } => "see `systemctl status systemd-resolved`".to_owned(),
            Self::Locked { .. } => "try again".to_owned(),
            Self::NoProgram { debian, fedora, .. } => {
                format!("Debian and Ubuntu: `apt-get install {debian}`; Fedora: `dnf install {fedora}`")
            }
            Self::Elsewhere(named) => format!(
                "enter that one, or give this one a state folder of its own; where that namespace is gone, \
                 `vnet forget {}` drops its receipt",
                named.name()
            ),
            Self::Lives { here: true, .. } => "stop or detach it".to_owned(),
            Self::Lives { .. } => "enter that one to stop or detach it".to_owned(),
            Self::Untrusted { .. } => {
                "let only root and the user of vnet write to it and to the folders above it".to_owned()
            }
            Self::Receipt { .. } | Self::CutShort { .. } => "`vnet forget` drops it".to_owned(),
            Self::NewerReceipt { .. } => "use that one".to_owned(),
            Self::Unfinished(name) => {
                format!("`vnet apply {name}` brings it to its end, `vnet stop {name}` takes the network away")
            }
            Self::NoSwitchBridge { .. } | Self::SwitchHangs { .. } => return None,
            Self::Switch { source, .. } => return of_switch(&**source),
            Self::SwitchRefuses { .. } => "change what Open vSwitch complains about; its log may say more".to_owned(),
            Self::OfLibvirt(name) => format!("`virsh attach-interface GUEST network {name}` attaches one"),
            Self::Netlink(error) => return error.help(),
            Self::Firewall(error) => return error.help(),
            Self::Rules { source, .. } => return source.help(),
            Self::Passt(error) => return error.help(),
            Self::Firewalld { .. } => {
                "see `journalctl --unit firewalld`; a restart of firewalld often helps".to_owned()
            }
            Self::Resolved { .. } => "see `journalctl --unit systemd-resolved`".to_owned(),
            Self::FirewalldEnded { .. } => {
                "try again: without firewalld a network needs no zone, and with it that is made anew".to_owned()
            }
            Self::ResolvedEnded { .. } => "start systemd-resolved, and try again".to_owned(),
            Self::File { source, .. } => of_file(source).to_owned(),
            Self::Program { .. } => "change what the program complains about".to_owned(),
            Self::Slow { command, .. } | Self::Vanished { command, .. } => {
                format!("try again; where it happens again, run `{command}` by hand to see what it does")
            }
            Self::Immortal { pid } => format!("see in /proc/{pid}/wchan what it waits for; a reboot ends it"),
            Self::Conflict(_) => "remove it, or choose another name, address or subnet in the definition".to_owned(),
            Self::Unexpected(_) => "`vnet status` shows what has drifted, `vnet apply` repairs it".to_owned(),
            Self::Running(Named::Network(name)) => {
                format!("`vnet apply {name}` changes it, `vnet stop {name}` ends it")
            }
            Self::Running(Named::Port(name)) => format!("`vnet detach {name}` ends it"),
            Self::Absent(_) => "`vnet list --all` and `vnet ports` show what there is".to_owned(),
            Self::NotAsBefore(_) => "`vnet doctor` shows what is left, `vnet gc` removes it".to_owned(),
            Self::Unrecorded { source, .. } | Self::Step { source, .. } => return source.help(),
            Self::DaemonRuns { pid, .. } => format!("end process {pid} first"),
            Self::Leftover { errors, .. } => return errors.iter().find_map(Self::help),
            Self::Injected => "leave the fault out".to_owned(),
        })
    }
}

/// What to do about a database of Open vSwitch that cannot be used.
#[cfg(feature = "openvswitch")]
fn of_switch(error: &(dyn std::error::Error + Send + Sync + 'static)) -> Option<String> {
    let shared = error.downcast_ref::<std::sync::Arc<vnet_ovsdb::Error>>().map(AsRef::as_ref);
    error.downcast_ref().or(shared).and_then(vnet_ovsdb::Error::help)
}

#[cfg(not(feature = "openvswitch"))]
fn of_switch(_: &(dyn std::error::Error + Send + Sync + 'static)) -> Option<String> {
    Some("build the program with the feature `openvswitch` of vnet-host".to_owned())
}

/// What to do about a file that cannot be used.
fn of_file(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "run it as root, or as a user who may",
        io::ErrorKind::ReadOnlyFilesystem => "make the file system writable, or choose another folder",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free space on that file system",
        io::ErrorKind::NotFound => "see that the folder above it exists",
        io::ErrorKind::AlreadyExists | io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory => {
            "remove what has this path, or choose another"
        }
        _ => "see that its file system is sound: `dmesg | tail`",
    }
}
