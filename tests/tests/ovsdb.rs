//! The client of OVSDB with real servers.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "ovsdb/tls.rs"]
mod tls;

use std::path::Path;
use std::thread;
use std::time::Duration;

use vnet_ovsdb::{
    Atom, Condition, Database, DatabaseOperation, Datum, Error, Mutation, Mutator, OperationResult, Refusal, Remote,
    Row, RowChange, TableMonitor, Unusable, Uuid,
};
use vnet_tests::{OvsdbServer, isolate, run, wait_for};

const NAME: &str = "Open_vSwitch";
const SOON: Duration = Duration::from_secs(20);

fn remote(server: &OvsdbServer) -> Remote {
    Remote::Unix(server.socket.clone())
}

fn open(server: &OvsdbServer) -> Database {
    Database::open([remote(server)], NAME).unwrap().with_time(SOON)
}

/// A queue is a row that nothing has to refer to.
fn queue(id: &str) -> DatabaseOperation {
    let row = Row::new()
        .with("dscp", 7_i64)
        .with("external_ids", Datum::map([("id", id), ("odd", "\"ä\\\n")]))
        .with("other_config", Datum::map::<&str, &str>([]));
    DatabaseOperation::insert("Queue", "q", row)
}

fn with_id(id: &str) -> [Condition; 1] {
    [Condition::includes("external_ids", Datum::map([("id", id)]))]
}

#[test]
fn rows_are_written_changed_and_read() {
    isolate!();
    let server = OvsdbServer::start(Path::new("/run/ovs"));
    let mut database = open(&server);
    let qos = Row::new().with("type", "linux-htb").with("queues", Datum::map([(0_i64, Atom::NamedUuid("q".into()))]));
    let results = database.transact(&[queue("1"), DatabaseOperation::insert("QoS", "s", qos)]).unwrap();
    let [OperationResult::Inserted(queue_id), OperationResult::Inserted(qos_id)] = results[..] else { panic!() };
    let rows = database.select("Queue", with_id("1"), &["_uuid", "dscp", "external_ids", "other_config"]).unwrap();
    let expected = Row::new()
        .with("_uuid", queue_id)
        .with("dscp", 7_i64)
        .with("external_ids", Datum::map([("id", "1"), ("odd", "\"ä\\\n")]))
        .with("other_config", Datum::map::<&str, &str>([]));
    assert_eq!(rows, [expected]);
    let qos = database.select("QoS", [Condition::equal("_uuid", qos_id)], &["queues"]).unwrap();
    assert_eq!(qos[0].get("queues"), Some(&Datum::map([(0_i64, queue_id)])));
    // A key of a map is replaced by two mutations in one operation.
    let mutations = [
        Mutation::new("external_ids", Mutator::Delete, Datum::Set(vec!["odd".into()])),
        Mutation::new("external_ids", Mutator::Insert, Datum::map([("odd", "new")])),
    ];
    let no_dscp = Row::new().with("dscp", Datum::Set(vec![]));
    let results = database.transact(&[
        DatabaseOperation::mutate("Queue", with_id("1"), mutations),
        DatabaseOperation::update("Queue", with_id("1"), no_dscp),
        DatabaseOperation::Comment("a note".into()),
        DatabaseOperation::select("Queue", with_id("1"), &["dscp", "external_ids"]),
        DatabaseOperation::delete("Queue", with_id("2")),
    ]);
    let results = results.unwrap();
    assert_eq!((&results[0], &results[4]), (&OperationResult::Changed(1), &OperationResult::Changed(0)));
    let row = &results[3].clone().rows()[0];
    assert_eq!((row.integer("dscp"), row.texts("external_ids")["odd"]), (None, "new"));
    // Another program sees the same.
    let address = remote(&server).to_string();
    let seen = run("ovsdb-client", &["--format=csv", "--no-headings", "dump", &address, NAME, "Queue", "external_ids"]);
    assert!(seen.contains("odd=new"), "{seen}");
}

