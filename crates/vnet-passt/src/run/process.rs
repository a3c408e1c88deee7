//! A running passt. It is identified by its number and its start time, because numbers are reused.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::Error;

/// The time that it may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running passt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    pid: i32,
    started: u64,
    socket: PathBuf,
    pid_file: PathBuf,
}

impl Running {
    /// The passt whose number is in a file and which listens on a socket. `None` if it has ended,
    /// or if its number now belongs to another process: passt has the socket on its command line.
    ///
    /// # Errors
    /// [`Error::File`] if that cannot be read. Then it may run.
    pub fn find(pid_file: &Path, socket: &Path) -> Result<Option<Self>, Error> {
        let text = read(pid_file)?.and_then(|text| String::from_utf8(text).ok());
        let Some(pid) = text.and_then(|text| text.trim().parse().ok()) else { return Ok(None) };
        let line = read(Path::new(&format!("/proc/{pid}/cmdline")))?.unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0);
        let own = socket.as_os_str().as_encoded_bytes();
        if !(words.any(|word| word == b"--socket") && words.next() == Some(own)) {
            return Ok(None);
        }
        let stat = read(Path::new(&format!("/proc/{pid}/stat")))?.unwrap_or_default();
        let started = started(&String::from_utf8_lossy(&stat));
        let found = |started| Self { pid, started, socket: socket.to_owned(), pid_file: pid_file.to_owned() };
        Ok(started.map(found))
    }

    /// Its process number.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Its start time, in clock ticks since the boot (proc_pid_stat(5)).
    pub fn started(&self) -> u64 {
        self.started
    }

    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        start_time(self.pid) == Some(self.started)
    }

    /// Stops it and removes its files.
    ///
    /// # Errors
    /// [`Error::Immortal`] if it does not end; [`Error::File`] if it belongs to another user.
    pub fn stop(&self) -> Result<(), Error> {
        for signal in [Signal::TERM, Signal::KILL] {
            self.signal(signal)?;
            let deadline = Instant::now() + PATIENCE;
            while self.is_alive() && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(1));
            }
            if !self.is_alive() {
                self.remove_files()?;
                return Ok(());
            }
        }
        Err(Error::Immortal { pid: self.pid })
    }

    /// Removes its files, unless they now belong to another passt.
    fn remove_files(&self) -> Result<(), Error> {
        let number = fs::read_to_string(&self.pid_file).ok().and_then(|text| text.trim().parse().ok());
        if number != Some(self.pid) {
            return Ok(());
        }
        for file in [&self.socket, &self.pid_file] {
            match fs::remove_file(file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::file(file, error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Signals this process and no other: a pidfd stays with its process, and the process is
    /// checked after the pidfd is open.
    fn signal(&self, signal: Signal) -> Result<(), Error> {
        let path = PathBuf::from(format!("/proc/{}", self.pid));
        let Some(pid) = Pid::from_raw(self.pid) else { return Ok(()) };
        let process = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(process) => process,
            Err(rustix::io::Errno::SRCH) => return Ok(()),
            Err(errno) => return Err(Error::file(&path, errno.into())),
        };
        if !self.is_alive() {
            return Ok(());
        }
        match pidfd_send_signal(&process, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(errno) => Err(Error::file(&path, errno.into())),
        }
    }
}

/// The start time of a process (proc_pid_stat(5), field 22). `None` if it has ended, even as a
/// zombie.
fn start_time(pid: i32) -> Option<u64> {
    started(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn started(stat: &str) -> Option<u64> {
    // The name, field 2, is in parentheses and may have any character.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let ended = matches!(fields.next()?, "Z" | "X");
    if ended { None } else { fields.nth(18)?.parse().ok() }
}

/// A file about a process. `None` when there is none, as when the process has ended.
fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => Ok(None),
        text => text.map(Some).map_err(|source| Error::file(path, source)),
    }
}
