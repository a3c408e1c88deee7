//! Runs vnet with the programs of another Debian release. `xtask/peers/run.sh` has the checks.

use std::path::Path;

use crate::run::{Failed, build_programs, can, watch};
use crate::tally::Tally;
use crate::tests::is_root;

/// The release that `test` uses: Debian stable.
pub(crate) const STABLE: &str = "trixie";

/// Unpacks a release's dnsmasq, passt and nft in a temporary folder, and runs vnet with them.
pub(crate) fn test(release: &str) -> Tally {
    if !is_root() || !can("apt-get", &["--version"]) || !Path::new("/etc/apt/sources.list.d/debian.sources").exists() {
        println!(
            "xtask: the programs of Debian {release} were not tried: that takes root, and a Debian to ask for them"
        );
        return Tally::default();
    }
    Tally::or_failed(try_test(release))
}

fn try_test(release: &str) -> Result<Tally, Failed> {
    build_programs()?;
    let mut tally = Tally::default();
    let succeeded = watch("bash", &["xtask/peers/run.sh", "target/debug/vnet", release], |line| tally.line(line))?;
    Ok(tally.with_status(succeeded))
}
