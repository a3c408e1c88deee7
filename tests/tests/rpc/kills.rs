//! vnetd is killed in the middle of each call that changes something: its clients see the end of
//! their connections, and the next server has the state of before the call or that of after it.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use rstest::rstest;
use vnet_rpc::{Call, Frame, FrameHeader, NetworkRef, PortRef, Reply, TypedParameter, TypedValue, Uuid};
use vnet_tests::{commands, isolate, run, vnetd, wait_for};

use crate::lab::{Client, SOCKET, answer};
use crate::program::{Daemon, SOON};

const UUID: &str = "0a0b0c0d-1111-4222-8333-444455557777";
const PORT: &str = "5d744f21-ba4a-4d6e-bdb2-30a35ff3207d";
/// What leads from one state on disk to the next one. dnsmasq, which strace follows as well, makes
/// no such call.
const ON_DISK: &str = "fsync,fdatasync,rename,renameat2,linkat,symlinkat,rmdir";
/// The folders of state, definitions and leases.
const FOLDERS: [&str; 3] = ["/run/vnet", "/etc/vnet", "/var/lib/vnet"];
/// Messages to the kernel, and replies.
const MESSAGES: &str = "sendto,sendmsg";

/// Where a server is killed: before which of its system calls.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    OnDisk,
    /// Where no dnsmasq runs: it would be killed as well.
    Message,
    Unlink,
}

/// A call, and the one that takes it back.
struct Case {
    call: Call,
    undo: Call,
}

/// All that is there: what clients are told, and what others see.
#[derive(Debug, PartialEq)]
struct Seen {
    told: Vec<String>,
    host: Vec<String>,
}

#[rstest]
#[case::on_disk(Place::OnDisk)]
#[case::message(Place::Message)]
#[case::unlink(Place::Unlink)]
fn a_killed_server_leaves_before_or_after(#[case] place: Place) {
    isolate!();
    let dhcp = "<dhcp><range start='10.77.7.100' end='10.77.7.150'/></dhcp>";
    let xml = network(if place == Place::OnDisk { dhcp } else { "" });
    let lab = NetworkRef { name: "lab".to_owned(), uuid: UUID.parse().unwrap() };
    let mut killed = 0;
    for Case { call, undo } in cases(&lab, &xml) {
        let (before, after) = {
            let _daemon = Daemon::start();
            let before = seen();
            Client::open().done(&call);
            let after = seen();
            Client::open().done(&undo);
            (before, after)
        };
        assert_ne!(before, after, "{call:?} changes nothing that is looked at");
        for number in numbers() {
            let was_killed = is_killed(number, place, &call);
            let _next = Daemon::start();
            let found = seen();
            let is_done = found == after;
            let told = || format!("{call:?} killed at {number}: {found:#?}\n{before:#?}\n{after:#?}");
            assert!(is_done || (was_killed && found == before), "{}", told());
            if !was_killed {
                break;
            }
            killed += 1;
            if is_done {
                Client::open().done(&undo);
            }
        }
        let _daemon = Daemon::start();
        let found = seen();
        if found == before {
            Client::open().done(&call);
        }
        assert_eq!(seen(), after, "{call:?} again");
    }
    let mut left = Vec::new();
    FOLDERS.iter().for_each(|folder| files(Path::new(folder), &mut left));
    left.retain(|path| path.contains("lab"));
    assert!(left.is_empty(), "{left:#?}");
    assert!(killed > 15, "only {killed} were killed");
}

/// Before which of the calls of a kind a server is killed; with `VNET_SWEEP=all` before each.
fn numbers() -> Vec<usize> {
    match std::env::var("VNET_SWEEP").is_ok_and(|all| all == "all") {
        true => (1..100).collect(),
        false => vec![1, 2, 5, 14],
    }
}

/// The calls that change something, each in the state that the one before has left.
fn cases(lab: &NetworkRef, xml: &str) -> Vec<Case> {
    let network = || lab.clone();
    let port = || PortRef { network: lab.clone(), uuid: PORT.parse::<Uuid>().unwrap() };
    let define = |xml: &str| Call::NetworkDefineXml { xml: xml.to_owned() };
    let update = |command, flags| Call::NetworkUpdate {
        network: network(),
        command,
        section: 9,
        parent_index: -1,
        xml: "<portgroup name='added'/>".to_owned(),
        flags,
    };
    let title = |text: Option<&str>, flags| Call::NetworkSetMetadata {
        network: network(),
        kind: 1,
        metadata: text.map(str::to_owned),
        key: None,
        uri: None,
        flags,
    };
    let autostart = |autostart| Call::NetworkSetAutostart { network: network(), autostart };
    let owner = "<owner><name>guest</name><uuid>06578fc1-c686-46fa-bc2c-220893b466a6</uuid></owner>";
    let create_port = Call::NetworkPortCreateXml {
        network: network(),
        xml: format!("<networkport><uuid>{PORT}</uuid>{owner}<mac address='52:54:00:7b:35:93'/></networkport>"),
        flags: 0,
    };
    let limit = |average| Call::NetworkPortSetParameters {
        port: port(),
        parameters: vec![TypedParameter { field: "outbound.average".to_owned(), value: TypedValue::UInt(average) }],
        flags: 0,
    };
    let delete_port = Call::NetworkPortDelete { port: port(), flags: 0 };
    let (start, stop) = (Call::NetworkCreate { network: network() }, Call::NetworkDestroy { network: network() });
    let create = Call::NetworkCreateXml { xml: xml.to_owned() };
    let undefine = Call::NetworkUndefine { network: network() };
    let case = |call: &Call, undo: &Call| Case { call: call.clone(), undo: undo.clone() };
    vec![
        case(&create, &stop),
        case(&stop, &create),
        case(&define(xml), &undefine),
        case(&define(&xml.replace("stp='on'", "stp='off'")), &define(xml)),
        case(&autostart(1), &autostart(0)),
        case(&autostart(0), &autostart(1)),
        case(&title(Some("T"), 2), &title(None, 2)),
        case(&start, &stop),
        case(&title(Some("L"), 1), &title(Some("T"), 1)),
        case(&update(3, 1), &update(2, 1)),
        case(&update(3, 2), &update(2, 2)),
        case(&update(2, 3), &update(3, 3)),
        case(&create_port, &delete_port),
        case(&limit(1000), &limit(0)),
        case(&limit(0), &limit(1000)),
        case(&delete_port, &create_port),
        // What runs is what is kept: a start takes the stop back.
        case(&title(Some("T"), 1), &title(Some("L"), 1)),
        case(&stop, &start),
        case(&undefine, &define(&xml.replace("stp='on'", "stp='off'"))),
    ]
}

