//! What [`Config::render`] writes.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod golden;
mod injection;
mod options;
mod refusals;

use vnet_dnsmasq::{Config, Dhcp, DhcpHost, DhcpRange, Error, Paths, Rendered, Subnet};

/// Files named as libvirt names those of the network `default`.
fn paths() -> Paths {
    let folder = "/var/lib/libvirt/dnsmasq";
    Paths::new(format!("{folder}/default.hostsfile").into(), format!("{folder}/default.addnhosts").into())
}

fn render(config: &Config) -> Result<Rendered, Error> {
    config.render(&paths())
}

/// The configuration in one line, without the comment.
fn body(config: &Config) -> String {
    let conf = render(config).expect("a configuration that can be written").conf;
    let (comment, body) = conf.split_once('\n').expect("a comment");
    assert!(comment.starts_with('#'));
    body.lines().collect::<Vec<_>>().join("|")
}

/// The bridge `virbr0` with these addresses.
fn config<const N: usize>(subnets: [&str; N]) -> Config {
    let mut config = Config::new("virbr0".parse().expect("a name"));
    config.subnets = subnets.map(subnet).into();
    config
}

fn subnet(net: &str) -> Subnet {
    Subnet::new(net.parse().expect("a subnet"))
}

fn range(addresses: &str) -> DhcpRange {
    DhcpRange::new(addresses.parse().expect("a range"))
}

fn dhcp(addresses: &str) -> Option<Dhcp> {
    Some(Dhcp::with_ranges([range(addresses)]))
}

fn host(ip: &str) -> DhcpHost {
    DhcpHost::new(ip.parse().expect("an address"))
}
