//! A guest's port that is open in this process, with the hooks that are told of it.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::poll::{PollFd, PollFlags, poll};
use vnet_driver::{AttachOptions, Driver, Error};
use vnet_tests::{OvnHost, OvnLab, isolate, wait_for};

use super::{SOON, WEB, nat};

const FOLDER: &str = "/run/lab/h1/vnet/@definitions/hooks";
const LOG: &str = "/tmp/hooks.log";

#[test]
fn an_open_port_goes_with_its_value() {
    isolate!();
    let lab = OvnLab::start(Path::new("/run/lab"), 1);
    let [host] = &lab.hosts[..] else { unreachable!() };
    host.does(&["define", "-"], &nat(&lab, &["h1"], 200));
    host.does(&["start", "lab"], "");
    let before = lab.central.nbctl(&["show"]);
    let driver = Driver::open("/run/lab/h1/vnet").unwrap();
    let interface = OvnHost::interface("lab", WEB, "").parse().unwrap();
    let hook = |text: &str| {
        fs::create_dir_all(FOLDER).unwrap();
        let file = format!("{FOLDER}/network");
        fs::write(&file, format!("#!/bin/sh\necho $2 >>{LOG}\ncat >/tmp/$2.xml\n{text}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    };
    hook("[ $2 != port-created ]");
    let refused = host.netns.run(|| driver.attach_open(&interface, &AttachOptions::default()).unwrap_err());
    assert!(matches!(refused, Error::Hook(_)), "{refused:?}");
    assert_eq!(lab.central.nbctl(&["show"]), before);
    hook("");
    host.netns.run(|| {
        let port = driver.attach_open(&interface, &AttachOptions::default()).unwrap();
        let ports = &host.does(&["status", "lab"], "")["ovn"][0]["ports"];
        assert_eq!((&ports[0]["up"], &ports[0]["chassis"]), (&true.into(), &"h1".into()), "{ports}");
        // What is written is a frame from the guest: the gateway answers its question.
        let mut file = fs::File::from(port.queues()[0].try_clone().unwrap());
        let hardware = [0x52, 0x54, 0, 0, 0, 1];
        let mut asks = [[0xff; 6], hardware].concat();
        asks.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
        asks.extend(hardware.iter().chain(&[10, 77, 0, 11, 0, 0, 0, 0, 0, 0, 10, 77, 0, 1]));
        asks.resize(60, 0);
        let answer = wait_for(SOON, "the gateway's answer", || {
            file.write_all(&asks).unwrap();
            let mut ready = [PollFd::new(file.as_fd(), PollFlags::POLLIN)];
            (poll(&mut ready, 500_u16).unwrap() > 0).then_some(())?;
            let mut frame = [0; 1500];
            let length = file.read(&mut frame).unwrap();
            (length >= 42 && frame[12..14] == [8, 6] && frame[21] == 2).then(|| frame[28..32].to_vec())
        });
        assert_eq!(answer, [10, 77, 0, 1]);
        drop((file, port));
        assert_eq!(host.does(&["ports"], "")["ports"], serde_json::json!([]));
    });
    assert_eq!(lab.central.nbctl(&["show"]), before);
    assert_eq!(fs::read_to_string(LOG).unwrap(), "port-created\nport-created\nport-deleted\n");
    for operation in ["created", "deleted"] {
        let told = fs::read_to_string(format!("/tmp/port-{operation}.xml")).unwrap();
        assert!(told.contains("<name>lab</name>") && told.contains(&format!("<mac address='{WEB}'/>")), "{told}");
        assert!(told.contains("interfaceid=") && told.contains("bridge='br-int'"), "{told}");
    }
    let ports = host.switch.as_ref().unwrap().vsctl(&["list-ports", "br-int"]);
    assert!(!ports.lines().any(|port| port.starts_with("vnet")), "{ports}");
}
