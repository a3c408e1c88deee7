//! A guest's passt and the folder of its socket. The folder belongs to passt's user alone and is
//! removed with passt.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use nix::unistd::{Gid, Uid, chown};
use vnet_passt::run::{Program, Running};
use vnet_passt::{Lifetime, Passt, Process};

use super::{Kind, LinuxHost, process};
use crate::{Error, Fact};

impl Kind for Passt {
    /// When a crash lost the process number, a passt with other arguments is another passt.
    fn look(&self, _: &LinuxHost, fact: Option<Fact>) -> Result<Option<Self>, Error> {
        let Some(pid) = running(self)?.map(|it| it.pid()).or_else(|| Some(lost(self, fact)?.0)) else {
            return Ok(None);
        };
        let known = fact.is_some() || matches!(self.options.process, Process::Foreground);
        let same = known || self.arguments().is_ok_and(|arguments| has_arguments(pid, &arguments));
        Ok(Some(if same { self.clone() } else { another(self) }))
    }

    /// Starts passt. When it runs in the foreground, only prepares everything for the process that
    /// becomes passt.
    fn create(&self, host: &LinuxHost) -> Result<Option<Fact>, Error> {
        let program = Program::find()?;
        make(self)?;
        let started = match self.options.process {
            Process::Background => self.start(&program).map(Some),
            Process::Foreground => self.check(&program).map(|()| None),
        };
        match started {
            Ok(Some(running)) => {
                host.put_in_scope(folder(self), "passt", running.pid());
                Ok(Some(Fact::Process { pid: running.pid(), start_time: running.started() }))
            }
            Ok(None) => Ok(None),
            Err(error) => {
                // The first error is the one to report.
                let _ = remove(folder(self));
                Err(error.into())
            }
        }
    }

    fn update(&self, to: &Self, host: &LinuxHost, fact: Option<Fact>) -> Result<Option<Fact>, Error> {
        self.delete(host, fact)?;
        to.create(host)
    }

    fn delete(&self, _: &LinuxHost, fact: Option<Fact>) -> Result<(), Error> {
        if let Some(running) = running(self)? {
            running.stop()?;
        }
        while let Some((pid, started)) = lost(self, fact) {
            process::end(pid, started)?;
        }
        remove(folder(self))
    }
}

fn running(passt: &Passt) -> Result<Option<Running>, Error> {
    let Some(pid_file) = passt.pid_file.as_deref() else { return Ok(None) };
    Ok(Running::find(pid_file, &passt.socket)?)
}

/// When a crash lost the process number: a passt that has not written its number yet.
fn lost(passt: &Passt, fact: Option<Fact>) -> Option<(i32, u64)> {
    let socket = passt.socket.as_os_str().as_bytes();
    let is_it = |words: &[&[u8]]| words.windows(2).any(|pair| pair[0] == b"--socket" && pair[1] == socket);
    if fact.is_some() { None } else { process::find(is_it) }
}

fn has_arguments(pid: i32, arguments: &[OsString]) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = line.strip_suffix(b"\0").unwrap_or(&line).split(|byte| *byte == 0).skip(1);
    words.eq(arguments.iter().map(|argument| argument.as_bytes()))
}

/// A passt that uses the same socket and is no longer wanted.
fn another(passt: &Passt) -> Passt {
    let mut another = passt.clone();
    another.lifetime = match passt.lifetime {
        Lifetime::OneGuest => Lifetime::ManyGuests,
        Lifetime::ManyGuests => Lifetime::OneGuest,
    };
    another
}

fn folder(passt: &Passt) -> &Path {
    passt.socket.parent().unwrap_or(&passt.socket)
}

/// Creates the folder anew. The folder of an earlier passt may belong to another user, who could
/// put symbolic links there.
fn make(passt: &Passt) -> Result<(), Error> {
    let folder = folder(passt);
    remove(folder)?;
    let make = || -> io::Result<()> {
        DirBuilder::new().mode(0o755).recursive(true).create(folder.parent().unwrap_or(folder))?;
        DirBuilder::new().mode(0o700).create(folder)?;
        let user = Uid::from_raw(passt.user());
        if user == Uid::effective() {
            return Ok(());
        }
        // passt of 2023 creates its files as that user. Since 2025 it creates them as root without
        // any capability.
        chown(folder, Some(user), Some(Gid::from_raw(0)))?;
        fs::set_permissions(folder, Permissions::from_mode(0o770))
    };
    make().map_err(Error::file("make the folder", folder))
}

fn remove(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.map_err(Error::file("remove", folder)),
    }
}
