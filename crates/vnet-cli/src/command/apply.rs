//! `vnet apply FILE|NAME`: changes or repairs a network or a port; starts a network that does not
//! run.

use std::time::Duration;

use anyhow::ensure;
use vnet_driver::{AttachOptions, Driver, Error, Network, NetworkOutcome, PortOutcome};

use super::confirm;
use crate::attempts;
use crate::changes::{brief, human};
use crate::definition::{Definitions, network_name};
use crate::diagnostic::Checked;
use crate::directories::Directories;
use crate::document::Document;
use crate::engine::EngineOption;
use crate::guest::{Guest, Which, is_guest};
use crate::output::{Answer, Format, FormatOption, done, print, print_json};
use crate::ovn;
use crate::port::{self, Heard};
use crate::report::{Call, Report, heard, refuse, several};

/// Bring this host to a definition: change or repair a network in place, or start it if it does not
/// run
///
/// Guests stay connected. When a step fails, the steps before it are undone. A network is given by
/// a file, or by its name: then the definition that is kept is applied; when none is kept, the one
/// that it runs with, which repairs it. Of several networks, one that fails does not hold back the
/// others. A port is given by its device.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    networks: Definitions,
    /// Repair all networks that run, each as it runs. One that fails does not hold back the others
    #[arg(long, conflicts_with_all = ["given", "all", "dry_run"])]
    running: bool,
    /// Only print what would change
    #[arg(long)]
    dry_run: bool,
    /// Undo the change of a network after this time, unless `vnet confirm NAME` keeps it
    #[arg(long, value_name = "TIME", value_parser = confirm::duration, conflicts_with_all = ["dry_run", "running"])]
    confirm_within: Option<Duration>,
    #[command(flatten)]
    engine: EngineOption,
    #[command(flatten)]
    format: FormatOption,
}

impl Args {
    /// Applies and reports.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let (driver, format) = (directories.driver()?, self.format.format);
        if self.running {
            return Ok(attempts::report(driver.repair_all()?, format));
        }
        if !self.networks.is_one() {
            ensure!(self.confirm_within.is_none(), "--confirm-within is for one network");
            let documents = self.networks.documents(&driver, |_| true)?;
            let plan = |networks: &[Network]| {
                Ok(self.engine.asked(networks).iter().map(|network| driver.plan(network)).collect())
            };
            let call: Call<'_> =
                if self.dry_run { &plan } else { &|networks| driver.apply_all(&self.engine.asked(networks)) };
            return several(documents, call, format, |applied| self.line(applied));
        }
        let document = self.networks.document_or_port(&driver)?;
        if is_guest(&document) {
            ensure!(self.confirm_within.is_none(), "--confirm-within is for networks, and this is a guest's interface");
            return self.apply_port(document, &driver);
        }
        let mut checked = Checked::of_network(document);
        checked.change_network(|network| self.engine.ask(network));
        let Some(network) = checked.sound_network() else {
            return refuse(&checked, format).map(|()| Answer::No);
        };
        let applied = match self.confirm_within {
            _ if self.dry_run => driver.plan(network),
            None => driver.apply(network),
            Some(within) => {
                confirm::begin(directories, &network_name(&network.name)?, within)?;
                driver.apply_unconfirmed(network)
            }
        };
        let Some(applied) = heard(applied, &mut checked, format)? else { return Ok(Answer::No) };
        self.tell(format!("network `{}` is as defined", applied.name), || match format {
            Format::Json => print_json(&Report::changed(&checked, &applied)),
            Format::Human => Ok(print(self.line(&applied))?),
        })
    }

    fn line(&self, applied: &NetworkOutcome) -> String {
        if let Some(ovn) = applied.ovn.as_ref().filter(|ovn| self.dry_run && !ovn.changes.is_empty()) {
            return ovn::human(&ovn.changes);
        }
        let name = &applied.name;
        let until = self
            .confirm_within
            .map(|within| format!("it is undone in {} s unless `vnet confirm {name}` keeps it\n", within.as_secs()));
        if let Some(told) = ovn::told(applied, "is as defined") {
            let has_changed = applied.ovn.as_ref().is_some_and(|ovn| !ovn.changes.is_empty());
            return told + &until.filter(|_| has_changed).unwrap_or_default();
        }
        let changes = &applied.changes;
        let on = applied.bridge.as_ref().map(|bridge| format!(" on {bridge}")).unwrap_or_default();
        match changes.is_empty() {
            true => format!("network {name}: nothing to change\n"),
            false if self.dry_run => human(changes),
            false => format!("{}network {name} is as defined{on}\n{}", brief(changes), until.unwrap_or_default()),
        }
    }

    fn apply_port(&self, document: Document, driver: &Driver) -> anyhow::Result<Answer> {
        let format = self.format.format;
        let call: port::Call = match self.dry_run {
            true => |driver, interfaces, options| {
                let planned = driver.plan_all(interfaces, options)?;
                if planned.iter().all(|planned| planned.was_attached) { Ok(planned) } else { Err(Error::NoPort) }
            },
            false => |driver, interfaces, options| {
                interfaces.iter().map(|interface| driver.apply_port(interface, options)).collect()
            },
        };
        let guest = |definition: &_, document: &_| Guest::of(definition, document, &Which::default());
        let heard = port::heard(document, guest, driver, AttachOptions::default(), call, format)?;
        let Some(Heard { checked, ports }) = heard else { return Ok(Answer::No) };
        let names: Vec<String> = ports.iter().map(|(_, applied)| format!("`{}`", applied.port.dev)).collect();
        self.tell(format!("as defined: {}", names.join(", ")), || match format {
            Format::Json => print_json(&port::Report::new(&checked, &ports)),
            Format::Human => {
                let text = ports.iter().map(|(_, PortOutcome { port, changes, .. })| match changes.is_empty() {
                    true => format!("port {}: nothing to change\n", port.dev),
                    false if self.dry_run => human(changes),
                    false => format!("{}port {} is as defined\n", brief(changes), port.dev),
                });
                Ok(print(text.collect::<String>())?)
            }
        })
    }

    /// Prints the result. A dry run that cannot print it has failed.
    fn tell(&self, what: String, print: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Answer> {
        if self.dry_run { print().map(|()| Answer::Yes) } else { Ok(done(what, print)) }
    }
}
