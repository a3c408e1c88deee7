//! `<domain>` and `<dns>`.

use rstest::rstest;
use vnet_validate::refused_by_dnsmasq;
use vnet_xml::Network;
use vnet_xml::network::{DnsHost, Domain, Forwarder, Srv, Txt};

use crate::{addr, assert_found, dns};

fn domain(network: &mut Network, name: &str, local_only: Option<bool>, register: Option<bool>) {
    let mut domain = Domain::default();
    (domain.name, domain.local_only, domain.register) = (name.into(), local_only, register);
    network.domain = Some(domain);
}

fn forwarder(network: &mut Network, domain: Option<&str>, server: Option<&str>) {
    let mut forwarder = Forwarder::default();
    (forwarder.domain, forwarder.addr) = (domain.map(str::to_owned), server.map(addr));
    dns(network).forwarders.push(forwarder);
}

fn txt(network: &mut Network, name: &str, value: &str) {
    dns(network).txts.push(Txt { name: name.into(), value: value.into() });
}

fn srv<'n>(network: &'n mut Network, service: &str, protocol: &str, target: Option<&str>) -> &'n mut Srv {
    let mut srv = Srv::default();
    (srv.service, srv.protocol, srv.target) = (service.into(), protocol.into(), target.map(str::to_owned));
    let srvs = &mut dns(network).srvs;
    srvs.push(srv);
    srvs.last_mut().unwrap()
}

fn host(network: &mut Network, names: &[&str]) {
    let hostnames = names.iter().map(|name| (*name).to_owned()).collect();
    dns(network).hosts.push(DnsHost { ip: addr("192.168.100.5"), hostnames });
}

fn bridge(network: &mut Network) {
    network.bridge.get_or_insert_default().name = Some("virbr5".parse().unwrap());
}

fn option(network: &mut Network, line: &str) {
    network.dnsmasq_options.push(line.into());
}

