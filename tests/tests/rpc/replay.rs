//! Each recorded conversation again, with vnetd in libvirt's place: the replies are the same,
//! compared decoded, but for drawn values and for differences on purpose.

use std::fs;
use std::path::Path;

use vnet_rpc::{
    Call, Frame, FrameHeader, HEADER_LENGTH, KEEPALIVE_PROGRAM, NetworkRef, PING, PortRef, Procedure, RemoteEvent,
    Reply, Uuid, message_type, status,
};
use vnet_tests::isolate;

use crate::lab::{Client, READ_ONLY, SOCKET, Server, answer};
use crate::recording::{self, Line};

const FOLDER: &str = "../testdata/rpc";
const LOST_PORT: &str = "b38c9717-46a7-443d-9e28-b23e03967a2f";

/// The recordings in the order in which they follow from each other, each beginning without a
/// network.
const STORIES: [(&str, &[&str]); 7] = [
    ("virsh-11.3", VIRSH),
    (
        "virtqemud-11.3",
        &[
            "q-domain-start-net-missing",
            "+net-define",
            "q-domain-start-net-inactive",
            "+net-start",
            "q-domain-start",
            "+leases",
            "q-domifaddr",
            "q-domiftune",
            "q-attach",
            "q-setlink",
            "q-update-device",
            "q-daemon-restart-with-guest",
            "+lose-port",
            "q-daemon-restart-port-lost",
            "q-port-list-after-reclaim",
            "q-domain-destroy",
        ],
    ),
    (
        "raw-11.3",
        &[
            "before-open",
            "unauth-skip",
            "info",
            "+net-destroy",
            "ro-flag",
            "+net-start",
            "ports",
            "events",
            "cleanup-office",
        ],
    ),
    (
        "raw-11.3",
        &[
            "go-libvirt-style-open",
            "keepalive",
            "type-bad",
            "type-stream",
            "len-3",
            "len-small",
            "len-over-32mib",
            "len-at-20mib-incomplete",
            "pipelined",
            "plug-bridge-mtm",
            "+without-mtm",
            "+devices",
            "plug-direct",
            "plug-passthrough",
            "plug-floor",
        ],
    ),
    ("go-libvirt", &["session", "qemu-uri"]),
    ("misc-11.3", &["polkit-root", "python-session"]),
    ("virsh-11.3", &["net-event-lifecycle", "+listener", "net-event-metadata-change"]),
];

/// Recordings that are not replayed, each with the reason.
const NOT_REPLAYED: &[(&str, &str)] =
    &[("polkit-nobody", "it is replayed where polkit is asked, before there is a bus")];

#[rustfmt::skip]
const VIRSH: &[&str] = &[
    "net-list-empty", "uri", "version", "hostname", "nodeinfo", "maxvcpus", "sysinfo", "capabilities", "list-domains",
    "unsupported-iface", "unsupported-nodedev", "unsupported-nwfilter", "unsupported-pool", "open-bad-uri",
    "open-empty", "open-path", "open-query", "open-session", "net-event-list", "net-info-missing", "net-uuid-missing",
    "net-define", "net-define-again", "net-define-validate", "net-define-uuid-clash", "net-define-err-syntax",
    "net-define-err-netmask", "net-define-err-rng", "+bad", "net-list-all", "net-list-inactive", "net-list-active",
    "net-list-persistent", "net-list-uuid", "net-name", "net-uuid", "net-info-inactive", "net-dumpxml-inactive-net",
    "net-leases-inactive", "net-destroy-inactive", "net-port-create-inactive", "net-autostart",
    "net-autostart-disable", "net-start", "net-start-again", "net-info", "net-dumpxml", "net-dumpxml-inactive",
    "net-dumpxml-xpath", "net-create-again", "net-create-err-uuid", "net-event-net", "net-update", "net-update-dup",
    "net-update-bad", "net-update-unsup", "net-update-current", "net-port-list-empty", "net-port-create",
    "net-port-create-dup", "net-port-create-validate", "net-port-create-plug", "net-port-list", "net-port-list-uuid",
    "net-port-dumpxml", "net-port-dumpxml-missing", "net-info-inuse", "net-dumpxml-inuse", "net-port-delete",
    "net-port-delete-missing", "net-update-cfg-parent", "+leases", "net-leases", "net-leases-mac", "net-desc-get-none",
    "net-desc-both-flags", "net-desc-set", "net-desc-get", "net-desc-title-set", "net-metadata-missing",
    "net-metadata-set", "net-metadata-get", "net-metadata-remove", "ro-net-define-office.xml",
    "ro-net-dumpxml-iso", "ro-net-autostart-iso", "ro-net-dhcp-leases-iso", "ro-net-info-iso", "ro-net-start-iso",
    "net-destroy", "ro-net-list", "net-undefine", "net-undefine-missing", "net-dumpxml-by-uuid-missing", "net-create",
    "net-autostart-transient", "net-undefine-transient", "net-update-config-transient", "net-destroy-transient",
];

