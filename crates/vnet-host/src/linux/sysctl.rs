//! Kernel switches under `/proc/sys`, those of the thread's network namespace.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use vnet_plan::Sysctl;

use crate::Error;

pub(super) fn look(switch: &Sysctl) -> Result<Option<u32>, Error> {
    let path = path(switch);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim().parse().ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file("read", &path)(error)),
    }
}

pub(super) fn set(switch: &Sysctl, value: u32) -> Result<(), Error> {
    let path = path(switch);
    fs::write(&path, format!("{value}\n")).map_err(Error::file("write", &path))
}

fn path(switch: &Sysctl) -> PathBuf {
    Path::new("/proc/sys").join(switch.path())
}
