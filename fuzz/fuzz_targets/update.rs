//! Updates of a network by any element: a refusal changes nothing, and what is updated prints and
//! reads back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vnet_xml::Network;
use vnet_xml::network::{Command, Section};

const NETWORK: &str = "<network><name>n</name><forward dev='eth0' mode='nat'/>
<dns><txt name='a' value='b'/><host ip='192.0.2.1'><hostname>h</hostname></host></dns>
<ip address='192.168.1.1' prefix='24'><dhcp><range start='192.168.1.2' end='192.168.1.9'/>
<host mac='52:54:00:00:00:01' name='a' ip='192.168.1.20'/></dhcp></ip><ip family='ipv6' address='fd00::1' prefix='64'/>
<route address='10.0.0.0' prefix='8' gateway='192.168.1.7'/><portgroup name='g'/></network>";

const SECTIONS: [Section; 18] = [
    Section::Bridge,
    Section::Domain,
    Section::Ip,
    Section::IpDhcpHost,
    Section::IpDhcpRange,
    Section::Forward,
    Section::ForwardInterface,
    Section::ForwardPf,
    Section::PortGroup,
    Section::DnsHost,
    Section::DnsTxt,
    Section::DnsSrv,
    Section::Route,
    Section::Mtu,
    Section::Bandwidth,
    Section::Vlan,
    Section::Nat,
    Section::Port,
];
const COMMANDS: [Command; 4] = [Command::AddFirst, Command::AddLast, Command::Modify, Command::Delete];

fuzz_target!(|input: (u8, u8, Option<u8>, &[u8])| {
    let (section, command, parent, element) = input;
    let network: Network = NETWORK.parse().expect("a sound network");
    let section = SECTIONS[usize::from(section) % SECTIONS.len()];
    let command = COMMANDS[usize::from(command) % COMMANDS.len()];
    let Ok(updated) = network.update(section, command, parent.map(usize::from), element) else { return };
    vnet_validate::check(&updated.network);
    let text = updated.network.to_string();
    let again: Network = text.parse().unwrap_or_else(|refused| panic!("{text}\n{refused}"));
    assert_eq!(again.to_string(), text);
});
