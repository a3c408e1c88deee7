//! `vnet import [NAME…]`: takes networks from libvirt.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, bail};
use nix::unistd::Uid;
use serde::Serialize;
use vnet_driver::{Driver, Error, Imported, LibvirtFolders, TakenOver};

use crate::changes::{ChangeJson, brief, changes};
use crate::diagnostic::Checked;
use crate::diagnostic::human::human;
use crate::diagnostic::json::{DiagnosticJson, diagnostics};
use crate::directories::Directories;
use crate::document::Document;
use crate::failure;
use crate::output::{Answer, Format, FormatOption, done, note, plain, print, print_json};

/// Take networks from libvirt: their definitions, what starts at boot, and their leases
///
/// Definitions are kept as `vnet define` keeps them, and libvirt's own files stay. Each network is
/// taken alone: one that is refused, or whose kept definition differs, holds back no other.
///
/// With --take-over, a network that libvirt runs goes on with vnet: bridge, addresses and guests
/// stay connected, and DHCP and rules become vnet's. libvirt's daemon must be stopped meanwhile,
/// and has forgotten the network when it is started again.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The networks; without a name, all that are defined there
    #[arg(value_name = "NAME")]
    networks: Vec<String>,
    /// The folder of libvirt's definitions [default: /etc/libvirt/qemu/networks for root, else
    /// $XDG_CONFIG_HOME/libvirt/qemu/networks]
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// Replace kept definitions that differ
    #[arg(long)]
    replace: bool,
    /// Also take over the named networks, which libvirt runs
    #[arg(long, requires = "networks", conflicts_with = "from")]
    take_over: bool,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report {
    networks: Vec<NetworkJson>,
}

/// What became of one network.
#[derive(Serialize)]
struct NetworkJson {
    name: String,
    file: String,
    /// Why it was not taken, or not taken over.
    error: Option<String>,
    /// `None` when it was not taken.
    imported: Option<ImportedJson>,
    taken_over: Option<TakenOverJson>,
    diagnostics: Vec<DiagnosticJson>,
}

#[derive(Serialize)]
struct ImportedJson {
    /// Whether no definition of this network was kept before.
    new: bool,
    /// Whether the same definition was kept before.
    unchanged: bool,
    autostart: bool,
    leases: usize,
    runs_in_libvirt: bool,
}

#[derive(Serialize)]
struct TakenOverJson {
    bridge: Option<String>,
    /// The ports of the bridge, which stay connected.
    ports: Vec<String>,
    changes: Vec<ChangeJson>,
    /// For people.
    #[serde(skip)]
    text: String,
}

