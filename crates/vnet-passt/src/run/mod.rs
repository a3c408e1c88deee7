//! Runs passt: finds the program and its options, starts it for a guest, finds it again later, and
//! stops it.
//!
//! ```no_run
//! use vnet_passt::Passt;
//! use vnet_passt::run::Program;
//!
//! let mut passt = Passt::new("/run/user/1000/vm/passt.socket");
//! passt.pid_file = Some("/run/user/1000/vm/passt.pid".into());
//! let running = passt.start(&Program::find()?)?;
//! // The guest connects to `passt.socket`: `vnet_passt::qemu` says how.
//! running.stop()?;
//! # Ok::<(), vnet_passt::run::Error>(())
//! ```
//!
//! passt is ready when `/proc/net/unix` shows that its socket accepts connections. A test
//! connection would count as the one guest that it serves.
#![allow(clippy::disallowed_methods, reason = "this is the half of the crate that has effects")]

mod cable;
mod error;
mod help;
mod host;
mod process;
mod program;
mod terminal;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Passt;
use crate::options::Process;

pub use cable::Cable;
pub use error::Error;
pub use host::{Owner, Problem};
pub use process::Running;
pub use program::Program;

/// The time that passt may take to listen.
const PATIENCE: Duration = Duration::from_secs(5);

impl Passt {
    /// Starts passt and waits until it is ready for its guest.
    ///
    /// It runs in the background by default; with [`Process::Foreground`] it is a child that nobody
    /// waits for.
    ///
    /// # Errors
    /// [`Error`], if possible before anything is started: an option that this passt lacks, a socket
    /// that another program listens on, a folder or a log file that somebody else could have
    /// prepared, a port that is taken.
    pub fn start(&self, program: &Program) -> Result<Running, Error> {
        self.check(program)?;
        let arguments = self.arguments()?;
        let pid_file = self.pid_file.as_deref().ok_or(Error::NoPidFile)?;
        for left in [&self.socket, pid_file] {
            match fs::remove_file(left) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::file(left, error)),
                _ => {}
            }
        }
        let mut command = Command::new(program.path());
        command.args(&arguments).stdin(Stdio::null()).stdout(Stdio::null()).env("LC_ALL", "C");
        let mut child = match self.options.process {
            Process::Background => {
                background(command, program)?;
                None
            }
            Process::Foreground => Some(command.spawn().map_err(|error| Error::file(program.path(), error))?),
        };
        let deadline = Instant::now() + PATIENCE;
        loop {
            // In the foreground, its messages go to our standard error.
            if let Some(Ok(Some(status))) = child.as_mut().map(Child::try_wait) {
                return Err(Error::Refused { status: status.to_string(), stderr: String::new() });
            }
            // What cannot be read now can be in a moment.
            let found = Running::find(pid_file, &self.socket).ok().flatten();
            if let Some(running) = found.filter(|_| is_listening(&self.socket).is_ok_and(|it| it)) {
                return Ok(running);
            }
            if Instant::now() > deadline {
                return Err(Error::NotReady { socket: self.socket.clone() });
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Checks whether it can be started, without starting it, for callers that start it themselves
    /// in the foreground.
    ///
    /// # Errors
    /// The errors of [`Passt::start`] that are known beforehand.
    pub fn check(&self, program: &Program) -> Result<(), Error> {
        program.check(&self.arguments()?)?;
        self.private(&self.socket)?;
        self.private(self.pid_file.as_deref().ok_or(Error::NoPidFile)?)?;
        for log in [&self.log_file, &self.options.pcap].into_iter().flatten() {
            no_link(log)?;
        }
        if is_listening(&self.socket)? {
            return Err(Error::InUse { socket: self.socket.clone() });
        }
        let problems = self.problems(program)?;
        if problems.is_empty() { Ok(()) } else { Err(Error::Host(problems)) }
    }

    /// The user that owns the files of passt: the current user, or, if the host's root starts it,
    /// the user that it changes to.
    pub fn user(&self) -> u32 {
        const NOBODY: u32 = 65_534;
        let own = rustix::process::geteuid().as_raw();
        if own != 0 || !is_initial_user_namespace() {
            return own;
        }
        self.options.run_as.map_or(NOBODY, |user| user.uid)
    }

    /// Checks that the folder of a file is one in which nobody else can replace the file.
    fn private(&self, file: &Path) -> Result<(), Error> {
        let folder = file.parent().filter(|_| file.is_absolute()).ok_or_else(|| Error::NotAbsolute(file.to_owned()))?;
        let not_private = |folder: &Path| Error::NotPrivate { folder: folder.to_owned(), user: self.user() };
        let about = fs::symlink_metadata(folder).map_err(|error| Error::file(folder, error))?;
        // The group root may write: passt of 2025 creates its socket as root without any
        // capability.
        let others = if about.gid() == 0 { OTHERS_WRITE & 0o007 } else { OTHERS_WRITE };
        if !about.is_dir() || about.uid() != self.user() || about.mode() & others != 0 {
            return Err(not_private(folder));
        }
        // Whoever can rename a parent folder can replace it.
        let trusted = [0, rustix::process::geteuid().as_raw(), self.user(), UNMAPPED];
        for above in folder.ancestors().skip(1) {
            let about = fs::metadata(above).map_err(|error| Error::file(above, error))?;
            let is_open = about.mode() & OTHERS_WRITE != 0 && about.mode() & STICKY == 0;
            if is_open || !trusted.contains(&about.uid()) {
                return Err(not_private(above));
            }
        }
        Ok(())
    }
}

/// Whether this is the initial user namespace (user_namespaces(7)). Only there passt changes from
/// root to another user.
fn is_initial_user_namespace() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// Runs passt until it has gone to the background. Its output goes to a file instead of a pipe,
/// because the process in the background would keep a pipe open.
fn background(mut command: Command, program: &Program) -> Result<(), Error> {
    let said = said().map_err(|error| Error::file(Path::new("/tmp"), error))?;
    let copy = said.try_clone().map_err(|error| Error::file(Path::new("/tmp"), error))?;
    let failed = |error| Error::file(program.path(), error);
    let mut child = command.stderr(copy).spawn().map_err(failed)?;
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait().map_err(failed)? {
            None if Instant::now() > deadline => {
                child.kill().and_then(|()| child.wait()).map_err(failed)?;
                return Err(Error::Slow);
            }
            None => thread::sleep(Duration::from_micros(500)),
            Some(status) => break status,
        }
    };
    if status.success() {
        return Ok(());
    }
    let text = read_back(said).unwrap_or_default();
    // Without a system log, passt adds a line about that for each message.
    let lines = text.lines().filter(|line| !line.starts_with("Failed to send") && !line.trim().is_empty());
    let stderr = lines.collect::<Vec<_>>().join("\n");
    Err(Error::Refused { status: status.to_string(), stderr })
}

