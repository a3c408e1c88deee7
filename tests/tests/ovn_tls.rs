//! A northbound database that is reached over TLS only, with the certificates that `ovs-pki` makes.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use std::{env, fs};

use vnet_driver::{Error, OvnFailure, OvnNetwork};
use vnet_ovsdb::{Error as DatabaseError, TlsFailure, Unusable};
use vnet_tests::{OvnCentral, isolate, run, tell_vnet, vnet_does};

const CLIENT: [&str; 2] = ["/tmp/client-privkey.pem", "/tmp/client-cert.pem"];
const CA: &str = "/tmp/pki/switchca/cacert.pem";

/// Two CAs, `switchca` and `controllerca`, and a certificate of each.
fn certificates() {
    env::set_current_dir("/tmp").unwrap();
    let pki = |arguments: &[&str]| run("ovs-pki", &[&["--dir=/tmp/pki", "--log=/tmp/log", "-b"], arguments].concat());
    pki(&["init"]);
    pki(&["req+sign", "server", "switch"]);
    pki(&["req+sign", "client", "controller"]);
}

/// Signs what a certificate was asked for with once more, for a day that is over.
fn sign_for_yesterday(name: &str, ca: &str) {
    env::set_current_dir(format!("/tmp/pki/{ca}")).unwrap();
    let (request, out) = (format!("/tmp/{name}-req.pem"), format!("/tmp/{name}-old.pem"));
    let dates = ["-startdate", "20200101000000Z", "-enddate", "20200102000000Z"];
    let sign = ["ca", "-config", "ca.cnf", "-batch", "-notext", "-in", &request, "-out", &out];
    run("openssl", &[&sign[..], &dates].concat());
    env::set_current_dir("/tmp").unwrap();
}

fn definition([key, certificate]: [&str; 2], ca: &str) -> String {
    format!(
        "<network><name>lab</name><metadata><vnet:network xmlns:vnet='https://github.com/vnet-rs/vnet/network/1.0'>\
         <vnet:ovn northbound='ssl:127.0.0.1:6641'><vnet:tls key='{key}' certificate='{certificate}' ca='{ca}'/>\
         </vnet:ovn></vnet:network></metadata><ip address='10.77.0.1' prefix='24'><dhcp>\
         <range start='10.77.0.2' end='10.77.0.9'/></dhcp></ip></network>"
    )
}

/// Why the database cannot be used with these files, and what is to be done.
fn refusal(own: [&str; 2], ca: &str) -> (TlsFailure, String) {
    let network = definition(own, ca).parse().unwrap();
    let error = OvnNetwork::open(&network).unwrap().plan().unwrap_err();
    let help = error.help().unwrap();
    match error {
        Error::Ovn(failure) => match *failure {
            OvnFailure::Database { source, .. } => match *source {
                DatabaseError::NoServer { mut tried, .. } => match tried.remove(0).1 {
                    Unusable::Tls(failure) => (failure, help),
                    why => panic!("{why}"),
                },
                error => panic!("{error}"),
            },
            failure => panic!("{failure}"),
        },
        error => panic!("{error}"),
    }
}

#[test]
fn a_network_is_made_over_tls() {
    isolate!();
    certificates();
    let central = OvnCentral::start(Path::new("/run/ovn"));
    let listens = |key: &str, certificate: &str| {
        let ca = "/tmp/pki/controllerca/cacert.pem";
        central.nbctl(&["set-ssl", key, certificate, ca]);
    };
    listens("/tmp/server-privkey.pem", "/tmp/server-cert.pem");
    central.nbctl(&["set-connection", "pssl:6641:127.0.0.1"]);

    let (good, name) = (definition(CLIENT, CA), "lab");
    vnet_does(&["define", "-"], &good);
    let started = vnet_does(&["start", name], "");
    assert!(!started["ovn"]["changes"].as_array().unwrap().is_empty(), "{started}");
    let status = vnet_does(&["status", name], "");
    assert_eq!(status["ovn"][0]["northbound"], "ssl:127.0.0.1:6641", "{status}");
    vnet_does(&["stop", name], "");
    assert_eq!(central.nbctl(&["show"]), "");

    let (wrong, help) = refusal(CLIENT, "/tmp/pki/controllerca/cacert.pem");
    assert!(matches!(&wrong, TlsFailure::Untrusted { ca_cert } if ca_cert.ends_with("controllerca/cacert.pem")));
    assert!(help.contains("CA"), "{help}");
    let (absent, help) = refusal(["/tmp/absent.pem", CLIENT[1]], CA);
    assert!(matches!(&absent, TlsFailure::File { path, .. } if path == Path::new("/tmp/absent.pem")), "{absent}");
    assert!(help.contains("path"), "{help}");
    sign_for_yesterday("client", "controllerca");
    let (refused, _) = refusal([CLIENT[0], "/tmp/client-old.pem"], CA);
    assert!(matches!(&refused, TlsFailure::Refused(why) if why == "CertificateExpired"), "{refused}");
    sign_for_yesterday("server", "switchca");
    // The server reads the two files anew when both have changed.
    fs::copy("/tmp/server-privkey.pem", "/tmp/server-copy.pem").unwrap();
    listens("/tmp/server-copy.pem", "/tmp/server-old.pem");
    let (expired, help) = refusal(CLIENT, CA);
    assert!(matches!(expired, TlsFailure::OutOfTime(_)), "{expired}");
    assert!(help.contains("renew"), "{help}");

    // The program says the same.
    let told = tell_vnet(&["start", name], "");
    let stderr = String::from_utf8_lossy(&told.stderr);
    assert!(!told.status.success() && stderr.contains("its certificate is not valid now"), "{stderr}");
    let of_nobody = good.replace(&format!("<vnet:tls key='{}' certificate='{}' ca='{CA}'/>", CLIENT[0], CLIENT[1]), "");
    fs::write("/tmp/lab.xml", of_nobody).unwrap();
    let told = tell_vnet(&["start", "/tmp/lab.xml"], "");
    let answer = String::from_utf8_lossy(&told.stdout);
    assert!(!told.status.success() && answer.contains("VN0812"), "{answer}");
}
