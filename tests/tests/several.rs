//! Several networks in one call of the driver: one that fails is undone alone.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;

use vnet_driver::{AttachOptions, Driver, Error, Interface, Network, NetworkName};
use vnet_firewall::Table;
use vnet_netlink::Netfilter;
use vnet_plan::{Change, Resource};
use vnet_tests::{commands, isolate, json, run, vnet};

const OPTIONS: &str = "xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'";

/// A network with DHCP, and more elements.
fn network(name: &str, subnet: u8, more: &str) -> Network {
    let text = format!(
        "<network {OPTIONS}><name>{name}</name><forward mode='nat'/><bridge stp='off'/>\
         <ip address='10.0.{subnet}.1' prefix='24'><dhcp><range start='10.0.{subnet}.2' end='10.0.{subnet}.9'/></dhcp></ip>\
         {more}</network>"
    );
    text.parse().unwrap()
}

fn names(names: &[&str]) -> Vec<NetworkName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn bridges() -> usize {
    let listed = json("ip", &["-j", "link", "show", "type", "bridge"]);
    listed.as_array().map_or(0, |links| links.iter().filter(|link| link["ifname"].is_string()).count())
}

fn dnsmasqs() -> usize {
    commands().filter(|command| command.contains("/run/several/")).count()
}

