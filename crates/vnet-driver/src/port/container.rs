//! Containers on networks: a veth pair, and addresses that are decided on here.

mod attach;
mod check;
mod collect;
mod detach;
mod forgotten;
mod names;
mod namespace;
mod on_ovn;
mod readiness;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use vnet_dnsmasq::Client;
use vnet_host::{KernelLink, PortHeader, Receipt};
use vnet_plan::{ContainerEnd, ContainerTap, Resource};
use vnet_types::{InterfaceName, IpNet, KnownContainer, KnownPort, MacAddr, NetworkName, fnv1a};
use vnet_xml::{Bandwidth, Network};

use crate::driver::Driver;
use crate::error::Error;

pub use check::{ContainerCheck, Expectation, ExpectedMtu};
pub use collect::ContainersLeft;
pub use readiness::Readiness;

/// How the alias of a container's end on the host begins. Its [`Attachment`] follows.
const ALIAS: &str = "vnet container ";
/// So many bytes does the kernel keep of an alias.
const LONGEST_ALIAS: usize = 255;

/// What identifies a container's interface for its runtime.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attachment {
    /// The network's name in the runtime's configuration.
    pub network: String,
    /// The container.
    pub container: String,
    /// The interface in the container.
    pub interface: InterfaceName,
}

impl Attachment {
    /// The name of the pair's end on the host. NetworkManager leaves links of this name alone.
    ///
    /// # Panics
    /// Never: the name is always valid.
    pub fn dev(&self) -> InterfaceName {
        let text = format!("{}\0{}\0{}", self.network, self.container, self.interface);
        let digits = format!("{:016x}", fnv1a(text.bytes()));
        format!("veth{}", &digits[5..]).parse().expect("15 letters and digits are a name")
    }

    /// The alias of the pair's end on the host. A longer one is cut off.
    fn alias(&self) -> String {
        let mut alias = format!("{ALIAS}{self}");
        while alias.len() > LONGEST_ALIAS {
            alias.pop();
        }
        alias
    }

    /// The attachment that the end of a pair on the host says that it is of: by its alias, and by
    /// its name, which follows from that. `None` for any other link.
    fn of_link(known: &KernelLink) -> Option<Self> {
        let attachment = Self::of_words(known.alias.as_deref()?.strip_prefix(ALIAS)?)?;
        (attachment.dev() == known.link.name).then_some(attachment)
    }

    /// The attachment that its words tell of.
    fn of_words(words: &str) -> Option<Self> {
        let mut words = words.split(' ').map(str::to_owned);
        let (network, container, interface) = (words.next()?, words.next()?, words.next()?.parse().ok()?);
        words.next().is_none().then_some(Self { network, container, interface })
    }

    fn is_of(&self, port: &KnownPort) -> bool {
        port.container
            .as_ref()
            .is_some_and(|it| (&it.network, &it.id, &it.interface) == (&self.network, &self.container, &self.interface))
    }
}

/// `NETWORK CONTAINER INTERFACE`: none of them has a space.
impl fmt::Display for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { network, container, interface } = self;
        write!(f, "{network} {container} {interface}")
    }
}

/// A container's interface to attach.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ContainerOptions {
    /// What identifies it.
    pub attachment: Attachment,
    /// The file of the container's network namespace.
    pub namespace: PathBuf,
    /// The network.
    pub network: NetworkName,
    /// The definition to start the network with, if it does not run. `None`: the one that is kept.
    pub definition: Option<Network>,
    /// Whether a network that does not run is started.
    pub starts: bool,
    /// The port group.
    pub port_group: Option<String>,
    /// Whether it cannot reach other isolated ports. `None`: as the network says.
    pub isolated: Option<bool>,
    /// The MTU. `None`: that of the bridge.
    pub mtu: Option<u32>,
    /// The limits of its bandwidth. `None`: those of the port group.
    pub bandwidth: Option<Bandwidth>,
    /// Its MAC address. `None`: a random one.
    pub mac: Option<MacAddr>,
    /// Whether it gets addresses.
    pub has_addresses: bool,
    /// The addresses that it asks for, one for each family at most.
    pub ips: Vec<IpAddr>,
    /// Whether its default route leads to the network. `None`: unless the network is isolated.
    pub default_route: Option<bool>,
    /// A tap beside the interface, for a virtual machine in the container. The addresses are then
    /// reserved, and the virtual machine asks for them by DHCP.
    pub tap: Option<ContainerTap>,
    /// The pod, as `NAMESPACE/NAME` or `NAME`.
    pub pod: Option<String>,
    /// The names that DNS has for its addresses. The definition may reserve an address for one. On
    /// OVN, DNS has the first one.
    pub names: Vec<String>,
    /// Whether another program is to let ports of the host lead to it.
    pub has_host_ports: bool,
}