impl Args {
    /// Takes the networks and reports.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let driver = directories.driver()?;
        let folders = self.folders()?;
        // A take-over that was killed goes on without libvirt.
        if self.from.is_none() && !self.take_over && matches!(folders.definitions().try_exists(), Ok(false)) {
            let folder = folders.definitions().display();
            bail!(
                "there is no libvirt here: the folder of its definitions, `{folder}`, does not exist; --from names another"
            );
        }
        let names = if self.networks.is_empty() { folders.names()? } else { self.networks.clone() };
        let mut networks = Vec::new();
        for name in names {
            let taken = self.take(&driver, &folders, &name)?;
            if self.format.format == Format::Human {
                done(format_args!("the import of network `{name}` has ended"), || Ok(print(taken.line())?));
            }
            networks.push(taken);
        }
        let answer = Answer::when(networks.iter().all(|network| network.error.is_none()));
        if self.format.format == Format::Json {
            done("the networks are taken", || print_json(&Report { networks }));
        } else if networks.is_empty() {
            print(format!("libvirt has no networks in {}\n", folders.definitions().display()))?;
        }
        Ok(answer)
    }

    fn folders(&self) -> anyhow::Result<LibvirtFolders> {
        if let Some(from) = &self.from {
            let cannot = || format!("the folder `{}` cannot be used", from.display());
            return Ok(LibvirtFolders::with_definitions(std::path::absolute(from).with_context(cannot)?));
        }
        if Uid::effective().is_root() {
            return Ok(LibvirtFolders::system());
        }
        if self.take_over {
            bail!("only root's libvirt runs networks with a bridge: run it as root");
        }
        let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".config"));
        let config = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|it| it.is_absolute()).or_else(home);
        let config = config.context("no folder of libvirt's definitions: give --from")?;
        Ok(LibvirtFolders::with_definitions(config.join("libvirt/qemu/networks")))
    }

    /// Takes one network.
    fn take(&self, driver: &Driver, folders: &LibvirtFolders, name: &str) -> anyhow::Result<NetworkJson> {
        let file = folders.file(name);
        let mut taken = NetworkJson {
            name: name.to_owned(),
            file: file.display().to_string(),
            error: None,
            imported: None,
            taken_over: None,
            diagnostics: Vec::new(),
        };
        // A take-over that was killed may have removed libvirt's file.
        if self.take_over && !file.exists() {
            let over = driver.take_over(&crate::definition::network_name(name)?);
            return self.over(taken, over, None);
        }
        let document = match Document::read(&file) {
            Ok(document) => document,
            Err(error) => return Ok(self.refused(taken, &error)),
        };
        let mut checked = Checked::of_network(document);
        let Some(network) = checked.sound_network().cloned() else {
            let error = anyhow::anyhow!("network `{name}`: its definition is refused");
            self.report(&mut taken, &checked);
            return Ok(self.refused(taken, &error));
        };
        if network.name != name {
            let error = anyhow::anyhow!("`{}` defines a network `{}`", taken.file, network.name);
            return Ok(self.refused(taken, &error));
        }
        match driver.import(folders, &network, self.replace) {
            Ok(imported) if self.take_over => {
                taken.imported = Some(ImportedJson::of(&imported));
                let over = driver.take_over(&imported.defined.name);
                self.over(taken, over, Some(checked))
            }
            Ok(imported) => {
                checked.hear(&imported.defined.findings);
                self.report(&mut taken, &checked);
                taken.imported = Some(ImportedJson::of(&imported));
                Ok(taken)
            }
            Err(Error::Refused { findings }) => {
                checked.hear(&findings);
                self.report(&mut taken, &checked);
                Ok(self.refused(taken, &anyhow::anyhow!("network `{name}`: its definition is refused")))
            }
            Err(error) => Ok(self.refused(taken, &error.into())),
        }
    }

    /// The result of a take-over.
    fn over(
        &self,
        mut taken: NetworkJson,
        over: Result<TakenOver, Error>,
        checked: Option<Checked>,
    ) -> anyhow::Result<NetworkJson> {
        let findings = match &over {
            Ok(over) => over.outcome.findings.clone(),
            Err(Error::Refused { findings }) => findings.clone(),
            Err(_) => Vec::new(),
        };
        if let Some(mut checked) = checked {
            checked.hear(&findings);
            self.report(&mut taken, &checked);
        }
        match over {
            Ok(over) => {
                taken.taken_over = Some(TakenOverJson {
                    bridge: over.outcome.bridge.as_ref().map(ToString::to_string),
                    ports: over.ports.iter().map(ToString::to_string).collect(),
                    changes: changes(&over.outcome.changes),
                    text: brief(&over.outcome.changes),
                });
                Ok(taken)
            }
            Err(error) => Ok(self.refused(taken, &error.into())),
        }
    }

    fn report(&self, taken: &mut NetworkJson, checked: &Checked) {
        if self.format.format == Format::Human {
            note(human(checked));
        }
        taken.diagnostics = diagnostics(checked);
    }

    fn refused(&self, mut taken: NetworkJson, error: &anyhow::Error) -> NetworkJson {
        if self.format.format == Format::Human {
            failure::report(error);
        }
        taken.error = Some(failure::line(error));
        taken
    }
}

impl ImportedJson {
    fn of(imported: &Imported) -> Self {
        Self {
            new: imported.defined.is_new,
            unchanged: imported.is_unchanged,
            autostart: imported.autostart,
            leases: imported.leases,
            runs_in_libvirt: imported.runs_in_libvirt,
        }
    }
}

impl NetworkJson {
    /// For people.
    fn line(&self) -> String {
        let name = plain(&self.name);
        if let Some(over) = &self.taken_over {
            let bridge = over.bridge.as_ref().map(|bridge| format!(" on {bridge}")).unwrap_or_default();
            let ports = match over.ports.len() {
                0 => String::new(),
                _ => format!("; {} stay connected", over.ports.join(", ")),
            };
            return format!("{}network {name} taken over{bridge}{ports}\n", over.text);
        }
        let Some(imported) = self.imported.as_ref().filter(|_| self.error.is_none()) else { return String::new() };
        let done = match (imported.unchanged, imported.new) {
            (true, _) => "is kept already",
            (false, true) => "imported",
            (false, false) => "imported anew",
        };
        let boot = if imported.autostart { ", starts at boot" } else { "" };
        let leases = match imported.leases {
            0 => String::new(),
            1 => ", 1 lease".to_owned(),
            many => format!(", {many} leases"),
        };
        let runs = match imported.runs_in_libvirt {
            false => String::new(),
            true => format!(
                "  libvirt runs it: `virsh net-destroy {name}` ends it there, and `virsh net-autostart --disable \
                 {name}` keeps it from coming back; or `vnet import --take-over {name}` takes it over with its guests \
                 connected\n"
            ),
        };
        format!("network {name} {done}{boot}{leases}\n{runs}")
    }
}
