//! Options for dnsmasq in the definition. They may override what its elements say.

use std::net::Ipv4Addr;

use vnet_xml::Network;

use crate::guest::{Addressing, Guest};
use crate::promise::Promise;

/// What an option can change for guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Topic {
    /// The assignment of addresses.
    Leases,
    /// The routes that guests are told.
    Routers,
    /// The network's own answers to DNS questions.
    Names,
    /// The names that the network answers for.
    OwnNames,
    /// The servers for other names.
    Forwarding,
    /// Everything.
    All,
}

/// The router that options announce instead of the one from the elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Router {
    Nobody,
    Other(Ipv4Addr),
}

/// Whether an option turns name service off.
pub(crate) fn is_without_names(network: &Network) -> bool {
    network.dnsmasq_options.iter().any(|line| line.trim() == "port=0")
}

/// The router that guests are told by an understood option for all guests.
pub(crate) fn router(network: &Network) -> Option<Router> {
    let mut told = network.dnsmasq_options.iter().filter_map(|line| {
        let (key, value) = split(line);
        let mut parts = value.split(',').map(str::trim);
        let is_router = matches!(key, "dhcp-option" | "dhcp-option-force")
            && parts.next().is_some_and(|code| matches!(code, "3" | "option:router"));
        match (is_router, parts.next()) {
            (true, None | Some("")) => Some(Router::Nobody),
            (true, Some(ip)) => ip.parse().ok().map(Router::Other),
            (false, _) => None,
        }
    });
    told.next_back()
}

/// The option that may override a promise of the definition.
pub(crate) fn doubt<'a>(network: &'a Network, guests: &[Guest], promise: &Promise) -> Option<&'a str> {
    let by_dhcp =
        |guest: usize| guests.get(guest).is_some_and(|guest| guest.addresses.iter().any(Addressing::is_by_dhcp));
    let leases = |guest: usize| if by_dhcp(guest) { &[Topic::Leases][..] } else { &[] };
    let (topics, leases): (&[Topic], _) = match promise {
        Promise::Address { guest, .. } => (&[], leases(*guest)),
        Promise::Router { .. } => (&[], leases(0)),
        Promise::Gateway { .. } | Promise::BetweenGuests(_) | Promise::Apart(_) => (&[], leases(0)),
        Promise::NoWayOut(_) | Promise::NoWayIn(_) => (&[], leases(0)),
        Promise::Answer { .. } | Promise::Reverse { .. } => (&[Topic::Names], leases(0)),
        Promise::OwnName { .. } => (&[Topic::Names, Topic::OwnNames], leases(0)),
        Promise::Forwarded { .. } => (&[Topic::Names, Topic::Forwarding], leases(0)),
        Promise::Out(..) | Promise::Reach { .. } | Promise::In(_) => (&[Topic::Routers], leases(0)),
        _ => (&[], &[]),
    };
    let concerns = |topic: Topic| topics.contains(&topic) || leases.contains(&topic);
    let mut lines = network.dnsmasq_options.iter().map(String::as_str);
    lines.find(|line| topics_of(network, line).iter().any(|topic| *topic == Topic::All || concerns(*topic)))
}

fn split(line: &str) -> (&str, &str) {
    let (key, value) = line.split_once('=').unwrap_or((line, ""));
    (key.trim(), value.trim())
}

