//! `vnet export [NAME…]`: writes definitions for libvirt.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use vnet_driver::{Driver, NetworkName};

use crate::directories::Directories;
use crate::output::{Answer, note, plain, print, print_exact};
use crate::style::{BOLD, WARNING};

/// Write definitions as `virsh net-define` takes them
///
/// Nothing changes here or in libvirt. What libvirt would lose is said. Networks that are not
/// defined are written as they run.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The networks, by name or UUID; without a name, all that are defined
    #[arg(value_name = "NETWORK", required_unless_present = "to")]
    networks: Vec<String>,
    /// Write NAME.xml for each into a folder, and print the commands for virsh
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

impl Args {
    /// Writes and reports.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let driver = directories.driver()?;
        let mut names = Vec::new();
        for given in &self.networks {
            names.push(driver.lookup(given)?);
        }
        let Some(folder) = &self.to else {
            let [name] = &names[..] else { bail!("more than one network: give a folder with --to") };
            let exported = driver.export(name)?;
            tell(name, &exported.lost);
            return Ok(print_exact(&exported.text).map(|()| Answer::Yes)?);
        };
        if names.is_empty() {
            names = driver.defined()?;
        }
        for name in &names {
            print(write(&driver, name, folder)?)?;
        }
        Ok(Answer::Yes)
    }
}

/// Writes one definition, and returns the commands for virsh.
fn write(driver: &Driver, name: &NetworkName, folder: &Path) -> anyhow::Result<String> {
    let exported = driver.export(name)?;
    tell(name, &exported.lost);
    let file = folder.join(format!("{}.xml", name.file_name()));
    let written = fs::create_dir_all(folder).and_then(|()| create(&file, &exported.text));
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let is_same = fs::read_to_string(&file).is_ok_and(|text| text == exported.text);
            if !is_same {
                bail!("`{}` exists, and is not this definition: remove it first", file.display());
            }
        }
        written => written.with_context(|| format!("`{}` cannot be written", file.display()))?,
    }
    let mut commands = format!("virsh net-define {}\n", file.display());
    if exported.autostart {
        commands += &format!("virsh net-autostart {}\n", plain(name.as_str()));
    }
    Ok(commands)
}

fn create(file: &Path, text: &str) -> io::Result<()> {
    let mut created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    created.write_all(text.as_bytes())
}

fn tell(name: &NetworkName, lost: &[&str]) {
    for lost in lost {
        note(format!(
            "{WARNING}note{WARNING:#}{BOLD}: network `{}`: libvirt does not keep {lost}{BOLD:#}\n",
            plain(name.as_str())
        ));
    }
}
