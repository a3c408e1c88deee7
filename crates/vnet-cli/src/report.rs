//! The results of `plan`, `start` and `apply` for a network.

use serde::Serialize;
use vnet_driver::{Error, Network, NetworkOutcome, Obstacle};
use vnet_xml::Severity;

use crate::changes::{ChangeJson, changes};
use crate::diagnostic::Checked;
use crate::diagnostic::human::human;
use crate::diagnostic::json::{DiagnosticJson, diagnostics};
use crate::document::Document;
use crate::failure;
use crate::notes;
use crate::output::{Answer, Format, done, note, print, print_json, progress};
use crate::ovn::OvnJson;

/// A definition and its changes on the host. `docs/json.md` describes the shape.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'a> {
    /// `None` when the document defines no network.
    network: Option<&'a str>,
    /// `None` when it was refused, or has no bridge of its own.
    bridge: Option<String>,
    diagnostics: Vec<DiagnosticJson>,
    changes: Vec<ChangeJson>,
    notes: Vec<String>,
    obstacles: &'a [Obstacle],
    /// What was done on OVN. `None` for a network of this host.
    #[serde(skip_serializing_if = "Option::is_none")]
    ovn: Option<OvnJson<'a>>,
}

/// Reports a document without a usable network.
pub(crate) fn refuse(checked: &Checked, format: Format) -> anyhow::Result<()> {
    match format {
        Format::Human => {
            note(human(checked));
            Ok(())
        }
        Format::Json => print_json(&Report::new(checked)),
    }
}

/// What came of a definition.
enum Heard {
    Outcome(NetworkOutcome),
    /// The driver refused it, with findings.
    Refused,
    /// It was refused for another reason, which is reported.
    Answered,
}

/// Prints the diagnostics of a definition on this host. `None` when the driver refused it, which is
/// printed too.
pub(crate) fn heard(
    result: Result<NetworkOutcome, Error>,
    checked: &mut Checked,
    format: Format,
) -> anyhow::Result<Option<NetworkOutcome>> {
    match hear(result, checked, format)? {
        Heard::Outcome(outcome) => Ok(Some(outcome)),
        Heard::Refused => refuse(checked, format).map(|()| None),
        Heard::Answered => Ok(None),
    }
}

fn hear(result: Result<NetworkOutcome, Error>, checked: &mut Checked, format: Format) -> anyhow::Result<Heard> {
    match result {
        Ok(outcome) => {
            checked.hear(&outcome.findings);
            if format == Format::Human {
                let host = notes::notes(&outcome.notes) + &notes::obstacles(&outcome.obstacles, Severity::Warning);
                note(human(checked) + &host);
            }
            Ok(Heard::Outcome(outcome))
        }
        Err(Error::Refused { findings }) => {
            checked.hear(&findings);
            Ok(Heard::Refused)
        }
        Err(error) => {
            if format == Format::Human {
                note(human(checked));
            }
            failure::answer(error).map(|_| Heard::Answered)
        }
    }
}

/// One call of the driver for several networks: the results in their order.
pub(crate) type Call<'c> = &'c dyn Fn(&[Network]) -> Result<Vec<Result<NetworkOutcome, Error>>, Error>;

/// Starts or changes the networks of documents, with one call of the driver, and reports. One that
/// fails does not hold back the others. `line` is what people are told of one.
///
/// # Errors
/// The last error that is no refusal, after all others were reported.
pub(crate) fn several(
    documents: Vec<anyhow::Result<Document>>,
    call: Call<'_>,
    format: Format,
    line: impl Fn(&NetworkOutcome) -> String,
) -> anyhow::Result<Answer> {
    let (mut all, mut failed) = (Vec::new(), Vec::new());
    for document in documents {
        match document {
            Ok(document) => all.push(Checked::of_network(document)),
            Err(error) => failed.push(error),
        }
    }
    let sound: Vec<Network> = all.iter().filter_map(Checked::sound_network).cloned().collect();
    if sound.len() > 1 {
        progress(&format!("changing {} networks", sound.len()));
    }
    let results = call(&sound);
    progress("");
    let mut results = results?.into_iter();
    let mut outcomes = Vec::new();
    for checked in &mut all {
        let result = checked.sound_network().and_then(|_| results.next());
        let heard = result.map_or(Ok(Heard::Refused), |result| hear(result, checked, format));
        outcomes.push(match heard {
            Ok(Heard::Outcome(outcome)) => Some(outcome),
            Ok(Heard::Refused) => {
                if format == Format::Human {
                    note(human(checked));
                }
                None
            }
            Ok(Heard::Answered) => None,
            Err(error) => {
                failed.push(error);
                None
            }
        });
    }
    let failed = failure::tell(&failed);
    done("the networks are changed", || match format {
        Format::Json => {
            let both = all.iter().zip(&outcomes);
            let networks = both.map(|(checked, outcome)| match outcome {
                Some(outcome) => Report::changed(checked, outcome),
                None => Report::new(checked),
            });
            print_json(&Reports { networks: networks.collect() })
        }
        Format::Human => Ok(print(outcomes.iter().flatten().map(line).collect::<String>())?),
    });
    Ok(Answer::when(outcomes.iter().all(Option::is_some)).unless_failed(failed))
}

#[derive(Serialize)]
struct Reports<'a> {
    networks: Vec<Report<'a>>,
}

impl<'a> Report<'a> {
    fn new(checked: &'a Checked) -> Self {
        Self {
            network: checked.network().map(|network| network.name.as_str()),
            bridge: None,
            diagnostics: diagnostics(checked),
            changes: Vec::new(),
            notes: Vec::new(),
            obstacles: &[],
            ovn: None,
        }
    }

    /// A definition and the changes that it makes.
    pub(crate) fn changed(checked: &'a Checked, outcome: &'a NetworkOutcome) -> Self {
        Self {
            bridge: outcome.bridge.as_ref().map(ToString::to_string),
            changes: changes(&outcome.changes),
            notes: outcome.notes.iter().map(ToString::to_string).collect(),
            obstacles: &outcome.obstacles,
            ovn: outcome.ovn.as_ref().map(OvnJson::of),
            ..Self::new(checked)
        }
    }
}
