//! Updates of a network: the lines that change, or the refusal with its place in the element.
#![allow(clippy::unwrap_used, reason = "a test")]

use rstest::rstest;
use vnet_xml::Network;
use vnet_xml::network::{Command, Section, UpdateError};

const NETWORK: &str = "<network>
  <name>lab</name>
  <forward dev='eth1' mode='nat'>
    <nat ipv6='yes'/>
    <interface dev='eth1' connections='2'/>
    <interface dev='eth2'/>
  </forward>
  <bridge name='virbr7' stp='on' delay='0'/>
  <domain name='lab.example'/>
  <dns>
    <txt name='one' value='1'/>
    <srv service='ldap' protocol='tcp' domain='a'/>
    <srv service='ldap' protocol='udp' domain='b'/>
    <host ip='10.0.0.10'>
      <hostname>ten</hostname>
      <hostname>shared</hostname>
    </host>
    <host ip='10.0.0.11'>
      <hostname>shared</hostname>
    </host>
  </dns>
  <ip address='10.1.0.1' prefix='24'>
  </ip>
  <ip address='10.0.0.1' prefix='24'>
    <dhcp>
      <range start='10.0.0.100' end='10.0.0.199'/>
      <host mac='52:54:00:00:00:10' name='ten' ip='10.0.0.10'/>
      <host name='eleven' ip='10.0.0.11'/>
    </dhcp>
  </ip>
  <ip family='ipv6' address='fd00::1' prefix='64'>
  </ip>
  <route address='10.9.0.0' prefix='16' gateway='10.0.0.9'/>
  <route address='10.9.0.0' prefix='16' gateway='10.0.0.8' metric='2'/>
  <portgroup name='one' default='yes'>
  </portgroup>
  <portgroup name='two'>
  </portgroup>
</network>
";

