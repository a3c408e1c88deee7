//! Resolves an unfinished act by looking at the host.

use std::collections::BTreeSet;

use vnet_plan::{Change, File, HostState, Key, Process, Resource};

use crate::journal::Receipt;
use crate::view::View;
use crate::{Error, Host, Store, Subject, guests};

/// Turns a receipt with an act into one that says what is on the host. What cannot be read, such as
/// the configuration of a running process, is unknown: it counts as ours and matches no wanted
/// state.
///
/// The result is not written: the next act writes it, and until then the old receipt still names
/// everything.
pub(crate) fn resolve<S: Subject>(host: &impl Host, store: &Store, receipt: Receipt<S>) -> Result<Receipt<S>, Error> {
    let Some(act) = &receipt.act else { return Ok(receipt) };
    let (mut older, mut newer, mut facts) = (act.owned.clone(), receipt.owned.clone(), receipt.facts.clone());
    let mut header = receipt.header.clone();
    for change in &act.changes {
        let Change::Rename { from, to } = change else { continue };
        let fact = facts.get(&Key::Link(to.clone()));
        let as_it_was = older.links().find(|link| link.name == *from);
        let as_it_is_to_be = newer.links().find(|link| link.name == *to);
        let mut is_renamed = false;
        for link in as_it_was.into_iter().chain(as_it_is_to_be) {
            is_renamed |= host.locate(link, fact)?.is_some_and(|(name, _)| name == *to);
        }
        let before = header.clone();
        if is_renamed {
            older.rename(from, to);
            header.rename_link(from, to);
            guests::follow(store, &before, &header)?;
        } else {
            newer.rename(to, from);
            let mut other = header.clone();
            other.rename_link(from, to);
            guests::follow(store, &other, &header)?;
        }
    }
    let touched: BTreeSet<Key> = act.changes.iter().map(Change::key).collect();
    let view = View::new(host, &newer, &facts)?;
    let mut there = view.observe(host)?;
    let mut rest = View::new(host, &older, &facts)?;
    rest.owned = rest.owned.iter().filter(|resource| there.get(&resource.key()).is_none()).cloned().collect();
    there.extend(rest.observe(host)?.iter().cloned());
    facts = view.facts;
    let mut owned = HostState::new();
    for resource in view.owned.iter() {
        let key = resource.key();
        let is_touched = touched.contains(&key);
        let seen = there.get(&key);
        let made = match resource {
            // A process on its way to the background is found by its command line, because it has
            // not written its number.
            Resource::Process(process) if is_touched => Some(unknown(process).into()),
            // Files that a program writes may be there, whole or in part.
            Resource::File(File { .. }) => Some(seen.unwrap_or(resource).clone()),
            Resource::Process(_) | Resource::Passt(_) | Resource::Relay(_) => Some(resource.clone()),
            _ if key.is_shared() && is_touched && seen != Some(resource) => older.get(&key).cloned(),
            _ => seen.cloned(),
        };
        let is_program = matches!(resource, Resource::Process(_) | Resource::Passt(_) | Resource::Relay(_));
        if made.is_none() || (is_program && is_touched) {
            facts.set(key, None);
        }
        owned.extend(made);
    }
    let facts = facts.of(&owned);
    Ok(Receipt { header, owned, facts, settled: false, act: None })
}

/// A process with an unknown configuration.
fn unknown(process: &Process) -> Process {
    Process { restart_on: String::new(), reload_on: String::new(), ..process.clone() }
}
