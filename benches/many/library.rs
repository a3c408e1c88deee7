//! Calls of the library, and what they cannot do without.

use std::fs::File;
use std::io::Write;

use vnet_driver::{AttachOptions, Driver, Interface, Network};
use vnet_netlink::Netlink;
use vnet_types::{BridgePort, Link, LinkKind, TapOptions};

use crate::host::{ONE, STATE, definition, elapsed};

/// The library, and what it works on.
pub(crate) struct Library {
    driver: Driver,
    one: Network,
    guest: Interface,
    netlink: Option<Netlink>,
}

impl Library {
    pub(crate) fn new() -> Self {
        let guest = "<interface type='network'><source network='n0'/><target dev='guest'/></interface>";
        let driver = Driver::open(STATE).unwrap().with_definitions("/run/etc");
        Self { driver, one: definition(ONE).parse().unwrap(), guest: guest.parse().unwrap(), netlink: None }
    }

    /// Makes a call, and returns the milliseconds that it took.
    pub(crate) fn call(&mut self, call: &str) -> f64 {
        match call {
            "start" => elapsed(|| drop(self.driver.start(&self.one).unwrap())),
            "stop" => elapsed(|| drop(self.driver.stop(&self.one.name.parse().unwrap()).unwrap())),
            "attach" => {
                let took = elapsed(|| drop(self.driver.attach(&self.guest, &AttachOptions::default()).unwrap()));
                self.driver.detach(&"guest".parse().unwrap()).unwrap();
                took
            }
            "floor" => self.floor(),
            other => panic!("{other}"),
        }
    }

    /// What an attach asks of the kernel: a tap, its place in the bridge, and two syncs.
    fn floor(&mut self) -> f64 {
        let netlink = self.netlink.get_or_insert_with(|| Netlink::open().unwrap());
        let tap = LinkKind::Tap(TapOptions { vnet_hdr: true, ..TapOptions::default() });
        let mac = Some("fe:54:00:00:00:01".parse().unwrap());
        let down = Link { name: "floor".parse().unwrap(), kind: tap, mac, mtu: None, up: false };
        let mut made = 0;
        let took = elapsed(|| {
            for receipt in ["/run/one", "/run/two"] {
                let mut file = File::create(receipt).unwrap();
                file.write_all(&[b' '; 1024]).unwrap();
                file.sync_data().unwrap();
            }
            made = netlink.add_link(&down).unwrap();
            netlink.set_port(&down.name, &BridgePort::new("b0".parse().unwrap())).unwrap();
            netlink.set_link(made, &down, &Link { up: true, ..down.clone() }).unwrap();
        });
        netlink.delete_link(made).unwrap();
        took
    }
}
