//! Connections over TCP and TLS, with the certificates that `ovs-pki` makes.

use std::path::Path;
use std::time::Duration;
use std::{env, fs};

use vnet_ovsdb::{Database, DatabaseOperation, Error, OperationResult, TableMonitor, TlsFailure, TlsFiles, Unusable};
use vnet_tests::{OvsdbServer, isolate, run};

use super::{NAME, SOON, queue, with_id};

const SSL: &str = "ssl:127.0.0.1:6640";
const TCP: &str = "tcp:127.0.0.1:6641";

/// Two CAs, `switchca` and `controllerca`, and a certificate of each.
fn certificates() {
    env::set_current_dir("/tmp").unwrap();
    let pki = |arguments: &[&str]| run("ovs-pki", &[&["--dir=/tmp/pki", "--log=/tmp/log", "-b"], arguments].concat());
    pki(&["init"]);
    pki(&["req+sign", "server", "switch"]);
    pki(&["req+sign", "client", "controller"]);
}

fn files(owner: &str, ca: &str) -> TlsFiles {
    let file = |kind| format!("/tmp/{owner}-{kind}.pem");
    TlsFiles::new(file("privkey"), file("cert"), format!("/tmp/pki/{ca}/cacert.pem"))
}

fn over(remote: &str, files: TlsFiles) -> Database {
    Database::new([remote.parse().unwrap()], NAME).with_tls(files).with_time(SOON)
}

fn failure(mut database: Database) -> TlsFailure {
    match database.select("Queue", [], &[]).unwrap_err() {
        Error::NoServer { mut tried, .. } => match tried.remove(0).1 {
            Unusable::Tls(failure) => failure,
            why => panic!("{why}"),
        },
        error => panic!("{error}"),
    }
}

#[test]
fn servers_are_reached_over_tcp_and_tls() {
    isolate!();
    certificates();
    let server = OvsdbServer::start(Path::new("/run/ovs"));
    let of_server = |kind| format!("/tmp/server-{kind}.pem");
    let ca = "/tmp/pki/controllerca/cacert.pem";
    server.vsctl(&["--no-wait", "init", "--", "set-ssl", &of_server("privkey"), &of_server("cert"), ca]);
    server.vsctl(&["--no-wait", "set-manager", "pssl:6640:127.0.0.1", "ptcp:6641:127.0.0.1"]);
    let client = files("client", "switchca");
    let mut secure = over(SSL, client.clone());
    let mut plain = Database::open([TCP.parse().unwrap()], NAME).unwrap();
    // More than one record of TLS, in both directions.
    let many = (0..400).map(|number: i32| number.to_string()).map(|id| match queue(&id) {
        DatabaseOperation::Insert { table, row, .. } => DatabaseOperation::insert(&table, &format!("q{id}"), row),
        other => other,
    });
    let many: Vec<_> = many.collect();
    assert_eq!(secure.transact(&many).unwrap().len(), 400);
    assert_eq!(plain.select("Queue", [], &["external_ids"]).unwrap().len(), 400);
    assert_eq!(secure.select("Queue", [], &["external_ids"]).unwrap().len(), 400);
    secure.monitor(&[TableMonitor::new("Queue", &["dscp"])]).unwrap();
    let gone = plain.transact(&[DatabaseOperation::delete("Queue", with_id("1"))]).unwrap();
    assert_eq!(gone, [OperationResult::Changed(1)]);
    assert_eq!(secure.updates(SOON).unwrap().len(), 1);
    // Open vSwitch's own program takes the same files, and does not look at names either.
    let program = ["-p", "/tmp/client-privkey.pem", "-c", "/tmp/client-cert.pem", "-C", "/tmp/pki/switchca/cacert.pem"];
    let seen = run("ovs-vsctl", &[&["--db", SSL], &program[..], &["--no-wait", "get-ssl"]].concat());
    assert!(seen.contains("/tmp/server-cert.pem"), "{seen}");

    let untrusted = failure(over(SSL, files("client", "controllerca")));
    assert!(matches!(&untrusted, TlsFailure::Untrusted { ca_cert } if ca_cert.ends_with("controllerca/cacert.pem")));
    assert!(untrusted.help().contains("CA"), "{}", untrusted.help());
    let refused = failure(over(SSL, files("server", "switchca")));
    assert!(matches!(&refused, TlsFailure::Refused(why) if why == "UnknownCA"), "{refused}");
    assert!(matches!(failure(over("ssl:127.0.0.1:6641", client.clone())), TlsFailure::Ended));
    let none = failure(Database::new([SSL.parse().unwrap()], NAME));
    assert!(matches!(none, TlsFailure::NoFiles));
    let mut other = files("client", "switchca");
    other.certificate = "/tmp/server-cert.pem".into();
    assert!(matches!(failure(over(SSL, other.clone())), TlsFailure::OtherKey { .. }));
    other.private_key = "/tmp/absent.pem".into();
    assert!(matches!(failure(over(SSL, other.clone())), TlsFailure::File { .. }));
    fs::write("/tmp/absent.pem", "no key").unwrap();
    assert!(matches!(failure(over(SSL, other)), TlsFailure::Content { .. }));

    run("kill", &["-STOP", &server.pid().to_string()]);
    let error = over(SSL, client).with_time(Duration::from_millis(200)).select("Queue", [], &[]).unwrap_err();
    run("kill", &["-CONT", &server.pid().to_string()]);
    assert!(matches!(&error, Error::NoServer { tried, .. } if matches!(tried[0].1, Unusable::Connect(_))), "{error}");
}
