//! `<vnet:ovn>`: the network is made by OVN, for all hosts of a cluster.

use std::fmt;
use std::net::IpAddr;

use vnet_types::IpNet;

use crate::element::{Element, Scope};
use crate::grammar::Grammar;
use crate::network::Network;
use crate::value::{ip, number, text};
use crate::write::Writer;

/// `<vnet:ovn>`: the network is made by OVN, for all hosts of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct OvnEngine {
    /// `northbound`: the servers of OVN's northbound database, separated by commas.
    pub northbound: String,
    /// `<vnet:tls>`: what this host proves itself by to servers with `ssl:`.
    #[cfg_attr(feature = "serde", serde(default))]
    pub tls: Option<OvnTls>,
    /// `<vnet:outside>`: what the gateway leads to.
    #[cfg_attr(feature = "serde", serde(default))]
    pub outside: Option<OvnOutside>,
}

impl Network {
    /// Whether OVN makes the network, for all hosts of a cluster, and not this host.
    pub fn is_on_ovn(&self) -> bool {
        self.extensions.ovn.is_some()
    }
}

/// `<vnet:tls>`: files of each host, in PEM. They are those of `ovn-nbctl --private-key`,
/// `--certificate` and `--ca-cert`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct OvnTls {
    /// `key`: the private key, without a passphrase.
    pub key: String,
    /// `certificate`: that of the private key.
    pub certificate: String,
    /// `ca`: the certificates of those who may have signed the servers'.
    pub ca: String,
}

/// `<vnet:outside>`: the physical network beyond the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct OvnOutside {
    /// `network`: its name in the hosts' `ovn-bridge-mappings`.
    pub network: String,
    /// `vlan`: the tag of its frames; untagged if absent.
    pub vlan: Option<u16>,
    /// `<vnet:address>`: the gateway's addresses in it.
    pub addresses: Vec<OvnAddress>,
    /// `<vnet:gateway>`: the hosts that can be the gateway, or one group of them.
    pub gateways: Vec<OvnGateway>,
}

/// `<vnet:address>` of `<vnet:outside>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct OvnAddress {
    /// `address`
    pub address: IpAddr,
    /// `prefix`
    pub prefix: u8,
    /// `gateway`: the next router, which leads to everything else.
    pub gateway: Option<IpAddr>,
}

/// `<vnet:gateway>` of `<vnet:outside>`: a host that can be the gateway, or a group of them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(untagged))]
pub enum OvnGateway {
    /// A host.
    Chassis {
        /// `chassis`: the `system-id` of the host's Open vSwitch.
        chassis: String,
        /// `priority`: the host with the highest one is the gateway; 0 if absent.
        priority: Option<u16>,
    },
    /// The hosts of a group that is in OVN's northbound database, and is shared with others.
    Group {
        /// `group`: the `name` of the `HA_Chassis_Group`.
        group: String,
    },
}

impl OvnEngine {
    /// A network without an outside.
    pub fn new(northbound: impl Into<String>) -> Self {
        Self { northbound: northbound.into(), tls: None, outside: None }
    }
}

impl OvnTls {
    /// The files.
    pub fn new(key: impl Into<String>, certificate: impl Into<String>, ca: impl Into<String>) -> Self {
        Self { key: key.into(), certificate: certificate.into(), ca: ca.into() }
    }
}

impl OvnOutside {
    /// An untagged physical network, without addresses and gateways.
    pub fn new(network: impl Into<String>) -> Self {
        Self { network: network.into(), vlan: None, addresses: Vec::new(), gateways: Vec::new() }
    }
}

impl OvnAddress {
    /// An address of the gateway, and the next router.
    pub fn new(net: IpNet, gateway: Option<IpAddr>) -> Self {
        Self { address: net.addr(), prefix: net.prefix_len(), gateway }
    }

    /// The address with its prefix. `None` if the prefix is too long.
    pub fn net(self) -> Option<IpNet> {
        IpNet::new(self.address, self.prefix).ok()
    }
}

impl OvnGateway {
    /// A host.
    pub fn new(chassis: impl Into<String>, priority: Option<u16>) -> Self {
        Self::Chassis { chassis: chassis.into(), priority }
    }

    /// The hosts of a group.
    pub fn group(group: impl Into<String>) -> Self {
        Self::Group { group: group.into() }
    }

