//! A guest: its stack is a namespace's, its card a tap there, and frames are carried to and from
//! the host's tap as a hypervisor carries them.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::process::{Command, Output};
use std::thread;

use vnet_netlink::Tap;
pub(crate) use vnet_tests::vnet_does as done;
use vnet_tests::{Netns, run, tell};
use vnet_types::TapOptions;

fn vnet(arguments: &[&str], document: &str) -> Output {
    let mut command = Command::new(vnet_tests::vnet());
    command.args(["--state-dir", "/run/vnet"]).args(arguments);
    tell(command, document)
}

/// Runs `vnet`; what it tells people where it refuses.
pub(crate) fn refused(arguments: &[&str], document: &str) -> Option<String> {
    let Output { status, stderr, .. } = vnet(arguments, document);
    (!status.success()).then(|| String::from_utf8_lossy(&stderr).into_owned())
}

/// The interface of the guest with this number.
pub(crate) fn interface(number: u8, more: &str) -> String {
    format!(
        "<interface type='network'><source network='lab'/><mac address='52:54:00:00:00:0{number}'/>\
         <target dev='guest{number}'/>{more}</interface>"
    )
}

/// Attaches a guest. Its card, `eth0`, is up, and has no address.
pub(crate) fn attach(number: u8, more: &str) -> Netns {
    done(&["attach", "-"], &interface(number, more));
    let guest = Netns::new();
    let outer = Tap::open(&format!("guest{number}").parse().unwrap(), NonZeroU16::MIN).unwrap();
    let inner = guest.run(|| {
        let tap = Tap::create(&"eth0".parse().unwrap(), &TapOptions::default(), NonZeroU16::MIN).unwrap();
        run("ip", &["link", "set", "eth0", "address", &format!("52:54:00:00:00:0{number}"), "up"]);
        tap
    });
    let [outer, inner] = [outer, inner].map(|tap| File::from(tap.into_queues().remove(0)));
    let (to, from) = (outer.try_clone().unwrap(), inner.try_clone().unwrap());
    thread::spawn(move || carry(from, to));
    thread::spawn(move || carry(outer, inner));
    guest
}

fn carry(mut from: File, mut to: File) {
    let mut frame = [0; 4096];
    while let Ok(length) = from.read(&mut frame) {
        // A link that is down loses it.
        let _ = to.write(&frame[..length]);
    }
}
