//! The inner process: starts the networks, attaches guests, and checks what they promise.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use vnet_types::{Features, InterfaceName};
use vnet_xml::{Interface, Network};

use crate::attach::{Seat, features, seats};
use crate::cluster::placed;
use crate::engine::put_on_ovn;
use crate::error::{Failed, Failure, Result};
use crate::guest::{Guest, guests, may_collide};
use crate::judge::{Crossing, Party, beside, side_by_side};
use crate::neighbour::neighbour;
use crate::outside::{Answer, Task, is_inside};
use crate::passt;
use crate::promise::{Phase, Promise};
use crate::promises::of_network;
use crate::report::{InterfaceReport, Judgement, NetworkReport, Report};
use crate::start::{Started, driver, start};
use crate::world::World;
use crate::{furnish, notes};

/// Takes over when [`try_all`](crate::try_all) has started this program again, and does not return
/// then. Call it first in `main`, before anything reads standard input or starts a thread.
pub fn inside() {
    if !is_inside() {
        return;
    }
    let mut input = Vec::new();
    let task = io::stdin().lock().read_to_end(&mut input).ok().and_then(|_| serde_json::from_slice(&input).ok());
    let Some(task) = task else { std::process::exit(2) };
    let answer = match attempt(&task, Instant::now()) {
        Ok(report) => Answer::Report(report),
        Err(error) => Answer::Failure(Failure::of(&error)),
    };
    say(&answer);
    std::process::exit(0);
}

/// The outer process reads this. If it has ended, nobody needs an answer.
fn say(answer: &Answer) {
    let mut line = serde_json::to_vec(answer).expect("a report is text and numbers");
    line.push(b'\n');
    let _ = io::stdout().lock().write_all(&line);
}

fn step(text: &str) {
    say(&Answer::Step(text.to_owned()));
}

fn attempt(Task { networks, guests: behind }: &Task, began: Instant) -> Result<Report> {
    let on_ovn = networks.iter().any(Network::is_on_ovn);
    let neighbour = (networks.len() == 1).then(|| neighbour(&networks[0]));
    let mut all: Vec<Network> = networks.iter().cloned().chain(neighbour).collect();
    if on_ovn {
        put_on_ovn(&mut all);
        all = all.into_iter().map(placed).collect();
    }
    let all: Vec<&Network> = all.iter().collect();
    let interfaces: Vec<&Interface> = behind.iter().map(|(_, interface)| interface).collect();
    let mut guests: Vec<Vec<Guest>> = all.iter().map(|network| guests(network)).collect();
    // Only the neighbour's first guest speaks to anybody.
    guests.iter_mut().skip(networks.len()).for_each(|of_neighbour| of_neighbour.truncate(1));
    step("making a host");
    furnish::furnish()?;
    let (tell, asked) = mpsc::channel();
    let (networks_of_all, count) = (&all, guests.iter().map(Vec::len).sum::<usize>());
    let (seats, begun) = beside(
        // What a start depends on is asked of the kernel on the first seat. The others are made
        // beside the start.
        move || {
            let mut made = seats(count.min(1))?;
            let _ = tell.send(features(networks_of_all, &made)?);
            made.extend(seats(count.saturating_sub(1))?);
            Ok::<_, Failed>(made)
        },
        || {
            let mut world = if on_ovn { World::on_ovn(&all)? } else { World::new(&all, &interfaces)? };
            let has_names = furnish::empty(world.name_server())?;
            if on_ovn {
                step("starting OVN");
                world.begin(&all)?;
            }
            world.serve_names(networks)?;
            all.iter().try_for_each(|network| world.announce(network))?;
            // Who asked has failed if it says nothing, and that is the error to report.
            let features = asked.recv().unwrap_or_default();
            step("starting");
            let at_once: Vec<_> = all.iter().zip(&guests).map(|(it, guests)| (*it, !may_collide(it, guests))).collect();
            let started = start(&world, &at_once, features)?;
            Ok::<_, Failed>((world, has_names, features, started))
        },
    );
    let (seats, (world, has_names, features, started)) = (seats?, begun?);
    let mut bridges = Vec::new();
    let mut refused = BTreeMap::new();
    for (at, started) in started.into_iter().enumerate() {
        match started {
            Started::On(bridge) => bridges.push(bridge),
            Started::Refused(findings) => drop(refused.insert(at, findings)),
        }
    }
    // Nothing is tried unless all networks can run beside each other.
    if !refused.is_empty() {
        let mut of = |at: usize| refused.remove(&at).unwrap_or_default();
        let networks = networks.iter().enumerate().map(|(at, it)| NetworkReport::refused(it, of(at))).collect();
        let interfaces = behind.iter().map(|(definition, _)| InterfaceReport::refused(*definition));
        return Ok(Report::new(networks, interfaces.collect(), milliseconds(began)));
    }
    step("attaching guests");
    let parties = inhabit(&world, &all, &bridges, guests, seats, features)?;
    step("trying");
    let judged = judge(&parties, networks.len(), has_names)?;
    let reports = networks.iter().zip(&bridges).zip(judged).zip(&parties);
    let reports = reports.map(|(((network, bridge), promises), party)| NetworkReport {
        bridge: Some(bridge.to_string()),
        promises,
        notes: notes::of_network(network, &party.guests, has_names),
        ..NetworkReport::refused(network, Vec::new())
    });
    let reports = reports.collect();
    let interfaces = passt::attempt(&world, behind, has_names)?;
    Ok(Report::new(reports, interfaces, milliseconds(began)))
}

