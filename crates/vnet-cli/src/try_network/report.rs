//! What came of a trial, as a table and as JSON; the shape is described in `docs/json.md`.

use serde::Serialize;

use super::words::Subject;
use crate::diagnostic::DiagnosticJson;
use crate::output::plain;

/// A trial of some networks and guests on one imagined host.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) networks: Vec<NetworkReport>,
    pub(crate) interfaces: Vec<InterfaceReport>,
    /// Is every promise kept?
    pub(crate) holds: bool,
    pub(crate) milliseconds: u128,
}

/// One network.
#[derive(Debug, Serialize)]
pub(crate) struct NetworkReport {
    pub(crate) file: String,
    /// `None` where the document defines none.
    pub(crate) network: Option<String>,
    /// `None` where the definition was refused.
    pub(crate) bridge: Option<String>,
    pub(crate) diagnostics: Vec<DiagnosticJson>,
    pub(crate) promises: Vec<Judgement>,
    /// What was left out, and where the imagined host differs from a real one.
    pub(crate) notes: Vec<String>,
}

/// A guest behind passt.
#[derive(Debug, Serialize)]
pub(crate) struct InterfaceReport {
    pub(crate) file: String,
    /// What passt says of its version; `None` where the guest was not tried.
    pub(crate) passt: Option<String>,
    pub(crate) diagnostics: Vec<DiagnosticJson>,
    pub(crate) promises: Vec<Judgement>,
    /// What was left out, and where the imagined host differs from a real one.
    pub(crate) notes: Vec<String>,
}

/// A promise and whether it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Judgement {
    pub(crate) subject: Subject,
    pub(crate) promise: String,
    pub(crate) verdict: Verdict,
    /// What was seen.
    pub(crate) seen: String,
}

/// Is a promise kept?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    Kept,
    Broken,
    /// Another one is broken that this one builds on.
    Unjudged,
}

impl Verdict {
    /// Kept where it holds.
    pub(crate) fn when(holds: bool) -> Self {
        if holds { Self::Kept } else { Self::Broken }
    }
}

fn are_kept(promises: &[Judgement]) -> bool {
    promises.iter().all(|it| it.verdict == Verdict::Kept)
}

impl Report {
    /// The report of these.
    pub(crate) fn new(networks: Vec<NetworkReport>, interfaces: Vec<InterfaceReport>, milliseconds: u128) -> Self {
        let holds = networks.iter().all(|it| it.bridge.is_some() && are_kept(&it.promises))
            && interfaces.iter().all(|it| it.passt.is_some() && are_kept(&it.promises));
        Self { holds, networks, interfaces, milliseconds }
    }

    /// For people.
    pub(crate) fn human(&self) -> String {
        let mut text: String = self.networks.iter().map(network).chain(self.interfaces.iter().map(interface)).collect();
        let of_networks = self.networks.iter().flat_map(|network| &network.promises);
        let judged: Vec<_> = of_networks.chain(self.interfaces.iter().flat_map(|it| &it.promises)).collect();
        let kept = judged.iter().filter(|it| it.verdict == Verdict::Kept).count();
        let refused = self.networks.iter().filter(|network| network.bridge.is_none()).count();
        let colour = if self.holds { "\x1b[1;32m" } else { "\x1b[1;31m" };
        let seconds = format!("{}.{:02} s", self.milliseconds / 1000, self.milliseconds % 1000 / 10);
        text += &match refused {
            0 => format!("{colour}{kept} of {} promises kept\x1b[0m in {seconds}\n", judged.len()),
            _ => format!("{colour}refused: {refused} of {} definitions\x1b[0m\n", self.networks.len()),
        };
        text
    }
}

fn network(report: &NetworkReport) -> String {
    let Some(bridge) = &report.bridge else { return String::new() };
    let name = report.network.as_deref().unwrap_or_default();
    let title = format!("\x1b[1m{}\x1b[0m on {bridge} ({})\n", plain(name), plain(&report.file));
    title + &table(&report.promises, &report.notes)
}

fn interface(report: &InterfaceReport) -> String {
    let Some(version) = &report.passt else { return String::new() };
    let title = format!("\x1b[1m{}\x1b[0m behind {}\n", plain(&report.file), plain(version));
    title + &table(&report.promises, &report.notes)
}

fn table(promises: &[Judgement], notes: &[String]) -> String {
    let mut text = String::new();
    let promises: Vec<_> = promises.iter().map(|it| (it, plain(&it.promise))).collect();
    let width = promises.iter().map(|(_, promise)| promise.chars().count()).max().unwrap_or(0);
    for (judgement, promise) in promises {
        let (colour, mark) = match judgement.verdict {
            Verdict::Kept => ("\x1b[32m", "kept  "),
            Verdict::Broken => ("\x1b[1;31m", "BROKEN"),
            Verdict::Unjudged => ("\x1b[33m", "open  "),
        };
        text += &format!("  {colour}{mark}\x1b[0m  {promise:width$}  \x1b[2m{}\x1b[0m\n", plain(&judgement.seen));
    }
    text.extend(notes.iter().map(|note| format!("  note: {}\n", plain(note))));
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(verdict: Verdict) -> NetworkReport {
        NetworkReport {
            file: "n.xml".to_owned(),
            network: Some("n".to_owned()),
            bridge: Some("virbr0".to_owned()),
            diagnostics: Vec::new(),
            promises: vec![Judgement {
                subject: Subject::NoWayOut,
                promise: "no way out over IPv4".to_owned(),
                verdict,
                seen: "refused\u{1b}".to_owned(),
            }],
            notes: vec!["a note".to_owned()],
        }
    }

    #[test]
    fn a_promise_that_is_not_kept_is_told() {
        let holds = |verdict| Report::new(vec![report(verdict)], Vec::new(), 12).holds;
        assert_eq!([Verdict::Kept, Verdict::Broken, Verdict::Unjudged].map(holds), [true, false, false]);
        let refused = NetworkReport { bridge: None, promises: Vec::new(), ..report(Verdict::Kept) };
        assert!(!Report::new(vec![refused], Vec::new(), 12).holds);
    }

    #[test]
    fn text_from_elsewhere_is_plain() {
        let text = Report::new(vec![report(Verdict::Kept)], Vec::new(), 1234).human();
        assert!(text.contains("refused\\u{1b}") && text.contains("1 of 1 promises kept"), "{text}");
        assert!(text.contains("in 1.23 s"), "{text}");
    }
}
