//! A guest at the end of a tap: a network namespace whose `eth0` is another tap, and threads that
//! carry the frames.

use std::fs;
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;

use vnet_lab::Namespace;
use vnet_netlink::{Tap, TapName};
use vnet_types::{InterfaceName, TapOptions};

use crate::{Netns, run};

/// The guest's card.
const CARD: &str = "eth0";

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
        vnet_lab::join(only(near), only(far)).expect("descriptors");
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

fn only(tap: Tap) -> OwnedFd {
    tap.into_queues().pop().expect("a queue")
}
