//! The cost of adding and listing networks.

use std::time::Instant;

use vnet_firewall::{Batch, Firewall, Ruleset, Table};
use vnet_netlink::Netfilter;
use vnet_tests::{Netns, run};
use vnet_types::Family;

use crate::rules::{Mode, index_of, libvirt_base, libvirt_network, load, policy};
use vnet_benches::median;

/// A network namespace with a guest's interface and this number of other networks.
struct Host {
    netns: Netns,
    others: u32,
}

/// The milliseconds that it takes to add the network.
struct Cost {
    /// Compiled, encoded and committed by a program that has added a network before. Nobody has
    /// changed the rules since.
    ours: f64,
    /// The same by a program that has just started, and reads the rules first.
    anew: f64,
    /// Only sending the encoded batch.
    replay: f64,
}

impl Host {
    fn new(others: u32) -> Self {
        let netns = Netns::new();
        netns.run(|| {
            run("ip", &["link", "add", "guest", "type", "bridge"]);
            load(others + 1, Mode::Nat, Family::Ipv4);
            // The first network is the one that is added and removed.
            Firewall::open().unwrap().replace(Some(&Ruleset::compile(&policy(0, Mode::Nat))), None).unwrap();
        });
        Self { netns, others }
    }

    fn measure(&self, rounds: usize) -> Cost {
        self.netns.run(|| {
            let ruleset = Ruleset::compile(&policy(0, Mode::Nat));
            let firewall = Firewall::open().unwrap();
            let netfilter = Netfilter::open().unwrap();
            let table =
                Table::read_near(&[&ruleset], |requests| netfilter.find_all(requests), index_of, |_| None).unwrap();
            let mut batch = Batch::new(&table, None, Some(&ruleset), index_of).unwrap().bytes;
            without_generation(&mut batch);
            let (mut ours, mut anew, mut replay) = (Vec::new(), Vec::new(), Vec::new());
            let add = |firewall: &Firewall| {
                time(|| firewall.replace(None, Some(&Ruleset::compile(&policy(0, Mode::Nat)))).unwrap())
            };
            // Closing a socket after something was deleted waits for the kernel.
            let mut begun = Vec::new();
            for _ in 0..rounds {
                ours.push(add(&firewall));
                firewall.replace(Some(&ruleset), None).unwrap();
                begun.push(Firewall::open().unwrap());
                anew.push(add(&begun[begun.len() - 1]));
                firewall.replace(Some(&ruleset), None).unwrap();
                replay.push(time(|| netfilter.commit(&batch).unwrap()));
                firewall.replace(Some(&ruleset), None).unwrap();
            }
            Cost { ours: median(ours), anew: median(anew), replay: median(replay) }
        })
    }
}

/// The batch names the ruleset generation that it was made for, in the one attribute of its first
/// message. 0 accepts any.
fn without_generation(batch: &mut [u8]) {
    batch[24..28].fill(0);
}

fn time(act: impl FnOnce()) -> f64 {
    let start = Instant::now();
    act();
    start.elapsed().as_secs_f64() * 1000.0
}

/// libvirt runs nft(8) for each command.
fn libvirt() -> f64 {
    let netns = Netns::new();
    netns.run(|| {
        run("ip", &["link", "add", "guest", "type", "bridge"]);
        let commands = libvirt_base().into_iter().chain(libvirt_network(0, Mode::Nat));
        let commands: Vec<String> = commands.collect();
        let rounds = (0..3).map(|_| {
            let spent = time(|| commands.iter().for_each(|command| drop(run("nft", &[command]))));
            run("nft", &["flush", "ruleset"]);
            spent
        });
        median(rounds.collect())
    })
}

pub(crate) fn report() -> String {
    let hosts = [0, 1, 199, 999].map(Host::new);
    let mut costs: Vec<Vec<Cost>> = hosts.iter().map(|_| Vec::new()).collect();
    for _ in 0..7 {
        for (host, costs) in hosts.iter().zip(&mut costs) {
            costs.push(host.measure(9));
        }
    }
    let mut text = "## One NAT network

Added beside a number of others: by a program that has added one before, by a program that has just started and reads the rules
first, and as a replay of the encoded batch, which is the kernel's part. Beside none, the shared rules are added too.

| beside | apply, ms | reading first, ms | replay, ms | apply / replay | apply / apply beside 1 |
|---|---|---|---|---|---|
"
    .to_owned();
    let ours = |costs: &[Cost]| median(costs.iter().map(|cost| cost.ours).collect());
    let beside_one = ours(&costs[1]);
    for (host, costs) in hosts.iter().zip(&costs) {
        let replay = median(costs.iter().map(|cost| cost.replay).collect());
        let ratio = median(costs.iter().map(|cost| cost.ours / cost.replay).collect());
        let anew = median(costs.iter().map(|cost| cost.anew).collect());
        let (ours, others) = (ours(costs), host.others);
        text +=
            &format!("| {others} | {ours:.3} | {anew:.3} | {replay:.3} | {ratio:.2} | {:.2} |\n", ours / beside_one);
    }
    let libvirt = libvirt();
    let alone = ours(&costs[0]);
    text += &format!(
        "\nlibvirt's commands for the same network, each through its own nft(8): {libvirt:.1} ms, {:.0} times as much.\n",
        libvirt / alone
    );
    let netns = Netns::new();
    let (loaded, listed) = netns.run(|| {
        run("ip", &["link", "add", "guest", "type", "bridge"]);
        let loaded = time(|| load(1000, Mode::Nat, Family::Ipv4));
        let netfilter = Netfilter::open().unwrap();
        let list = || drop(Table::read(|request| netfilter.dump(request), |_| None).unwrap());
        (loaded, median((0..5).map(|_| time(list)).collect()))
    });
    text += &format!("\n1000 networks, one after the other: loaded in {loaded:.0} ms, listed in {listed:.1} ms.\n");
    text
}
