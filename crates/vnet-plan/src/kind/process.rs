//! Running programs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Kind;
use crate::Key;

/// A program that runs while its network runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The program, looked up in `PATH`.
    pub program: String,
    /// Its arguments. One of them names a file of vnet's; the process is recognised by it.
    pub args: Vec<String>,
    /// What is added to its environment, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Where the program writes its process number once it is ready.
    pub pid_file: PathBuf,
    /// Digest of what it reads at its start. If it changes, the program is restarted.
    pub restart_on: String,
    /// Digest of what it reads again on SIGHUP. If it changes, the program gets that signal.
    pub reload_on: String,
    /// Whether a signal has stopped it (SIGSTOP), so that it runs and does nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stopped: bool,
}

impl Process {
    fn command_line(&self) -> String {
        [&self.program].into_iter().chain(&self.args).map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    /// Whether a signal is enough for the change to `to`.
    fn only_reloads(&self, to: &Self) -> bool {
        self.restart_on == to.restart_on && self.args == to.args
    }
}

impl Kind for Process {
    fn key(&self) -> Key {
        Key::Process(self.pid_file.clone())
    }

    fn added(&self) -> String {
        format!("run {}", self.command_line())
    }

    fn deleted(&self) -> String {
        format!("stop {}", self.command_line())
    }

    fn changed(&self, to: &Self) -> String {
        let again = match (self.only_reloads(to), self.stopped) {
            (true, true) => "continue (it is stopped)",
            (true, false) => "reload",
            (false, _) => "restart",
        };
        format!("~ {again} {}", to.command_line())
    }

    fn effect_of_delete(&self) -> Option<&'static str> {
        Some("no DHCP and DNS any more; leases stay valid until they end")
    }

    fn effect_of_change(&self, to: &Self) -> Option<&'static str> {
        Some(if self.stopped {
            "DHCP and DNS answer again"
        } else if self.only_reloads(to) {
            "dnsmasq reads its hosts again; guests notice nothing"
        } else {
            "DHCP and DNS pause for a moment; leases stay"
        })
    }
}
