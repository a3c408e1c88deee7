//! What policies compile to, as nft(8) writes it.

use rstest::rstest;
use vnet_firewall::{Access, ForwardedPorts, Policy, Ruleset, Subnet, Transport};
use vnet_types::{Egress, EgressException, EgressPreset, EgressProtocol};

fn nat(ports: &str) -> Access {
    Access::Nat { addresses: None, ports: ports.parse().expect("ports") }
}

fn nat_to(addresses: &str) -> Access {
    Access::Nat { addresses: addresses.parse().ok(), ports: "1024-65535".parse().expect("ports") }
}

fn policy(subnets: &[(&str, Access)]) -> Policy {
    let subnet =
        |(net, access): &(&str, Access)| Subnet { net: net.parse().expect("a subnet"), access: access.clone() };
    let mut policy = Policy::new("default", "virbr0".parse().expect("a name"));
    policy.subnets = subnets.iter().map(subnet).collect();
    policy
}

fn with_device(mut policy: Policy) -> Policy {
    policy.device = "eth0".parse().ok();
    policy
}

fn with_ipv6(mut policy: Policy) -> Policy {
    policy.ipv6 = true;
    policy
}

fn with_redirected(mut policy: Policy) -> Policy {
    policy.redirected =
        ["192.168.122.7", "192.168.122.6", "fd00::7"].map(|guest| guest.parse().expect("an address")).into();
    policy
}

fn with_forwards(mut policy: Policy) -> Policy {
    let forward = |transport, ports: &str, guest: &str, first| {
        let mut forward =
            ForwardedPorts::new(transport, ports.parse().expect("ports"), guest.parse().expect("an address"));
        forward.first = first;
        forward
    };
    let (web, web6) = ("192.168.122.10", "2001:db8:ca2:2::10");
    policy.forwards = vec![
        forward(Transport::Tcp, "2222-2222", web, 22),
        forward(Transport::Tcp, "2222-2222", web6, 22),
        forward(Transport::Udp, "5000-5002", web, 6000),
        forward(Transport::Tcp, "80-80", web, 80),
        forward(Transport::Tcp, "443-443", web, 443),
    ];
    policy.forwards[3].address = "198.51.100.1".parse().ok();
    policy.forwards[4].device = "eth0".parse().ok();
    policy
}

fn with_flowtable(mut policy: Policy) -> Policy {
    policy.accelerated = ["eth0", "eth1"].map(|device| device.parse().expect("a name")).into();
    policy
}

fn with_egress(mut policy: Policy, preset: EgressPreset, exceptions: bool) -> Policy {
    let mut egress = Egress::new(preset);
    if exceptions {
        let exception = |net: Option<&str>, protocol, ports: Option<&str>| {
            let mut exception = EgressException::default();
            exception.net = net.map(|net| net.parse().expect("a subnet"));
            exception.protocol = protocol;
            exception.ports = ports.map(|ports| ports.parse().expect("ports"));
            exception
        };
        egress.allow = vec![
            exception(Some("10.0.0.0/8"), None, None),
            exception(Some("fd00::5/128"), Some(EgressProtocol::Tcp), Some("8000-8010")),
            exception(None, Some(EgressProtocol::Icmp), None),
        ];
        egress.deny = vec![
            exception(Some("10.0.0.7/32"), None, Some("53-53")),
            exception(Some("10.9.0.0/16"), Some(EgressProtocol::Udp), None),
        ];
    }
    policy.egress = Some(egress);
    policy
}

const NET: &str = "192.168.122.1/24";
const NET6: &str = "2001:db8:ca2:2::1/64";