/// Section, command, index of the parent (optional), element, and the added and removed lines or
/// the refusal.
#[rstest]
#[case(
    "ip-dhcp-host add -",
    "<host mac='52:54:0:0:0:12' ip='10.0.0.12'/>",
    "+<host mac='52:54:0:0:0:12' ip='10.0.0.12'/>"
)]
#[case(
    "ip-dhcp-host add-first 2",
    "<host name='six' ip='fd00::6'/>",
    "+<dhcp> +<host name='six' ip='fd00::6'/> +</dhcp>"
)]
#[case(
    "ip-dhcp-host add-last 0",
    "<host name='x' ip='10.1.0.6'/>",
    "<host name='x' ip='10.1.0.6'/>: the ipv4 subnet of `10.0.0.1` has DHCP already, and only one of each family can"
)]
#[case(
    "ip-dhcp-host add-last 3",
    "<host name='x' ip='10.1.0.6'/>",
    "<host name='x' ip='10.1.0.6'/>: the network has no `<ip>` with the index 3: they count from 0"
)]
#[case(
    "ip-dhcp-host add-last -",
    "<host mac='52:54:00:00:00:1G' ip='10.0.0.12'/>",
    "52:54:00:00:00:1G: `52:54:00:00:00:1G` is not a MAC address such as 52:54:00:12:34:56"
)]
#[case(
    "ip-dhcp-host add-last -",
    "<host mac='52:54:0:0:0:10' ip='10.0.0.12'/>",
    "52:54:0:0:0:10: the network has a DHCP host with the MAC address `52:54:0:0:0:10` already"
)]
#[case(
    "ip-dhcp-host add-last -",
    "<host name='eleven' ip='10.0.0.12'/>",
    "eleven: the network has a DHCP host with the name `eleven` already"
)]
#[case(
    "ip-dhcp-host add-last -",
    "<host name='x' ip='10.0.0.11'/>",
    "10.0.0.11: the network has a DHCP host with the address `10.0.0.11` already"
)]
#[case(
    "ip-dhcp-host add-last -",
    "<host name='x' ip='fd00::6'/>",
    "fd00::6: `fd00::6` is not ipv4 as the `<ip>` is that it belongs to"
)]
#[case("ip-dhcp-host add-last -", "<host name='x'/>", "host: `<host>` lacks the attribute `ip`")]
#[case(
    "ip-dhcp-host modify -",
    "<host name='eleven' ip='10.0.0.99'/>",
    "-<host name='eleven' ip='10.0.0.11'/> +<host name='eleven' ip='10.0.0.99'/>"
)]
#[case(
    "ip-dhcp-host modify -",
    "<host name='x' ip='10.0.0.10'/>",
    "-<host mac='52:54:00:00:00:10' name='ten' ip='10.0.0.10'/> +<host name='x' ip='10.0.0.10'/>"
)]
#[case(
    "ip-dhcp-host modify -",
    "<host name='x' ip='10.0.0.99'/>",
    "<host name='x' ip='10.0.0.99'/>: the network has no DHCP host like the one with the name `x` or the address `10.0.0.99`"
)]
#[case("ip-dhcp-host delete -", "<host ip='10.0.0.11'/>", "-<host name='eleven' ip='10.0.0.11'/>")]
#[case(
    "ip-dhcp-host delete -",
    "<host mac='52:54:00:00:00:10'/>",
    "-<host mac='52:54:00:00:00:10' name='ten' ip='10.0.0.10'/>"
)]
#[case(
    "ip-dhcp-host delete -",
    "<host name='ten' ip='10.0.0.11'/>",
    "<host name='ten' ip='10.0.0.11'/>: the network has no such DHCP host"
)]
#[case(
    "ip-dhcp-host delete -",
    "<host id='0:1'/>",
    "<host id='0:1'/>: the element says nothing by which one could be found"
)]
#[case(
    "ip-dhcp-host delete 1",
    "<hots ip='10.0.0.11'/>",
    "<hots ip='10.0.0.11'/>: the root element is `<hots>`, not `<host>`; did you mean `<host>`?"
)]
#[case(
    "ip-dhcp-range add-last -",
    "<range start='10.0.0.200' end='10.0.0.201'><lease expiry='1' unit='hours'/></range>",
    "+<range start='10.0.0.200' end='10.0.0.201'> +<lease expiry='1' unit='hours'/> +</range>"
)]
#[case(
    "ip-dhcp-range add-last -",
    "<range start='10.0.0.100' end='10.0.0.199'/>",
    "10.0.0.100: the network has a DHCP range from `10.0.0.100` to `10.0.0.199` already"
)]
#[case(
    "ip-dhcp-range modify -",
    "<range start='10.0.0.100' end='10.0.0.199'/>",
    "<range start='10.0.0.100' end='10.0.0.199'/>: a `ip-dhcp-range` cannot be modified: delete it and add another one"
)]
#[case(
    "ip-dhcp-range delete -",
    "<range start='10.0.0.100' end='10.0.0.199'/>",
    "-<range start='10.0.0.100' end='10.0.0.199'/>"
)]
#[case(
    "ip-dhcp-range delete -",
    "<range start='10.0.0.100' end='10.0.0.198'/>",
    "<range start='10.0.0.100' end='10.0.0.198'/>: the network has no DHCP range from `10.0.0.100` to `10.0.0.198`"
)]
#[case("forward-interface add-last -", "<interface dev='eth3' connections='7'/>", "+<interface dev='eth3'/>")]
#[case(
    "forward-interface add-first -",
    "<interface dev='eth2'/>",
    "eth2: the network has the interface `eth2` already"
)]
#[case("forward-interface delete -", "<interface dev='eth2'/>", "-<interface dev='eth2'/>")]
#[case("forward-interface delete -", "<interface dev='eth1'/>", "eth1: the interface `eth1` is in use by 2 guests")]
#[case("forward-interface delete -", "<interface dev='eth9'/>", "eth9: the network has no interface `eth9`")]
#[case(
    "forward-interface modify -",
    "<interface dev='eth2'/>",
    "<interface dev='eth2'/>: a `forward-interface` cannot be modified: delete it and add another one"
)]
#[case("portgroup add-last -", "<portgroup name='three'/>", "+<portgroup name='three'> +</portgroup>")]
#[case("portgroup add-last -", "<portgroup name='two'/>", "two: the network has a portgroup `two` already")]
#[case(
    "portgroup add-last -",
    "<portgroup name='three' default='yes'/>",
    "yes: the portgroup `one` is the default one already"
)]
#[case(
    "portgroup modify -",
    "<portgroup name='two' default='yes'/>",
    "yes: the portgroup `one` is the default one already"
)]
#[case(
    "portgroup modify -",
    "<portgroup name='one'/>",
    "-<portgroup name='one' default='yes'> +<portgroup name='one'>"
)]
#[case("portgroup delete -", "<portgroup name='two' default='yes'/>", "-<portgroup name='two'> -</portgroup>")]
#[case("portgroup delete -", "<portgroup name='none'/>", "none: the network has no portgroup `none`")]
#[case(
    "dns-host add-last -",
    "<host ip='10.0.0.12'><hostname>shared</hostname></host>",
    "+<host ip='10.0.0.12'> +<hostname>shared</hostname> +</host>"
)]
#[case(
    "dns-host add-last -",
    "<host ip='10.0.0.10'><hostname>x</hostname></host>",
    "10.0.0.10: the network has a DNS host with the address `10.0.0.10` already"
)]
#[case(
    "dns-host add-last -",
    "<host ip='10.0.0.10'/>",
    "host: `<host>` lacks `<hostname>`; add a `<hostname>` element"
)]
#[case(
    "dns-host modify -",
    "<host ip='10.0.0.11'><hostname>x</hostname></host>",
    "-<hostname>shared</hostname> +<hostname>x</hostname>"
)]
#[case(
    "dns-host modify -",
    "<host ip='10.0.0.12'><hostname>x</hostname></host>",
    "10.0.0.12: the network has no DNS host with the address `10.0.0.12`"
)]
#[case(
    "dns-host delete -",
    "<host><hostname>ten</hostname></host>",
    "-<host ip='10.0.0.10'> -<hostname>ten</hostname> -<hostname>shared</hostname> -</host>"
)]
#[case(
    "dns-host delete -",
    "<host><hostname>shared</hostname></host>",
    "<host>: 2 of the network's elements could be meant by such `<host>` of DNS: say more of the one"
)]
#[case(
    "dns-host delete -",
    "<host ip='10.0.0.10'><hostname>shared</hostname></host>",
    "<host ip='10.0.0.10'>: 2 of the network's elements could be meant by such `<host>` of DNS: say more of the one"
)]
#[case("dns-host delete -", "<host/>", "<host/>: the element says nothing by which one could be found")]
#[case("dns-txt add-first -", "<txt name='two' value='2'/>", "+<txt name='two' value='2'/>")]
#[case("dns-txt add-last -", "<txt name='one' value='2'/>", "one: the network has a TXT record `one` already")]
#[case("dns-txt modify -", "<txt name='one' value='2'/>", "-<txt name='one' value='1'/> +<txt name='one' value='2'/>")]
#[case("dns-txt modify -", "<txt name='one'/>", "txt: `<txt>` lacks the attribute `value`")]
#[case("dns-txt modify -", "<txt name='two' value='2'/>", "two: the network has no TXT record `two`")]
#[case("dns-txt delete -", "<txt name='one'/>", "-<txt name='one' value='1'/>")]
#[case(
    "dns-srv add-last -",
    "<srv service='ldap' protocol='tcp' domain='b'/>",
    "+<srv service='ldap' protocol='tcp' domain='b'/>"
)]
#[case(
    "dns-srv add-last -",
    "<srv service='ldap' protocol='tcp'/>",
    "ldap: the network has such an SRV record already"
)]
#[case("dns-srv add-last -", "<srv service='ldap'/>", "srv: `<srv>` lacks the attribute `protocol`")]
#[case(
    "dns-srv modify -",
    "<srv service='ldap' protocol='tcp'/>",
    "<srv service='ldap' protocol='tcp'/>: a `dns-srv` cannot be modified: delete it and add another one"
)]
#[case("dns-srv delete -", "<srv protocol='udp'/>", "-<srv service='ldap' protocol='udp' domain='b'/>")]
#[case(
    "dns-srv delete -",
    "<srv service='ldap'/>",
    "<srv service='ldap'/>: 2 of the network's elements could be meant by such SRV record: say more of the one"
)]
#[case(
    "bridge modify -",
    "<bridge name='virbr8'/>",
    "-<bridge name='virbr7' stp='on' delay='0'/> +<bridge name='virbr8' stp='on' delay='0'/>"
)]
#[case("bridge add-last -", "<bridge name='virbr8'/>", "<bridge name='virbr8'/>: the network has a `<bridge>` already")]
#[case("domain delete -", "<domain name='other'/>", "<domain name='other'/>: the network has no `<domain>` like this")]
#[case("domain delete -", "<domain/>", "-<domain name='lab.example'/>")]
#[case("mtu add-last -", "<mtu size='9000'/>", "+<mtu size='9000'/>")]
#[case("mtu add-last -", "<mtu/>", "<mtu/>: the element says nothing by which one could be found")]
#[case("mtu modify -", "<mtu size='9000'/>", "<mtu size='9000'/>: the network has no `<mtu>`")]
#[case("vlan add-last -", "<vlan><tag id='9'/></vlan>", "+<vlan> +<tag id='9'/> +</vlan>")]
#[case("vlan delete -", "<vlan/>", "<vlan/>: the network has no `<vlan>`")]
#[case("port add-last -", "<port isolated='yes'/>", "+<port isolated='yes'/>")]
#[case(
    "bandwidth add-last -",
    "<bandwidth><inbound average='5'/></bandwidth>",
    "+<bandwidth> +<inbound average='5'/> +</bandwidth>"
)]
#[case("nat modify -", "<nat ipv6='no'/>", "-<nat ipv6='yes'/> +<nat ipv6='no'/>")]
#[case("nat delete -", "<nat/>", "-<nat ipv6='yes'/>")]
#[case(
    "forward modify -",
    "<forward mode='route'/>",
    "-<forward dev='eth1' mode='nat'> -<nat ipv6='yes'/> -<interface dev='eth1' connections='2'/> -<interface dev='eth2'/> -</forward> +<forward mode='route'/>"
)]
#[case(
    "forward-pf add-last -",
    "<pf dev='eth4'/>",
    "-<forward dev='eth1' mode='nat'> +<forward mode='nat'> +<pf dev='eth4'/>"
)]
#[case("ip add-last -", "<ip address='10.2.0.1' prefix='24'/>", "+<ip address='10.2.0.1' prefix='24'> +</ip>")]
#[case(
    "ip add-last -",
    "<ip address='10.1.0.1' prefix='16'/>",
    "10.1.0.1: the network has an `<ip>` with the address `10.1.0.1` already"
)]
#[case(
    "ip modify -",
    "<ip address='10.1.0.1' prefix='16'/>",
    "-<ip address='10.1.0.1' prefix='24'> +<ip address='10.1.0.1' prefix='16'>"
)]
#[case("ip delete -", "<ip address='10.1.0.1'/>", "-<ip address='10.1.0.1' prefix='24'> -</ip>")]
#[case("ip delete -", "<ip address='10.1.0.2'/>", "10.1.0.2: the network has no `<ip>` with the address `10.1.0.2`")]
#[case(
    "route add-last -",
    "<route address='10.9.0.0' prefix='16' gateway='10.0.0.7' metric='3'/>",
    "+<route address='10.9.0.0' prefix='16' gateway='10.0.0.7' metric='3'/>"
)]
#[case(
    "route add-last -",
    "<route address='10.9.0.0' netmask='255.255.0.0' gateway='10.0.0.7'/>",
    "10.9.0.0: the network has a `<route>` to `10.9.0.0/16` with the metric 1 already"
)]
#[case(
    "route modify -",
    "<route address='10.9.0.0' prefix='16' gateway='10.0.0.7' metric='2'/>",
    "-<route address='10.9.0.0' prefix='16' gateway='10.0.0.8' metric='2'/> +<route address='10.9.0.0' prefix='16' gateway='10.0.0.7' metric='2'/>"
)]
#[case(
    "route delete -",
    "<route address='10.9.0.0' prefix='16' gateway='10.0.0.9'/>",
    "-<route address='10.9.0.0' prefix='16' gateway='10.0.0.9'/>"
)]
fn updates(#[case] call: &str, #[case] element: &str, #[case] expected: &str) {
    let network: Network = NETWORK.parse().unwrap();
    let words: Vec<&str> = call.split(' ').collect();
    let (section, command): (Section, Command) = (words[0].parse().unwrap(), words[1].parse().unwrap());
    assert_eq!(section.to_string(), words[0]);
    assert!(element.starts_with(&format!("<{}", section.element())) || element.starts_with("<hots"));
    let found = match network.update(section, command, words[2].parse().ok(), element.as_bytes()) {
        Ok(updated) => {
            let at = updated.path.map(|path| path.to_string());
            assert!(at.is_none_or(|at| at.starts_with("/network/")));
            changes(&updated.network.to_string())
        }
        Err(UpdateError::Element(refused)) => {
            let problem = &refused.problems[0];
            let help = problem.help.iter().fold(String::new(), |text, help| text + "; " + help);
            format!("{}: {}{help}", &element[problem.span.clone()], problem.message)
        }
        Err(UpdateError::Refused { reason, span }) => format!("{}: {reason}", &element[span.unwrap()]),
        Err(other) => panic!("{other}"),
    };
    assert_eq!(found, expected);
}

