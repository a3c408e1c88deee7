//! Makes a definition from a few wishes.

mod addresses;
mod probe;

use std::net::IpAddr;
use std::path::PathBuf;

use vnet_types::{AddressRange, Family, InterfaceName, Inventory, IpNet, LinkKind, MacAddr, NetworkName};
use vnet_validate::{Finding, check, check_against};
use vnet_xml::network::{Bridge, Domain, Forward, ForwardInterface, ForwardMode, Nat};
use vnet_xml::{BridgeName, Network};

use crate::driver::Driver;
use crate::error::Error;
use crate::findings::join;
use probe::Prober;

/// What a new network should be.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Wishes {
    /// Its name.
    pub name: NetworkName,
    /// How guests reach beyond it.
    pub mode: ForwardMode,
    /// Its IPv4 subnet.
    pub ipv4: SubnetWish,
    /// Its IPv6 subnet.
    pub ipv6: SubnetWish,
    /// The addresses that DHCP gives out. `None`: all of the IPv4 subnet; empty: none.
    pub dhcp: Option<Vec<AddressRange>>,
    /// The DNS domain of its guests.
    pub domain: Option<String>,
    /// The only device that traffic may use; in the mode `bridge` the bridge or other device of the
    /// host that guests share.
    pub device: Option<InterfaceName>,
    /// Addresses that are reserved for guests.
    pub hosts: Vec<HostWish>,
    /// Whether to ask on the links of this host if somebody has a subnet that looks free.
    pub probe: bool,
}

/// A subnet of a new network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SubnetWish {
    /// None.
    #[default]
    None,
    /// One that nothing uses.
    Free,
    /// This one. With bits beyond the prefix it is also the address of the host.
    Given(IpNet),
}

/// An address that is reserved for a guest of a new network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostWish {
    /// The guest's MAC address.
    pub mac: MacAddr,
    /// The address.
    pub ip: IpAddr,
    /// The guest's name.
    pub name: Option<String>,
}

impl HostWish {
    /// Reserves an address for a guest without a name.
    pub fn new(mac: MacAddr, ip: IpAddr) -> Self {
        Self { mac, ip, name: None }
    }
}

impl Wishes {
    /// A network with a free IPv4 subnet, DHCP, and no IPv6.
    pub fn new(name: NetworkName, mode: ForwardMode) -> Self {
        let ipv4 = if mode.has_own_bridge() { SubnetWish::Free } else { SubnetWish::None };
        Self {
            name,
            mode,
            ipv4,
            ipv6: SubnetWish::None,
            dhcp: None,
            domain: None,
            device: None,
            hosts: Vec::new(),
            probe: true,
        }
    }
}

/// A definition that was made from wishes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Draft {
    /// The definition.
    pub network: Network,
    /// What there is to say about it, alone and on this host. Errors are possible where wishes do
    /// not fit together.
    pub findings: Vec<Finding>,
    /// Subnets that looked free and were passed over, with the address that answered there.
    pub answered: Vec<(IpNet, IpAddr)>,
    /// Files and folders that cannot be read. The networks in them may have the same subnet.
    pub unread: Vec<PathBuf>,
}

impl Driver {
    /// Makes a definition. Nothing is kept, and nothing changes on the host.
    ///
    /// A free subnet is one that this host has no address and no route in, that no network has
    /// which is kept here, in libvirt or by a container engine, that is in no pool of Docker and
    /// podman as long as there are others, and where nobody answers. The same name gets the same
    /// subnet again as long as it is free.
    ///
    /// # Errors
    /// [`Error::NoFreeSubnet`]; [`Error::Wish`] when wishes contradict each other; [`Error::Host`]
    /// when the host cannot be read.
    pub fn draft(&self, wishes: &Wishes) -> Result<Draft, Error> {
        let host = self.host()?;
        let (mut inventory, _) = self.survey(&host, None)?;
        let unread = self.reserve(&mut inventory)?;
        let others = inventory.beside(wishes.name.as_str());
        let prober = if wishes.probe { Prober::on(&others) } else { Prober::default() };
        let mut answered = Vec::new();
        // Nothing else of this host is in a free subnet: then the network itself runs there.
        let is_own = |net: &IpNet| inventory.addresses.iter().any(|(_, address)| net.contains(&address.net.addr()));
        let mut is_taken = |net: IpNet| {
            if is_own(&net) {
                return Ok(false);
            }
            let answer = prober.answer(net)?;
            answered.extend(answer.map(|address| (net, address)));
            Ok(answer.is_some())
        };
        let network = drafted(wishes, &others, &mut is_taken)?;
        let findings = join(check(&network), check_against(&network, &inventory));
        Ok(Draft { network, findings, answered, unread })
    }
}

