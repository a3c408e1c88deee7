//! `vnet diff NETWORK…`: shows the drift of networks and ports.

use serde::Serialize;
use vnet_driver::{Change, DefinitionNews, Driver, Error, Obstacle};
use vnet_xml::Severity;

use crate::changes::{ChangeJson, changes, human};
use crate::definition::{Definitions, network_name};
use crate::directories::Directories;
use crate::engine::EngineOption;
use crate::failure;
use crate::network::news;
use crate::notes;
use crate::on_ovn;
use crate::output::{Answer, Format, FormatOption, print, print_json};

/// Show how running networks and their ports, or a port, differ from what was made, as the changes
/// that would repair them
///
/// Exit code 1 when there is a difference. `vnet apply NAME` repairs it. Whether the kept
/// definition differs from the one that a network runs with is said too; that is no drift.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    networks: Definitions,
    #[command(flatten)]
    engine: EngineOption,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Reports {
    networks: Vec<Report>,
}

#[derive(Serialize)]
struct Report {
    network: String,
    changes: Vec<ChangeJson>,
    obstacles: Vec<Obstacle>,
    /// Whether the kept definition is not the one that it runs with.
    definition_differs: bool,
}

/// What one network or port has of differences.
struct Found {
    what: &'static str,
    name: String,
    drift: Vec<Change>,
    obstacles: Vec<Obstacle>,
    news: Option<DefinitionNews>,
}

impl Args {
    /// Compares and reports.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let driver = directories.driver()?;
        let (on_ovn, rest) = self.networks.on_ovn(&driver, &self.engine);
        if !on_ovn.is_empty() {
            let answer = on_ovn::differences(on_ovn, &driver, self.format.format, !rest.is_empty())?;
            return if rest.is_empty() { Ok(answer) } else { Ok(self.of_host(&driver, &rest)?.and(answer)) };
        }
        self.of_host(&driver, &self.networks)
    }

    fn of_host(&self, driver: &Driver, networks: &Definitions) -> anyhow::Result<Answer> {
        let (mut all, mut failed, mut answer) = (Vec::new(), Vec::new(), Answer::Yes);
        for name in networks.names(driver, |info| info.is_active())? {
            match name.map(|name| find(driver, name)) {
                Ok(Ok(found)) => all.push(found),
                Ok(Err(error)) => match error.downcast().map_or_else(Err, failure::answer) {
                    Ok(_) => answer = Answer::No,
                    Err(error) => failed.push(error),
                },
                Err(error) => failed.push(error),
            }
        }
        if all.iter().any(|found| !found.drift.is_empty()) {
            answer = Answer::No;
        }
        let failed = failure::tell(&failed);
        let mut reports: Vec<Report> = Vec::new();
        for found in all {
            match self.format.format {
                Format::Json => reports.push(Report {
                    changes: changes(&found.drift),
                    definition_differs: matches!(found.news, Some(DefinitionNews::Differs)),
                    network: found.name,
                    obstacles: found.obstacles,
                }),
                Format::Human => print(self.text(&found))?,
            }
        }
        match (self.format.format, networks.is_one()) {
            (Format::Human, _) => {}
            (Format::Json, true) => reports.pop().map_or(Ok(()), |report| print_json(&report))?,
            (Format::Json, false) => print_json(&Reports { networks: reports })?,
        }
        Ok(answer.unless_failed(failed))
    }

    fn text(&self, found: &Found) -> String {
        let Found { what, name, drift, obstacles, .. } = found;
        let mut text = match drift.is_empty() {
            true => format!("{what} {name} is in sync\n"),
            false if self.networks.is_one() => human(drift),
            false => format!("{what} {name}:\n{}", human(drift)),
        };
        text += &notes::obstacles(obstacles, Severity::Warning);
        text + &found.news.as_ref().map(|it| format!("{}\n", news(name, it))).unwrap_or_default()
    }
}

fn find(driver: &Driver, name: String) -> anyhow::Result<Found> {
    let error = match network_name(&name).map(|network| (driver.diff(&network), network)) {
        Ok((Ok(drift), network)) => {
            let (obstacles, news) = (driver.obstacles_of(&network)?, driver.definition_news(&network));
            return Ok(Found { what: "network", name, drift, obstacles, news });
        }
        Ok((Err(error), _)) => error.into(),
        Err(error) => error,
    };
    // If no network of this name runs, it may be the name of a port.
    let may_be_port = error.downcast_ref().is_none_or(|error| matches!(error, Error::NotRunning(_)));
    match name.parse().ok().filter(|_| may_be_port).map(|port| driver.diff_port(&port)) {
        Some(Ok(drift)) => Ok(Found { what: "port", name, drift, obstacles: Vec::new(), news: None }),
        Some(Err(Error::NotAttached(_))) | None => Err(error),
        Some(Err(error)) => Err(error.into()),
    }
}
