//! A tap on a bridge, as a file to read and write frames, with a bandwidth limit.
//!
//! As an ordinary user: `cargo build -p vnet-netlink --example tap`, then `unshare -rn
//! target/debug/examples/tap`.
#![allow(clippy::print_stdout, reason = "an example talks")]

use std::error::Error;
use std::num::NonZeroU16;

use vnet_netlink::{Netlink, Tap};
use vnet_types::{BridgeOptions, BridgePort, Class, Link, LinkKind, Qdisc, QdiscKind, TapOptions, TrafficHandle};

fn main() -> Result<(), Box<dyn Error>> {
    let netlink = Netlink::open()?;
    let bridge =
        Link { name: "br0".parse()?, kind: LinkKind::Bridge(BridgeOptions::default()), mac: None, mtu: None, up: true };
    netlink.add_link(&bridge)?;

    // The tap is gone when its file is closed. `TapOptions::owner` and `Tap::persist` create one
    // for a user without privilege.
    let tap = Tap::create(&"vnet%d".parse()?, &TapOptions::default(), NonZeroU16::MIN)?;
    let isolated = BridgePort { isolated: true, ..BridgePort::new(bridge.name.clone()) };
    netlink.set_port(tap.name(), &isolated)?;
    let known = netlink.link(tap.name())?.ok_or("it was just made")?;
    netlink.set_up(known.index, true)?;

    // Limits what the host sends to the guest to a megabyte per second.
    let (link, root) = (tap.name().clone(), TrafficHandle::qdisc(1));
    let kind = QdiscKind::Htb { default: 1 };
    netlink.add_qdisc(&Qdisc { link: link.clone(), parent: TrafficHandle::ROOT, handle: root, kind })?;
    netlink.add_class(&Class {
        link,
        parent: root,
        handle: TrafficHandle::new(1, 1),
        rate: 1_000_000,
        ceil: 1_000_000,
        burst: None,
        quantum: 1500,
        remainder: false,
    })?;

    for class in netlink.classes(tap.name())? {
        println!("class {class}");
    }
    println!("{} is a port: {:?}", tap.name(), netlink.port(tap.name())?);
    println!("the guest's frames: {:?}", tap.into_queues());
    Ok(())
}