#[test]
fn refusals_are_typed_and_nothing_is_done() {
    isolate!();
    let server = OvsdbServer::start(Path::new("/run/ovs"));
    let mut database = open(&server);
    let dangling = Row::new().with("queues", Datum::map([(0_i64, Uuid([7; 16]))]));
    let at_commit = DatabaseOperation::insert("QoS", "s", dangling);
    let out_of_range = DatabaseOperation::insert("Queue", "r", Row::new().with("dscp", 99_i64));
    let nowhere = DatabaseOperation::insert("Nowhere", "n", Row::new());
    let none = DatabaseOperation::expect("Queue", with_id("1"), &["dscp"], [Row::new().with("dscp", 1_i64)]);
    let chosen =
        DatabaseOperation::Insert { table: "Queue".into(), row: Row::new(), name: None, uuid: Some(Uuid([9; 16])) };
    database.transact(std::slice::from_ref(&chosen)).unwrap();
    let cases = [
        (vec![queue("1"), at_commit], None, Refusal::ReferentialIntegrity),
        (vec![queue("1"), out_of_range], Some(1), Refusal::ConstraintViolation),
        (vec![queue("1"), nowhere], Some(1), Refusal::NotUnderstood),
        (vec![queue("1"), none], Some(1), Refusal::NotAsExpected),
        (vec![queue("1"), DatabaseOperation::Assert("l".into())], Some(1), Refusal::NotOwner),
        (vec![queue("1"), queue("2")], Some(1), Refusal::DuplicateUuidName),
        (vec![queue("1"), chosen], Some(1), Refusal::DuplicateUuid),
    ];
    for (operations, at, reason) in cases {
        let error = database.transact(&operations).unwrap_err();
        let Error::Refused { operation, ref refusal, .. } = error else { panic!("{error}") };
        assert_eq!((operation, refusal), (at, &reason), "{error}");
    }
    assert_eq!(database.select("Queue", with_id("1"), &[]).unwrap(), []);
    assert!(database.lock("l").unwrap());
    assert!(!open(&server).lock("l").unwrap());
    database.transact(&[DatabaseOperation::Assert("l".into())]).unwrap();
    let mut unasked = Database::new([remote(&server)], "OVN_Northbound").of_one_server();
    let asked = Database::open([remote(&server)], "OVN_Northbound").err();
    for error in [asked, unasked.select("Queue", [], &[]).err()] {
        let Some(Error::NoServer { tried, .. }) = error else { panic!("{error:?}") };
        assert!(matches!(tried[0].1, Unusable::NoDatabase), "{tried:?}");
    }
    let nobody = Remote::Unix("/run/nobody".into());
    let error = Database::open([nobody.clone()], NAME).err().unwrap();
    assert!(matches!(&error, Error::NoServer { tried, .. } if matches!(tried[0].1, Unusable::Connect(_))), "{error}");
    // A server that can be used is found behind one that cannot.
    assert_eq!(Database::open([nobody, remote(&server)], NAME).unwrap().remote(), Some(&remote(&server)));
}

#[test]
fn watched_rows_are_told() {
    isolate!();
    let server = OvsdbServer::start(Path::new("/run/ovs"));
    let (mut watcher, mut other) = (open(&server), open(&server));
    other.transact(&[queue("1")]).unwrap();
    let columns = TableMonitor::new("Queue", &["dscp"]);
    let first = watcher.monitor(std::slice::from_ref(&columns)).unwrap();
    assert_eq!(first[0].change, RowChange::Is(Row::new().with("dscp", 7_i64)));
    let conditions = vec![Condition::equal("dscp", 8_i64)];
    assert_eq!(watcher.monitor(&[TableMonitor { conditions, ..columns }]).unwrap(), []);
    other.transact(&[DatabaseOperation::update("Queue", with_id("1"), Row::new().with("dscp", 8_i64))]).unwrap();
    let mut news = Vec::new();
    while news.len() < 2 {
        news.extend(watcher.updates(SOON).unwrap().into_iter().map(|update| update.change));
    }
    let (was, now) = (Row::new().with("dscp", 7_i64), Row::new().with("dscp", 8_i64));
    assert!(news.contains(&RowChange::Became { now: now.clone(), was }), "{news:?}");
    assert!(news.contains(&RowChange::Is(now)), "{news:?}");
    // What the watcher does itself is told before its results are there.
    watcher.transact(&[DatabaseOperation::delete("Queue", with_id("1"))]).unwrap();
    let gone = watcher.updates(Duration::ZERO).unwrap();
    assert!(gone.len() == 2 && gone.iter().all(|update| update.change == RowChange::Gone), "{gone:?}");
    assert_eq!(watcher.updates(Duration::from_millis(1)).unwrap(), []);
    drop(server);
    assert!(matches!(watcher.updates(SOON), Err(Error::MonitorsLost)));
}