/// The most subnets that are asked for.
const MOST: usize = 8;

/// Makes the definition. `is_taken` says whether a subnet that looks free is not.
fn drafted(
    wishes: &Wishes,
    others: &Inventory,
    is_taken: &mut dyn FnMut(IpNet) -> Result<bool, Error>,
) -> Result<Network, Error> {
    let mut network = Network::new(wishes.name.as_str());
    reach(wishes, others, &mut network)?;
    network.domain = wishes.domain.as_ref().map(|name| {
        let mut domain = Domain::default();
        (domain.name, domain.local_only) = (name.clone(), Some(true));
        domain
    });
    for (family, wish) in [(Family::Ipv4, wishes.ipv4), (Family::Ipv6, wishes.ipv6)] {
        let net = match wish {
            SubnetWish::None => continue,
            SubnetWish::Given(net) => addresses::usable(net)?,
            SubnetWish::Free => free(wishes.name.as_str(), family, others, is_taken)?,
        };
        if !wishes.mode.has_own_bridge() {
            return Err(Error::Wish(
                "guests on a device of the host use the subnet that is there: give none".to_owned(),
            ));
        }
        network.ips.push(addresses::subnet(net));
    }
    addresses::serve(&mut network, wishes.dhcp.as_deref(), &wishes.hosts)?;
    Ok(network)
}

fn free(
    name: &str,
    family: Family,
    others: &Inventory,
    is_taken: &mut dyn FnMut(IpNet) -> Result<bool, Error>,
) -> Result<IpNet, Error> {
    let prefix = match family {
        Family::Ipv4 => 24,
        Family::Ipv6 => 64,
    };
    for net in vnet_validate::free_subnets(name, family, prefix, others).take(MOST) {
        if !is_taken(net)? {
            return Ok(net);
        }
    }
    Err(Error::NoFreeSubnet { family })
}

/// `<forward>` and `<bridge>`.
fn reach(wishes: &Wishes, others: &Inventory, network: &mut Network) -> Result<(), Error> {
    if wishes.mode == ForwardMode::None {
        return match &wishes.device {
            Some(_) => Err(Error::Wish("guests of an isolated network reach no device: leave it out".to_owned())),
            None => Ok(()),
        };
    }
    let mut forward = Forward::new(wishes.mode);
    if wishes.mode.has_own_bridge() {
        forward.interfaces = wishes.device.iter().cloned().map(ForwardInterface::from).collect();
    } else {
        let is_bridge = |name: &InterfaceName| {
            others.links.iter().any(|link| link.name == *name && matches!(link.kind, LinkKind::Bridge(_)))
        };
        let Some(device) = wishes.device.clone() else { return Err(Error::Wish(which_device(others))) };
        if is_bridge(&device) {
            let mut bridge = Bridge::default();
            bridge.name = Some(BridgeName::Fixed(device));
            network.bridge = Some(bridge);
        } else {
            forward.interfaces = vec![ForwardInterface::from(device)];
        }
    }
    if wishes.mode == ForwardMode::Nat && wishes.ipv6 != SubnetWish::None {
        let mut nat = Nat::default();
        nat.ipv6 = Some(true);
        forward.nat = Some(nat);
    }
    network.forward = Some(forward);
    Ok(())
}

