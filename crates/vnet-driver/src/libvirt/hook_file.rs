//! The file by which libvirt tells vnet of its networks.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use vnet_host::DaemonLock;
use vnet_types::NetworkName;

use super::running::{STATE, running};
use crate::driver::{Driver, network_name};
use crate::error::Error;
use crate::hooks::LIBVIRTS;

/// libvirt's folder, which is there where libvirt is installed.
const CONFIGURATION: &str = "/etc/libvirt";
/// The folder of hooks for networks, below [`LIBVIRTS`], and the file in it.
const FOLDER: &str = "network.d";
const FILE: &str = "vnet";
/// The second line of the file. A file without it is somebody else's.
const MARK: &str = "# Made by `vnet libvirt install-hook`; `vnet libvirt remove-hook` removes it.";

/// Why libvirt's hook cannot be installed or removed, or why libvirt keeps a definition as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LibvirtHookError {
    /// libvirt is not installed.
    #[error("there is no libvirt here: the folder `{CONFIGURATION}` does not exist")]
    NoLibvirt,
    /// The file is not one that vnet has made.
    #[error("`{}` is not a hook that vnet has made: move it away first", .0.display())]
    OfOthers(PathBuf),
    /// A file cannot be read, written or removed.
    #[error("`{}` cannot be changed", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The path of the program cannot be written in a shell script.
    #[error("the path `{}` of this program is not text", .0.display())]
    Program(PathBuf),
    /// virsh, which changes the definitions that libvirt keeps, failed.
    #[error("`virsh {arguments}` failed: {message}")]
    Virsh {
        /// Its arguments.
        arguments: String,
        /// What it said.
        message: String,
    },
}

impl LibvirtHookError {
    /// What to do about it. `None` where the message says so itself.
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::OfOthers(_) => return None,
            Self::NoLibvirt => "install libvirt's daemon first",
            Self::File { .. } => "run it as root, and see that the file system is writable",
            Self::Program(_) => "install vnet in a folder whose path is UTF-8",
            Self::Virsh { .. } => "run it by hand to see why; without libvirt's daemon it cannot work",
        };
        Some(help.to_owned())
    }
}

/// What an installation or a removal has done.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct LibvirtHookOutcome {
    /// The file.
    pub file: PathBuf,
    /// Whether the file was written or removed.
    pub is_changed: bool,
    /// The daemon that was told to look for hooks, by its process number.
    pub daemon: Option<i32>,
    /// The networks that libvirt runs, each with the result for it.
    pub networks: Vec<(String, Result<(), Error>)>,
}

impl Driver {
    /// Makes libvirt tell this program of its networks, and adds to those that run already.
    /// libvirt's daemon looks for hooks when it starts and when it reloads its configuration, so it
    /// is told to do that.
    ///
    /// # Errors
    /// [`Error::LibvirtHook`]. What concerns one network is its result.
    pub fn install_libvirt_hook(&self, program: &Path) -> Result<LibvirtHookOutcome, Error> {
        if !Path::new(CONFIGURATION).is_dir() {
            return Err(LibvirtHookError::NoLibvirt.into());
        }
        let text = script(program)?;
        let file = file();
        let known = known(&file)?;
        let is_changed = known.as_deref() != Some(&*text);
        if is_changed {
            write(&file, &text)?;
        }
        self.forget_ended()?;
        let add = |network: &vnet_xml::Network| {
            let runs = self.store.header(&network_name(&network.name)?)?.is_some_and(|header| header.of_libvirt);
            if runs { Ok(()) } else { self.add_to(network) }
        };
        let networks = running().into_iter().map(|there| (there.network.name.clone(), add(&there.network)));
        let networks = networks.collect();
        Ok(LibvirtHookOutcome { file, is_changed, daemon: if is_changed { reload() } else { None }, networks })
    }

    /// Removes the file, and takes away what was added to networks, which run on.
    ///
    /// # Errors
    /// [`Error::LibvirtHook`]. What concerns one network is its result.
    pub fn remove_libvirt_hook(&self) -> Result<LibvirtHookOutcome, Error> {
        let file = file();
        let is_changed = known(&file)?.is_some();
        if is_changed {
            fs::remove_file(&file).map_err(|source| LibvirtHookError::File { path: file.clone(), source })?;
        }
        // Whoever has other hooks there keeps the folders.
        if let Some(folder) = file.parent()
            && fs::remove_dir(folder).is_ok()
        {
            let _ = fs::remove_dir(LIBVIRTS);
        }
        let mut names: Vec<NetworkName> = self.store.networks()?.into_iter().map(|known| known.name).collect();
        names.retain(|name| self.store.header(name).is_ok_and(|it| it.is_some_and(|header| header.of_libvirt)));
        let networks = names.iter().map(|name| (name.to_string(), self.take_from(name))).collect();
        Ok(LibvirtHookOutcome { file, is_changed, daemon: None, networks })
    }

    /// Whether libvirt tells this program of its networks.
    pub fn has_libvirt_hook(&self) -> bool {
        known(&file()).is_ok_and(|text| text.is_some())
    }
}

fn file() -> PathBuf {
    Path::new(LIBVIRTS).join(FOLDER).join(FILE)
}

/// The text of the file that vnet has made.
fn known(file: &Path) -> Result<Option<String>, LibvirtHookError> {
    match fs::read_to_string(file) {
        Ok(text) if text.lines().nth(1) == Some(MARK) => Ok(Some(text)),
        Ok(_) => Err(LibvirtHookError::OfOthers(file.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(LibvirtHookError::File { path: file.to_owned(), source }),
    }
}

/// The hook. A program that was removed holds no network up, but for one whose guests nobody would
/// limit.
fn script(program: &Path) -> Result<String, LibvirtHookError> {
    let path = program.to_str().ok_or_else(|| LibvirtHookError::Program(program.to_owned()))?;
    let quoted = format!("'{}'", path.replace('\'', "'\\''"));
    Ok(format!(
        "#!/bin/sh\n{MARK}\n\
         [ -x {quoted} ] && exec {quoted} libvirt hook \"$@\"\n\
         # Nobody would limit what the guests of a network with <vnet:egress> reach.\n\
         if [ \"$2\" = start ] && grep -q '[:<]egress[ />]'; then\n    \
         echo \"network $1 has <vnet:egress>, and vnet is gone: it does not start\" >&2\n    exit 1\nfi\n\
         exit 0\n"
    ))
}

/// Writes the file in one step: libvirt runs whatever is executable in the folder.
fn write(file: &Path, text: &str) -> Result<(), LibvirtHookError> {
    let new = Path::new(LIBVIRTS).join(".vnet.new");
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| LibvirtHookError::File { path, source }
    };
    let folder = file.parent().unwrap_or(file);
    fs::create_dir_all(folder).map_err(failed(folder))?;
    let _ = fs::remove_file(&new);
    let mut options = fs::OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(0o755).open(&new);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    let moved = written.map_err(failed(&new)).and_then(|()| fs::rename(&new, file).map_err(failed(file)));
    moved.inspect_err(|_| drop(fs::remove_file(&new)))
}

/// Makes libvirt's daemon look for hooks, if it runs.
fn reload() -> Option<i32> {
    if !Path::new(STATE).exists() {
        return None;
    }
    let pid = match DaemonLock::take(&Path::new(STATE).join("driver.pid")) {
        Err(vnet_host::Error::DaemonRuns { pid, .. }) => pid,
        _ => return None,
    };
    kill_process(Pid::from_raw(pid)?, Signal::HUP).ok().map(|()| pid)
}