/// The removed and the added lines.
fn changes(after: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (NETWORK.lines().collect(), after.lines().collect());
    // The length of the longest common subsequence of the remaining lines.
    let mut common = vec![vec![0; new.len() + 1]; old.len() + 1];
    for (at, to) in (0..old.len()).rev().flat_map(|at| (0..new.len()).rev().map(move |to| (at, to))) {
        common[at][to] =
            if old[at] == new[to] { 1 + common[at + 1][to + 1] } else { common[at + 1][to].max(common[at][to + 1]) };
    }
    let (mut at, mut to) = (0, 0);
    let (mut gone, mut come) = (Vec::new(), Vec::new());
    while at < old.len() || to < new.len() {
        if at < old.len() && to < new.len() && old[at] == new[to] {
            (at, to) = (at + 1, to + 1);
        } else if to == new.len() || at < old.len() && common[at + 1][to] >= common[at][to + 1] {
            gone.push(format!("-{}", old[at].trim()));
            at += 1;
        } else {
            come.push(format!("+{}", new[to].trim()));
            to += 1;
        }
    }
    gone.into_iter().chain(come).collect::<Vec<_>>().join(" ")
}

#[rstest]
#[case("add", Some("add-last"))]
#[case("add-first", Some("add-first"))]
#[case("replace", None)]
fn commands(#[case] word: &str, #[case] read: Option<&str>) {
    assert_eq!(word.parse::<Command>().ok().map(|command| command.to_string()).as_deref(), read);
}

#[test]
fn a_network_without_the_parent_is_told_so() {
    let network = Network::new("n");
    let refused = |section, element: &str| {
        network.update(section, Command::AddLast, None, element.as_bytes()).unwrap_err().to_string()
    };
    let host = "<host name='x' ip='10.0.0.1'/>";
    assert_eq!(refused(Section::IpDhcpHost, host), "the network has no `<ip>` that could have this");
    assert_eq!(
        refused(Section::ForwardInterface, "<interface dev='x'/>"),
        "the network has no `<forward>` that could have this"
    );
    assert_eq!(refused(Section::Nat, "<nat/>"), "the network has no `<forward mode='nat'>` that could have this");
}
