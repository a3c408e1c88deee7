//! The process that owns a network or a port. When it was killed, anyone can remove what it left.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Error;

/// A process, distinguished from a later one with its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Its process number.
    pid: u32,
    /// When it started, in clock ticks after boot (proc_pid_stat(5), field 22).
    start_time: u64,
    /// The PID namespace of that number: the inode of `/proc/self/ns/pid`.
    pid_namespace: u64,
}

impl Owner {
    /// This process.
    ///
    /// # Errors
    /// [`Error::File`] where `/proc` cannot be read.
    pub fn this() -> Result<Self, Error> {
        let stat = Path::new("/proc/self/stat");
        let text = fs::read_to_string(stat).map_err(Error::file("read", stat))?;
        let (pid, start_time) = (std::process::id(), started(&text).unwrap_or_default());
        Ok(Self { pid, start_time, pid_namespace: pid_namespace()? })
    }

    /// Whether it has ended. A process in another PID namespace cannot be seen, so it counts as
    /// alive.
    pub fn is_gone(&self) -> bool {
        if pid_namespace().ok() != Some(self.pid_namespace) {
            return false;
        }
        let folder = format!("/proc/{}", self.pid);
        match fs::read_to_string(format!("{folder}/stat")) {
            Ok(text) => started(&text) != Some(self.start_time),
            Err(_) => !Path::new(&folder).exists() && Path::new("/proc/self").exists(),
        }
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.pid
    }
}

fn pid_namespace() -> Result<u64, Error> {
    let path = Path::new("/proc/self/ns/pid");
    fs::metadata(path).map(|metadata| metadata.ino()).map_err(Error::file("look at", path))
}

/// When a process started. `None` when it has ended, even if its parent has not reaped it.
fn started(stat: &str) -> Option<u64> {
    // The name, field 2, is in parentheses and may contain any character.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    if matches!(*fields.first()?, "Z" | "X") { None } else { fields.get(19)?.parse().ok() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[test]
    fn a_process_is_there_until_it_has_ended() {
        let this = Owner::this().unwrap();
        assert!(!this.is_gone());
        assert!(Owner { start_time: this.start_time + 1, ..this }.is_gone(), "another process of that number");
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let other = Owner { pid: child.id(), ..this };
        child.wait().unwrap();
        assert!(other.is_gone());
        assert!(!Owner { pid_namespace: 0, ..other }.is_gone(), "nobody can tell");
    }
}