    /// The name of the group, if it is one.
    pub fn as_group(&self) -> Option<&str> {
        if let Self::Group { group } = self { Some(group) } else { None }
    }
}

pub(super) const NAME: &str = "vnet:ovn";
const TLS: &str = "vnet:tls";
const OUTSIDE: &str = "vnet:outside";
const ADDRESS: &str = "vnet:address";
const GATEWAY: &str = "vnet:gateway";

pub(super) static GRAMMAR: Grammar = Grammar::new(&["northbound"], &[(TLS, &TLS_GRAMMAR), (OUTSIDE, &OUTSIDE_GRAMMAR)]);
static TLS_GRAMMAR: Grammar = Grammar::new(&["key", "certificate", "ca"], &[]);
static OUTSIDE_GRAMMAR: Grammar =
    Grammar::new(&["network", "vlan"], &[(ADDRESS, &ADDRESS_GRAMMAR), (GATEWAY, &GATEWAY_GRAMMAR)]);
static ADDRESS_GRAMMAR: Grammar = Grammar::new(&["address", "prefix", "gateway"], &[]);
static GATEWAY_GRAMMAR: Grammar = Grammar::new(&["chassis", "priority", "group"], &[]);

/// Reads the element in `<vnet:network>`.
pub(super) fn read(network: &Element<'_>, scope: &Scope) -> Option<OvnEngine> {
    let element = network.only_child_in(scope, NAME)?;
    element.expect_in(scope, &GRAMMAR);
    let tls = element.only_child_in(scope, TLS).and_then(|it| tls(&it, scope));
    let outside = element.only_child_in(scope, OUTSIDE).and_then(|it| outside(&it, scope));
    Some(OvnEngine { northbound: element.required("northbound", filled)?, tls, outside })
}

fn tls(element: &Element<'_>, scope: &Scope) -> Option<OvnTls> {
    element.expect_in(scope, &TLS_GRAMMAR);
    let [key, certificate, ca] = ["key", "certificate", "ca"].map(|name| element.required(name, filled));
    Some(OvnTls { key: key?, certificate: certificate?, ca: ca? })
}

fn outside(element: &Element<'_>, scope: &Scope) -> Option<OvnOutside> {
    element.expect_in(scope, &OUTSIDE_GRAMMAR);
    let addresses = element.children_in(scope, ADDRESS, |it| {
        it.expect_in(scope, &ADDRESS_GRAMMAR);
        let (address, prefix, gateway) =
            (it.required("address", ip), it.required("prefix", number), it.value("gateway", ip));
        Some(OvnAddress { address: address?, prefix: prefix?, gateway })
    });
    let gateways = element.children_in(scope, GATEWAY, |it| {
        it.expect_in(scope, &GATEWAY_GRAMMAR);
        gateway(it)
    });
    let vlan = element.value("vlan", number);
    Some(OvnOutside { network: element.required("network", filled)?, vlan, addresses, gateways })
}

fn gateway(element: &Element<'_>) -> Option<OvnGateway> {
    let (priority, is_group) = (element.value("priority", number), element.has("group"));
    if is_group && element.has("chassis") {
        element.exclusive("chassis", "group", "leave one of them out: a group names its hosts itself");
    }
    if is_group {
        element.useless_attribute("priority", "on a group, whose hosts have their own");
        return Some(OvnGateway::Group { group: element.value("group", filled)? });
    }
    Some(OvnGateway::Chassis { chassis: element.required("chassis", filled)?, priority })
}

fn filled(value: &str) -> Result<String, String> {
    if value.is_empty() { Err("a text that is not empty".to_owned()) } else { text(value) }
}

