//! A guest's passt, with the folder of its socket: made for passt's user alone, and taken away with it.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use nix::unistd::{Uid, chown};
use vnet_passt::run::{Program, Running};
use vnet_passt::{Passt, Process};

use crate::{Error, Fact};

pub(super) fn running(passt: &Passt) -> Option<Running> {
    Running::find(passt.pid_file.as_deref()?, &passt.socket)
}

/// Starts it; one in the foreground is made ready for who becomes it.
pub(super) fn start(passt: &Passt) -> Result<Option<Fact>, Error> {
    let program = Program::find()?;
    make(passt)?;
    let started = match passt.options.process {
        Process::Background => passt.start(&program).map(Some),
        Process::Foreground => passt.check(&program).map(|()| None),
    };
    match started {
        Ok(running) => Ok(running.map(|it| Fact::Process { pid: it.pid(), start_time: it.started() })),
        Err(error) => {
            // Why it does not start is the news.
            let _ = remove(folder(passt));
            Err(error.into())
        }
    }
}

/// Ends it, where it runs.
pub(super) fn stop(passt: &Passt) -> Result<(), Error> {
    if let Some(running) = running(passt) {
        running.stop()?;
    }
    remove(folder(passt))
}

fn folder(passt: &Passt) -> &Path {
    passt.socket.parent().unwrap_or(&passt.socket)
}

/// Makes the folder anew: what an earlier passt has left may be another user's, who could lead what is written elsewhere.
fn make(passt: &Passt) -> Result<(), Error> {
    let folder = folder(passt);
    remove(folder)?;
    let make = || -> io::Result<()> {
        DirBuilder::new().mode(0o755).recursive(true).create(folder.parent().unwrap_or(folder))?;
        DirBuilder::new().mode(0o700).create(folder)?;
        let user = Uid::from_raw(passt.user());
        if user == Uid::effective() { Ok(()) } else { Ok(chown(folder, Some(user), None)?) }
    };
    make().map_err(Error::file("make the folder", folder))
}

fn remove(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.map_err(Error::file("remove", folder)),
    }
}