/// Recordings whose replies differ on purpose, or by chance, each with the reason.
const DIFFERENT: &[(&str, &str)] = &[
    ("open-bad-uri", "qemu:///system is taken as network:///system"),
    ("qemu-uri", "the same"),
    ("net-define-err-syntax", "the words of vnet's reader, in libvirt's form"),
    ("net-define-err-rng", "the same"),
    ("net-define-err-netmask", "a netmask with holes is refused by define: no start could use it"),
    ("ro-net-dumpxml-iso", "the bridge's MAC address is drawn"),
    ("plug-floor", "the same"),
    ("ro-flag", "the number of the registration follows earlier ones of the recorded server"),
    ("q-domifaddr", "the recording had no client id for this guest"),
    ("unauth-skip", "the refusal says why"),
    ("plug-bridge-mtm", "the recorded kernel had no VLANs of bridges, and vnet does not need them for this"),
    ("ports", "unknown parameters of a port are refused"),
    ("go-libvirt-style-open", "a NUL is refused; a transient network has one definition, without drawn ports"),
];

#[test]
fn replies_are_libvirt_s() {
    isolate!();
    let _server = Server::start();
    let mut wrong = Vec::new();
    for (folder, story) in STORIES {
        reset();
        // UUIDs that libvirt drew, and ours.
        let mut drawn: Vec<(Uuid, Uuid)> = Vec::new();
        for name in story {
            match name.strip_prefix('+') {
                Some(step) => prepare(step),
                None => {
                    let file = Path::new(FOLDER).join(folder).join(format!("{name}.rec"));
                    let path = if name.starts_with("ro-net") { READ_ONLY } else { SOCKET };
                    let differences = replay(&file, path, &mut drawn);
                    let is_different = DIFFERENT.iter().any(|(different, _)| different == name);
                    match (differences.is_empty(), is_different) {
                        (false, false) => wrong.push(format!("{folder}/{name}:\n    {}", differences.join("\n    "))),
                        (true, true) => wrong.push(format!("{folder}/{name} does not differ")),
                        _ => {}
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_recording_is_replayed_or_has_a_reason() {
    let folders = fs::read_dir(FOLDER).unwrap().flatten().filter(|entry| entry.path().is_dir());
    let files = folders.flat_map(|folder| fs::read_dir(folder.path()).unwrap().flatten());
    let names = files.map(|file| file.path().file_stem().unwrap().to_str().unwrap().to_owned());
    let is_told = |name: &str| NOT_REPLAYED.iter().any(|(told, _)| *told == name);
    let is_replayed = |name: &str| STORIES.iter().any(|(_, story)| story.contains(&name));
    let forgotten: Vec<String> = names.filter(|name| is_told(name) == is_replayed(name)).collect();
    assert_eq!(forgotten, [""; 0]);
}

/// What was done between two recordings, and is in none of them.
fn prepare(step: &str) {
    let uuid = |text: &str| text.parse().unwrap();
    let office = || NetworkRef { name: "office".to_owned(), uuid: uuid("0a0b0c0d-1111-4222-8333-444455556666") };
    let call = |call: Call| drop(Client::open().done(&call));
    match step {
        "net-define" => drop(Client::open().define(include_str!("office.xml"))),
        "net-start" => call(Call::NetworkCreate { network: office() }),
        "without-mtm" => reset(),
        "net-destroy" => call(Call::NetworkDestroy { network: office() }),
        "lose-port" => {
            let port = PortRef { network: office(), uuid: uuid(LOST_PORT) };
            call(Call::NetworkPortDelete { port, flags: 0 });
        }
        "bad" => {
            let xml = "<network><name>bad</name><uuid>d07e1368-8028-41c7-b9f2-448020280d39</uuid></network>";
            drop(Client::open().define(xml));
        }
        "leases" => {
            let lease = "4102444800 52:54:00:7b:35:93 10.77.1.100 guest1 01:52:54:00:7b:35:93\n\
                         4102444900 52:54:00:7b:35:94 10.77.1.101 * *\n";
            fs::write("/var/lib/vnet/office/leases", lease).unwrap();
        }
        // The recorded server had another client with a registration.
        "listener" => {
            let mut client = Client::open();
            client.done(&Call::ConnectNetworkEventRegisterAny { event_id: 0, network: None });
            std::mem::forget(client);
        }
        "devices" => {
            vnet_tests::run("ip", &["link", "add", "d0", "type", "veth", "peer", "name", "d1"]);
        }
        other => panic!("{other}"),
    }
}

fn reset() {
    let mut client = Client::open();
    let Reply::Networks { networks, .. } = client.done(&Call::ConnectListAllNetworks { need_results: 1, flags: 0 })
    else {
        panic!("networks")
    };
    for network in networks {
        let _ = client.call(&Call::NetworkDestroy { network: network.clone() });
        let _ = client.call(&Call::NetworkUndefine { network });
    }
}

/// What another client did while events were recorded.
fn act() {
    let mut client = Client::open();
    let definition = |name: &str, uuid: &str, number: u8| {
        format!(
            "<network><name>{name}</name>{uuid}<bridge name='virbr{number}'/>\
             <ip address='10.77.{number}.1' netmask='255.255.255.0'/></network>"
        )
    };
    let owner = "<owner><name>guest</name><uuid>06578fc1-c686-46fa-bc2c-220893b466a6</uuid></owner>";
    let port = format!("<networkport><uuid>{LOST_PORT}</uuid>{owner}<mac address='52:54:00:7b:35:93'/></networkport>");
    let iso2 = "<uuid>1f30fc06-a52d-4dea-882f-66106dffc8b6</uuid>";
    let created = client.done(&Call::NetworkCreateXml { xml: definition("iso2", iso2, 12) });
    let Reply::Network { network } = created else { panic!("{created:?}") };
    client.done(&Call::NetworkDestroy { network });
    let iso3 = "<uuid>147d92d8-f635-42b3-93b9-49c378f1681f</uuid>";
    let network = client.define(&definition("iso3", iso3, 13));
    client.call(&Call::NetworkDefineXml { xml: definition("iso3", "", 13) }).unwrap_err();
    let network = || network.clone();
    let host = "<host ip='10.77.13.9'><hostname>www</hostname></host>".to_owned();
    let told = |kind, text: &str, flags| Call::NetworkSetMetadata {
        network: network(),
        kind,
        metadata: Some(text.to_owned()),
        key: None,
        uri: None,
        flags,
    };
    for call in [
        Call::NetworkCreate { network: network() },
        Call::NetworkUpdate { network: network(), command: 3, section: 10, parent_index: -1, xml: host, flags: 1 },
        told(0, "hello", 1),
        told(1, "T", 2),
        Call::NetworkPortCreateXml { network: network(), xml: port, flags: 0 },
        Call::NetworkSetAutostart { network: network(), autostart: 1 },
        Call::NetworkUndefine { network: network() },
        Call::NetworkDestroy { network: network() },
    ] {
        client.done(&call);
    }
}

/// Adds calls that a recording has the replies to and not the calls themselves, which have no
/// arguments, and sorts these replies: libvirt answers calls that come together in any order.
fn with_calls(lines: Vec<Line>) -> Vec<Line> {
    let serial = |line: &Line| match line {
        Line::Client(bytes) | Line::Server(bytes) => FrameHeader::from_bytes(bytes.get(4..)?).ok().map(|it| it.serial),
        Line::Connects => None,
    };
    let called: Vec<u32> = lines.iter().filter(|line| matches!(line, Line::Client(_))).filter_map(serial).collect();
    let is_orphan = |line: &Line| match line {
        Line::Server(bytes) => {
            let header = frame(bytes).header;
            header.message_type == message_type::REPLY && !called.contains(&header.serial)
        }
        _ => false,
    };
    let (mut orphans, mut lines): (Vec<Line>, Vec<Line>) = lines.into_iter().partition(is_orphan);
    orphans.sort_by_key(serial);
    lines.extend(orphans.iter().filter_map(|line| match line {
        Line::Server(bytes) => {
            let FrameHeader { procedure, serial, .. } = frame(bytes).header;
            Frame::new(FrameHeader::call(procedure, serial), Vec::new()).to_bytes().map(Line::Client)
        }
        _ => None,
    }));
    lines.extend(orphans);
    lines
}

/// What differs from the recording.
pub(crate) fn replay(file: &Path, path: &str, drawn: &mut Vec<(Uuid, Uuid)>) -> Vec<String> {
    let mut differences = Vec::new();
    let mut client: Option<Client> = None;
    let mut has_opened = false;
    let is_of_another = file.file_name().unwrap().to_string_lossy().starts_with("net-event-");
    let mut has_acted = false;
    let mut calls: Vec<(u32, Vec<u8>)> = Vec::new();
    let text = String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned();
    for line in with_calls(recording::read(&text)) {
        match line {
            Line::Connects => (client, has_opened) = (Some(Client::connect(path)), false),
            Line::Client(bytes) => {
                let bytes = ours(bytes, drawn);
                if let Ok(header) = FrameHeader::from_bytes(&bytes[4..]) {
                    calls.push((header.serial, bytes.clone()));
                }
                client.as_mut().unwrap().send(&bytes);
            }
            Line::Server(bytes) => {
                let recorded = frame(&bytes);
                if recorded.header.program == KEEPALIVE_PROGRAM && recorded.header.procedure == PING {
                    continue;
                }
                let opens = recorded.header.procedure == 1 && recorded.header.status == status::OK;
                if opens && has_opened {
                    // The probe has connected anew.
                    let mut again = Client::connect(path);
                    again.send(&calls.last().unwrap().1);
                    client = Some(again);
                }
                has_opened |= opens;
                if recorded.header.message_type == message_type::MESSAGE && is_of_another && !has_acted {
                    act();
                    has_acted = true;
                }
                let Some(got) = client.as_mut().unwrap().receive() else {
                    differences.push(format!("no message in place of {:?}", recorded.header));
                    return differences;
                };
                if got.header != recorded.header {
                    differences.push(format!(
                        "{:?} in place of {:?}: {} / {}",
                        got.header,
                        recorded.header,
                        shown(&got),
                        shown(&recorded)
                    ));
                    if got.header.serial != recorded.header.serial {
                        return differences;
                    }
                    continue;
                }
                let call = calls.iter().rev().find(|(serial, _)| *serial == got.header.serial);
                let is_reply = got.header.message_type == message_type::REPLY;
                drawn.extend(call.filter(|_| is_reply).and_then(|(_, call)| drawn_uuid(call, &recorded, &got)));
                let (got, recorded) = (shown(&got), shown(&frame(&ours(bytes, drawn))));
                if got != recorded {
                    differences.push(format!("{got}\n      in place of\n      {recorded}"));
                }
            }
        }
    }
    differences
}

fn frame(bytes: &[u8]) -> Frame {
    Frame::new(FrameHeader::from_bytes(&bytes[4..]).unwrap(), bytes[HEADER_LENGTH..].to_vec())
}

/// A message as text, for comparison. Lists are sorted: libvirt's have no order.
fn shown(frame: &Frame) -> String {
    if frame.header.message_type == message_type::MESSAGE {
        return format!("{:?}", RemoteEvent::from_payload(frame.header.procedure, &frame.payload).unwrap());
    }
    if Procedure::from_number(frame.header.procedure).is_none() && frame.header.status == status::OK {
        return format!("{:?}", frame.payload);
    }
    match answer(frame) {
        Ok(Reply::Networks { mut networks, count }) => {
            networks.sort_by(|a, b| a.name.cmp(&b.name));
            format!("{:?}", Reply::Networks { networks, count })
        }
        other => format!("{other:?}"),
    }
}

/// The UUID that libvirt has drawn for a definition without one, and ours.
fn drawn_uuid(call: &[u8], recorded: &Frame, got: &Frame) -> Option<(Uuid, Uuid)> {
    if got.header.status == status::ERROR || Procedure::from_number(got.header.procedure).is_none() {
        return None;
    }
    let has_one = String::from_utf8_lossy(call).contains("<uuid>");
    match (answer(recorded), answer(got)) {
        (Ok(Reply::Network { network: libvirts }), Ok(Reply::Network { network: ours })) if !has_one => {
            (libvirts.name == ours.name && libvirts.uuid != ours.uuid).then_some((libvirts.uuid, ours.uuid))
        }
        _ => None,
    }
}

/// A recorded message with our UUIDs.
fn ours(mut bytes: Vec<u8>, drawn: &[(Uuid, Uuid)]) -> Vec<u8> {
    for (libvirts, ours) in drawn {
        let forms = [(libvirts.0.to_vec(), ours.0.to_vec()), (libvirts.to_string().into(), ours.to_string().into())];
        for (from, to) in forms {
            while let Some(at) = bytes.windows(from.len()).position(|window| window == from) {
                bytes[at..at + to.len()].copy_from_slice(&to);
            }
        }
    }
    bytes
}
