//! The network itself and its bridge: `<name>`, `<uuid>`, `<title>`, `<bridge>`, `<mtu>`, `<mac>`.

use vnet_types::{NameError, NetworkName};
use vnet_xml::{Edit, Network, NodePath};

use crate::finding::Finding;
use crate::rules;

/// The kernel's limits for the forward delay of a bridge with STP, in seconds
/// (`BR_MIN_FORWARD_DELAY`, `BR_MAX_FORWARD_DELAY`).
const FORWARD_DELAY: std::ops::RangeInclusive<u64> = 2..=30;

/// The kernel's limits for the MTU of a bridge (`ETH_MIN_MTU`, `ETH_MAX_MTU`).
const MTU: std::ops::RangeInclusive<u32> = 68..=65_535;

/// The minimum MTU of IPv6 (RFC 8200, section 5).
const IPV6_MIN_MTU: u32 = 1280;

pub(crate) fn check(network: &Network, root: &NodePath) -> Vec<Finding> {
    [name, title, uuid, delay, mtu, mac].into_iter().filter_map(|rule| rule(network, root)).collect()
}

fn name(network: &Network, root: &NodePath) -> Option<Finding> {
    let error = network.name.parse::<NetworkName>().err()?;
    let help = match &error {
        NameError::Character { character, .. } => {
            let kept =
                network.name.chars().map(|c| if c == '/' || c.is_control() { '-' } else { c }).collect::<String>();
            format!("leave out {character:?}, for example `{kept}`")
        }
        _ => format!("give it a name of 1 to {} bytes", NetworkName::MAX_LEN),
    };
    Some(Finding::new(rules::NETWORK_NAME, root.element("name"), error.to_string()).help(help))
}

fn title(network: &Network, root: &NodePath) -> Option<Finding> {
    let title = network.title.as_ref().filter(|title| title.contains('\n'))?;
    let one_line = title.split_whitespace().collect::<Vec<_>>().join(" ");
    let finding = Finding::new(rules::TITLE_NEWLINE, root.element("title"), "the title has more than one line");
    let finding = finding.help(format!("write `<title>{one_line}</title>`, and longer text as `<description>`"));
    Some(finding.fix(Edit::Text { path: root.element("title"), text: one_line }))
}

fn uuid(network: &Network, root: &NodePath) -> Option<Finding> {
    let uuid = network.uuid.filter(|uuid| !uuid.is_valid_identity())?;
    let message = format!("the UUID `{uuid}` identifies nothing: all its bytes are alike");
    let finding = Finding::new(rules::UUID_UNFIT, root.element("uuid"), message);
    Some(finding.help("leave `<uuid>` out, or write one made by uuidgen(1)"))
}

fn delay(network: &Network, root: &NodePath) -> Option<Finding> {
    let bridge = network.bridge.as_ref()?;
    let stp = bridge.stp.unwrap_or(true);
    let delay = bridge.delay?;
    let path = root.element("bridge").attribute("delay");
    if delay > *FORWARD_DELAY.end() {
        let message = format!("a forward delay of {delay} seconds is too long, the limit is {}", FORWARD_DELAY.end());
        let finding = Finding::new(rules::BRIDGE_DELAY_TOO_LONG, path, message);
        return Some(finding.help("the delay is in seconds; guests are unreachable for as long: write `delay='0'`"));
    }
    if stp && delay != 0 && delay < *FORWARD_DELAY.start() {
        let message = format!("the kernel makes 2 seconds of a forward delay of {delay} while STP is on");
        let finding = Finding::new(rules::BRIDGE_DELAY_RAISED, path.clone(), message);
        let finding = finding.fix(Edit::attribute(path, FORWARD_DELAY.start()));
        return Some(finding.help("write `delay='2'`, or `stp='off'` on a bridge that can be part of no loop"));
    }
    None
}

fn mtu(network: &Network, root: &NodePath) -> Option<Finding> {
    let mtu = network.mtu.filter(|mtu| *mtu != 0)?;
    let path = root.element("mtu").attribute("size");
    if !MTU.contains(&mtu) {
        let message = format!("a bridge cannot have an MTU of {mtu} bytes");
        let help = format!("write {} to {}; 1500 is Ethernet's", MTU.start(), MTU.end());
        return Some(Finding::new(rules::MTU_OUT_OF_RANGE, path, message).help(help));
    }
    let ipv6 = network.ips.iter().position(|ip| ip.address.is_ipv6())?;
    if mtu >= IPV6_MIN_MTU {
        return None;
    }
    let message = format!("an MTU of {mtu} bytes is too small for IPv6");
    let finding = Finding::new(rules::MTU_TOO_SMALL_FOR_IPV6, path, message);
    let finding = finding.help(format!("write {IPV6_MIN_MTU} or more, or use IPv4 alone"));
    Some(finding.related(root.nth("ip", ipv6).attribute("address"), "the network has an IPv6 address"))
}

fn mac(network: &Network, root: &NodePath) -> Option<Finding> {
    let mac = network.mac?;
    let what = if mac.is_multicast() {
        "a multicast address"
    } else if mac.0 == [0; 6] {
        "nobody's address"
    } else {
        return None;
    };
    let message = format!("the bridge cannot have the MAC address `{mac}`: it is {what}");
    let finding = Finding::new(rules::MAC_NOT_UNICAST, root.element("mac").attribute("address"), message);
    let mut octets = mac.0;
    octets[..3].copy_from_slice(&[0x52, 0x54, 0x00]);
    let instead = vnet_types::MacAddr(octets);
    Some(finding.help(format!("write an address such as `{instead}`, or leave `<mac>` out")))
}
