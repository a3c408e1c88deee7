//! The file system of a test's namespaces: the host's files, all read-only, and writable folders of
//! the test's own.
#![allow(unsafe_code, reason = "no crate wraps mount_setattr(2)")]

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::libc;
use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{AccessFlags, access, getppid};
use vnet_lab::Namespace;
use vnet_lab::mounts::mount_new;

/// Folders that programs write to; they are empty inside.
const PRIVATE: [&str; 5] = ["/run", "/var/lib", "/var/tmp", "/dev/shm", "/tmp"];
/// The path of the host's `/etc` while another one is in its place: the first of these that tests
/// do not need.
const ETC_PLACES: [&str; 3] = ["/mnt", "/media", "/srv"];
/// Set by people who let a test update its expected output: the sources are writable then.
const BLESSINGS: [&str; 2] = ["VNET_BLESS", "INSTA_UPDATE"];

/// Makes fresh namespaces usable, after a check that they are fresh.
pub(crate) fn furnish() {
    assert_eq!(getppid().as_raw(), 1, "not started by the harness: refusing to mount over a real host");
    // A container that masks parts of its /proc gets no new one. The old one works, except for
    // process numbers.
    let _ = mount_new("proc", "/proc");
    mount_new("sysfs", "/sys").unwrap_or_else(|error| panic!("sysfs on /sys: {error}"));
    let links = links();
    assert_eq!(links, ["lo"], "the network namespace is not fresh: refusing to touch what may be a real host");
    let needed = Needed::all();
    set_attributes(Path::new("/"), libc::AT_RECURSIVE, libc::MOUNT_ATTR_RDONLY, 0)
        .unwrap_or_else(|error| panic!("mount_setattr(2), of Linux 5.12, to have the host read-only: {error}"));
    // The host may have them read-only; then they stay so.
    let _ = ["/proc", "/sys"].map(|folder| writable(Path::new(folder)));
    for folder in PRIVATE.iter().filter(|folder| fs::symlink_metadata(folder).is_ok_and(|it| it.is_dir())) {
        mount_new("tmpfs", folder).unwrap_or_else(|error| panic!("tmpfs on {folder}: {error}"));
    }
    private_etc(&needed).unwrap_or_else(|error| panic!("an /etc of its own: {error}"));
    for needed in &needed {
        needed.bring_back().unwrap_or_else(|error| panic!("{}: {error}", needed.path.display()));
    }
    std::env::set_current_dir(env!("CARGO_MANIFEST_DIR")).expect("the folder of the tests is there");
    umask(Mode::S_IWGRP | Mode::S_IWOTH);
    Namespace::current().unwrap_or_else(|error| panic!("setting lo up: {error}"));
}

/// All links except `ifb0` and the like, which a kernel with that module puts into every new
/// namespace.
fn links() -> Vec<String> {
    let entries = fs::read_dir("/sys/class/net").expect("sysfs is mounted");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    names.filter(|name| !name.starts_with("ifb")).collect()
}

/// A folder that stays visible at its path, whatever is mounted above it.
struct Needed {
    path: PathBuf,
    folder: File,
    writable: bool,
}

