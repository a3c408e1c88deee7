//! Hooks: programs of the administrator that are told of what happens to networks, and may refuse
//! it (<https://libvirt.org/hooks.html>).
//!
//! They get libvirt's arguments and its XML on standard input. They run while the lock is held, so
//! they cannot call vnet to change something.

mod failure;
mod script;
mod told;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use vnet_types::NetworkName;

use crate::driver::Driver;
use crate::error::Error;

pub use failure::{HookFailure, HookOperation, HookProblem};
pub(crate) use script::{is_called_by_vnet, is_not_ours};
pub(crate) use told::{Departure, document};

/// The folder of libvirt's own hooks.
pub(crate) const LIBVIRTS: &str = "/etc/libvirt/hooks";
/// How long a hook may run.
const LIMIT: Duration = Duration::from_secs(30);

/// Which hooks run, and how.
#[derive(Clone, Debug)]
pub(crate) struct Hooks {
    folder: PathBuf,
    libvirts: bool,
    limit: Duration,
    ignored: fn(&HookFailure),
}

impl Driver {
    /// Runs libvirt's own hooks, `/etc/libvirt/hooks/network` and those in `network.d` beside it,
    /// after vnet's.
    #[must_use]
    pub fn with_libvirt_hooks(mut self) -> Self {
        self.hooks.libvirts = true;
        self
    }

    /// Changes how long a hook may run, which is 30 seconds by default. Then it is ended, with all
    /// processes of its process group.
    #[must_use]
    pub fn with_hook_limit(mut self, limit: Duration) -> Self {
        self.hooks.limit = limit;
        self
    }

    /// Calls `ignored` with the failure of a hook that cannot refuse: the network is stopped, or
    /// the port is detached, anyway.
    #[must_use]
    pub fn with_ignored_hook(mut self, ignored: fn(&HookFailure)) -> Self {
        self.hooks.ignored = ignored;
        self
    }

    /// Asks the hooks, one after the other. The first that fails refuses.
    ///
    /// `document` is called when there are hooks.
    pub(crate) fn ask_hooks(
        &self,
        operation: HookOperation,
        network: &NetworkName,
        document: impl FnOnce() -> Result<String, Error>,
    ) -> Result<(), Error> {
        let scripts = self.scripts();
        if scripts.is_empty() {
            return Ok(());
        }
        let document = document()?;
        let mut runs = scripts.iter().map(|script| self.hooks.run(script, operation, network, &document));
        runs.try_for_each(|run| run.map_err(|failure| Error::Hook(Box::new(failure))))
    }

    /// Tells all hooks of something that they cannot refuse.
    pub(crate) fn tell_hooks(&self, operation: HookOperation, network: &NetworkName, document: &str) {
        for script in self.scripts() {
            if let Err(failure) = self.hooks.run(&script, operation, network, document) {
                (self.hooks.ignored)(&failure);
            }
        }
    }

    /// Whether there are hooks.
    pub(crate) fn has_hooks(&self) -> bool {
        !self.scripts().is_empty()
    }

    /// The hooks, in the order in which they run. A trial on an imagined host runs none.
    fn scripts(&self) -> Vec<PathBuf> {
        if self.imagined.is_some() {
            return Vec::new();
        }
        let theirs = self.hooks.libvirts.then(|| Path::new(LIBVIRTS));
        [&*self.hooks.folder].into_iter().chain(theirs).flat_map(scripts).collect()
    }
}

impl Hooks {
    /// Those beside the definitions of a folder.
    pub(crate) fn of(definitions: impl AsRef<Path>) -> Self {
        let folder = definitions.as_ref().join("hooks");
        Self { folder, libvirts: false, limit: LIMIT, ignored: |_| {} }
    }

    /// The same, beside other definitions.
    pub(crate) fn in_folder(self, definitions: &Path) -> Self {
        Self { folder: definitions.join("hooks"), ..self }
    }

    fn run(
        &self,
        script: &Path,
        operation: HookOperation,
        network: &NetworkName,
        document: &str,
    ) -> Result<(), HookFailure> {
        let (problem, stderr) = match vnet_host::trusted_file(script) {
            Err(error) => (HookProblem::Untrusted(Box::new(error)), String::new()),
            Ok(()) => {
                let arguments = [network.as_str(), operation.word(), operation.stage(), "-"];
                match script::run(script, arguments, document, self.limit) {
                    Ok(ran) => match ran.status {
                        Some(status) if status.success() => return Ok(()),
                        Some(status) => (HookProblem::Refused(status), ran.stderr),
                        None => (HookProblem::Slow(self.limit), ran.stderr),
                    },
                    Err(source) => (HookProblem::NotRun(source), String::new()),
                }
            }
        };
        Err(HookFailure { script: script.to_owned(), network: network.clone(), operation, problem, stderr, left: None })
    }
}

/// The hooks of a folder: `network`, then those in `network.d`, sorted by name. As with libvirt,
/// files that are not executable are left out.
fn scripts(folder: &Path) -> Vec<PathBuf> {
    let first = folder.join("network");
    let entries = fs::read_dir(folder.join("network.d")).into_iter().flatten().flatten();
    let mut more: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    more.sort();
    std::iter::once(first).chain(more).filter(|path| is_executable(path)).collect()
}

/// Whether it is a program. What cannot be looked at counts as one, so that it is not passed over:
/// running it fails.
fn is_executable(path: &Path) -> bool {
    match fs::metadata(path) {
        Ok(about) => about.is_file() && about.permissions().mode() & 0o111 != 0,
        Err(error) => !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
    }
}