fn inhabit<'a>(
    world: &'a World,
    networks: &[&'a Network],
    bridges: &[InterfaceName],
    guests: Vec<Vec<Guest>>,
    mut seats: Vec<Seat>,
    features: Option<Features>,
) -> Result<Vec<Party<'a>>> {
    let driver = driver(true, features)?;
    thread::scope(|scope| {
        let mut settling = Vec::new();
        // One after the other, because each call waits for the lock of the state folder. Those that
        // are attached get their addresses meanwhile.
        for (number, ((network, bridge), guests)) in networks.iter().zip(bridges).zip(guests).enumerate() {
            let seats = seats.drain(..guests.len()).collect();
            let stations = world.attach(&driver, network, number, bridge, &guests, seats)?;
            settling.push(scope.spawn(move || Party::of_network(world, network, guests, stations)));
        }
        let settled = settling.into_iter().map(|it| it.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        settled.collect()
    })
}

/// Judges all promises of the first networks, those of the definitions; the last one is only a
/// neighbour. Promises of unreachability come last, after the guests have added their own routes.
fn judge(parties: &[Party<'_>], definitions: usize, has_names: bool) -> Result<Vec<Vec<Judgement>>> {
    let promises = parties.iter().take(definitions).map(|party| {
        let mut promises = party.network.map(|it| of_network(it, &party.guests)).unwrap_or_default();
        promises.retain(|promise| has_names || !asks_the_host(promise));
        promises
    });
    let promises: Vec<Vec<Promise>> = promises.collect();
    let mut judged: Vec<Vec<Option<Judgement>>> = promises.iter().map(|it| vec![None; it.len()]).collect();
    let pairs = (0..parties.len()).flat_map(|from| (0..parties.len()).map(move |to| (from, to)));
    let pairs = pairs.filter(|(from, to)| from != to);
    let crossings: Vec<(usize, Crossing<'_>)> =
        pairs.filter_map(|(from, to)| Some((from, parties[from].crossing(&parties[to])?))).collect();
    let mut crossed: Vec<Option<Judgement>> = vec![None; crossings.len()];
    let have_ways = side_by_side(parties, Party::have_ways)?.into_iter().all(|all| all);
    let rounds: &[&[Phase]] = match have_ways {
        // Guests that were told their ways add none, so what they do not reach is seen at once.
        true => &[&[Phase::AsTold, Phase::OwnWay], &[Phase::Alone]],
        false => &[&[Phase::AsTold], &[Phase::OwnWay], &[Phase::Alone]],
    };
    for phases in rounds {
        if !have_ways && phases.contains(&Phase::OwnWay) {
            parties.iter().try_for_each(Party::find_ways)?;
        }
        let is_now = |crossing: &Crossing<'_>| phases.contains(&crossing.phase());
        let some = crossings.iter().zip(&mut crossed).filter(|((_, crossing), _)| is_now(crossing));
        let cross = || {
            side_by_side(some, |((from, crossing), judged)| {
                *judged = Some(parties[*from].judge_crossing(crossing)?);
                Ok(())
            })
        };
        let all = parties.iter().zip(&promises).zip(&mut judged);
        let keep = || side_by_side(all, |((party, promises), judged)| party.judge(promises, phases, judged));
        let (kept, crossed) = beside(keep, cross);
        kept.and(crossed)?;
    }
    let mut judged: Vec<Vec<Judgement>> = judged.into_iter().map(|it| it.into_iter().flatten().collect()).collect();
    for (at, party) in parties.iter().enumerate().take(definitions) {
        for (_, from) in parties.iter().enumerate().filter(|(other, _)| *other != at) {
            judged[at].extend(party.judge_led(from)?);
        }
    }
    for ((from, _), judgement) in crossings.into_iter().zip(crossed) {
        // Obstacles of the neighbour are reported with the network that is tried.
        judged[from.min(definitions.saturating_sub(1))].extend(judgement);
    }
    Ok(judged)
}

fn asks_the_host(promise: &Promise) -> bool {
    matches!(promise, Promise::Forwarded { servers, .. } if servers.is_empty())
}

fn milliseconds(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}
