//! Boots Debian with systemd in a virtual machine, three times. `xtask/boot/run.sh` makes the
//! machine, and `boot-1.sh` and its neighbours have the cases.

use std::fs;

use super::kernel::kernel;
use crate::run::{Failed, build_programs, failed, root, watch};
use crate::tally::Tally;

/// Boots it, and counts the cases.
pub(crate) fn test() -> Tally {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    if !release.lines().any(|line| line == "ID=debian") {
        println!("xtask: no Debian with systemd was booted: its packages come from a Debian");
        return Tally::default();
    }
    Tally::or_failed(try_test())
}

fn try_test() -> Result<Tally, Failed> {
    build_programs()?;
    let folder = root().join("target/vm");
    fs::create_dir_all(&folder).map_err(failed(&folder))?;
    kernel(&folder)?;
    let mut tally = Tally::default();
    let run = ["xtask/boot/run.sh", "target/debug/vnet", "target/vm/kernel", "target/vm/boot"];
    let succeeded = watch("bash", &run, |line| tally.line(line))?;
    Ok(tally.with_status(succeeded))
}