/// A file without a name, for the output.
fn said() -> io::Result<fs::File> {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
    let memory = memfd_create("passt", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    // The most that is kept: nobody reads more.
    ftruncate(&memory, 1 << 16)?;
    fcntl_add_seals(&memory, SealFlags::GROW | SealFlags::SHRINK)?;
    Ok(memory.into())
}

fn read_back(mut file: fs::File) -> io::Result<String> {
    use std::io::{Read, Seek};
    file.rewind()?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).trim_end_matches('\0').to_owned())
}

/// Whether a program listens on the socket with this path.
pub(crate) fn is_listening(socket: &Path) -> Result<bool, Error> {
    let list = Path::new("/proc/net/unix");
    let text = fs::read(list).map_err(|error| Error::file(list, error))?;
    Ok(listens(&text, socket.as_os_str().as_encoded_bytes()))
}

/// Whether the kernel's list has a socket with this path that accepts connections. The path is the
/// end of its line, unescaped, line breaks included. So a line is found by its end, and the text
/// before the path has to be the seven fields of a line: number, references, protocol, flags, type,
/// state, inode.
fn listens(list: &[u8], path: &[u8]) -> bool {
    /// `__SO_ACCEPTCON` of linux/net.h.
    const ACCEPTS: u32 = 0x0001_0000;
    let end = [b" ", path, b"\n"].concat();
    let found = (0..list.len()).filter(|at| list[*at..].starts_with(&end));
    let flags = found.filter_map(|at| {
        let line = list[..at].rsplit(|byte| *byte == b'\n').next()?;
        let fields: Vec<&str> = std::str::from_utf8(line).ok()?.split_ascii_whitespace().collect();
        let [number, _, _, flags, _, _, _] = fields[..] else { return None };
        u32::from_str_radix(flags, 16).ok().filter(|_| number.ends_with(':'))
    });
    flags.into_iter().any(|flags| flags & ACCEPTS != 0)
}

/// Write permission of a group and of others (inode(7)).
const OTHERS_WRITE: u32 = 0o022;
/// The sticky bit: only the owner of a file in the folder can rename or remove it.
const STICKY: u32 = 0o1000;

/// Users that are not mapped in a user namespace, such as the host's root, appear as this user
/// (user_namespaces(7)).
const UNMAPPED: u32 = 65534;

/// Checks that a file that passt writes is an ordinary file or does not exist: a link would lead to
/// another file.
fn no_link(file: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(file) {
        Ok(about) if !about.is_file() => Err(Error::NotAFile { path: file.to_owned() }),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = file.parent().unwrap_or(file);
            fs::metadata(folder).map(drop).map_err(|error| Error::file(folder, error))
        }
        Err(error) => Err(Error::file(file, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_found_by_the_whole_of_their_path() {
        let line =
            |flags: &str, path: &str| format!("0000000000000000: 00000002 00000000 {flags} 0001 01 1234 {path}\n");
        let list =
            ["Num       RefCount Protocol Flags    Type St Inode Path\n", "0: 00000002 00000000 00000000 0002 01 7\n"]
                .concat()
                + &line("00010000", "/run/a b")
                + &line("00000000", "/run/c")
                + &line("00010000", "/x\n /run/d")
                + &line("00010000", "/x /run/e");
        let cases = [
            ("/run/a b", true),
            ("b", false),
            ("/run/c", false),
            ("/x\n /run/d", true),
            ("/run/d", false),
            ("/run/e", false),
        ];
        for (path, expected) in cases {
            assert_eq!(listens(list.as_bytes(), path.as_bytes()), expected, "{path:?}");
        }
    }
}