fn network(dhcp: &str) -> String {
    format!(
        "<network><name>lab</name><uuid>{UUID}</uuid><forward mode='nat'/><bridge name='virbr7' stp='on'/>\
         <mac address='52:54:00:77:01:01'/>{}<ip address='10.77.7.1' netmask='255.255.255.0'>{dhcp}</ip></network>",
        if dhcp.is_empty() { "<dns enable='no'/>" } else { "" }
    )
}

/// What a client and others see.
fn seen() -> Seen {
    let mut client = Client::open();
    let mut told = Vec::new();
    let mut tell = |call: Call| {
        let said = client.call(&call);
        told.push(format!("{:?}: {said:?}", call.procedure()));
        said
    };
    let Reply::Networks { networks, .. } = tell(Call::ConnectListAllNetworks { need_results: 1, flags: 0 }).unwrap()
    else {
        panic!("networks")
    };
    for network in &networks {
        let network = || network.clone();
        for call in [
            Call::NetworkIsActive { network: network() },
            Call::NetworkIsPersistent { network: network() },
            Call::NetworkGetAutostart { network: network() },
            Call::NetworkGetXmlDesc { network: network(), flags: 0 },
            Call::NetworkGetXmlDesc { network: network(), flags: 1 },
            Call::NetworkGetMetadata { network: network(), kind: 1, uri: None, flags: 0 },
            Call::NetworkGetMetadata { network: network(), kind: 1, uri: None, flags: 2 },
        ] {
            let _ = tell(call);
        }
        if let Ok(Reply::Ports { ports, .. }) =
            tell(Call::NetworkListAllPorts { network: network(), need_results: 1, flags: 0 })
        {
            ports.into_iter().for_each(|port| drop(tell(Call::NetworkPortGetXmlDesc { port, flags: 0 })));
        }
    }
    let mut host = Vec::new();
    for command in [&["ip", "-br", "-4", "address"][..], &["nft", "list", "ruleset"]] {
        let said = run(command[0], &command[1..]);
        // Rules for all networks stay.
        let own = said.lines().filter(|line| line.contains("lab") || line.contains("virbr7"));
        host.extend(own.map(|line| line.trim().to_owned()));
    }
    // Leases stay as long as their network is defined.
    let folders = if networks.is_empty() { &FOLDERS[..] } else { &FOLDERS[..2] };
    folders.iter().for_each(|folder| files(Path::new(folder), &mut host));
    host.retain(|path| !is_passing(path));
    let commands = commands().map(|command| command.replace('\0', " "));
    host.extend(commands.filter(|command| command.contains("dnsmasq")));
    Seen { told, host }
}

/// The files below a folder.
fn files(folder: &Path, found: &mut Vec<String>) {
    let mut entries: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path.display().to_string());
        }
    }
}

/// Whether a file saves time, or was half written: then it goes with the next change.
fn is_passing(path: &str) -> bool {
    path.ends_with(".new") || path.rsplit_once('/').is_some_and(|(_, name)| name.starts_with('.'))
}

/// Whether a server was killed before it answered a call.
fn is_killed(number: usize, place: Place, call: &Call) -> bool {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/tmp/trace"]);
    // Each system call of each thread is counted by itself. The first thread sends two messages and
    // removes a file when it starts; that which does what a client asks replies to the open before.
    let (calls, number) = match place {
        Place::OnDisk => (ON_DISK, number),
        Place::Message => (MESSAGES, number + 2),
        Place::Unlink => ("unlink", number + 1),
    };
    strace.args(["-e", &format!("trace={calls}"), "-e", &format!("inject={calls}:signal=KILL:when={number}")]);
    strace.arg(vnetd()).args(["--timeout", "0", "--listen", SOCKET]).stderr(Stdio::null());
    let _ = fs::remove_file(SOCKET);
    let daemon = Daemon::at(SOCKET, &mut strace);
    let (mut client, mut witness) = (Client::open(), Client::open());
    let frame = Frame::new(FrameHeader::call(call.procedure().number(), 9), call.to_payload());
    client.send(&frame.to_bytes().unwrap());
    let reply = client.receive();
    if let Some(reply) = &reply {
        assert!(answer(reply).is_ok(), "{call:?}: {:?}", answer(reply).unwrap_err().message);
        let strace = daemon.0.id();
        let vnetd = fs::read_to_string(format!("/proc/{strace}/task/{strace}/children")).unwrap();
        run("kill", &["-9", vnetd.trim()]);
    }
    assert!(witness.receive().is_none(), "its other clients see the end as well");
    wait_for(SOON, "the end of vnetd", || UnixStream::connect(SOCKET).is_err().then_some(()));
    reply.is_none()
}