#[test]
fn a_wait_ends_when_another_client_makes_it_true() {
    isolate!();
    let server = OvsdbServer::start(Path::new("/run/ovs"));
    let (mut waiter, mut other) = (open(&server), open(&server));
    let row = Row::new().with("dscp", 7_i64);
    let mut wait = DatabaseOperation::expect("Queue", with_id("1"), &["dscp"], [row]);
    if let DatabaseOperation::Wait { time, .. } = &mut wait {
        *time = SOON;
    }
    let waiting = thread::spawn(move || waiter.transact(&[wait]));
    other.transact(&[queue("1")]).unwrap();
    assert_eq!(waiting.join().unwrap().unwrap(), [OperationResult::Done]);
}

#[test]
fn a_server_that_stands_still_costs_a_limited_time() {
    isolate!();
    let mut server = OvsdbServer::start(Path::new("/run/ovs"));
    let mut database = open(&server).with_time(Duration::from_millis(200));
    run("kill", &["-STOP", &server.pid().to_string()]);
    let error = database.transact(&[queue("1")]).unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");
    let error = database.transact(&[queue("1")]).unwrap_err();
    assert!(matches!(error, Error::NoServer { .. }), "{error}");
    run("kill", &["-CONT", &server.pid().to_string()]);
    database = database.with_time(SOON);
    database.select("Queue", [], &[]).unwrap();
    // One that starts anew is found by the next call.
    server.kill();
    std::fs::remove_dir_all("/run/ovs").unwrap();
    let _server = OvsdbServer::start(Path::new("/run/ovs"));
    database.transact(&[queue("1")]).unwrap();
}

#[test]
fn the_leader_of_a_cluster_is_killed() {
    isolate!();
    let mut servers = OvsdbServer::cluster(Path::new("/run/cluster"), 3);
    let remotes: Vec<Remote> = servers.iter().rev().map(remote).collect();
    let mut database = Database::new(remotes.clone(), NAME).with_time(SOON).at_leader();
    database.transact(&[queue("1")]).unwrap();
    let leader = database.remote().cloned().unwrap();
    let at = servers.iter().position(|server| remote(server) == leader).unwrap();
    let follower = remotes.iter().find(|it| **it != leader).unwrap();
    wait_for(SOON, "the follower to know its leader", || {
        let error = Database::new([follower.clone()], NAME).at_leader().select("Queue", [], &[]).unwrap_err();
        let Error::NoServer { tried, .. } = &error else { panic!("{error}") };
        matches!(tried[0].1, Unusable::NotLeader).then_some(())
    });
    servers[at].kill();
    assert_eq!(database.select("Queue", with_id("1"), &["dscp"]).unwrap().len(), 1);
    assert_ne!(database.remote(), Some(&leader));
    database.transact(&[queue("2")]).unwrap();
    // Rows that are equal in the columns come once.
    assert_eq!(database.select("Queue", [], &["dscp"]).unwrap().len(), 1);
    assert_eq!(database.select("Queue", [], &["_uuid"]).unwrap().len(), 2);
    // Without a majority nothing is written.
    let next = database.remote().cloned().unwrap();
    let last = servers.iter().position(|it| remote(it) == next).unwrap();
    servers[last].kill();
    let mut rest = Database::new(remotes, NAME).with_time(Duration::from_millis(500)).at_leader();
    let error = rest.transact(&[queue("3")]).unwrap_err();
    assert!(matches!(error, Error::NoServer { .. } | Error::TimedOut { .. }), "{error}");
}