pub(super) fn write(engine: &OvnEngine, writer: &mut Writer<'_>) -> fmt::Result {
    let tag = writer.tag(NAME)?.attribute("northbound", &engine.northbound)?;
    if engine.tls.is_none() && engine.outside.is_none() {
        return tag.empty();
    }
    tag.around(|writer| {
        if let Some(OvnTls { key, certificate, ca }) = &engine.tls {
            let tag = writer.tag(TLS)?.attribute("key", key)?.attribute("certificate", certificate)?;
            tag.attribute("ca", ca)?.empty()?;
        }
        let Some(outside) = &engine.outside else { return Ok(()) };
        let tag = writer.tag(OUTSIDE)?.attribute("network", &outside.network)?.optional("vlan", outside.vlan)?;
        if outside.addresses.is_empty() && outside.gateways.is_empty() {
            return tag.empty();
        }
        tag.around(|writer| {
            outside.addresses.iter().try_for_each(|it| {
                writer
                    .tag(ADDRESS)?
                    .attribute("address", it.address)?
                    .attribute("prefix", it.prefix)?
                    .optional("gateway", it.gateway)?
                    .empty()
            })?;
            outside.gateways.iter().try_for_each(|it| match it {
                OvnGateway::Chassis { chassis, priority } => {
                    writer.tag(GATEWAY)?.attribute("chassis", chassis)?.optional("priority", *priority)?.empty()
                }
                OvnGateway::Group { group } => writer.tag(GATEWAY)?.attribute("group", group)?.empty(),
            })
        })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use rstest::rstest;

    use super::super::parsed;
    use crate::Network;

    #[rstest]
    #[case("<v:ovn northbound='tcp:192.0.2.1:6641,tcp:192.0.2.2:6641'/>")]
    #[case("<v:ovn northbound='unix:/nb.sock'><v:outside network='phys'/></v:ovn>")]
    #[case("<v:ovn northbound='ssl:192.0.2.1:6641'><v:tls key='/k' certificate='/c' ca='/a'/></v:ovn>")]
    #[case(
        "<v:ovn northbound='unix:/nb.sock'><v:outside network='phys' vlan='30'>\
         <v:address address='192.0.2.10' prefix='24' gateway='192.0.2.1'/><v:address address='2001:db8::10' prefix='64'/>\
         <v:gateway chassis='h1' priority='20'/><v:gateway chassis='h2'/></v:outside></v:ovn>"
    )]
    #[case("<v:ovn northbound='unix:/nb.sock'><v:outside network='p'><v:gateway group='edge'/></v:outside></v:ovn>")]
    fn it_is_kept(#[case] inner: &str) {
        let network = parsed(inner).value.unwrap();
        assert!(network.extensions.ovn.is_some());
        let printed = network.to_string();
        assert_eq!(printed.matches("<vnet:").count(), inner.matches("<v:").count() + 1, "{printed}");
        assert_eq!(printed.parse::<Network>().unwrap().extensions, network.extensions);
    }

    #[rstest]
    #[case("<v:ovn/>", "VN0031")]
    #[case("<v:ovn northbound=''/>", "VN0030")]
    #[case("<v:ovn northbound='tcp:1.2.3.4'/><v:ovn northbound='tcp:1.2.3.4'/>", "VN0033")]
    #[case("<v:ovn northbound='tcp:1.2.3.4'><v:outside/></v:ovn>", "VN0031")]
    #[case("<v:ovn northbound='ssl:1.2.3.4'><v:tls key='/k' ca='/a'/></v:ovn>", "VN0031")]
    #[case("<v:ovn northbound='ssl:1.2.3.4'><v:tls key='' certificate='/c' ca='/a'/></v:ovn>", "VN0030")]
    #[case("<v:ovn northbound='tcp:1.2.3.4'><v:outside network='p' vlan='x'/></v:ovn>", "VN0030")]
    #[case(
        "<v:ovn northbound='tcp:1.2.3.4'><v:outside network='p'><v:address address='10.0.0.1'/></v:outside></v:ovn>",
        "VN0031"
    )]
    #[case("<v:ovn northbound='tcp:1.2.3.4'><v:outside network='p'><v:gateway/></v:outside></v:ovn>", "VN0031")]
    #[case(
        "<v:ovn northbound='tcp:1.2.3.4'><v:outside network='p'><v:gateway group=''/></v:outside></v:ovn>",
        "VN0030"
    )]
    #[case(
        "<v:ovn northbound='tcp:1.2.3.4'><v:outside network='p'><v:gateway chassis='a' group='g'/></v:outside></v:ovn>",
        "VN0033"
    )]
    fn what_is_wrong_has_a_code(#[case] inner: &str, #[case] code: &str) {
        assert_eq!(parsed(inner).problems.iter().map(|it| it.code.to_string()).collect::<Vec<_>>(), [code]);
    }
}