#[rstest]
#[case::nat_default(policy(&[(NET, nat("1024-65535"))]))]
#[case::nat_port_range(policy(&[(NET, nat("500-1000"))]))]
#[case::nat_address_range(policy(&[(NET, nat_to("203.0.113.1-203.0.113.9"))]))]
#[case::nat_one_address(policy(&[(NET, nat_to("203.0.113.1-203.0.113.1"))]))]
#[case::nat_ipv6(policy(&[(NET, nat("1024-65535")), (NET6, nat("1024-65535"))]))]
#[case::egress_usual(with_egress(policy(&[(NET, nat("1024-65535")), (NET6, Access::Routed)]), EgressPreset::InternetOnly, false))]
#[case::egress_exceptions(with_egress(policy(&[(NET, nat("1024-65535"))]), EgressPreset::HostOnly, true))]
#[case::accelerated(with_flowtable(policy(&[(NET, nat("1024-65535")), (NET6, Access::Routed)])))]
#[case::nat_dual_stack(policy(&[(NET, nat("1024-65535")), (NET6, Access::Routed)]))]
#[case::nat_many_subnets(policy(&[(NET, nat("1024-65535")), ("10.0.0.0/20", nat("1024-65535")), ("192.168.0.0/16", nat("1024-65535"))]))]
#[case::forward_device(with_device(policy(&[(NET, nat("1024-65535"))])))]
#[case::route(policy(&[(NET, Access::Routed), (NET6, Access::Routed)]))]
#[case::route_device(with_device(policy(&[(NET, Access::Routed)])))]
#[case::isolated(policy(&[(NET, Access::Isolated)]))]
#[case::isolated_dual_stack(policy(&[(NET, Access::Isolated), (NET6, Access::Isolated)]))]
#[case::ipv6_without_address(with_ipv6(policy(&[(NET, nat("1024-65535"))])))]
#[case::nothing(policy(&[]))]
#[case::port_forwards(with_forwards(policy(&[(NET, nat("1024-65535")), (NET6, Access::Routed)])))]
#[case::redirected(with_redirected(policy(&[(NET, nat("1024-65535")), (NET6, Access::Isolated)])))]
fn compiles_to(#[case] policy: Policy) {
    let name = std::thread::current().name().and_then(|name| name.rsplit("case_").next()).map(str::to_owned);
    // `01_nat_default` reads better without its number.
    let name = name.as_deref().and_then(|name| name.split_once('_')).map(|(_, name)| name).expect("a case has a name");
    insta::assert_snapshot!(name, Ruleset::compile(&policy));
}

#[test]
fn names_cannot_break_out() {
    let mut policy = Policy::new("a\"; drop # ü", "br\"{;#".parse().expect("a name"));
    policy.device = "eth*".parse().ok();
    policy.subnets = vec![Subnet { net: NET.parse().expect("a subnet"), access: Access::Routed }];
    let rules = Ruleset::compile(&policy);
    let text: Vec<String> = rules.rules().map(|(place, rule)| format!("{place}: {rule}")).collect();
    assert_eq!(
        text,
        [
            "same_network: iif \"br?{;#\" oif \"br?{;#\" counter accept \
             comment \"network a'; drop # ü~6df3ed34395bdaec: guests may talk with each other\"",
            "refuse_to: meta nfproto ipv4 oif \"br?{;#\" counter reject \
             comment \"network a'; drop # ü~6df3ed34395bdaec: nothing else may reach the guests (IPv6 is not filtered)\"",
            "refuse_from: meta nfproto ipv4 iif \"br?{;#\" counter reject \
             comment \"network a'; drop # ü~6df3ed34395bdaec: guests may reach nothing else (IPv6 is not filtered)\"",
            "in_a/22/3b/20drop/20/23/20/c3/bc: iifname \"eth\\*\" ip daddr 192.168.122.0/24 counter accept \
             comment \"network a'; drop # ü~6df3ed34395bdaec: routed: anyone may reach these guests\"",
            "out_a/22/3b/20drop/20/23/20/c3/bc: ip saddr 192.168.122.0/24 oifname \"eth\\*\" counter accept \
             comment \"network a'; drop # ü~6df3ed34395bdaec: routed: these guests may reach out\"",
        ]
    );
}

#[test]
fn an_element_is_as_good_as_a_rule() {
    let policy = policy(&[(NET, nat("1024-65535")), (NET6, Access::Routed)]);
    let text: Vec<String> = Ruleset::compile(&policy).rules().map(|(place, rule)| format!("{place}: {rule}")).collect();
    insta::assert_snapshot!("as_rules", text.join("\n"));
}