#[rstest]
#[case::domain(|n: &mut Network| domain(n, "lab.example", None, None), &[])]
#[case::domain_injects(|n: &mut Network| domain(n, "lab\nserver=6.6.6.6", None, None), &["VN0301 /network/domain/@name"])]
#[case::domain_field(|n: &mut Network| domain(n, "lab,10.0.0.0/8", None, None), &["VN0301 /network/domain/@name"])]
#[case::domain_empty(|n: &mut Network| domain(n, "", None, None), &["VN0301 /network/domain/@name"])]
#[case::domain_unicode(|n: &mut Network| domain(n, "bücher", None, None), &["VN0302 /network/domain/@name"])]
#[case::register(|n: &mut Network| domain(n, "lab", None, Some(true)), &["VN0303 /network/domain/@register"])]
#[case::register_no(|n: &mut Network| domain(n, "lab", Some(false), Some(true)), &["VN0303 /network/domain/@register"])]
#[case::register_local(|n: &mut Network| domain(n, "lab", Some(true), Some(true)), &[])]
#[case::register_disabled(|n: &mut Network| { domain(n, "lab", Some(true), Some(true)); dns(n).enable = Some(false) }, &["VN0319 /network/domain/@register"])]
#[case::register_without_ip(|n: &mut Network| { domain(n, "lab", Some(true), Some(true)); n.forward = None; n.ips.clear() }, &["VN0319 /network/domain/@register"])]
#[case::disabled(|n: &mut Network| { dns(n).enable = Some(false); forwarder(n, None, Some("9.9.9.9")) }, &["VN0304 /network/dns/@enable"])]
#[case::disabled_empty(|n: &mut Network| dns(n).enable = Some(false), &[])]
#[case::forwarder_empty(|n: &mut Network| forwarder(n, None, None), &["VN0305 /network/dns/forwarder[1]"])]
#[case::forwarder_domain(|n: &mut Network| forwarder(n, Some("example.com"), None), &[])]
#[case::forwarder_wildcard(|n: &mut Network| forwarder(n, Some("*.example.com"), Some("9.9.9.9")), &[])]
#[case::forwarder_plain_names(|n: &mut Network| forwarder(n, Some(""), Some("9.9.9.9")), &[])]
#[case::forwarder_injects(|n: &mut Network| forwarder(n, Some("a/b"), None), &["VN0301 /network/dns/forwarder[1]/@domain"])]
#[case::host(|n: &mut Network| host(n, &["web", "web.lab"]), &[])]
#[case::host_nameless(|n: &mut Network| host(n, &[]), &["VN0306 /network/dns/host[1]"])]
#[case::host_empty(|n: &mut Network| host(n, &["web", ""]), &["VN0306 /network/dns/host[1]/hostname[2]"])]
#[case::host_injects(|n: &mut Network| host(n, &["web\n6.6.6.6 bank"]), &["VN0301 /network/dns/host[1]/hostname[1]"])]
#[case::srv_minimal(|n: &mut Network| { srv(n, "name", "tcp", None); }, &[])]
#[case::srv_odd_service(|n: &mut Network| { srv(n, "a_b-c+d/e*", "tcp-x", None); }, &[])]
#[case::srv_service(|n: &mut Network| { srv(n, "na me", "tcp", None); }, &["VN0307 /network/dns/srv[1]/@service"])]
#[case::srv_service_empty(|n: &mut Network| { srv(n, "", "tcp", None); }, &["VN0307 /network/dns/srv[1]/@service"])]
#[case::srv_service_long(|n: &mut Network| { srv(n, &"a".repeat(63), "tcp", None); }, &["VN0307 /network/dns/srv[1]/@service"])]
#[case::srv_protocol(|n: &mut Network| { srv(n, "name", "_tcp", None); }, &["VN0308 /network/dns/srv[1]/@protocol"])]
#[case::srv_without_target(|n: &mut Network| srv(n, "name", "tcp", None).weight = Some(1), &["VN0309 /network/dns/srv[1]/@weight"])]
#[case::srv_no_service(|n: &mut Network| srv(n, "name", "tcp", Some(".")).port = Some(1024), &[])]
#[case::srv_port_zero(|n: &mut Network| srv(n, "name", "tcp", Some("web")).port = Some(0), &["VN0310 /network/dns/srv[1]/@port"])]
#[case::srv_target_injects(|n: &mut Network| { srv(n, "name", "tcp", Some("web,5")); }, &["VN0301 /network/dns/srv[1]/@target"])]
#[case::txt(|n: &mut Network| txt(n, "_dmarc.lab", "v=DMARC1; p=none, \"x\""), &[])]
#[case::txt_space(|n: &mut Network| txt(n, "a b", "v"), &["VN0311 /network/dns/txt[1]/@name"])]
#[case::txt_comma(|n: &mut Network| txt(n, "a,b", "v"), &["VN0311 /network/dns/txt[1]/@name"])]
#[case::txt_control(|n: &mut Network| txt(n, "a", "v\0"), &["VN0301 /network/dns/txt[1]/@value"])]
#[case::txt_newline_name(|n: &mut Network| txt(n, "a\nb", "v"), &["VN0301 /network/dns/txt[1]/@name"])]
#[case::txt_long(|n: &mut Network| txt(n, "a", &"v".repeat(1200)), &["VN0313 /network/dns/txt[1]/@value"])]
#[case::without_ip(|n: &mut Network| { n.forward = None; n.ips.clear(); txt(n, "a", "v") }, &["VN0312 /network/dns"])]
#[case::options(|n: &mut Network| { option(n, "log-queries"); option(n, "port=0"); option(n, "user=nobody") }, &[])]
#[case::option_foreground(|n: &mut Network| { option(n, "log-queries"); option(n, " no-daemon") }, &["VN0316 /network/dnsmasq:options[1]/dnsmasq:option[2]/@value"])]
#[case::option_pid_file(|n: &mut Network| option(n, "pid-file=/run/x.pid"), &["VN0316 /network/dnsmasq:options[1]/dnsmasq:option[1]/@value"])]
#[case::option_lease_max(|n: &mut Network| option(n, "dhcp-lease-max=500"), &["VN0316 /network/dnsmasq:options[1]/dnsmasq:option[1]/@value"])]
#[case::option_lease_max_alone(|n: &mut Network| { n.ips[0].dhcp = None; option(n, "dhcp-lease-max=500") }, &[])]
#[case::option_port_twice(|n: &mut Network| { dns(n).enable = Some(false); option(n, "port=0") }, &["VN0316 /network/dnsmasq:options[1]/dnsmasq:option[1]/@value"])]
#[case::option_own_bridge(|n: &mut Network| { bridge(n); option(n, "interface=virbr5"); option(n, "listen-address=192.168.100.1") }, &[])]
#[case::option_not_bridge(|n: &mut Network| { bridge(n); option(n, "except-interface=virbr*") }, &["VN0316 /network/dnsmasq:options[1]/dnsmasq:option[1]/@value"])]
#[case::option_other_interface(|n: &mut Network| option(n, "interface=eth0"), &["VN0317 /network/dnsmasq:options[1]/dnsmasq:option[1]/@value"])]
#[case::option_other_address(|n: &mut Network| option(n, "listen-address=192.0.2.1"), &["VN0317 /network/dnsmasq:options[1]/dnsmasq:option[1]/@value"])]
#[case::option_file(|n: &mut Network| option(n, "conf-file=/etc/x.conf"), &["VN0317 /network/dnsmasq:options[1]/dnsmasq:option[1]/@value"])]
#[case::option_without_dnsmasq(|n: &mut Network| { n.forward = None; n.ips.clear(); option(n, "no-daemon") }, &["VN0523 /network/dnsmasq:options[1]/dnsmasq:option[1]/@value"])]
fn findings(#[case] change: fn(&mut Network), #[case] expected: &[&str]) {
    assert_found(change, expected);
}

#[test]
fn what_dnsmasq_refuses_has_a_place() {
    let mut network = Network::new("n");
    network.dnsmasq_options = vec!["log-queries".into(), " dhcp-options=3".into()];
    let found = refused_by_dnsmasq(&network, "dhcp-options=3", "bad option").unwrap();
    assert_eq!(
        crate::lines(std::slice::from_ref(&found)),
        ["VN0318 /network/dnsmasq:options[1]/dnsmasq:option[2]/@value"]
    );
    assert_eq!(found.message, "dnsmasq refuses the option `dhcp-options=3`: bad option");
    assert_eq!(refused_by_dnsmasq(&network, "strict-order", "bad option"), None);
}
