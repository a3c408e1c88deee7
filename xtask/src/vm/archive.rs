//! Initial file systems in the kernel's format (cpio "newc",
//! Documentation/driver-api/early-userspace/buffer-format.rst).

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use super::folder::Root;
use crate::run::{Failed, failed};

/// Packs a folder.
pub(crate) fn pack(root: &Root, to: &Path) -> Result<(), Failed> {
    let archive = File::create(to).map_err(failed(to))?;
    let find = Command::new("find").arg(".").current_dir(root.path()).stdout(Stdio::piped()).spawn();
    let mut find = find.map_err(failed(Path::new("find")))?;
    let names = find.stdout.take().expect("it was asked for");
    let mut cpio = Command::new("busybox");
    cpio.args(["cpio", "-o", "-H", "newc"]).current_dir(root.path()).stdin(names).stdout(archive).stderr(Stdio::null());
    let packed = cpio.status().map_err(failed(Path::new("busybox cpio")))?.success();
    let found = find.wait().map_err(failed(Path::new("find")))?.success();
    if packed && found { Ok(()) } else { Err(Failed(format!("{} could not be packed", to.display()))) }
}
