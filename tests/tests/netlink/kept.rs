//! What is kept of addresses and routes is what the kernel has, whatever happens.

use std::collections::BTreeSet;
use std::fmt::Debug;

use vnet_netlink::{KeptLists, Nearby, Netlink};
use vnet_tests::{isolate, run};
use vnet_types::IpNet;

use crate::net;

/// What is kept, and what the kernel lists.
struct Both {
    netlink: Netlink,
    kept: KeptLists,
}

impl Both {
    fn new() -> Self {
        Self { netlink: Netlink::open().unwrap(), kept: KeptLists::open().unwrap() }
    }

    /// Compares both near to some subnets. The kernel gives a link IPv6 addresses and routes some
    /// time after it is up, so the lists are read before and after, until they are the same.
    fn agree(&mut self, nets: &[&str], after: &str) {
        let nets: Vec<IpNet> = nets.iter().map(|it| net(it)).collect();
        loop {
            let before = self.listed(&nets);
            let Nearby { addresses, routes, .. } = self.kept.near(&self.netlink, &nets).unwrap();
            if self.listed(&nets) == before {
                assert_eq!([texts(&addresses), texts(&routes)], before, "after {after}");
                return;
            }
        }
    }

    fn listed(&self, nets: &[IpNet]) -> [BTreeSet<String>; 2] {
        [texts(&self.netlink.addresses_near(nets).unwrap()), texts(&self.netlink.routes_near(nets).unwrap())]
    }
}

fn texts<T: Debug>(all: &[T]) -> BTreeSet<String> {
    all.iter().map(|it| format!("{it:?}")).collect()
}

const ALL: [&str; 2] = ["0.0.0.0/0", "::/0"];

#[test]
fn it_is_what_the_kernel_has() {
    isolate!();
    let mut both = Both::new();
    both.agree(&ALL, "nothing");
    for words in [
        "link set lo up",
        "link add one type bridge",
        "link add two type bridge",
        "link add out type veth peer name peer",
        "link set one up",
        "link set two up",
        "link set out up",
        "link set peer up",
        "address add 10.1.0.1/24 dev one",
        "address add 10.1.0.2/24 dev one",
        "address add 10.2.0.1/24 dev two",
        "address add 10.3.0.1/24 dev out noprefixroute",
        "address add 2001:db8:1::1/64 dev one",
        "address add 2001:db8:2::1/64 dev two",
        "route add 10.3.0.0/24 dev out",
        "route add default via 10.3.0.9",
        "route add default via 10.2.0.9 metric 9",
        "route add 10.9.0.0/16 via 10.2.0.9 src 10.1.0.1",
        "route add 10.10.0.0/16 nexthop via 10.1.0.9 nexthop via 10.2.0.9",
        "route replace 10.9.0.0/16 via 10.3.0.8 src 10.1.0.2",
        "route append 10.9.0.0/16 via 10.2.0.8",
        "route add 10.11.0.0/16 via 10.2.0.9 table 100",
        "route add blackhole 10.12.0.0/16",
        "route add 2001:db8:9::/48 via 2001:db8:1::9",
        "route append 2001:db8:9::/48 via 2001:db8:2::9",
        "route add 2001:db8:a::/48 via 2001:db8:2::9 proto ra",
        "route del 2001:db8:9::/48 via 2001:db8:1::9",
        "link set one down",
        "link set one up",
        "route add 10.13.0.0/16 via 10.3.0.9 src 10.2.0.1",
        "address del 10.2.0.1/24 dev two",
        "address del 10.1.0.1/24 dev one",
        "address add 10.2.0.1/24 dev two",
        "nexthop add id 1 via 10.2.0.9 dev two",
        "route add 10.14.0.0/16 nhid 1",
        "nexthop replace id 1 via 10.2.0.8 dev two",
        "nexthop del id 1",
        "route add 10.15.0.0/16 nexthop via 10.2.0.9 nexthop via 10.3.0.9",
        "link set two down",
        "link set two name three",
        "link set three up",
        "link add four type bridge",
        "link set four up",
        "address add 10.4.0.1/24 dev four",
        "link del four",
        "link del one",
        "address flush dev three",
        "link del three",
    ] {
        run("ip", &words.split(' ').collect::<Vec<_>>());
        both.agree(&ALL, words);
    }
}

#[test]
fn what_is_near_is_told_alone() {
    isolate!();
    let mut both = Both::new();
    for words in [
        "link add one type bridge",
        "link set one up",
        "address add 10.1.0.1/24 dev one",
        "address add 2001:db8:1::1/64 dev one",
        "route add 10.9.0.0/16 via 10.1.0.9",
        "route add default via 10.1.0.9",
        "route add 2001:db8:9::/48 via 2001:db8:1::9",
        "route add 2001:db8:a::/48 via 2001:db8:1::9 proto ra",
    ] {
        run("ip", &words.split(' ').collect::<Vec<_>>());
        for nets in [&["10.1.0.128/25"][..], &["10.9.1.0/24"], &["10.0.0.0/8"], &["2001:db8:b::/64"], &[]] {
            both.agree(nets, words);
        }
    }
    let Nearby { addresses, routes, .. } = both.kept.near(&both.netlink, &[net("10.9.1.0/24")]).unwrap();
    assert_eq!((addresses.len(), routes.len()), (0, 2), "the default route and that to 10.9.0.0/16: {routes:?}");
}

#[test]
fn more_is_told_than_fits() {
    isolate!();
    let mut both = Both::new();
    for link in ["one", "two"] {
        run("ip", &["link", "add", link, "type", "bridge"]);
    }
    both.agree(&ALL, "two links");
    // Each address goes again: a link with thousands holds up the kernel.
    let batch = (0..3_000).map(|_| "address add 10.1.0.1/32 dev one\naddress del 10.1.0.1/32 dev one\n");
    std::fs::write("/tmp/batch", batch.collect::<String>()).unwrap();
    run("ip", &["-batch", "/tmp/batch"]);
    run("ip", &["address", "add", "10.2.0.1/24", "dev", "two"]);
    both.agree(&ALL, "what is lost");
    run("ip", &["link", "del", "two"]);
    both.agree(&ALL, "what is told again");
}
