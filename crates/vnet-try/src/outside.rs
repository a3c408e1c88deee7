//! The outer process: starts inner ones and reads their answers.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use serde::{Deserialize, Serialize};
use vnet_lab::Isolation;
use vnet_xml::{Definition, Interface, Network};

use crate::error::{Error, Failure};
use crate::report::Report;

/// How many hosts are imagined at the same time for each processor: a trial mostly waits for the
/// kernel.
const AT_A_TIME: usize = 2;
/// The argument that starts the inner process.
pub(crate) const WORD: &str = "vnet-try-inside";

/// The input of the inner process, on its standard input.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) networks: Vec<Network>,
    /// Interfaces with the indexes of their definitions.
    pub(crate) guests: Vec<(usize, Interface)>,
}

/// The answers of the inner process, one line each, on its standard output.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    /// The current step.
    Step(String),
    Report(Report),
    Failure(Failure),
}

/// Tries networks, and guests on passt, on one imagined host. The guests are those of domains and
/// of interfaces alone. `progress` gets the current step.
///
/// The definitions must have no errors. This program is started again inside, so its `main` has to
/// begin with [`inside`](crate::inside).
///
/// # Errors
/// [`Error`] when there is nothing to try, or it cannot be tried here. A broken promise is not an
/// error.
pub fn try_all(definitions: &[Definition], progress: impl FnMut(&str)) -> Result<Report, Error> {
    attempt(&Task::of(definitions)?, progress)
}

/// Tries each definition on an imagined host of its own, as [`try_all`] does with one, some of them
/// at the same time. Returns the results in the order of the definitions, whose indexes they name.
/// One that fails does not hold back the others.
///
/// The definitions must have no errors. `progress` gets how many are tried.
pub fn try_each(definitions: &[Definition], mut progress: impl FnMut(&str)) -> Vec<Result<Report, Error>> {
    let (next, (tell, told)) = (AtomicUsize::new(0), mpsc::channel());
    let processors = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..definitions.len().min(processors * AT_A_TIME) {
            let (next, tell) = (&next, tell.clone());
            // A host ends with the thread that imagined it.
            scope.spawn(move || {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(definition) = definitions.get(at) else { break };
                    let _ = tell.send((at, one_of_each(definition, at)));
                }
            });
        }
        drop(tell);
        let mut results = BTreeMap::new();
        for (at, result) in told {
            results.insert(at, result);
            progress(&format!("{} of {} tried", results.len(), definitions.len()));
        }
        results.into_values().collect()
    })
}

/// Tries the definition with this index alone.
fn one_of_each(definition: &Definition, at: usize) -> Result<Report, Error> {
    let task = Task::of(std::slice::from_ref(definition));
    let mut report = match task.and_then(|task| attempt(&task, |_| {})) {
        Err(Error::Nothing { what, .. }) => return Err(Error::Nothing { at, what }),
        report => report?,
    };
    report.interfaces.iter_mut().for_each(|interface| interface.definition = at);
    Ok(report)
}

/// Starts the inner process, and returns its report.
fn attempt(task: &Task, mut progress: impl FnMut(&str)) -> Result<Report, Error> {
    if is_inside() {
        // Otherwise it would start itself again without end.
        return Err(Error::NotInside);
    }
    let mut command = Command::new("/proc/self/exe");
    // Inside, each host has its own.
    command.env_remove("OVS_RUNDIR");
    let isolation = Isolation::of(command.arg(WORD).stdin(Stdio::piped()).stdout(Stdio::piped()))?;
    let mut inside = command.spawn().map_err(|error| isolation.explain(error))?;
    let mut input = inside.stdin.take().expect("it is piped");
    // If it has died, its exit status says more than the broken pipe.
    let _ = input.write_all(&serde_json::to_vec(task).expect("definitions are text and numbers"));
    drop(input);
    let mut answer = None;
    for line in BufReader::new(inside.stdout.take().expect("it is piped")).split(b'\n') {
        match serde_json::from_slice(&line?) {
            Ok(Answer::Step(step)) => progress(&step),
            Ok(last) => answer = Some(last),
            Err(_) => {
                inside.kill()?;
                inside.wait()?;
                return Err(Error::NotInside);
            }
        }
    }
    let status = inside.wait()?;
    match answer {
        Some(Answer::Report(report)) => Ok(report),
        Some(Answer::Failure(failure)) => Err(Error::Inside(failure)),
        _ => Err(Error::Died(status)),
    }
}

/// Whether this is the inner process.
pub(crate) fn is_inside() -> bool {
    std::env::args_os().nth(1).is_some_and(|word| word == WORD)
}

impl Task {
    /// The parts of definitions that can be tried.
    fn of(definitions: &[Definition]) -> Result<Self, Error> {
        let mut task = Self::default();
        let mut known = BTreeMap::new();
        for (at, definition) in definitions.iter().enumerate() {
            let nothing = |what: String| Error::Nothing { at, what };
            match definition {
                Definition::Network(network) => {
                    if let Some(other) = known.insert(network.name.as_str(), at) {
                        return Err(Error::SameName { at: [other, at], name: network.name.clone() });
                    }
                    task.networks.push((**network).clone());
                }
                Definition::Interface(interface) if interface.is_passt() => {
                    task.guests.push((at, (**interface).clone()));
                }
                Definition::Interface(interface) => {
                    let word = interface.source.word();
                    return Err(nothing(format!("is an interface of type {word}, which takes what the host has")));
                }
                Definition::Domain(domain) => {
                    let behind = domain.interfaces.iter().filter(|it| it.is_passt());
                    let before = task.guests.len();
                    task.guests.extend(behind.map(|interface| (at, interface.clone())));
                    if task.guests.len() == before {
                        return Err(nothing("has no interface with `<backend type='passt'/>`".to_owned()));
                    }
                }
                _ => {
                    return Err(nothing("defines neither a network nor a guest's interface".to_owned()));
                }
            }
        }
        Self::has_one_engine(definitions)?;
        Ok(task)
    }

    /// Refuses networks on OVN beside what is not: there is one imagined world.
    fn has_one_engine(definitions: &[Definition]) -> Result<(), Error> {
        let is_on_ovn = |it: &Definition| matches!(it, Definition::Network(network) if network.is_on_ovn());
        let on_ovn = definitions.iter().position(is_on_ovn);
        let other = definitions.iter().position(|it| !is_on_ovn(it));
        match on_ovn.zip(other) {
            Some((on_ovn, other)) => Err(Error::TwoEngines { at: [on_ovn, other] }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::put_on_ovn;

    #[test]
    fn networks_on_ovn_are_tried_apart_from_others() {
        let mut networks = ["a", "b"].map(Network::new);
        let definitions = |networks: &[Network]| -> Vec<Definition> {
            networks.iter().cloned().map(|it| Definition::Network(Box::new(it))).collect()
        };
        put_on_ovn(&mut networks[1..]);
        assert!(matches!(Task::of(&definitions(&networks)), Err(Error::TwoEngines { at: [1, 0] })));
        put_on_ovn(&mut networks);
        assert_eq!(Task::of(&definitions(&networks)).map(|task| task.networks.len()).ok(), Some(2));
    }
}
