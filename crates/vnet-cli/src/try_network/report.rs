//! The results of a trial, as a table and as JSON. `docs/json.md` describes the shape.

use serde::Serialize;
use vnet_driver::Network;
use vnet_try::{Engine, Judgement, Report, Verdict};

use super::is_network;
use crate::diagnostic::Checked;
use crate::diagnostic::json::{DiagnosticJson, diagnostics};
use crate::output::plain;
use crate::style::{BOLD, BROKEN, DIM, KEPT, OPEN};

/// A trial, for programs.
#[derive(Debug, Serialize)]
pub(super) struct ReportJson {
    networks: Vec<NetworkJson>,
    interfaces: Vec<InterfaceJson>,
    holds: bool,
    milliseconds: u64,
}

/// One network.
#[derive(Debug, Serialize)]
struct NetworkJson {
    file: String,
    /// `None` when the document defines no network.
    network: Option<String>,
    engine: Engine,
    /// `None` when the definition was refused.
    bridge: Option<String>,
    diagnostics: Vec<DiagnosticJson>,
    promises: Vec<Judgement>,
    notes: Vec<String>,
}

/// A guest behind passt.
#[derive(Debug, Serialize)]
struct InterfaceJson {
    file: String,
    /// The version that passt prints; `None` when the guest was not tried.
    passt: Option<String>,
    diagnostics: Vec<DiagnosticJson>,
    promises: Vec<Judgement>,
    notes: Vec<String>,
}

impl ReportJson {
    /// The report when one of the documents is refused.
    pub(super) fn refused<'a>(
        networks: impl Iterator<Item = &'a Checked>,
        guests: impl Iterator<Item = &'a Checked>,
    ) -> Self {
        let networks = networks.map(NetworkJson::refused).collect();
        Self { networks, interfaces: guests.map(InterfaceJson::refused).collect(), holds: false, milliseconds: 0 }
    }

    /// A report with its documents: those of networks, and all.
    pub(super) fn new(report: Report, networks: &[&Checked], all: &[Checked]) -> Self {
        let of_network = |(checked, it): (&&Checked, vnet_try::NetworkReport)| NetworkJson {
            bridge: it.bridge,
            promises: it.promises,
            notes: it.notes,
            ..NetworkJson::refused(checked)
        };
        let of_guest = |it: vnet_try::InterfaceReport| InterfaceJson {
            passt: it.passt,
            promises: it.promises,
            notes: it.notes,
            ..InterfaceJson::refused(&all[it.definition])
        };
        Self {
            networks: networks.iter().zip(report.networks).map(of_network).collect(),
            interfaces: report.interfaces.into_iter().map(of_guest).collect(),
            holds: report.holds,
            milliseconds: report.milliseconds,
        }
    }

    /// The reports of documents that each had a host of its own. `None` where one was not tried.
    pub(super) fn of_each(reports: Vec<Option<Report>>, all: &[Checked], milliseconds: u64) -> Self {
        let mut whole = Self { networks: Vec::new(), interfaces: Vec::new(), holds: true, milliseconds };
        for (checked, report) in all.iter().zip(reports) {
            let (networks, guests): (Vec<_>, Vec<_>) = [checked].into_iter().partition(|it| is_network(it));
            let one = match report {
                Some(report) => Self::new(report, &networks, all),
                None => Self::refused(networks.into_iter(), guests.into_iter()),
            };
            whole.networks.extend(one.networks);
            whole.interfaces.extend(one.interfaces);
            whole.holds &= one.holds;
        }
        whole
    }

    /// For people.
    pub(super) fn human(&self) -> String {
        let mut text: String = self.networks.iter().map(network).chain(self.interfaces.iter().map(interface)).collect();
        let of_networks = self.networks.iter().flat_map(|network| &network.promises);
        let judged: Vec<_> = of_networks.chain(self.interfaces.iter().flat_map(|it| &it.promises)).collect();
        let refused = self.networks.iter().filter(|network| network.bridge.is_none()).count();
        let style = if self.holds { KEPT.bold() } else { BROKEN };
        let refused = match refused + self.interfaces.iter().filter(|it| it.passt.is_none()).count() {
            0 => String::new(),
            _ if judged.is_empty() && refused > 0 => {
                text += &format!("{style}refused: {refused} of {} definitions{style:#}\n", self.networks.len());
                return text;
            }
            refused => format!(", {refused} of {} definitions not tried", self.networks.len() + self.interfaces.len()),
        };
        let counts = counts(&judged, "open");
        text + &format!("{style}{counts}{refused}{style:#} in {}\n", seconds(self.milliseconds))
    }
}

