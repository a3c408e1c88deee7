//! A guest's end of a cable to passt. The guest is a network namespace, so its stack is a real one;
//! its card is a tap.

use std::io;
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::path::Path;

use vnet_netlink::Tap;
use vnet_passt::run::Cable;
use vnet_tests::{Netns, run};
use vnet_types::TapOptions;

/// A guest's card.
pub(crate) struct Jack(OwnedFd);

impl Jack {
    /// Puts `eth0` into the guest.
    pub(crate) fn new(guest: &Netns, mac: &str) -> Self {
        guest.run(|| {
            let tap = Tap::create(&"eth0".parse().unwrap(), &TapOptions::default(), NonZeroU16::MIN).unwrap();
            // A card stops a guest that sends more than it takes, a tap loses it, and passt of 2023
            // is slow to notice: so there is room for all that the guest has unacknowledged.
            run("ip", &["link", "set", "eth0", "txqueuelen", "10000", "address", mac, "up"]);
            Self(tap.into_queues().remove(0))
        })
    }

    /// Plugs it into passt.
    pub(crate) fn plug(&self, passt: &Path) -> io::Result<Cable> {
        Cable::plug(self.0.try_clone()?, passt)
    }
}
