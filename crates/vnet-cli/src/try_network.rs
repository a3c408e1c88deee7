//! `vnet try FILE…`: runs networks, and guests behind passt, on an imagined host and checks their
//! promises. `vnet-try` does the work; this file prints it.

mod each;
pub(crate) mod report;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use vnet_driver::{Network, Picture, PicturePromise};
use vnet_try::{NetworkReport, Verdict, put_on_ovn, try_all};
use vnet_validate::refused_by_ovn;
use vnet_xml::Definition;

use crate::diagnostic::Checked;
use crate::diagnostic::human::human;
use crate::document::Document;
use crate::engine::Engine;
use crate::output::{Answer, Format, FormatOption, note, print, print_json, progress};
use report::ReportJson;

/// Run networks, or guests behind passt, in a throwaway namespace, and check whether they keep what
/// they promise
///
/// Needs no privilege and changes nothing on this host. The networks run on an imagined host with
/// an uplink and somebody outside. Guests request leases and names, reach each other, connect to
/// the outside, and are connected to from there. A guest's `<interface>` with `<backend
/// type='passt'/>` gets its own passt, and its ports are checked. All networks and guests share one
/// host, unless --each gives each definition its own. Exit code 1 when a promise is broken.
///
/// Networks with `<vnet:ovn>`, and all of them with `--engine ovn`, run on two imagined hosts with
/// the Open vSwitch and OVN that are installed here, with their guests on both. What
/// `<vnet:outside>` leads to is imagined, too.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Definitions; `-` is stdin
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Try each definition on a host of its own, several at the same time: they may be in each
    /// other's way, and one that fails does not hold back the others
    #[arg(long)]
    each: bool,
    /// Also write a page with the networks as a picture and their promises beside it
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Let OVN make the networks that do not ask for it, with an imagined outside
    #[arg(long, value_enum, value_name = "ENGINE")]
    engine: Option<Engine>,
    #[command(flatten)]
    format: FormatOption,
}

impl Args {
    /// Tries and reports.
    pub(crate) fn run(&self) -> anyhow::Result<Answer> {
        let format = self.format.format;
        let checked = self.files.iter().map(|file| Ok(Checked::new(Document::read(file)?)));
        let mut checked = checked.collect::<anyhow::Result<Vec<_>>>()?;
        if self.engine == Some(Engine::Ovn) {
            on_ovn(&mut checked);
        }
        if format == Format::Human {
            checked.iter().for_each(|checked| note(human(checked)));
        }
        if self.each {
            return self.run_each(checked);
        }
        let sound: Option<Vec<Definition>> = checked.iter().map(|checked| checked.sound().cloned()).collect();
        let Some(definitions) = sound else {
            if format == Format::Json {
                let of = |networks| checked.iter().filter(move |checked| is_network(checked) == networks);
                print_json(&ReportJson::refused(of(true), of(false)))?;
            }
            return Ok(Answer::No);
        };
        let tried = try_all(&definitions, progress);
        progress("");
        let report = match tried {
            Err(vnet_try::Error::Nothing { at, what }) => {
                return Err(nothing(&checked[at], &what));
            }
            Err(vnet_try::Error::SameName { at: [one, other], name }) => {
                let [one, other] = [one, other].map(|at| &checked[at].document.name);
                bail!("`{one}` and `{other}` both define network `{name}`")
            }
            Err(vnet_try::Error::TwoEngines { at: [one, other] }) => {
                let [one, other] = [one, other].map(|at| &checked[at].document.name);
                bail!(
                    "`{one}` is on OVN and `{other}` is not: try them by calls of their own, or all networks on OVN \
                     with `--engine ovn`"
                )
            }
            tried => tried?,
        };
        let mut networks: Vec<_> = checked.iter_mut().filter(|checked| checked.network().is_some()).collect();
        for (checked, it) in networks.iter_mut().zip(&report.networks) {
            checked.extend(it.findings.clone());
        }
        let networks: Vec<&Checked> = checked.iter().filter(|checked| checked.network().is_some()).collect();
        let holds = report.holds;
        self.write_page(&networks, &report.networks)?;
        let report = ReportJson::new(report, &networks, &checked);
        match format {
            Format::Json => print_json(&report)?,
            Format::Human => {
                let refused = networks.iter().filter(|checked| checked.sound().is_none());
                refused.map(|checked| human(checked)).for_each(note);
                print(report.human())?;
            }
        }
        Ok(Answer::when(holds))
    }

    fn write_page(&self, networks: &[&Checked], reports: &[NetworkReport]) -> anyhow::Result<()> {
        let Some(file) = &self.html else { return Ok(()) };
        fs::write(file, page(networks, reports)).with_context(|| format!("`{}` cannot be written", file.display()))
    }
}

/// The error about a definition that has nothing to try.
fn nothing(checked: &Checked, what: &str) -> anyhow::Error {
    anyhow!("`{}` {what}: there is nothing of its own to try", checked.document.name)
}

/// Lets OVN make all networks, and adds what it cannot do of them.
fn on_ovn(checked: &mut [Checked]) {
    let mut networks: Vec<Network> = checked.iter().filter_map(Checked::network).cloned().collect();
    put_on_ovn(&mut networks);
    let documents = checked.iter_mut().filter(|checked| checked.network().is_some());
    for (checked, network) in documents.zip(networks) {
        checked.extend(refused_by_ovn(&network));
        checked.change_network(|it| *it = network);
    }
}

/// The networks as a picture, with their promises.
fn page(networks: &[&Checked], reports: &[NetworkReport]) -> String {
    let definitions: Vec<Network> = networks.iter().filter_map(|checked| checked.network()).cloned().collect();
    let mut picture = Picture::of_definitions(&definitions);
    let mut promises = Vec::new();
    for network in reports {
        for judged in &network.promises {
            let is_broken = judged.verdict == Verdict::Broken;
            if is_broken {
                picture.trouble(&network.network, &format!("broken: {}", judged.promise));
            }
            let text = format!("{}: {}", network.network, judged.promise);
            let verdict = match judged.verdict {
                Verdict::Kept => "kept",
                Verdict::Broken => "broken",
                _ => "not judged",
            };
            let mut promise = PicturePromise::new(text, verdict, is_broken);
            promise.seen.clone_from(&judged.seen);
            promises.push(promise);
        }
    }
    picture.html(&promises)
}

/// Whether a document is reported as a network. Documents that cannot be read are.
fn is_network(checked: &Checked) -> bool {
    matches!(checked.definition, None | Some(Definition::Network(_)))
}
