//! A guest at the end of a tap: a network namespace whose `eth0` is another tap, and a thread that
//! carries the frames.
//!
//! A tap that nobody has asked for offloads has the kernel fill in checksums, which a veth does
//! not: Open vSwitch in userspace would forward packets with half of them.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::thread;

use vnet_lab::Namespace;
use vnet_netlink::{Tap, TapName};
use vnet_types::{InterfaceName, TapOptions};

use crate::{Netns, run};

/// The guest's card.
const CARD: &str = "eth0";
/// More than the largest frame.
const FRAME: usize = 65_600;

/// A machine at the end of a cable.
#[derive(Debug)]
pub struct Machine {
    /// Its network.
    pub netns: Netns,
}

impl Machine {
    /// A machine with this MAC address, on a tap of another namespace that is there.
    ///
    /// # Panics
    /// When a tap cannot be opened or made.
    pub fn on(tap: &str, of: &Netns, mac: &str) -> Self {
        let far = of.run(|| Tap::open(&name(tap), ONE).expect("the tap is there"));
        Self::at(far, mac)
    }

    /// A machine with this MAC address, on a tap that is here.
    ///
    /// # Panics
    /// When a tap cannot be opened or made.
    pub fn here(tap: &str, mac: &str) -> Self {
        Self::at(Tap::open(&name(tap), ONE).expect("the tap is there"), mac)
    }

    /// A machine on a new tap of another namespace.
    ///
    /// # Panics
    /// When a tap cannot be made.
    pub fn on_new(tap: &str, of: &Netns, mac: &str) -> Self {
        let far = of.run(|| create(tap));
        Self::at(far, mac)
    }

    fn at(far: Tap, mac: &str) -> Self {
        let netns = Netns::new();
        let near = netns.run(|| {
            let near = create(CARD);
            // Its programs may send echo requests.
            fs::write("/proc/sys/net/ipv4/ping_group_range", "0 0").expect("a sysctl");
            run("ip", &["link", "set", CARD, "address", mac, "mtu", "1400", "up"]);
            near
        });
        let (near, far) = (only(near), only(far));
        let (back, forth) = (near.try_clone().expect("a descriptor"), far.try_clone().expect("a descriptor"));
        thread::spawn(move || carry(near, forth));
        thread::spawn(move || carry(far, back));
        Self { netns }
    }

    /// Gives the card an address.
    pub fn address(&self, address: &str) {
        self.netns.run(|| run("ip", &["address", "replace", address, "dev", CARD]));
    }

    /// Sets the way to everything else.
    pub fn gateway(&self, gateway: &str) {
        self.netns.run(|| run("ip", &["route", "replace", "default", "via", gateway]));
    }

    /// Its namespace.
    pub fn namespace(&self) -> &Namespace {
        self.netns.namespace()
    }

    /// The name of its card.
    pub fn card() -> InterfaceName {
        name(CARD)
    }
}

const ONE: NonZeroU16 = NonZeroU16::MIN;

fn create(tap: &str) -> Tap {
    Tap::create(&TapName::from(&name(tap)), &TapOptions::default(), ONE).expect("a tap")
}

fn name(text: &str) -> InterfaceName {
    text.parse().expect("the name of a device")
}

fn only(tap: Tap) -> File {
    let queue: Option<OwnedFd> = tap.into_queues().pop();
    queue.expect("a queue").into()
}

/// Ends when one of the taps is gone. A frame that a tap refuses, such as while it is down, is
/// lost.
fn carry(mut from: File, mut to: File) {
    let mut frame = vec![0; FRAME];
    while let Ok(length) = from.read(&mut frame) {
        let _ = to.write(&frame[..length]);
    }
}
