//! A guest of passt: its definition, and the folder that its passt has.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use nix::unistd::{Uid, chown};
use serde::Serialize;
use vnet_passt::run::Running;
use vnet_passt::{Connection, Passt, qemu};
use vnet_types::NetworkName;
use vnet_xml::{Definition, Interface};

use crate::diagnostic::{Checked, human};
use crate::directories::Directories;
use crate::document::Document;
use crate::output::{Format, note};

/// What a guest's passt is told, as one process.
pub(super) struct Guest {
    pub(super) name: String,
    pub(super) interface: Interface,
    pub(super) passt: Passt,
}

/// The files of a guest's passt.
pub(super) struct Files {
    pub(super) name: String,
    pub(super) folder: PathBuf,
}

/// How a hypervisor connects the guest.
#[derive(Debug, Serialize)]
pub(super) struct Hypervisor {
    /// Arguments for QEMU.
    pub(super) qemu: Vec<String>,
    /// What QEMU needs besides, with the guest's own size.
    pub(super) qemu_memory: Option<[&'static str; 4]>,
    /// Arguments for cloud-hypervisor; `None` where it cannot connect so.
    pub(super) cloud_hypervisor: Option<String>,
}

impl Files {
    pub(super) fn new(name: &str, directories: &Directories) -> anyhow::Result<Self> {
        let guest: NetworkName = name.parse().with_context(|| format!("`{name}` cannot be the name of a guest"))?;
        Ok(Self { name: name.to_owned(), folder: folder(directories)?.join(guest.file_name()) })
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.folder.join("passt.socket")
    }

    pub(super) fn pid_file(&self) -> PathBuf {
        self.folder.join("passt.pid")
    }

    /// The definition that it was started for.
    pub(super) fn interface(&self) -> PathBuf {
        self.folder.join("interface.xml")
    }

    pub(super) fn running(&self) -> Option<Running> {
        Running::find(&self.pid_file(), &self.socket())
    }

    /// Makes the folder anew, for passt's user alone, with the definition in it.
    pub(super) fn make(&self, guest: &Guest) -> anyhow::Result<()> {
        // What an earlier passt has left may be another user's, who could lead what is written elsewhere.
        self.remove()?;
        let parent = self.folder.parent().unwrap_or(&self.folder);
        let make = || -> io::Result<()> {
            DirBuilder::new().mode(0o755).recursive(true).create(parent)?;
            DirBuilder::new().mode(0o700).create(&self.folder)?;
            fs::write(self.interface(), guest.interface.to_string())?;
            let user = Uid::from_raw(guest.passt.user());
            if user == Uid::effective() { Ok(()) } else { Ok(chown(&self.folder, Some(user), None)?) }
        };
        make().with_context(|| format!("the folder `{}` cannot be made", self.folder.display()))
    }

    /// Takes the folder away.
    pub(super) fn remove(&self) -> anyhow::Result<()> {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("`{}` cannot be taken away", self.folder.display()))
            }
            _ => Ok(()),
        }
    }
}

/// The folder of all.
pub(super) fn folder(directories: &Directories) -> anyhow::Result<PathBuf> {
    Ok(directories.state()?.join("passt"))
}

/// Reads a guest's interface, and tells people what is to be said about it. `None` where it was refused.
pub(super) fn read(
    file: &Path,
    name: Option<&str>,
    directories: &Directories,
    format: Format,
) -> anyhow::Result<Option<Guest>> {
    let checked = Checked::new(Document::read(file)?);
    if format == Format::Human {
        note(human(&checked))?;
    }
    let Some(definition) = checked.sound() else {
        if format == Format::Json {
            note(human(&checked))?;
        }
        return Ok(None);
    };
    let (interface, own) = match definition {
        Definition::Interface(interface) => ((**interface).clone(), None),
        Definition::Domain(domain) => {
            let mut found = domain.interfaces.iter().filter(|interface| interface.is_passt());
            match (found.next(), found.next()) {
                (Some(one), None) => (one.clone(), Some(domain.name.clone())),
                (None, _) => bail!("`{}` has no interface with `<backend type='passt'/>`", file.display()),
                _ => bail!("`{}` has several interfaces on passt: give the one in a file of its own", file.display()),
            }
        }
        _ => bail!("`{}` is no guest's interface", file.display()),
    };
    let stem = file.file_stem().filter(|_| file != Path::new("-")).map(|stem| stem.to_string_lossy().into_owned());
    let name = name.map(str::to_owned).or(own).or(stem).unwrap_or_else(|| "guest".to_owned());
    let files = Files::new(&name, directories)?;
    let passt = vnet_plan::passt(&interface, files.socket(), files.pid_file())?;
    Ok(Some(Guest { name, interface, passt }))
}

impl Hypervisor {
    pub(super) fn of(guest: &Guest) -> Self {
        let (connection, mac) = (guest.passt.connection, guest.interface.mac_address());
        Self {
            qemu: qemu::arguments(connection, &guest.passt.socket, mac, "net0"),
            qemu_memory: (connection == Connection::VhostUser).then_some(qemu::SHARED_MEMORY),
            cloud_hypervisor: qemu::cloud_hypervisor(connection, &guest.passt.socket, mac),
        }
    }
}

/// Words for a shell.
pub(super) fn quoted<T: AsRef<str>>(words: &[T]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+,.:/%@~".contains(c);
    let quote = |word: &T| match word.as_ref() {
        word if !word.is_empty() && word.chars().all(plain) && !word.starts_with('~') => word.to_owned(),
        word => format!("'{}'", word.replace('\'', r"'\''")),
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_they_must_be() {
        assert_eq!(
            quoted(&["--socket", "/run/a b", "it's", "", "~1", "22:80"]),
            r"--socket '/run/a b' 'it'\''s' '' '~1' 22:80"
        );
    }
}
