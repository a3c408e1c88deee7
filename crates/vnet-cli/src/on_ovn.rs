//! Stops and differences of networks that OVN makes.

use anyhow::ensure;
use serde::Serialize;
use vnet_driver::{Driver, Error, Network, NetworkOutcome};

use crate::changes::{ChangeJson, changes, human as of_host};
use crate::diagnostic::Checked;
use crate::failure;
use crate::output::{Answer, Format, print, print_json};
use crate::ovn::{OvnJson, human, told};
use crate::report::{heard, refuse};

#[derive(Serialize)]
struct Reports<'a> {
    networks: Vec<Report<'a>>,
}

/// `changes` are those of this host: of the network's name server.
#[derive(Serialize)]
struct Report<'a> {
    network: String,
    changes: Vec<ChangeJson>,
    ovn: Option<OvnJson<'a>>,
}

/// Does something with each network, and reports. One that fails does not hold back the others.
pub(crate) fn each(
    networks: Vec<Checked>,
    act: impl Fn(&Network) -> Result<NetworkOutcome, Error>,
    done: &str,
    format: Format,
    has_more: bool,
) -> anyhow::Result<Answer> {
    let (outcomes, answer) = outcomes(networks, act, format, has_more)?;
    match format {
        Format::Json => print_report(&outcomes)?,
        Format::Human => print(outcomes.iter().filter_map(|it| told(it, done)).collect::<String>())?,
    }
    Ok(answer)
}

/// Shows what would bring each network to its definition. Answers no where there is something.
pub(crate) fn differences(
    networks: Vec<Checked>,
    driver: &Driver,
    format: Format,
    has_more: bool,
) -> anyhow::Result<Answer> {
    let (outcomes, answer) = outcomes(networks, |network| driver.plan(network), format, has_more)?;
    let rows = |outcome: &'_ NetworkOutcome| outcome.ovn.iter().flat_map(|ovn| ovn.changes.clone()).collect::<Vec<_>>();
    match format {
        Format::Json => print_report(&outcomes)?,
        Format::Human => {
            let text = outcomes.iter().map(|outcome| match rows(outcome) {
                rows if rows.is_empty() && outcome.changes.is_empty() => {
                    format!("network {} is in sync on OVN\n", outcome.name)
                }
                rows => human(&rows) + &of_host(&outcome.changes),
            });
            print(text.collect::<String>())?;
        }
    }
    Ok(answer.and(Answer::when(outcomes.iter().all(|outcome| rows(outcome).is_empty() && outcome.changes.is_empty()))))
}

fn outcomes(
    networks: Vec<Checked>,
    act: impl Fn(&Network) -> Result<NetworkOutcome, Error>,
    format: Format,
    has_more: bool,
) -> anyhow::Result<(Vec<NetworkOutcome>, Answer)> {
    ensure!(!has_more || format == Format::Human, "networks on OVN and those of this host have a document each");
    let (mut outcomes, mut answer, mut failed) = (Vec::new(), Answer::Yes, Vec::new());
    for mut checked in networks {
        let Some(network) = checked.sound_network() else {
            refuse(&checked, format)?;
            answer = Answer::No;
            continue;
        };
        match heard(act(network), &mut checked, format) {
            Ok(Some(outcome)) => outcomes.push(outcome),
            Ok(None) => answer = Answer::No,
            Err(error) => failed.push(error),
        }
    }
    Ok((outcomes, answer.and(failure::tell(&failed))))
}

fn print_report(outcomes: &[NetworkOutcome]) -> anyhow::Result<()> {
    let mut networks: Vec<Report<'_>> = outcomes
        .iter()
        .map(|outcome| Report {
            network: outcome.name.to_string(),
            changes: changes(&outcome.changes),
            ovn: outcome.ovn.as_ref().map(OvnJson::of),
        })
        .collect();
    match networks.len() {
        0 => Ok(()),
        1 => networks.pop().map_or(Ok(()), |report| print_json(&report)),
        _ => print_json(&Reports { networks }),
    }
}
