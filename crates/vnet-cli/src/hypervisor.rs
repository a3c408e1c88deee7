//! How a hypervisor connects a guest to its passt.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::Serialize;
use vnet_driver::passt_process;
use vnet_passt::{Connection, Passt, qemu};
use vnet_types::MacAddr;

/// A guest's passt, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct PasstJson {
    /// `None` while it does not run.
    pub(crate) pid: Option<i32>,
    pub(crate) socket: PathBuf,
    /// Arguments for QEMU.
    pub(crate) qemu: Vec<String>,
    /// Further arguments that QEMU needs, with the guest's memory size to fill in.
    pub(crate) qemu_memory: Option<[&'static str; 4]>,
    /// Arguments for cloud-hypervisor; `None` when it cannot use this connection.
    pub(crate) cloud_hypervisor: Option<String>,
}

impl PasstJson {
    /// A passt and its state.
    pub(crate) fn of(passt: &Passt, mac: Option<MacAddr>) -> Self {
        let (connection, socket) = (passt.connection, &passt.socket);
        Self {
            pid: passt_process(passt).map(|running| running.pid()),
            socket: socket.clone(),
            qemu: qemu::arguments(connection, socket, mac, "net0", version()),
            qemu_memory: (connection == Connection::VhostUser).then_some(qemu::SHARED_MEMORY),
            cloud_hypervisor: qemu::cloud_hypervisor(connection, socket, mac),
        }
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("QEMU: {}\n", quoted(&self.qemu));
        if let Some(memory) = &self.qemu_memory {
            text += &format!("  and {}, with the guest's own size\n", quoted(memory));
        }
        text + &match &self.cloud_hypervisor {
            Some(arguments) => format!("cloud-hypervisor: {arguments}\n"),
            None => {
                "cloud-hypervisor and others without a stream device: use an interface of type vhostuser\n".to_owned()
            }
        }
    }
}

/// The version of this machine's QEMU, if it is installed.
fn version() -> Option<qemu::Version> {
    let programs = [format!("qemu-system-{}", std::env::consts::ARCH), "qemu-kvm".to_owned()];
    let outputs = programs.iter().map(|program| Command::new(program).arg("--version").stdin(Stdio::null()).output());
    outputs.flatten().find_map(|output| String::from_utf8_lossy(&output.stdout).parse().ok())
}

/// Quotes words for a shell.
pub(crate) fn quoted<T: AsRef<str>>(words: &[T]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+,.:/%@~".contains(c);
    let quote = |word: &T| match word.as_ref() {
        word if !word.is_empty() && word.chars().all(plain) && !word.starts_with('~') => word.to_owned(),
        word => format!("'{}'", word.replace('\'', r"'\''")),
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_they_must_be() {
        assert_eq!(
            quoted(&["--socket", "/run/a b", "it's", "", "~1", "22:80"]),
            r"--socket '/run/a b' 'it'\''s' '' '~1' 22:80"
        );
    }
}
