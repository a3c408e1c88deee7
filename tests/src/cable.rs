//! A guest at the end of a tap: a network namespace whose `eth0` is another tap, and threads that
//! carry the frames.

use std::fs;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use vnet_lab::Namespace;
use vnet_lab::dhcp4::{Client, Lease};
use vnet_lab::probe::{Outcome, Transport};
use vnet_netlink::{Tap, TapName};
use vnet_types::{InterfaceName, TapOptions};

use crate::{Netns, run, wait_for};

/// The guest's card.
const CARD: &str = "eth0";
/// How long a server of addresses may take, and how long it is waited for at a time.
const SOON: Duration = Duration::from_secs(20);
const MOMENT: Duration = Duration::from_secs(2);

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

    /// Gets a lease of a network with a prefix of 24, and uses it.
    ///
    /// # Panics
    /// When there is none.
    pub fn lease(&self, mac: &str) -> Lease {
        let client = Client { mac: mac.parse().expect("an address"), hostname: "guest".to_owned() };
        let card = Self::card();
        let ask = || self.netns.run(|| client.lease(&card, Instant::now() + MOMENT).expect("a card"));
        let lease = wait_for(SOON, "a lease", ask);
        self.address(&format!("{}/24", lease.address));
        lease.router.iter().for_each(|router| self.gateway(&router.to_string()));
        lease
    }

    /// Whether an address answers an echo request in this time.
    ///
    /// # Panics
    /// When its own kernel sends none.
    pub fn pings(&self, to: &str, time: Duration) -> bool {
        let to = to.parse().expect("an address");
        self.netns.run(|| vnet_lab::ping(to, Instant::now() + time).expect("it is sent"))
    }

    /// Asks a server which address it sees.
    ///
    /// # Panics
    /// When its own kernel sends nothing.
    pub fn asks(&self, how: Transport, to: &str, port: u16, time: Duration) -> Outcome {
        let to = SocketAddr::new(to.parse().expect("an address"), port);
        self.netns.run(|| how.ask(to, Instant::now() + time).expect("it is sent"))
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
