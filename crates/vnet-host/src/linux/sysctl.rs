//! Kernel switches under `/proc/sys`, in the thread's network namespace.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use vnet_plan::{Sysctl, SysctlSetting};

use super::{Kind, LinuxHost};
use crate::{Error, Fact};

impl Kind for SysctlSetting {
    fn look(&self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Self>, Error> {
        let value = match &host.seen {
            Some(seen) => seen.switch(&host.netlink, &self.switch)?,
            None => read(&self.switch)?,
        };
        Ok(value.map(|value| Self { value, ..self.clone() }))
    }

    fn create(&self, _: &LinuxHost) -> Result<Option<Fact>, Error> {
        let path = path(&self.switch);
        fs::write(&path, format!("{}\n", self.value)).map_err(Error::file("write", &path))?;
        Ok(None)
    }

    fn update(&self, to: &Self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Fact>, Error> {
        to.create(host)
    }

    /// The switch of a link disappears with the link. A shared switch keeps its value.
    fn delete(&self, _: &LinuxHost, _: Option<Fact>) -> Result<(), Error> {
        Ok(())
    }
}

/// The value of a switch; `None` when the kernel does not have it.
pub(super) fn read(switch: &Sysctl) -> Result<Option<u32>, Error> {
    let path = path(switch);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim().parse().ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file("read", &path)(error)),
    }
}

fn path(switch: &Sysctl) -> PathBuf {
    Path::new("/proc/sys").join(switch.path())
}
