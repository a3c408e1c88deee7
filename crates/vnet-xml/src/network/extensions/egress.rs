//! `<vnet:egress>`: what guests of the network may reach beyond it.

use std::fmt;

use vnet_types::{Egress, EgressException, EgressPreset, EgressProtocol, IpNet, PortRange, parse_ip};

use crate::element::{Element, Scope};
use crate::grammar::Grammar;
use crate::value::{number, word};
use crate::write::Writer;

pub(super) const NAME: &str = "vnet:egress";
const ALLOW: &str = "vnet:allow";
const DENY: &str = "vnet:deny";

pub(super) static GRAMMAR: Grammar = Grammar::new(&["preset"], &[(ALLOW, &EXCEPTION), (DENY, &EXCEPTION)]);
static EXCEPTION: Grammar = Grammar::new(&["address", "proto", "port"], &[]);

/// Reads the element in `<vnet:network>`.
pub(super) fn read(network: &Element<'_>, scope: &Scope) -> Option<Egress> {
    let element = network.only_child_in(scope, NAME)?;
    element.expect_in(scope, &GRAMMAR);
    let exceptions = |name| element.children_in(scope, name, |it| exception(it, scope));
    let (allow, deny) = (exceptions(ALLOW), exceptions(DENY));
    let mut egress = Egress::new(element.required("preset", |text| word(text, EgressPreset::WORDS))?);
    (egress.allow, egress.deny) = (allow, deny);
    Some(egress)
}

fn exception(element: &Element<'_>, scope: &Scope) -> Option<EgressException> {
    element.expect_in(scope, &EXCEPTION);
    let mut exception = EgressException::default();
    exception.net = element.value("address", net);
    exception.protocol = element.value("proto", |text| word(text, EgressProtocol::WORDS));
    exception.ports = element.value("port", ports);
    Some(exception)
}

/// An address, or a subnet as ADDRESS/PREFIX.
fn net(text: &str) -> Result<IpNet, String> {
    let expected = || "an address or a subnet, such as `10.0.0.5` or `10.0.0.0/8`".to_owned();
    match text.split_once('/') {
        None => parse_ip(text).map(IpNet::from),
        Some((address, prefix)) => parse_ip(address).and_then(|address| IpNet::new(address, number(prefix).ok()?).ok()),
    }
    .ok_or_else(expected)
}

/// A port, or ports as FIRST-LAST.
fn ports(text: &str) -> Result<PortRange, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let ports = [first, last].map(|port| number::<u16>(port).ok());
    let ports = ports[0].zip(ports[1]).and_then(|(first, last)| PortRange::new(first, last).ok());
    ports.ok_or_else(|| "a port or ports, such as `80` or `8000-8010`".to_owned())
}

pub(super) fn write(egress: &Egress, writer: &mut Writer<'_>) -> fmt::Result {
    let tag = writer.tag(NAME)?.attribute("preset", egress.preset)?;
    if egress.allow.is_empty() && egress.deny.is_empty() {
        return tag.empty();
    }
    let exceptions = egress.allow.iter().map(|it| (ALLOW, it)).chain(egress.deny.iter().map(|it| (DENY, it)));
    tag.around(|writer| {
        exceptions.into_iter().try_for_each(|(name, it)| {
            let ports = it.ports.map(|ports| match ports.start() == ports.end() {
                true => ports.start().to_string(),
                false => ports.to_string(),
            });
            let net = it.net.map(|net| match net.prefix_len() == net.max_prefix_len() {
                true => net.addr().to_string(),
                false => net.to_string(),
            });
            let tag = writer.tag(name)?.optional("address", net)?.optional("proto", it.protocol)?;
            tag.optional("port", ports)?.empty()
        })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use rstest::rstest;

    use super::super::parsed;
    use crate::Network;

    #[test]
    fn it_is_kept() {
        let inner = "<v:egress preset='internet-only'><v:deny port='25' proto='tcp'/>\
                     <v:allow address='10.0.0.5'/><v:allow address='fd00::/8' proto='udp' port='53-54'/></v:egress>";
        let network = parsed(inner).value.unwrap();
        let egress = network.extensions.egress.as_ref().unwrap();
        assert_eq!((egress.allow.len(), egress.deny.len()), (2, 1));
        let printed = network.to_string();
        let expected = "      <vnet:egress preset=\"internet-only\">\n        <vnet:allow address=\"10.0.0.5\"/>\n        \
                        <vnet:allow address=\"fd00::/8\" proto=\"udp\" port=\"53-54\"/>\n        \
                        <vnet:deny proto=\"tcp\" port=\"25\"/>\n      </vnet:egress>\n";
        assert!(printed.contains(expected), "{printed}");
        assert_eq!(printed.parse::<Network>().unwrap().extensions, network.extensions);
    }

    #[rstest]
    #[case("<v:egress/>", "VN0031")]
    #[case("<v:egress preset='internet'/>", "VN0030")]
    #[case("<v:egress preset='any'/><v:egress preset='none'/>", "VN0033")]
    #[case("<v:egress preset='any'><v:allow address='10.0.0.0/33'/></v:egress>", "VN0030")]
    #[case("<v:egress preset='any'><v:allow port='9-8'/></v:egress>", "VN0030")]
    #[case("<v:egress preset='any'><v:allow proto='sctp'/></v:egress>", "VN0030")]
    #[case("<v:egress preset='any'><v:allow ports='9'/></v:egress>", "VN0022")]
    #[case("<v:egress preset='any'><v:permit/></v:egress>", "VN0022")]
    fn what_is_wrong_has_a_code(#[case] inner: &str, #[case] code: &str) {
        let parsed = parsed(inner);
        assert_eq!(parsed.problems.iter().map(|it| it.code.to_string()).collect::<Vec<_>>(), [code]);
        assert!(parsed.into_result().is_err());
    }
}