#[test]
fn networks_start_change_and_stop_together() {
    isolate!();
    let driver = Driver::open("/run/several").unwrap();
    let refuses = "<dnsmasq:options><dnsmasq:option value='no-such-option'/></dnsmasq:options>";
    let forwards = || std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap();
    let before = forwards();
    let refused = driver.start_all(&[network("first", 1, refuses), network("second", 2, refuses)]).unwrap();
    assert!(matches!(refused[..], [Err(Error::Refused { .. }), Err(Error::Refused { .. })]), "{refused:?}");
    assert_eq!((forwards(), bridges(), dnsmasqs()), (before, 0, 0));

    let wanted = [
        network("one", 1, ""),
        network("refused", 2, refuses),
        network("two", 3, ""),
        network("overlaps", 3, ""),
        network("three", 4, ""),
    ];
    let started = driver.start_all(&wanted).unwrap();
    for (wanted, started) in wanted.iter().zip(&started) {
        match (wanted.name.as_str(), started) {
            ("refused" | "overlaps", Err(Error::Refused { .. })) => {}
            ("one" | "two" | "three", Ok(outcome)) => assert!(!outcome.changes.is_empty()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((bridges(), dnsmasqs()), (3, 3), "one that fails is undone alone");
    assert_eq!(forwards(), "1\n");
    for name in names(&["one", "two", "three"]) {
        assert_eq!(driver.diff(&name).unwrap(), []);
    }
    assert!(matches!(driver.start_all(&wanted[..1]).unwrap()[..], [Err(Error::AlreadyRuns(_))]));

    let guest: Interface = "<interface type='network'><source network='one'/></interface>".parse().unwrap();
    let attached = driver.attach_all(&[&guest, &guest, &guest], &AttachOptions::default()).unwrap();
    let ports: BTreeSet<_> = attached.iter().map(|it| (it.port.dev.clone(), it.port.mac)).collect();
    assert_eq!((ports.len(), driver.ports().unwrap().len()), (3, 3));
    let bridge = started[2].as_ref().unwrap().bridge.clone().unwrap();
    run("ip", &["address", "flush", "dev", bridge.as_str()]);
    run("ip", &["link", "set", "dev", attached[1].port.dev.as_str(), "nomaster"]);
    let wanted = [&wanted[0], &wanted[2], &wanted[4]].map(Clone::clone);
    let changed = |outcomes: Vec<Result<_, Error>>| {
        outcomes
            .into_iter()
            .map(|it: Result<vnet_driver::NetworkOutcome, _>| it.unwrap().changes.len())
            .collect::<Vec<_>>()
    };
    let repaired = changed(driver.apply_all(&wanted).unwrap());
    assert!(repaired[0] > 0 && repaired[1] > 0 && repaired[2] == 0, "{repaired:?}");
    assert_eq!(changed(driver.apply_all(&wanted).unwrap()), [0, 0, 0]);
    for name in names(&["one", "two", "three"]) {
        assert_eq!(driver.diff(&name).unwrap(), []);
    }

    let stopped = driver.stop_all(&names(&["one", "nothing", "two", "three"])).unwrap();
    assert!(matches!(stopped[..], [Ok(_), Err(Error::NotRunning(_)), Ok(_), Ok(_)]), "{stopped:?}");
    assert_eq!((bridges(), dnsmasqs()), (0, 0));
    assert_eq!(json("ip", &["-j", "link"]).as_array().unwrap().len(), 1, "the taps are gone too");
    assert_eq!(run("nft", &["list", "ruleset"]), "");
    assert!(!std::path::Path::new("/run/several").exists());
}

/// How many transactions the kernel has made of anybody's rules.
fn transactions() -> u32 {
    let answer = Netfilter::open().unwrap().find(&Table::generation_request()).unwrap();
    // After the headers of the message and of its first attribute.
    u32::from_be_bytes(answer[0][24..28].try_into().unwrap())
}

/// The first brings what all share.
#[test]
fn networks_that_come_together_are_two_transactions() {
    isolate!();
    let driver = Driver::open("/run/several").unwrap();
    let kinds = ["<forward mode='nat'/>", "<forward mode='route'/>", "", "<forward mode='open'/>"];
    let text = |number: usize| {
        let kind = kinds[number % kinds.len()];
        format!(
            "<network><name>n{number}</name>{kind}<bridge name='br{number}' stp='off'/>\
             <dns enable='no'/><ip address='10.0.{number}.1' prefix='24'/></network>"
        )
    };
    let wanted: Vec<Network> = (0..9).map(|number| text(number).parse().unwrap()).collect();
    let all: Vec<NetworkName> = wanted.iter().map(|network| network.name.parse().unwrap()).collect();
    let whole = |results: Vec<Result<vnet_driver::NetworkOutcome, Error>>| {
        results.into_iter().for_each(|it| assert!(!it.unwrap().changes.is_empty()));
    };
    let counted = |act: &dyn Fn()| {
        let before = transactions();
        act();
        transactions() - before
    };
    assert_eq!(counted(&|| whole(driver.start_all(&wanted).unwrap())), 2);
    assert!(all.iter().all(|name| driver.diff(name).unwrap().is_empty()));
    run("nft", &["delete", "table", "inet", "vnet"]);
    run("ip", &["link", "set", "dev", "br2", "down"]);
    let risen = |changes: &[Change]| {
        let rise = changes.iter().position(|it| matches!(it, Change::Update { to: Resource::Link(_), .. }))?;
        let rules = changes.iter().position(|it| matches!(it, Change::Create { to: Resource::Ruleset(_) }))?;
        Some(rules < rise)
    };
    let repair = || {
        let repaired = driver.apply_all(&wanted).unwrap();
        let risen: Vec<bool> = repaired.iter().filter_map(|it| risen(&it.as_ref().unwrap().changes)).collect();
        assert_eq!(risen, [true], "its guests reach nothing before the rules are there");
    };
    assert_eq!(counted(&repair), 2);
    assert!(all.iter().all(|name| driver.diff(name).unwrap().is_empty()));
    assert_eq!(counted(&|| drop(driver.stop_all(&all).unwrap())), 1);
    assert_eq!(run("nft", &["list", "ruleset"]), "");
    assert_eq!(bridges(), 0);

    // One that needs most of what is shared, but not what the others need.
    let limits = "<metadata><vnet:network xmlns:vnet='https://github.com/vnet-rs/vnet/network/1.0'>\
                  <vnet:egress preset='internet-only'/></vnet:network></metadata><forward mode='route'/>";
    let limited = text(1).replace(kinds[1], limits).parse().unwrap();
    let mixed: Vec<Network> = (0..7).map(|number| text(number * 4).parse().unwrap()).chain([limited]).collect();
    let made = counted(&|| whole(driver.start_all(&mixed).unwrap()));
    assert!(made <= 4, "{made}: the limited one with a pause, one of the others, and the rest");
    let all_mixed: Vec<NetworkName> = mixed.iter().map(|network| network.name.parse().unwrap()).collect();
    assert!(all_mixed.iter().all(|name| driver.diff(name).unwrap().is_empty()));
    assert_eq!(counted(&|| drop(driver.stop_all(&all_mixed).unwrap())), 1);

    // Another has the addresses of one: it fails alone.
    whole(driver.start_all(&wanted[..1]).unwrap());
    let taken = "{ 10.0.4.0 comment \"network other: has it\" }";
    run("nft", &["add", "element", "inet", "vnet", "translate_ipv4", taken]);
    let started = driver.start_all(&wanted[1..]).unwrap();
    let failed: Vec<bool> = started.iter().map(Result::is_err).collect();
    assert_eq!(failed, (1..9).map(|number| number == 4).collect::<Vec<_>>(), "{started:?}");
    assert_eq!(bridges(), 8);
    assert!((0..9).filter(|number| *number != 4).all(|number| driver.diff(&all[number]).unwrap().is_empty()));
}

/// A stop does not wait until the kernel has deleted the bridges, but nobody finds them any more.
/// These files are read without the kernel's lock on links, for which others would wait.
#[test]
fn nothing_is_found_after_a_stop() {
    isolate!();
    let read = |file: &str| std::fs::read_to_string(format!("/proc/net/{file}")).unwrap();
    let traces = || {
        let texts = ["dev", "route", "fib_trie"].map(read);
        texts.iter().map(|text| text.matches("virbr").count() + text.matches("10.0.").count()).sum::<usize>()
    };
    let driver = Driver::open("/run/several").unwrap().with_deputy(vnet());
    for count in [1, 5] {
        let wanted: Vec<_> = (0..count).map(|number| network(&format!("n{number}"), number, "")).collect();
        driver.start_all(&wanted).unwrap().into_iter().for_each(|it| drop(it.unwrap()));
        assert_ne!(traces(), 0);
        let stopped: Vec<NetworkName> = wanted.iter().map(|network| network.name.parse().unwrap()).collect();
        driver.stop_all(&stopped).unwrap().into_iter().for_each(|it| drop(it.unwrap()));
        assert_eq!((traces(), dnsmasqs()), (0, 0), "{count} networks");
        assert_eq!(bridges(), 0);
    }
}

/// Links are deleted by whoever can be sent, and by the caller if nobody has done it.
#[test]
fn who_is_to_delete_links_may_fail() {
    isolate!();
    let links = || json("ip", &["-j", "link"]).as_array().unwrap().len();
    let guest: Interface = "<interface type='network'><source network='one'/></interface>".parse().unwrap();
    let driver = Driver::open("/run/several").unwrap();
    let vnet = driver.clone().with_deputy(vnet());
    for driver in [driver.clone(), vnet, driver.clone().with_deputy("/bin/false"), driver.with_deputy("/nowhere")] {
        for guests in [0, 1, 2] {
            driver.start(&network("one", 1, "")).unwrap();
            let attached = driver.attach_all(&vec![&guest; guests + 1], &AttachOptions::default()).unwrap();
            driver.detach(&attached[0].port.dev).unwrap();
            assert_eq!(links(), 2 + guests);
            driver.stop(&"one".parse().unwrap()).unwrap();
            assert_eq!((links(), dnsmasqs()), (1, 0));
        }
    }
}

/// One finding beforehand for each network that the host has no inotify instance for.
#[test]
fn without_an_inotify_instance_nothing_is_begun() {
    isolate!();
    let driver = Driver::open("/run/several").unwrap();
    let limit = |count: &str| std::fs::write("/proc/sys/user/max_inotify_instances", count).unwrap();
    limit("1");
    let wanted = [network("one", 1, ""), network("two", 2, "")];
    let started = driver.start_all(&wanted).unwrap();
    assert!(started[0].is_ok(), "{started:?}");
    let Err(error @ Error::NoInotify { limit: 1, .. }) = &started[1] else { panic!("{started:?}") };
    assert!(format!("{error:?}").contains("sysctl -w user.max_inotify_instances=8"), "{error}");
    assert!(matches!(driver.start(&wanted[1]), Err(Error::NoInotify { .. })));
    assert_eq!((bridges(), dnsmasqs()), (1, 1));
    // It keeps the one that it has.
    assert_eq!(driver.apply(&wanted[0]).unwrap().changes, []);
    let server = "<dns><forwarder addr='192.0.2.1'/></dns>";
    assert!(driver.start(&network("two", 2, server)).is_ok(), "a dnsmasq with a server needs none");
    driver.stop_all(&names(&["one", "two"])).unwrap().into_iter().for_each(|it| drop(it.unwrap()));
}
