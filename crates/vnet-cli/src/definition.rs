//! The definitions that a command is given: files, folders, or networks that are defined or run.

use std::path::{Path, PathBuf};

use anyhow::Context;
use vnet_driver::{Driver, Error, NetworkInfo};
use vnet_types::{InterfaceName, NetworkName};

use crate::diagnostic::Checked;
use crate::document::Document;
use crate::engine::EngineOption;
use crate::failure::{self, apart};
use crate::files::Files;

/// One definition or more.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Definitions {
    /// The definitions: files, folders of them, `-` for stdin, or networks by their names or UUIDs
    #[arg(value_name = "FILE|NETWORK")]
    given: Vec<String>,
    /// All networks
    #[arg(long, conflicts_with_all = ["given", "definition_option"])]
    all: bool,
    #[arg(long = "network", visible_alias = "file", id = "definition_option", value_name = "NETWORK", hide = true)]
    option: Vec<String>,
}

impl Definitions {
    fn given(&self) -> impl Iterator<Item = &String> {
        self.given.iter().chain(&self.option)
    }

    /// Refuses a call without any definition.
    fn some(&self) -> anyhow::Result<()> {
        if !self.all && self.given().next().is_none() {
            return Err(failure::advised("no network is given", "name one, a file or a folder, or give --all"));
        }
        Ok(())
    }

    /// Whether it is one network or file, whose result is not a list.
    pub(crate) fn is_one(&self) -> bool {
        !self.all && self.given().count() == 1 && !self.given().any(|given| is_folder(given))
    }

    /// The documents, or why one cannot be read. `--all` is the networks that `are_meant`.
    pub(crate) fn documents(
        &self,
        driver: &Driver,
        are_meant: fn(&NetworkInfo) -> bool,
    ) -> anyhow::Result<Vec<anyhow::Result<Document>>> {
        self.some()?;
        let mut documents = Vec::new();
        for name in self.all(driver, are_meant)? {
            documents.push(name.and_then(|name| Ok(of_network(&name, driver)?)));
        }
        for given in self.given() {
            if is_folder(given) {
                documents.extend(in_folder(given)?);
            } else {
                documents.push(document(given, driver));
            }
        }
        Ok(documents)
    }

    /// Those that OVN makes, and the others. A definition that cannot be read is among the others.
    pub(crate) fn on_ovn(&self, driver: &Driver, engine: &EngineOption) -> (Vec<Checked>, Self) {
        let (mut on_ovn, mut rest) = (Vec::new(), Self { given: Vec::new(), all: self.all, option: Vec::new() });
        for given in self.given() {
            // What is read of stdin cannot be read again.
            let is_readable = !is_folder(given) && (given != "-" || engine.is_given());
            let found = if is_readable { document(given, driver).ok() } else { None };
            let asked = found.map(Checked::of_network).map(|mut checked| {
                checked.change_network(|network| engine.ask(network));
                checked
            });
            match asked.filter(|checked| checked.network().is_some_and(|it| it.is_on_ovn())) {
                Some(checked) => on_ovn.push(checked),
                None => rest.given.push(given.clone()),
            }
        }
        (on_ovn, rest)
    }

    /// Whether none is given.
    pub(crate) fn is_empty(&self) -> bool {
        !self.all && self.given().next().is_none()
    }

    /// The only document, which may also be that of an attached port.
    pub(crate) fn document_or_port(&self, driver: &Driver) -> anyhow::Result<Document> {
        document_or_port(self.given().next().map_or("", String::as_str), driver)
    }

