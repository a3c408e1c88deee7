//! vnet-netlink against a kernel, seen through `ip`.
#![allow(clippy::unwrap_used, reason = "a test")]

mod kept;
mod links;
mod routes;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use nix::errno::Errno;
use serde_json::json as value;
use vnet_netlink::{Error, Netlink};
use vnet_tests::{Netns, isolate, json};
use vnet_types::{Address, BridgeOptions, InterfaceName, IpNet, Link, LinkKind, Route, RouteProtocol};

const MAC: &str = "52:54:00:12:34:56";

fn name(text: &str) -> InterfaceName {
    text.parse().unwrap()
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn bridge(stp: bool, forward_delay: u32, mac: &str, mtu: u32, up: bool) -> Link {
    Link {
        name: name("virbr0"),
        kind: LinkKind::Bridge(BridgeOptions { stp, forward_delay, vlan_filtering: false }),
        mac: Some(mac.parse().unwrap()),
        mtu: Some(mtu),
        up,
    }
}

fn address(text: &str, broadcast: Option<&str>) -> Address {
    Address { net: net(text), broadcast: broadcast.map(|it| it.parse().unwrap()) }
}

fn route(destination: &str, gateway: Option<&str>, metric: u32) -> Route {
    Route {
        destination: net(destination),
        gateway: gateway.map(|it| it.parse().unwrap()),
        link: name("virbr0"),
        metric,
        protocol: RouteProtocol::Static,
    }
}

/// A bridge that is up with two subnets, and the socket that made it.
fn network() -> Netlink {
    let netlink = Netlink::open().unwrap();
    let bridge = bridge(false, 0, MAC, 1500, true);
    netlink.add_link(&bridge).unwrap();
    netlink.add_address(&bridge.name, &address("192.168.122.1/24", None)).unwrap();
    netlink.add_address(&bridge.name, &address("2001:db8::1/64", None)).unwrap();
    netlink
}

fn errno(error: &Error) -> Errno {
    Errno::from_raw(error.refused.errno)
}

/// A socket stays where it was opened, and serves many threads.
#[test]
fn sockets_are_shared_and_stay_in_their_namespace() {
    isolate!();
    let guest = Netns::new();
    let netlink = guest.run(|| Netlink::open().unwrap());
    thread::scope(|scope| {
        for thread in 0..4 {
            let netlink = &netlink;
            scope.spawn(move || {
                for number in 0..40 {
                    let name = name(&format!("br{thread}-{number}"));
                    let index = netlink.add_link(&Link { name: name.clone(), ..bridge(false, 0, MAC, 1500, false) });
                    assert_eq!(netlink.link(&name).unwrap().unwrap().index, index.unwrap());
                }
            });
        }
    });
    let is_bridge = |link: &Link| matches!(link.kind, LinkKind::Bridge(_));
    assert_eq!(netlink.links().unwrap().iter().filter(|it| is_bridge(&it.link)).count(), 160);
    assert_eq!(guest.run(|| json("ip", &["-j", "link", "show", "type", "bridge"])).as_array().unwrap().len(), 160);
    assert_eq!(json("ip", &["-j", "link", "show", "type", "bridge"]), value!([]));
}

#[test]
fn a_missing_privilege_is_named() {
    isolate!();
    network();
    thread::scope(|scope| scope.spawn(without_privilege).join()).unwrap();
}

fn without_privilege() {
    drop_capabilities();
    let netlink = Netlink::open().unwrap();
    let index = netlink.link(&name("virbr0")).unwrap().unwrap().index;
    let (link, other) = (bridge(false, 0, MAC, 1500, true), bridge(false, 0, MAC, 1400, true));
    let errors = [
        netlink.add_link(&Link { name: name("virbr1"), ..link.clone() }).unwrap_err(),
        netlink.set_link(index, &link, &other).unwrap_err(),
        netlink.delete_link(index).unwrap_err(),
        netlink.add_veth(&name("a"), &name("b")).unwrap_err(),
        netlink.set_up(index, false).unwrap_err(),
        netlink.add_address(&link.name, &address("10.0.0.1/24", None)).unwrap_err(),
        netlink.delete_address(&link.name, &address("192.168.122.1/24", None)).unwrap_err(),
        netlink.add_route(&route("10.0.0.0/8", None, 0)).unwrap_err(),
        netlink.delete_route(&route("10.0.0.0/8", None, 7)).unwrap_err(),
    ];
    for error in errors {
        assert!(error.is_permission_denied(), "{error}");
        assert!(error.to_string().contains("CAP_NET_ADMIN"), "{error}");
    }
}

/// Takes every capability from this thread (capset(2)).
#[allow(unsafe_code)]
fn drop_capabilities() {
    let header = [0x2008_0522u32, 0];
    let none = [0u32; 6];
    // SAFETY: capset reads the version with the thread (0: this one), and three sets of 64 bits.
    let result = unsafe { nix::libc::syscall(nix::libc::SYS_capset, header.as_ptr(), none.as_ptr()) };
    assert_eq!(result, 0);
}

/// The kernel says when a list changed while it was read (`NLM_F_DUMP_INTR`): then what is there
/// for sure may be missing in it, or be in it twice.
#[test]
fn lists_are_whole_though_what_is_listed_changes() {
    const ROUNDS: usize = 60;
    isolate!();
    let netlink = Netlink::open().unwrap();
    let lo = name("lo");
    let constant: Vec<String> = (1..=1500).map(|number| format!("2001:db8::{number:x}/128")).collect();
    constant.iter().for_each(|it| netlink.add_address(&lo, &address(it, None)).unwrap());
    let round = AtomicUsize::new(0);
    let faults = thread::scope(|scope| {
        scope.spawn(|| {
            // New ones come first in the list, and move all others.
            let (netlink, passing) = (Netlink::open().unwrap(), address("2001:db8:f::1/128", None));
            for next in 1..=ROUNDS {
                while round.load(Ordering::Acquire) < next {
                    thread::yield_now();
                }
                for _ in 0..12 {
                    netlink.add_address(&lo, &passing).unwrap();
                    netlink.delete_address(&lo, &passing).unwrap();
                }
            }
        });
        let look = |next| {
            round.store(next, Ordering::Release);
            let listed = netlink.addresses().map_err(|error| error.to_string())?;
            let mut listed: Vec<_> = listed.iter().map(|(_, it)| it.net.to_string()).collect();
            listed.sort_unstable();
            match listed.windows(2).find(|pair| pair[0] == pair[1]) {
                Some(pair) => Err(format!("{} is in it twice", pair[0])),
                None => match constant.iter().find(|it| listed.binary_search(it).is_err()) {
                    Some(missing) => Err(format!("{missing} is missing")),
                    None => Ok(()),
                },
            }
        };
        (1..=ROUNDS).filter_map(|next| look(next).err()).collect::<Vec<_>>()
    });
    assert!(faults.is_empty(), "of {ROUNDS} lists {}: {faults:?}", faults.len());
}