/// What can be given as the device of a network whose guests share one of the host.
fn which_device(others: &Inventory) -> String {
    let taken = |name: &InterfaceName| {
        let mut known = others.networks.iter().chain(&others.libvirt);
        name.as_str() == "lo" || known.any(|known| known.bridge.as_ref() == Some(name))
    };
    let names = |is_bridge: bool| -> Vec<String> {
        let links = others.links.iter().filter(|link| matches!(link.kind, LinkKind::Bridge(_)) == is_bridge);
        let links = links.filter(|link| is_bridge || matches!(&link.kind, LinkKind::Other(kind) if kind.is_empty()));
        links.filter(|link| !taken(&link.name)).map(|link| format!("`{}`", link.name)).collect()
    };
    let mut known = names(true);
    known.extend(names(false));
    let there = if known.is_empty() { "a bridge".to_owned() } else { known.join(", ") };
    format!("which device of the host do the guests share? Give one: {there}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use rstest::rstest;
    use vnet_types::{BridgeOptions, Link};

    use super::*;

    fn host() -> Inventory {
        let link = |name: &str, kind| Link { name: name.parse().unwrap(), kind, mac: None, mtu: None, up: true };
        let links = vec![
            link("lo", LinkKind::Other(String::new())),
            link("eth0", LinkKind::Other(String::new())),
            link("br0", LinkKind::Bridge(BridgeOptions::default())),
        ];
        Inventory { links, machine: 1 << 63, ..Inventory::default() }
    }

    fn text(wishes: &Wishes) -> String {
        drafted(wishes, &host(), &mut |_| Ok(false)).map_or_else(|error| error.to_string(), |it| it.to_string())
    }

    fn wishes(mode: ForwardMode) -> Wishes {
        Wishes::new("lab".parse().unwrap(), mode)
    }

    #[test]
    fn everything_that_can_be_wished_for() {
        let mut all = wishes(ForwardMode::Nat);
        all.ipv4 = SubnetWish::Given("10.7.0.0/24".parse().unwrap());
        all.ipv6 = SubnetWish::Free;
        all.domain = Some("lab.test".to_owned());
        all.device = Some("eth0".parse().unwrap());
        all.dhcp = Some(vec!["10.7.0.50-10.7.0.99".parse().unwrap()]);
        let mut web = HostWish::new("52:54:00:00:00:01".parse().unwrap(), "10.7.0.10".parse().unwrap());
        web.name = Some("web".to_owned());
        all.hosts = vec![web];
        let expected = "<network>
  <name>lab</name>
  <forward dev='eth0' mode='nat'>
    <nat ipv6='yes'/>
    <interface dev='eth0'/>
  </forward>
  <bridge stp='on' delay='0'/>
  <domain name='lab.test' localOnly='yes'/>
  <ip address='10.7.0.1' prefix='24'>
    <dhcp>
      <range start='10.7.0.50' end='10.7.0.99'/>
      <host mac='52:54:00:00:00:01' name='web' ip='10.7.0.10'/>
    </dhcp>
  </ip>
  <ip family='ipv6' address='fd80:0:0:ebb4::1' prefix='64'>
  </ip>
</network>
";
        assert_eq!(text(&all), expected);
        assert_eq!(check(&drafted(&all, &host(), &mut |_| Ok(false)).unwrap()), []);
    }

    #[rstest]
    #[case::isolated(ForwardMode::None, "")]
    #[case::route(ForwardMode::Route, "  <forward mode='route'/>\n")]
    #[case::open(ForwardMode::Open, "  <forward mode='open'/>\n")]
    fn modes(#[case] mode: ForwardMode, #[case] forward: &str) {
        let text = text(&wishes(mode));
        let expected =
            format!("<network>\n  <name>lab</name>\n{forward}  <bridge stp='on' delay='0'/>\n  <ip address='192.168.");
        assert!(text.starts_with(&expected), "{text}");
        assert!(text.contains(".1' prefix='24'>\n    <dhcp>\n      <range start='192.168."), "{text}");
    }

    #[rstest]
    #[case::of_a_bridge("br0", "  <forward mode='bridge'/>\n  <bridge name='br0'/>\n")]
    #[case::of_a_card("eth0", "  <forward dev='eth0' mode='bridge'>\n    <interface dev='eth0'/>\n  </forward>\n")]
    fn a_device_of_the_host_is_shared(#[case] device: &str, #[case] expected: &str) {
        let mut shared = wishes(ForwardMode::Bridge);
        assert!(text(&shared).ends_with("Give one: `br0`, `eth0`"), "{}", text(&shared));
        shared.device = Some(device.parse().unwrap());
        assert_eq!(text(&shared), format!("<network>\n  <name>lab</name>\n{expected}</network>\n"));
        shared.ipv4 = SubnetWish::Free;
        assert!(text(&shared).contains("give none"));
    }

    #[test]
    fn a_subnet_that_answers_is_passed_over() {
        let wishes = wishes(ForwardMode::Nat);
        let mut asked = Vec::new();
        let network = drafted(&wishes, &host(), &mut |net| {
            asked.push(net);
            Ok(asked.len() < 3)
        });
        assert_eq!(network.unwrap().ips[0].net().unwrap().trunc(), asked[2]);
        let refused = drafted(&wishes, &host(), &mut |_| Ok(true)).unwrap_err();
        assert!(matches!(refused, Error::NoFreeSubnet { family: Family::Ipv4 }));
    }
}