impl NetworkJson {
    fn refused(checked: &Checked) -> Self {
        Self {
            file: checked.document.name.clone(),
            network: checked.network().map(|network| network.name.clone()),
            engine: match checked.network().is_some_and(Network::is_on_ovn) {
                true => Engine::Ovn,
                false => Engine::Host,
            },
            bridge: None,
            diagnostics: diagnostics(checked),
            promises: Vec::new(),
            notes: Vec::new(),
        }
    }
}

impl InterfaceJson {
    fn refused(checked: &Checked) -> Self {
        let (file, diagnostics) = (checked.document.name.clone(), diagnostics(checked));
        Self { file, passt: None, diagnostics, promises: Vec::new(), notes: Vec::new() }
    }
}

fn network(report: &NetworkJson) -> String {
    let Some(bridge) = &report.bridge else { return String::new() };
    let name = report.network.as_deref().unwrap_or_default();
    let place = match report.engine {
        Engine::Ovn => "OVN, two hosts",
        _ => bridge,
    };
    let title = format!("{BOLD}{}{BOLD:#} on {place} ({})\n", plain(name), plain(&report.file));
    title + &table(&report.promises, &report.notes, "open")
}

fn interface(report: &InterfaceJson) -> String {
    let Some(version) = &report.passt else { return String::new() };
    let title = format!("{BOLD}{}{BOLD:#} behind {}\n", plain(&report.file), plain(version));
    title + &table(&report.promises, &report.notes, "open")
}

/// How many promises are kept, and how many are not.
pub(crate) fn counts(judged: &[&Judgement], unseen: &str) -> String {
    let count = |verdict| judged.iter().filter(|it| it.verdict == verdict).count();
    let others = [(Verdict::Broken, "broken"), (Verdict::Open, unseen), (Verdict::Unjudged, "not judged")];
    let others = others.map(|(verdict, word)| (count(verdict), word)).into_iter().filter(|(count, _)| *count > 0);
    let others: String = others.map(|(count, word)| format!(", {count} {word}")).collect();
    format!("{} of {} promises kept{others}", count(Verdict::Kept), judged.len())
}

pub(crate) fn seconds(milliseconds: u64) -> String {
    format!("{}.{:02} s", milliseconds / 1000, milliseconds % 1000 / 10)
}

/// The promises, one a line, with this word for those that were not observed.
pub(crate) fn table(promises: &[Judgement], notes: &[String], unseen: &str) -> String {
    let mut text = String::new();
    let marks = unseen.len().max("BROKEN".len());
    let promises: Vec<_> = promises.iter().map(|it| (it, plain(&it.promise))).collect();
    let width = promises.iter().map(|(_, promise)| promise.chars().count()).max().unwrap_or(0);
    for (judgement, promise) in promises {
        let (style, mark) = match judgement.verdict {
            Verdict::Kept => (KEPT, "kept"),
            Verdict::Broken => (BROKEN, "BROKEN"),
            Verdict::Open => (OPEN, unseen),
            _ => (OPEN, "-"),
        };
        text += &format!("  {style}{mark:marks$}{style:#}  {promise:width$}  {DIM}{}{DIM:#}\n", plain(&judgement.seen));
    }
    text.extend(notes.iter().map(|note| format!("  note: {}\n", plain(note))));
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(verdict: Verdict) -> NetworkJson {
        NetworkJson {
            file: "n.xml".to_owned(),
            network: Some("n".to_owned()),
            engine: Engine::Host,
            bridge: Some("virbr0".to_owned()),
            diagnostics: Vec::new(),
            promises: vec![Judgement {
                subject: vnet_try::Subject::NoWayOut,
                promise: "no way out over IPv4".to_owned(),
                verdict,
                seen: "refused\u{1b}".to_owned(),
            }],
            notes: vec!["a note".to_owned()],
        }
    }

    #[test]
    fn text_from_elsewhere_is_plain() {
        let networks = vec![report(Verdict::Kept)];
        let text = ReportJson { networks, interfaces: Vec::new(), holds: true, milliseconds: 1234 }.human();
        assert!(text.contains("refused\\u{1b}") && text.contains("1 of 1 promises kept"), "{text}");
        assert!(text.contains("in 1.23 s"), "{text}");
    }
}
