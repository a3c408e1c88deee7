//! Fresh namespaces become a host that a test can live on.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::unistd::{AccessFlags, access, getppid};
use vnet_lab::Namespace;
use vnet_lab::mounts::mount_new;

/// Where libvirt-like programs write: empty inside.
const PRIVATE: [&str; 2] = ["/run", "/var/lib"];

/// Makes fresh namespaces usable, after a look that they are fresh.
pub(crate) fn furnish() {
    assert_eq!(getppid().as_raw(), 1, "not started by the harness: refusing to mount over a real host");
    // A container that masks parts of its /proc gets no new one; the old one serves but for the PIDs.
    let _ = mount_new("proc", "/proc");
    mount_new("sysfs", "/sys").unwrap_or_else(|error| panic!("sysfs on /sys: {error}"));
    let links = links();
    assert_eq!(links, ["lo"], "the network namespace is not fresh: refusing to touch what may be a real host");
    let needed = needed_folders();
    open_up(&workspace());
    for folder in PRIVATE.iter().chain(&["/tmp"]) {
        match needed.iter().find(|needed| needed.starts_with(folder)) {
            None => mount_new("tmpfs", folder).unwrap_or_else(|error| panic!("tmpfs on {folder}: {error}")),
            Some(_) if *folder == "/tmp" => {}
            Some(needed) => panic!("tests need an empty {folder}, and {} is in it", needed.display()),
        }
    }
    private_etc(&needed).unwrap_or_else(|error| panic!("an /etc of its own: {error}"));
    Namespace::current().unwrap_or_else(|error| panic!("setting lo up: {error}"));
}

/// Gives the test an `/etc` to write to: what is there stays readable by links, what is new is in memory.
fn private_etc(needed: &[PathBuf]) -> io::Result<()> {
    let is_free = |folder: &&Path| folder.is_dir() && !needed.iter().any(|needed| needed.starts_with(folder));
    let folder = ["/mnt", "/media", "/srv"].map(Path::new).into_iter().find(is_free);
    let folder = folder.ok_or_else(|| io::Error::other("/mnt, /media and /srv are missing or in use"))?;
    let old = folder.join("etc");
    mount_new("tmpfs", folder)?;
    fs::create_dir(&old)?;
    mount(Some("/etc"), &old, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)?;
    mount_new("tmpfs", "/etc")?;
    for entry in fs::read_dir(&old)? {
        let name = entry?.file_name();
        if name != "vnet" {
            symlink(old.join(&name), Path::new("/etc").join(&name))?;
        }
    }
    Ok(())
}

/// Links but for `ifb0` and the like, which a kernel with the module puts into every new namespace.
fn links() -> Vec<String> {
    let entries = fs::read_dir("/sys/class/net").expect("sysfs is mounted");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    names.filter(|name| !name.starts_with("ifb")).collect()
}

/// What has to stay visible: the program under test and its test data.
fn needed_folders() -> Vec<PathBuf> {
    [std::env::current_exe(), std::env::current_dir(), Ok(workspace())].into_iter().flatten().collect()
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are in the workspace").to_owned()
}

/// Makes the workspace readable where it is in a folder that is closed to our user, such as `/root`.
///
/// Outside, a capability may have led past that folder; in a user namespace none does. The working directory is
/// still held: it is mounted where it was, below an empty folder in place of the closed one.
fn open_up(workspace: &Path) {
    let closed = |folder: &&Path| access(*folder, AccessFlags::X_OK).is_err();
    let ancestors = workspace.ancestors().collect::<Vec<_>>();
    let Some(closed) = ancestors.into_iter().rev().find(closed) else { return };
    let working = std::env::current_dir().expect("a working directory");
    let below = working.strip_prefix(workspace).unwrap_or_else(|_| {
        panic!("{} is closed to this user: run the tests with a working directory below it", closed.display())
    });
    let up = below.iter().fold(PathBuf::from("."), |up, _| up.join(".."));
    std::env::set_current_dir(up).expect("the workspace is readable from within");
    mount_new("tmpfs", closed).unwrap_or_else(|error| panic!("tmpfs on {}: {error}", closed.display()));
    fs::create_dir_all(workspace).expect("a new folder is ours");
    let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some("."), workspace, None::<&str>, bind, None::<&str>)
        .unwrap_or_else(|error| panic!("the workspace on {}: {error}", workspace.display()));
    std::env::set_current_dir(working).expect("the workspace is where it was");
}