impl ContainerOptions {
    /// A container's interface with addresses and a default route.
    pub fn new(attachment: Attachment, namespace: PathBuf, network: NetworkName) -> Self {
        Self {
            attachment,
            namespace,
            network,
            definition: None,
            starts: true,
            port_group: None,
            isolated: None,
            mtu: None,
            bandwidth: None,
            mac: None,
            has_addresses: true,
            ips: Vec::new(),
            default_route: None,
            tap: None,
            pod: None,
            names: Vec::new(),
            has_host_ports: false,
        }
    }
}

/// A container's interface that was attached.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContainerPort {
    /// The port.
    pub port: KnownPort,
    /// The MAC address of the end on the host.
    pub host_mac: Option<MacAddr>,
    /// The MTU of both ends.
    pub mtu: Option<u32>,
    /// The network's bridge and its MAC address.
    pub bridge: Option<(InterfaceName, Option<MacAddr>)>,
    /// The addresses, each with its gateway.
    pub addresses: Vec<Gateway>,
    /// Whether the default routes lead to the gateways.
    pub default_route: bool,
    /// The addresses where the network answers names.
    pub nameservers: Vec<IpAddr>,
    /// The network's domain.
    pub domain: Option<String>,
}

/// An address of a container and the host's address in the same subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// The container's address.
    pub net: IpNet,
    /// The host's address.
    pub gateway: IpAddr,
}

impl Driver {
    /// The addresses of a network that guests have leased, each with its MAC address, where that is
    /// known.
    fn leased(&self, network: &NetworkName) -> Result<BTreeMap<IpAddr, Option<MacAddr>>, Error> {
        let mac = |client| if let Client::Mac(mac) = client { Some(mac) } else { None };
        Ok(self.current_leases(network)?.into_iter().map(|lease| (lease.ip, mac(lease.client))).collect())
    }
}

/// The container of an attached port, and the end there.
pub(super) fn of(receipt: &Receipt<PortHeader>) -> Option<(KnownContainer, ContainerEnd)> {
    let end = receipt.owned.iter().find_map(|resource| match resource {
        Resource::Container(end) => Some((**end).clone()),
        _ => None,
    });
    Some((receipt.header.port.container.clone()?, end?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use vnet_types::{Link, LinkKind};

    use super::*;

    fn of(network: &str, container: &str) -> Attachment {
        let interface = "eth0".parse().unwrap();
        Attachment { network: network.to_owned(), container: container.to_owned(), interface }
    }

    #[test]
    fn each_attachment_has_its_own_device() {
        assert_eq!(of("blue", "c1").dev().as_str().len(), 15);
        assert_ne!(of("blue", "c1").dev(), of("blue", "c2").dev());
        assert_ne!(of("bluec", "1").dev(), of("blue", "c1").dev());
    }

    #[test]
    fn its_words_tell_it() {
        let blue = of("blue", "c1");
        assert_eq!(blue.to_string(), "blue c1 eth0");
        assert_eq!(Attachment::of_words("blue c1 eth0"), Some(blue));
        assert_eq!(Attachment::of_words("blue c1"), None);
        assert_eq!(Attachment::of_words("blue c1 eth0 more"), None);
    }

    #[test]
    fn its_link_tells_it() {
        let link = |attachment: &Attachment, alias: String| {
            let kind = LinkKind::Other("veth".to_owned());
            let mut known = KernelLink::new(7, Link { name: attachment.dev(), kind, mac: None, mtu: None, up: true });
            known.alias = Some(alias);
            known
        };
        let (blue, long) = (of("blue", "c1"), of("blue", &"c".repeat(300)));
        assert_eq!(Attachment::of_link(&link(&blue, blue.alias())), Some(blue.clone()));
        assert_eq!(Attachment::of_link(&link(&blue, of("blue", "c2").alias())), None);
        assert_eq!(Attachment::of_link(&link(&blue, blue.to_string())), None);
        assert_eq!(long.alias().len(), 255);
        assert_eq!(Attachment::of_link(&link(&long, long.alias())), None);
    }
}
