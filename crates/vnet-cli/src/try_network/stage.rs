//! Inside: process 1 of the namespaces starts the networks, attaches guests, to passt too, and sees what comes of it.

use std::io::{self, Read};
use std::time::Instant;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use vnet_types::InterfaceName;
use vnet_xml::Network;

use super::furnish::furnish;
use super::judge::Inhabited;
use super::neighbour::neighbour;
use super::passt;
use super::promises::{self, Guest};
use super::report::{InterfaceReport, Judgement, NetworkReport, Report};
use super::start::{Started, start};
use super::world::World;
use crate::diagnostic::{Checked, human};
use crate::document::Document;
use crate::output::{Answer, Format, FormatOption, note, print, print_json, progress};

/// The hidden command that starts the process inside.
pub(crate) const NAME: &str = "try-inside";

/// What the process outside hands to the one inside, over stdin: documents that have been read.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Definition {
    name: String,
    bytes: Vec<u8>,
}

/// The process inside of `vnet try`; of no use to people
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    format: FormatOption,
}

impl From<Checked> for Definition {
    fn from(checked: Checked) -> Self {
        Self { name: checked.document.name, bytes: checked.document.bytes }
    }
}

impl Args {
    /// Takes over as process 1: reads what is to be tried from stdin, and reports.
    pub(crate) fn run(&self) -> anyhow::Result<Answer> {
        let began = Instant::now();
        let mut input = Vec::new();
        io::stdin().lock().read_to_end(&mut input)?;
        let documents: Vec<Definition> =
            serde_json::from_slice(&input).context("this command is for `vnet try` alone")?;
        let documents = documents.into_iter().map(|it| Document::new(it.name, it.bytes));
        let (mut networks, guests): (Vec<_>, Vec<_>) =
            documents.map(Checked::new).partition(|checked| checked.network().is_some());
        let report = attempt(&mut networks, &guests, began);
        progress("")?;
        let report = report?;
        match self.format.format {
            Format::Json => print_json(&report)?,
            Format::Human => {
                let refused = networks.iter().filter(|checked| checked.sound().is_none());
                refused.map(human).try_for_each(note)?;
                print(report.human())?;
            }
        }
        Ok(Answer::when(report.holds))
    }
}

fn attempt(checked: &mut [Checked], behind: &[Checked], began: Instant) -> anyhow::Result<Report> {
    let networks: Vec<Network> = checked.iter().filter_map(|checked| checked.sound_network().cloned()).collect();
    let neighbour = (networks.len() == 1).then(|| neighbour(&networks[0]));
    let all: Vec<&Network> = networks.iter().chain(&neighbour).collect();
    progress("making a host")?;
    let interfaces = behind.iter().map(passt::guests).collect::<anyhow::Result<Vec<_>>>()?.concat();
    let world = World::new(&all, &interfaces.iter().collect::<Vec<_>>())?;
    let has_names = furnish(world.name_server())?;
    world.serve_names(&networks)?;
    progress("starting")?;
    let mut bridges = Vec::new();
    for (at, network) in all.iter().enumerate() {
        let guests = promises::guests(network);
        world.announce(network)?;
        match start(network, &guests, checked.get_mut(at))? {
            Started::On(bridge) => bridges.push((bridge, guests)),
            // Nothing is tried unless all can run beside each other.
            Started::Refused => {
                let refused = checked.iter().map(NetworkReport::refused).collect();
                let interfaces = behind.iter().map(InterfaceReport::refused).collect();
                return Ok(Report::new(refused, interfaces, began.elapsed().as_millis()));
            }
        }
    }
    progress("attaching guests")?;
    let mut inhabited = inhabit(&world, &all, &bridges)?;
    inhabited.iter_mut().for_each(|it| it.has_names = has_names);
    progress("trying")?;
    let mut judged = judge(&world, &inhabited)?;
    let crossings = cross(&inhabited)?;
    // What concerns the neighbour is told with the network that is tried.
    crossings.into_iter().for_each(|(at, judgement)| judged[at.min(checked.len().saturating_sub(1))].push(judgement));
    let reports = checked.iter().zip(&bridges).zip(judged).zip(&inhabited);
    let reports = reports.map(|(((checked, (bridge, _)), promises), it)| {
        let bridge = Some(bridge.to_string());
        NetworkReport { bridge, promises, notes: it.notes(), ..NetworkReport::refused(checked) }
    });
    let interfaces = passt::attempt(&world, behind, has_names)?;
    Ok(Report::new(reports.collect(), interfaces, began.elapsed().as_millis()))
}

fn inhabit<'a>(
    world: &World,
    networks: &[&'a Network],
    bridges: &[(InterfaceName, Vec<Guest>)],
) -> anyhow::Result<Vec<Inhabited<'a>>> {
    side_by_side(networks.iter().zip(bridges), |(network, (bridge, guests))| {
        Inhabited::new(world, network, bridge, guests.clone())
    })
}

fn judge(world: &World, inhabited: &[Inhabited<'_>]) -> anyhow::Result<Vec<Vec<Judgement>>> {
    side_by_side(inhabited, |it| it.judge(world))
}

/// Judges every network against every other one; the number is that of the network that is left.
fn cross(inhabited: &[Inhabited<'_>]) -> anyhow::Result<Vec<(usize, Judgement)>> {
    let pairs = (0..inhabited.len()).flat_map(|from| (0..inhabited.len()).map(move |to| (from, to)));
    let crossings = side_by_side(pairs.filter(|(from, to)| from != to), |(from, to)| {
        Ok(inhabited[from].judge_crossing(&inhabited[to])?.map(|judgement| (from, judgement)))
    })?;
    Ok(crossings.into_iter().flatten().collect())
}

/// Does the same with each, all at once.
fn side_by_side<I: Send, T: Send>(
    items: impl IntoIterator<Item = I>,
    each: impl Fn(I) -> anyhow::Result<T> + Sync,
) -> anyhow::Result<Vec<T>> {
    std::thread::scope(|scope| {
        let each = &each;
        let running: Vec<_> = items.into_iter().map(|item| scope.spawn(move || each(item))).collect();
        let ended = running.into_iter().map(|it| it.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        ended.collect()
    })
}