    /// The names of the networks, or why one is not known; that of a file is the one in it. A name
    /// of no network is returned as it is given.
    pub(crate) fn names(
        &self,
        driver: &Driver,
        are_meant: fn(&NetworkInfo) -> bool,
    ) -> anyhow::Result<Vec<anyhow::Result<String>>> {
        self.some()?;
        let all = self.all(driver, are_meant)?.into_iter();
        let mut names: Vec<_> = all.map(|name| name.map(|name| name.to_string())).collect();
        for given in self.given() {
            if is_folder(given) {
                names.extend(in_folder(given)?.into_iter().map(|document| name_in(&document?)));
            } else if is_file(given) {
                names.push(Document::read(Path::new(given)).and_then(|document| name_in(&document)));
            } else {
                names.push(match driver.lookup(given) {
                    Ok(name) => Ok(name.to_string()),
                    Err(Error::NoNetwork(given)) => Ok(given),
                    Err(error) => Err(error.into()),
                });
            }
        }
        Ok(names)
    }

    /// The networks of `--all`, or why one cannot be read.
    fn all(
        &self,
        driver: &Driver,
        are_meant: fn(&NetworkInfo) -> bool,
    ) -> anyhow::Result<Vec<anyhow::Result<NetworkName>>> {
        if !self.all {
            return Ok(Vec::new());
        }
        let (all, unread) = apart(driver.all()?);
        let meant = all.into_iter().filter(are_meant).map(|info| Ok(info.name));
        Ok(meant.chain(unread.into_iter().map(Err)).collect())
    }
}

/// The definition that an argument means: anything with a `/`, ending in `.xml`, or `-` is a file.
/// Anything else is a network, by its name or UUID: the definition that is kept of it, or when none
/// is kept, the one that it runs with.
pub(crate) fn document(given: &str, driver: &Driver) -> anyhow::Result<Document> {
    if is_file(given) {
        return Document::read(Path::new(given));
    }
    match driver.lookup(given).and_then(|name| of_network(&name, driver)) {
        Err(Error::NoNetwork(_)) => {
            let hint =
                if Path::new(given).is_file() { format!("; the file here is `./{given}`") } else { String::new() };
            let help = format!("`vnet list --all` shows all{hint}");
            Err(failure::advised(format!("no network `{given}` is defined or runs"), help))
        }
        found => Ok(found?),
    }
}

/// The same, but the name may also be that of an attached port, whose definition is kept with it.
pub(crate) fn document_or_port(given: &str, driver: &Driver) -> anyhow::Result<Document> {
    let found = document(given, driver);
    let port = given.parse::<InterfaceName>().ok().filter(|_| found.is_err());
    match port.map(|port| driver.port_file(&port)).transpose()?.flatten() {
        Some(file) => Document::read(&file),
        None => found,
    }
}

/// A network name as an argument.
pub(crate) fn network_name(given: &str) -> anyhow::Result<NetworkName> {
    given.parse().with_context(|| format!("`{given}` cannot be the name of a network"))
}

/// Whether an argument means a file: anything with a `/`, ending in `.xml`, or `-`. Anything else
/// is a name.
pub(crate) fn is_file(given: &str) -> bool {
    given == "-" || given.contains('/') || given.ends_with(".xml")
}

fn is_folder(given: &str) -> bool {
    given.contains('/') && Path::new(given).is_dir()
}

fn of_network(name: &NetworkName, driver: &Driver) -> Result<Document, Error> {
    driver.definition_text(name).map(|(path, text)| Document::new(path.display().to_string(), text))
}

/// The documents of a folder and below, without those of other kinds.
fn in_folder(folder: &str) -> anyhow::Result<Vec<anyhow::Result<Document>>> {
    let Files { found, unread, .. } = Files::of(&[PathBuf::from(folder)])?;
    let documents = found.into_iter().filter_map(|file| match Document::read(&file.path) {
        Ok(document) if file.is_other(&document).is_some() => None,
        document => Some(document),
    });
    Ok(unread.into_iter().map(Err).chain(documents).collect())
}

/// The name of the network that a document defines.
fn name_in(document: &Document) -> anyhow::Result<String> {
    let network = vnet_xml::Network::parse(&document.bytes).value;
    let name = network.map(|network| network.name);
    name.with_context(|| format!("`{}` defines no network; `vnet check` says why", document.name))
}
