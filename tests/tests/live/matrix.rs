//! Every change of a definition, with two guests that send to each other, to the host and to the
//! outside: what is lost, whether the plan said it, and the table in the documentation.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rstest::rstest;
use serde_json::Value;
use vnet_tests::{Netns, isolate, run};

use crate::definitions::{Definition, Effect, FORWARDS, NAT, OTHERS, all};
use crate::guest::{attach, done};
use crate::stream::{OUTSIDE, Stream, address, answer, outside, reaches};

/// The ways of packets that effects are about.
const WAYS: [&str; 3] = ["10.9.0.12", "10.9.0.1", OUTSIDE];
/// STP takes twice its delay until it lets frames pass.
const PATIENCE: Duration = Duration::from_secs(30);
/// The table of changes, made with `VNET_BLESS=1`.
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/vnet-driver/docs/changes.md");

/// The changes of a plan, or those that were made, in words.
fn texts(outcome: &Value) -> Vec<String> {
    let changes = outcome["changes"].as_array().unwrap();
    changes.iter().map(|change| format!("{} {}", change["text"], change["effect_on_guests"])).collect()
}

/// Two guests of a network, and the outside.
struct World {
    guests: [Netns; 2],
    _outside: Netns,
}

impl World {
    fn new(definition: &Definition) -> Self {
        fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        let outside = outside();
        outside.spawn(answer);
        thread::spawn(answer);
        done(&["start", "-"], &definition.text());
        let guests = [1, 2].map(|number| {
            let guest = attach(number, "");
            address(&guest, number + 10);
            guest
        });
        guests[1].spawn(answer);
        let world = Self { guests, _outside: outside };
        world.holds(definition);
        world
    }

    /// Each way is open or cut as a definition has it.
    fn holds(&self, definition: &Definition) {
        for (to, effect) in WAYS.into_iter().zip(definition.effects) {
            let patience = if effect == Effect::Cut { Duration::ZERO } else { PATIENCE };
            let is_open = reaches(&self.guests[0], to, patience);
            assert_eq!(is_open, effect != Effect::Cut, "the way to {to}, with {}", definition.change);
        }
    }

    fn change(&self, from: &Definition, to: &Definition) {
        let told = format!("from {} to {}", from.change, to.change);
        let planned = done(&["plan", "-"], &to.text());
        let streams = WAYS.map(|way| Stream::start(&self.guests[0], way));
        thread::sleep(Duration::from_millis(50));
        let made = done(&["apply", "-"], &to.text());
        thread::sleep(Duration::from_millis(50));
        // A way that one of them does not allow may be cut at any time.
        let allowed: Vec<Effect> = from.effects.into_iter().zip(to.effects).map(|(from, to)| from.max(to)).collect();
        let results = streams.into_iter().zip(&allowed).map(|(stream, effect)| stream.end(*effect == Effect::Nothing));
        let results: Vec<(u64, u64)> = results.collect();
        assert_eq!(texts(&planned), texts(&made), "the plan {told}");
        self.holds(to);
        for ((way, effect), (sent, lost)) in WAYS.into_iter().zip(allowed).zip(results) {
            assert!(effect != Effect::Nothing || lost == 0, "{told}: {lost} of {sent} to {way} are lost");
        }
    }
}

#[test]
fn guests_of_every_mode_keep_what_both_modes_allow() {
    isolate!();
    all();
    let world = World::new(&NAT);
    let mut now = NAT;
    // With `VNET_SWEEP=all` every mode follows every other once.
    let steps = if std::env::var("VNET_SWEEP").is_ok_and(|all| all == "all") { FORWARDS.len() } else { 3 };
    for step in 1..steps {
        for start in 0..FORWARDS.len() {
            let next = FORWARDS[(start + step) % FORWARDS.len()];
            for to in [FORWARDS[start], next] {
                world.change(&now, &to);
                now = to;
            }
        }
    }
    done(&["stop", "lab"], "");
}

#[rstest]
fn guests_notice_of_a_change_what_the_table_says(#[values(0, 1, 2)] third: usize) {
    isolate!();
    let others: Vec<Definition> = all().into_iter().skip(FORWARDS.len()).collect();
    let world = World::new(&NAT);
    for definition in others.iter().skip(third).step_by(3) {
        world.change(&NAT, definition);
        world.change(definition, &NAT);
    }
    done(&["stop", "lab"], "");
}

/// The effects that a plan names, and what becomes of dnsmasq.
fn words(plan: &Value) -> [String; 2] {
    let mut effects: Vec<&str> = Vec::new();
    let mut dnsmasq = "goes on";
    for change in plan["changes"].as_array().unwrap() {
        let text = change["text"][0].as_str().unwrap();
        match () {
            () if text.starts_with("~ restart") => dnsmasq = "restarts",
            () if text.starts_with("~ reload") => dnsmasq = "reads its hosts again",
            () => {}
        }
        let effect = change["effect_on_guests"].as_str().filter(|_| !text.contains("dnsmasq"));
        effects.extend(effect.filter(|effect| !effects.contains(effect)));
    }
    [dnsmasq.to_owned(), effects.join("; ")]
}

fn row(definition: &Definition, plan: Option<&Value>) -> String {
    let cell = |effect| match effect {
        Effect::Nothing => "nothing lost",
        Effect::Pause => "a pause",
        Effect::Cut => "cut",
    };
    let [guests, host, outside] = definition.effects.map(cell);
    let [dnsmasq, says] = plan.map_or_else(|| ["goes on".to_owned(), String::new()], words);
    format!("| {} | {guests} | {host} | {outside} | {dnsmasq} | {says} |\n", definition.change)
}

#[test]
fn the_table_of_changes_is_current() {
    isolate!();
    let can: Vec<&str> = all().iter().map(|definition| definition.change).collect();
    done(&["start", "-"], &NAT.text());
    let mut table = String::from(
        "# What a change does to guests that run\n\n\
         Made by a test with two guests, one of which sends to the other, to the host and to the outside\n\
         every 10 ms. Each change is that of one thing in a network of mode `nat`, and back: nothing lost,\n\
         a pause (what is on its way may be lost, then packets pass again), or cut, because the new\n\
         definition does not allow it.\n\
         The result of each change is that of a fresh start. `vnet plan` shows the changes beforehand.\n\n\
         | change | among guests | guest and host | guest and outside | dnsmasq | what `vnet plan` says |\n\
         |---|---|---|---|---|---|\n",
    );
    for definition in FORWARDS.iter().skip(1).chain(&OTHERS) {
        // The row of what this kernel cannot do is as on another: it has no word of the plan.
        let is_planned = can.contains(&definition.change) && !definition.filters_vlans();
        let plan = is_planned.then(|| done(&["plan", "-"], &definition.text()));
        table.push_str(&row(definition, plan.as_ref()));
    }
    table.push_str(
        "\nBetween any two modes, what both allow goes on. Only what is on its way while translation begins or\n\
         ends may be lost. A bridge keeps its guests when it gets another name. On a kernel before 6.2 it is\n\
         down for a moment then.\n",
    );
    if std::env::var_os("VNET_BLESS").is_some() {
        fs::create_dir_all(Path::new(TABLE).parent().unwrap()).unwrap();
        fs::write(TABLE, &table).unwrap();
    }
    let known = fs::read_to_string(TABLE).unwrap_or_default();
    assert_eq!(known, table, "VNET_BLESS=1 writes {TABLE} anew");
    run("ip", &["link", "show", "lab0"]);
}
