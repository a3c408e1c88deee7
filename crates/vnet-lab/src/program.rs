//! Programs that others install: where they are, and how they run.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::Error;

/// Where system programs are, which an ordinary user's `$PATH` often lacks.
const OF_SYSTEM: [&str; 4] = ["/usr/local/sbin", "/usr/sbin", "/usr/bin", "/sbin"];

/// Where programs and the files of their packages are looked for.
#[derive(Clone, Debug)]
pub struct Programs {
    folders: Vec<PathBuf>,
}

impl Programs {
    /// Those that are installed: in `$PATH`, and where system programs are.
    pub fn installed() -> Self {
        let path = env::var_os("PATH").unwrap_or_default();
        Self { folders: env::split_paths(&path).chain(OF_SYSTEM.map(PathBuf::from)).collect() }
    }

    /// The same, and last those of another folder.
    #[must_use]
    pub fn and_in(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folders.push(folder.into());
        self
    }

    /// The file of a program.
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub fn find(&self, program: &str) -> Result<PathBuf, Error> {
        let found = self.folders.iter().map(|folder| folder.join(program)).find(|file| file.is_file());
        found.ok_or_else(|| Error::Missing { file: program.to_owned() })
    }

    /// A file of a package, below `share` beside a folder of programs.
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub fn shared(&self, file: &str) -> Result<PathBuf, Error> {
        let mut all = self.folders.iter().filter_map(|folder| Some(folder.parent()?.join("share").join(file)));
        all.find(|it| it.is_file()).ok_or_else(|| Error::Missing { file: format!("share/{file}") })
    }

    /// Runs a program to its end, and returns its output.
    ///
    /// # Errors
    /// [`Error::Missing`]; [`Error::Failed`] with what it says.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Result<String, Error> {
        let mut command = Command::new(self.find(program)?);
        let output = command.args(arguments).stdin(Stdio::null()).output();
        let output = output.map_err(Error::doing(format!("run {program}")))?;
        if !output.status.success() {
            let line = format!("{program} {}", arguments.join(" "));
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(Error::Failed { line, status: output.status, said });
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// A program of Open vSwitch or OVN that stays in the foreground, with its files in a folder.
    pub(crate) fn daemon(&self, program: &str, folder: &Path) -> Result<Command, Error> {
        let mut command = Command::new(self.find(program)?);
        for variable in ["OVS_RUNDIR", "OVS_LOGDIR", "OVN_RUNDIR", "OVN_LOGDIR"] {
            command.env(variable, folder);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.args(["--no-chdir", "-vconsole:off"]);
        Ok(command)
    }
}

/// A program that runs. It is killed with this value.
#[derive(Debug)]
pub struct Daemon(Child);

impl Daemon {
    /// Starts it.
    ///
    /// # Errors
    /// [`Error::System`].
    pub(crate) fn start(mut command: Command) -> Result<Self, Error> {
        let name = Path::new(command.get_program()).display().to_string();
        command.spawn().map(Self).map_err(Error::doing(format!("start {name}")))
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Kills it now.
    pub fn kill(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_its_packages() {
        let nowhere = Programs { folders: vec!["/proc/self/fd".into()] };
        let errors = [nowhere.find("ovn-northd"), nowhere.shared("ovn/ovn-nb.ovsschema")].map(Result::unwrap_err);
        for error in &errors {
            let help = error.help().unwrap_or_default();
            assert!(["openvswitch-switch", "ovn-central", "ovn-host"].iter().all(|it| help.contains(it)), "{help}");
        }
        assert_eq!(errors[0].to_string(), "`ovn-northd` is not installed");
        assert!(matches!(nowhere.run("ovn-northd", &[]), Err(Error::Missing { .. })));
    }

    #[test]
    fn a_program_that_fails_says_why() {
        let error = Programs::installed().run("ls", &["/nowhere"]).unwrap_err().to_string();
        assert!(error.starts_with("`ls /nowhere` failed") && error.contains("No such file"), "{error}");
    }
}
