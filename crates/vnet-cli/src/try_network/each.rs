//! `vnet try --each FILE…`: each definition on a host of its own.

use std::time::Instant;

use vnet_try::{Error, NetworkReport, Report, try_each};
use vnet_xml::Definition;

use super::report::ReportJson;
use super::{Args, nothing};
use crate::diagnostic::Checked;
use crate::diagnostic::human::human;
use crate::failure;
use crate::output::{Answer, Format, note, print, print_json, progress};

impl Args {
    /// Tries each definition that has no error, and reports all.
    pub(super) fn run_each(&self, mut checked: Vec<Checked>) -> anyhow::Result<Answer> {
        let began = Instant::now();
        let sound: Vec<(usize, Definition)> =
            checked.iter().enumerate().filter_map(|(at, it)| Some((at, it.sound()?.clone()))).collect();
        let (places, definitions): (Vec<usize>, Vec<Definition>) = sound.into_iter().unzip();
        let results = try_each(&definitions, progress);
        progress("");
        let mut tried: Vec<Option<Report>> = checked.iter().map(|_| None).collect();
        let mut failed = Vec::new();
        for (at, result) in places.into_iter().zip(results) {
            match result {
                Ok(mut report) => {
                    report.interfaces.iter_mut().for_each(|interface| interface.definition = at);
                    let findings = report.networks.first().map(|it| it.findings.clone()).unwrap_or_default();
                    if !findings.is_empty() {
                        checked[at].extend(findings);
                        if self.format.format == Format::Human {
                            note(human(&checked[at]));
                        }
                    }
                    tried[at] = Some(report);
                }
                Err(Error::Nothing { what, .. }) => failed.push(nothing(&checked[at], &what)),
                Err(error) => {
                    let name = &checked[at].document.name;
                    failed.push(anyhow::Error::from(error).context(format!("`{name}` cannot be tried")));
                }
            }
        }
        let failed = failure::tell(&failed);
        let both = checked.iter().zip(&tried);
        let shown = both.filter_map(|(checked, report)| Some((checked, report.as_ref()?.networks.first()?.clone())));
        let (networks, reports): (Vec<&Checked>, Vec<NetworkReport>) = shown.unzip();
        self.write_page(&networks, &reports)?;
        let holds = tried.iter().all(|report| report.as_ref().is_some_and(|report| report.holds));
        let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let report = ReportJson::of_each(tried, &checked, milliseconds);
        match self.format.format {
            Format::Json => print_json(&report)?,
            Format::Human => print(report.human())?,
        }
        Ok(Answer::when(holds).unless_failed(failed))
    }
}