fn topics_of(network: &Network, line: &str) -> &'static [Topic] {
    use Topic::{All, Forwarding, Leases, Names, OwnNames, Routers};
    let (key, value) = split(line);
    let is_bridge = |name: &str| {
        let bridge = network.bridge.as_ref().and_then(|bridge| bridge.name.as_ref());
        bridge.is_some_and(|bridge| bridge.to_string() == name)
    };
    match key {
        "" => &[],
        line if line.starts_with('#') => &[],
        "port" if value == "0" || value == "53" => &[],
        "interface" if is_bridge(value) => &[],
        "bind-dynamic"
        | "bind-interfaces"
        | "cache-size"
        | "clear-on-reload"
        | "dhcp-alternate-port"
        | "dhcp-authoritative"
        | "dhcp-boot"
        | "dhcp-circuitid"
        | "dhcp-leasefile"
        | "dhcp-mac"
        | "dhcp-match"
        | "dhcp-no-override"
        | "dhcp-option-pxe"
        | "dhcp-rapid-commit"
        | "dhcp-reply-delay"
        | "dhcp-remoteid"
        | "dhcp-script"
        | "dhcp-subscrid"
        | "dhcp-ttl"
        | "dhcp-userclass"
        | "dhcp-vendorclass"
        | "dns-forward-max"
        | "edns-packet-max"
        | "enable-tftp"
        | "fast-dns-retry"
        | "keep-in-foreground"
        | "leasefile-ro"
        | "local-ttl"
        | "log-async"
        | "log-debug"
        | "log-dhcp"
        | "log-facility"
        | "log-queries"
        | "max-cache-ttl"
        | "max-port"
        | "max-ttl"
        | "min-cache-ttl"
        | "min-port"
        | "neg-ttl"
        | "no-negcache"
        | "no-ping"
        | "no-round-robin"
        | "pxe-prompt"
        | "pxe-service"
        | "query-port"
        | "quiet-dhcp"
        | "quiet-dhcp6"
        | "quiet-ra"
        | "quiet-tftp"
        | "strict-order"
        | "user"
        | "group"
        | "pid-file"
        | "all-servers" => &[],
        key if key.starts_with("tftp-") => &[],
        "dhcp-option" | "dhcp-option-force" => match value.split(',').next().map(str::trim) {
            Some("3" | "option:router" | "121" | "option:classless-static-route" | "33" | "option:static-route") => {
                &[Routers]
            }
            // The netmask, and conditions and vendor classes, which may select any option.
            Some("1" | "option:netmask" | "28") => &[Leases],
            Some(code) if code.contains(':') && !code.starts_with("option") => &[Routers, Leases],
            _ => &[],
        },
        "dhcp-ignore-names" | "dhcp-fqdn" | "dhcp-generate-names" => &[OwnNames],
        "enable-ra" | "ra-param" => &[Leases, Routers],
        key if key.starts_with("dhcp-") || key.starts_with("no-dhcp") => &[Leases, OwnNames],
        "read-ethers" | "tag-if" => &[Leases],
        "domain" | "expand-hosts" => &[Names, OwnNames],
        "address" | "alias" | "auth-peer" | "auth-sec-servers" | "auth-server" | "auth-soa" | "auth-ttl"
        | "auth-zone" | "addn-hosts" | "bogus-nxdomain" | "caa-record" | "cname" | "dns-rr" | "dynamic-host"
        | "filter-A" | "filter-AAAA" | "filter-rr" | "filterwin2k" | "host-record" | "hostsdir" | "ignore-address"
        | "interface-name" | "local" | "localise-queries" | "localmx" | "mx-host" | "mx-target" | "naptr-record"
        | "no-hosts" | "ptr-record" | "selfmx" | "srv-host" | "synth-domain" | "txt-record" => &[Names],
        "add-cpe-id"
        | "add-mac"
        | "add-subnet"
        | "bogus-priv"
        | "conntrack"
        | "dns-loop-detect"
        | "dnssec"
        | "dnssec-check-unsigned"
        | "dnssec-no-timecheck"
        | "domain-needed"
        | "no-poll"
        | "no-resolv"
        | "proxy-dnssec"
        | "rebind-domain-ok"
        | "rebind-localhost-ok"
        | "resolv-file"
        | "rev-server"
        | "server"
        | "servers-file"
        | "stop-dns-rebind"
        | "trust-anchor"
        | "use-stale-cache" => &[Forwarding],
        _ => &[All],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promise::Source;
    use rstest::rstest;
    use vnet_types::Family;

    fn network(line: &str) -> Network {
        let mut network = Network::new("n");
        network.dnsmasq_options.push(line.to_owned());
        network
    }

    fn guests() -> Vec<Guest> {
        let mut guest = Guest::new("guest1", vnet_types::MacAddr([2; 6]));
        guest.addresses.push(Addressing::Leased(Family::Ipv4, Vec::new()));
        vec![guest]
    }

    #[rstest]
    #[case("dhcp-ignore=tag:!known", [true, true, true])]
    #[case("resolv-file=/etc/resolv-orig.conf", [false, false, true])]
    #[case("dhcp-option=3", [false, true, false])]
    #[case("dhcp-option=option:router,10.0.0.9", [false, true, false])]
    #[case("dhcp-option=option:ntp-server,10.0.0.9", [false, false, false])]
    #[case("dhcp-option=tag:a,3", [true, true, true])]
    #[case("log-queries", [false, false, false])]
    #[case("conf-file=/etc/more.conf", [true, true, true])]
    fn lines_concern_promises(#[case] line: &str, #[case] expected: [bool; 3]) {
        let promises = [
            Promise::Address { guest: 0, address: 0 },
            Promise::Out(Family::Ipv4, Source::Own),
            Promise::Forwarded { servers: Vec::new(), domain: None },
        ];
        let network = network(line);
        assert_eq!(promises.map(|promise| doubt(&network, &guests(), &promise).is_some()), expected);
    }

    #[rstest]
    #[case("dhcp-option=3", Some(Router::Nobody))]
    #[case("dhcp-option=option:router,10.0.0.9", Some(Router::Other([10, 0, 0, 9].into())))]
    #[case("dhcp-option=tag:a,3", None)]
    #[case("dhcp-option=6,10.0.0.9", None)]
    fn routers_are_understood(#[case] line: &str, #[case] expected: Option<Router>) {
        assert_eq!(router(&network(line)), expected);
    }
}