impl Needed {
    /// The workspace, cargo's build output, and the data that tests read.
    fn all() -> Vec<Self> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are in the workspace");
        let program = std::env::current_exe().expect("a program knows its file");
        let target = program.ancestors().nth(3).expect("tests are in target/PROFILE/deps").to_owned();
        let blessed = BLESSINGS.iter().any(|name| std::env::var_os(name).is_some());
        let mut needed = vec![Self::open(workspace.to_owned(), blessed), Self::open(target, true)];
        let corpus = fs::canonicalize(env!("VNET_LIBVIRT_CORPUS_FOLDER"));
        needed.extend(corpus.map(|corpus| Self::open(corpus, false)));
        needed
    }

    fn open(path: PathBuf, writable: bool) -> Self {
        let open = |path: &Path| File::options().read(true).custom_flags(libc::O_PATH).open(path);
        // A capability, or the working directory, may have led past a folder that is closed to our
        // user, such as `/root`. Capabilities in a user namespace do not, but the working directory
        // is still open.
        let folder = open(&path).or_else(|_| open(&from_working_directory(&path)));
        let folder = folder.unwrap_or_else(|error| {
            panic!("{}: {error}; run the tests with a working directory in the workspace", path.display())
        });
        Self { path, folder, writable }
    }

    /// Mounts it at its path, unless it is still there.
    fn bring_back(&self) -> io::Result<()> {
        let ancestors: Vec<_> = self.path.ancestors().collect();
        let closed = |folder: &&&Path| folder.is_dir() && access(**folder, AccessFlags::X_OK).is_err();
        if let Some(closed) = ancestors.iter().rev().find(closed) {
            mount_new("tmpfs", closed)?;
        }
        if self.writable || !self.is_there() {
            fs::create_dir_all(&self.path)?;
            let source = format!("/proc/self/fd/{}", self.folder.as_raw_fd());
            mount(Some(source.as_str()), &self.path, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)?;
        }
        if self.writable {
            writable(&self.path)?;
        }
        Ok(())
    }

    fn is_there(&self) -> bool {
        let identity = |it: fs::Metadata| (it.dev(), it.ino());
        let there = fs::metadata(&self.path).map(identity);
        matches!((there, self.folder.metadata().map(identity)), (Ok(there), Ok(held)) if there == held)
    }
}

/// The path of the folder from the working directory, through their nearest common parent.
fn from_working_directory(to: &Path) -> PathBuf {
    let working = std::env::current_dir().expect("a working directory");
    let common = to.ancestors().find(|ancestor| working.starts_with(ancestor)).expect("`/` is above everything");
    let steps = |path: &Path| path.strip_prefix(common).expect("it is below").to_owned();
    let up: PathBuf = steps(&working).iter().map(|_| "..").collect();
    Path::new(".").join(up).join(steps(to))
}

/// Gives the test a writable `/etc`: existing files stay readable through links, new files are in
/// memory.
fn private_etc(needed: &[Needed]) -> io::Result<()> {
    let is_free = |folder: &&Path| folder.is_dir() && !needed.iter().any(|it| it.path.starts_with(folder));
    let folder = ETC_PLACES.map(Path::new).into_iter().find(is_free);
    let folder = folder.ok_or_else(|| io::Error::other("/mnt, /media and /srv are missing or in use"))?;
    let old = folder.join("etc");
    mount_new("tmpfs", folder)?;
    fs::create_dir(&old)?;
    mount(Some("/etc"), &old, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)?;
    mount_new("tmpfs", "/etc")?;
    for entry in fs::read_dir(&old)? {
        let name = entry?.file_name();
        let link = Path::new("/etc").join(&name);
        if name != "vnet" && !needed.iter().any(|it| it.path.starts_with(&link)) {
            symlink(old.join(&name), link)?;
        }
    }
    Ok(())
}

/// Makes a mount writable again that [`furnish`] has made read-only.
fn writable(folder: &Path) -> nix::Result<()> {
    set_attributes(folder, 0, 0, libc::MOUNT_ATTR_RDONLY)
}

/// Sets and clears attributes of a mount; with `AT_RECURSIVE` also of all mounts below it.
fn set_attributes(folder: &Path, flags: libc::c_int, set: u64, clear: u64) -> nix::Result<()> {
    let folder = CString::new(folder.as_os_str().as_bytes()).expect("no NUL in paths");
    let attributes = libc::mount_attr { attr_set: set, attr_clr: clear, propagation: 0, userns_fd: 0 };
    // SAFETY: mount_setattr(2) reads a path and a structure of the given size; both live through
    // the call.
    let result = unsafe {
        let size = size_of::<libc::mount_attr>();
        libc::syscall(libc::SYS_mount_setattr, libc::AT_FDCWD, folder.as_ptr(), flags, &attributes, size)
    };
    Errno::result(result).map(drop)
}
