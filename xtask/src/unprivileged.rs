//! The tests once more as `nobody`: what works in a user namespace must not need root outside of it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::Value;

use crate::run::{Failed, can, output, root, run};

/// Runs a program where everyone may open `/dev/net/tun`.
const WITH_TUN: [&str; 8] = [
    "unshare",
    "--mount",
    "--propagation",
    "private",
    "sh",
    "-c",
    "mount -t tmpfs -o mode=755 none /mnt && mknod -m 666 /mnt/tun c 10 200 && mount --bind /mnt/tun /dev/net/tun \
     && exec \"$@\"",
    "sh",
];

const NOBODY: [&str; 3] = ["--reuid=nobody", "--regid=65534", "--clear-groups"];

/// Is this root?
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Runs the built test programs as `nobody`. An ordinary user has done so already.
pub(crate) fn test() -> Result<(), Failed> {
    if !is_root() {
        println!("xtask: the tests ran as an unprivileged user; as root, they run as root too");
        return Ok(());
    }
    // xtask's own test asks cargo, which nobody may not be able to run; it touches no kernel.
    let mut programs = test_programs(&["--workspace", "--all-features"])?;
    programs.retain(|program| program.name != "xtask");
    let user = as_nobody(&programs)?;
    // Distributions let everyone open it; containers often do not.
    let has_tun = can("setpriv", &[&user[..], &["test", "-w", "/dev/net/tun"]].concat());
    let tun = if has_tun { &[][..] } else { &WITH_TUN };
    // insta would ask cargo, which nobody may not be able to run.
    let snapshots = format!("INSTA_WORKSPACE_ROOT={}", root().display());
    for program in &programs {
        let package = package_folder(program)?;
        let folder = package.display().to_string();
        let arguments =
            [&["--chdir", &folder, &snapshots], tun, &["setpriv"], &user[..], &[program.executable.as_str()]].concat();
        run("env", &arguments)?;
    }
    Ok(())
}

/// A built test program.
pub(crate) struct TestProgram {
    /// The name of its source file.
    pub(crate) name: String,
    pub(crate) executable: String,
    manifest: String,
}

impl TestProgram {
    /// Is it one of the package of integration tests?
    pub(crate) fn is_integration(&self) -> bool {
        Path::new(&self.manifest) == root().join("tests/Cargo.toml")
    }
}

/// Builds the test programs of these packages.
pub(crate) fn test_programs(packages: &[&str]) -> Result<Vec<TestProgram>, Failed> {
    let listed = output("cargo", &[&["test", "--no-run", "--message-format=json"], packages].concat())?;
    let messages = listed.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let programs = messages.filter(|message| message["profile"]["test"] == true).filter_map(|message| {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Some(TestProgram {
            name: text(&message["target"]["name"])?,
            executable: text(&message["executable"])?,
            manifest: text(&message["manifest_path"])?,
        })
    });
    match programs.collect::<Vec<_>>() {
        programs if programs.is_empty() => Err(Failed("cargo named no test program".to_owned())),
        programs => Ok(programs),
    }
}

fn package_folder(program: &TestProgram) -> Result<&Path, Failed> {
    Path::new(&program.manifest).parent().ok_or_else(|| Failed(format!("{} is in no folder", program.manifest)))
}

/// The words for setpriv(1). Where `nobody` cannot reach the workspace, it may read past the folders above.
fn as_nobody(programs: &[TestProgram]) -> Result<Vec<&'static str>, Failed> {
    let reaches = |user: &[&str]| {
        let probe = |path: &str| can("setpriv", &[user, &["test", "-r", path]].concat());
        probe(&root().join("Cargo.toml").display().to_string())
            && programs.iter().all(|program| probe(&program.executable))
    };
    let past = [&NOBODY[..], &["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]].concat();
    if reaches(&NOBODY) {
        Ok(NOBODY.to_vec())
    } else if reaches(&past) {
        println!("xtask: nobody cannot reach {}: it gets the capability to read it", root().display());
        Ok(past)
    } else {
        Err(Failed(format!("nobody cannot read {}", root().display())))
    }
}
