//! The way beyond the host: the host's own, and that of guests.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustix::io::Errno;
use vnet_netlink::{Traveller, Way, Whereabouts};
use vnet_types::{Family, InterfaceName, IpNet};
use vnet_xml::network::WayOut;

use super::Scene;
use super::address::{addresses, example};
use super::bridge::xdp;
use super::patient::Patient;
use super::symptom::Symptom;
use crate::error::Error;

/// Examples of addresses beyond the host.
pub(super) const FAR: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(1, 1, 1, 1)), IpAddr::V6(Ipv6Addr::new(0x2606, 0x4700, 0x4700, 0, 0, 0, 0, 0x1111))];

fn far(family: Family) -> IpAddr {
    if family == Family::Ipv4 { FAR[0] } else { FAR[1] }
}

/// The families in which guests reach beyond the host.
fn families(patient: &Patient) -> Vec<Family> {
    let Some(network) = &patient.definition else { return Vec::new() };
    network.families().filter(|family| network.way_out(*family).is_some()).collect()
}

/// The way of the host itself.
fn way_of_host(scene: &Scene<'_>, family: Family) -> Result<Option<Way>, Error> {
    let way = scene.netlink.way(&Traveller { to: far(family), from: None, incoming: None })?;
    Ok(way.ok().filter(|way| !way.local && way.link.is_some()))
}

/// Why the host has no way out.
fn no_way(scene: &Scene<'_>, family: Family) -> Result<Symptom, Error> {
    const NAME: &str = "uplink";
    let begin = format!("this host has no way beyond itself for {family}");
    let refused = match scene.netlink.way(&Traveller { to: far(family), from: None, incoming: None })? {
        Ok(way) if way.local => {
            let finding = format!("{begin}: a route takes {} for an address of this host", far(family));
            return Ok(Symptom::problem(NAME, finding).help("delete that route"));
        }
        Ok(_) => None,
        Err(refused) => Some(refused),
    };
    // The kernel's answers for such routes and rules (ip-route(8)).
    let kind = refused.as_ref().and_then(|refused| match Errno::from_raw_os_error(refused.errno) {
        Errno::INVAL => Some("blackhole"),
        Errno::ACCESS => Some("prohibit"),
        Errno::HOSTUNREACH => Some("unreachable"),
        _ => None,
    });
    if let Some(kind) = kind {
        let finding = format!("{begin}: a route or rule of policy routing, `{kind}`, refuses {}", far(family));
        return Ok(Symptom::problem(NAME, finding).help("delete that route or rule"));
    }
    let links = scene.netlink.links()?.into_iter().filter(|known| known.controller.is_none());
    let mut deaf = links.map(|known| known.link).filter(|link| {
        link.up && sysctl(&format!("ipv6/conf/{}/accept_ra", link.name)) == Some(1) && link.name.as_str() != "lo"
    });
    Ok(match (family, sysctl("ipv6/conf/all/forwarding"), deaf.next()) {
        (Family::Ipv6, Some(1), Some(link)) => {
            let link = link.name;
            let finding = format!(
                "{begin}: it has no default route, and does not listen to routers: it forwards, and `accept_ra` of \
                 {link} is not 2"
            );
            Symptom::unknown(NAME, finding).suspect().command(format!("sysctl -w net/ipv6/conf/{link}/accept_ra=2"))
        }
        (Family::Ipv6, ..) => Symptom::unknown(NAME, format!("{begin}: it has no default route")),
        (Family::Ipv4, ..) => {
            Symptom::problem(NAME, format!("{begin}: it has no default route")).help("connect the host first")
        }
    })
}

/// A link that translated packets leave by, and that has no address that they could have.
fn nameless(scene: &Scene<'_>, patient: &Patient, family: Family, link: &InterfaceName) -> Option<Symptom> {
    let way_out = patient.definition.as_ref().and_then(|network| network.way_out(family));
    let is_its = |ip: IpAddr| Family::of(ip) == family;
    let has = scene.inventory.addresses.iter().any(|(of, address)| of == link && is_its(address.net.addr()));
    (matches!(way_out, Some(WayOut::Translated { addresses: None, .. })) && !has).then(|| {
        let finding = format!(
            "{link}, this host's way out, has no address of {family}: what guests send leaves with an address of \
             another link, or is dropped"
        );
        let symptom = Symptom::problem("uplink", finding).read(format!("`ip address show {link}`"));
        symptom.help(format!("give {link} an address"))
    })
}

/// A router whose MAC address somebody has written down, and that does not answer.
fn written_down(scene: &Scene<'_>, link: &InterfaceName, router: IpAddr) -> Option<Symptom> {
    let whereabouts = scene.netlink.whereabouts(link, router).ok()??;
    let Whereabouts::Permanent(mac) = whereabouts else { return None };
    scene.targets.silent.contains(&router).then(|| {
        let finding = format!(
            "{router}, the router of this host, does not answer, and the kernel does not ask who has its address: \
             somebody has written down {mac} for it"
        );
        let symptom = Symptom::problem("uplink", finding).read(format!("`ip neighbour show {router}`: PERMANENT"));
        symptom.command(format!("ip neighbour del {router} dev {link}"))
    })
}

/// Whether the host has a way out.
pub(super) fn uplink(scene: &Scene<'_>, patient: &Patient, _: &InterfaceName) -> Result<Vec<Symptom>, Error> {
    const NAME: &str = "uplink";
    let mut symptoms = Vec::new();
    let device = patient.definition.as_ref().and_then(|network| network.outgoing_device());
    for family in families(patient) {
        let (to, version) = (far(family), if family == Family::Ipv4 { "-4" } else { "-6" });
        let read = format!("`ip {version} route get {to}`");
        let Some(way) = way_of_host(scene, family)? else {
            let symptom = no_way(scene, family)?;
            symptoms.push(symptom.read(read).read(format!("`ip {version} rule`, `ip {version} route show table all`")));
            continue;
        };
        let Some(link) = way.link else { continue };
        let gateway = way.gateway.map(|gateway| format!(" via {gateway}")).unwrap_or_default();
        if let Some(device) = device.filter(|device| **device != link) {
            let finding = format!(
                "guests may leave by {device} only, and this host's way out is {link}{gateway}: what they send is refused"
            );
            let help = format!("a default route by {device}, or no `dev` in `<forward>`");
            symptoms.push(Symptom::problem(NAME, finding).read(read).help(help));
            continue;
        }
        let unknown_router = || way.gateway.and_then(|router| written_down(scene, &link, router));
        if let Some(cause) = nameless(scene, patient, family, &link).or_else(unknown_router) {
            symptoms.push(cause);
            continue;
        }
        let condition = scene.netlink.condition(&link)?;
        let asks = condition.is_some_and(|condition| condition.arp);
        if condition.is_some_and(|condition| condition.xdp) && !symptoms.contains(&xdp(NAME, &link)) {
            symptoms.push(xdp(NAME, &link));
        }
        match condition {
            Some(condition) if !condition.arp && way.gateway.is_some_and(|it| it.is_ipv4()) && condition.carrier => {
                let finding = format!("{link}, this host's way out, does not ask for MAC addresses (NOARP)");
                let symptom = Symptom::unknown(NAME, finding).suspect().read(format!("`ip link show {link}`"));
                symptoms.push(symptom.command(format!("ip link set {link} arp on")));
            }
            Some(condition) if !condition.up || !condition.carrier => {
                let finding = format!("{link}, this host's way out, has no carrier");
                symptoms.push(Symptom::problem(NAME, finding).read(format!("`ip link show {link}`")));
            }
            _ => symptoms.push(match way.gateway.filter(|gateway| is_silent(scene, &link, asks, *gateway)) {
                Some(router) => {
                    let finding =
                        format!("{router}, the router of this host, does not answer at {link}: nothing gets out");
                    let read = format!("`ip neighbour show {router}`");
                    Symptom::problem(NAME, finding).read(read).help("mend the router, the cable, or the default route")
                }
                None => match way.gateway.filter(|it| it.is_ipv6() && scene.targets.silent.contains(it)) {
                    Some(router) => {
                        let finding = format!("{router}, the router of this host, answers no echo: it may be gone");
                        Symptom::unknown(NAME, finding).suspect().read(format!("`ping {router}`"))
                    }
                    None => Symptom::ok(NAME, format!("the way out is {link}{gateway}")).read(read),
                },
            }),
        }
    }
    Ok(symptoms)
}

/// Whether a router answered neither an echo nor who asks for its MAC address.
/// `asks` is whether the link asks for such addresses.
fn is_silent(scene: &Scene<'_>, link: &InterfaceName, asks: bool, router: IpAddr) -> bool {
    scene.targets.silent.contains(&router)
        && match scene.netlink.whereabouts(link, router) {
            Ok(Some(whereabouts)) => whereabouts == Whereabouts::Silent,
            // The kernel forgets who did not answer where all namespaces together know many
            // (`gc_thresh1` in arp(7)).
            Ok(None) => asks && !scene.targets.unasked.contains(&router),
            Err(_) => false,
        }
}

/// A sysctl of this network namespace.
pub(super) fn sysctl(path: &str) -> Option<u32> {
    fs::read_to_string(format!("/proc/sys/net/{path}")).ok()?.trim().parse().ok()
}

/// Whether the host forwards.
pub(super) fn forwarding(scene: &Scene<'_>, patient: &Patient, bridge: &InterfaceName) -> Result<Vec<Symptom>, Error> {
    const NAME: &str = "forwarding";
    let mut symptoms = Vec::new();
    for family in families(patient) {
        let uplink = way_of_host(scene, family)?.and_then(|way| way.link);
        let switches: Vec<String> = match family {
            Family::Ipv4 => {
                let links = [Some(bridge), uplink.as_ref()].into_iter().flatten();
                let each = links.map(|link| format!("ipv4/conf/{link}/forwarding"));
                std::iter::once("ipv4/ip_forward".to_owned()).chain(each).collect()
            }
            Family::Ipv6 => vec!["ipv6/conf/all/forwarding".to_owned()],
        };
        let read = switches.iter().map(|switch| format!("`/proc/sys/net/{switch}`")).collect::<Vec<_>>().join(", ");
        symptoms.push(match switches.iter().find(|switch| sysctl(switch) == Some(0)) {
            Some(off) => {
                let finding = format!("this host does not forward {family}: net/{off} is 0, and guests stay inside");
                let symptom = Symptom::problem(NAME, finding).read(read);
                match patient.repair().filter(|_| off.ends_with("ip_forward") || family == Family::Ipv6) {
                    Some(repair) => symptom.command(format!("sysctl -w net/{off}=1")).mend(Some(repair)),
                    None => symptom.command(format!("sysctl -w net/{off}=1")),
                }
            }
            None => Symptom::ok(NAME, format!("this host forwards {family}")).read(read),
        });
    }
    Ok(symptoms)
}

/// Whether the kernel takes packets of guests, and answers to them.
pub(super) fn ways(scene: &Scene<'_>, patient: &Patient, bridge: &InterfaceName) -> Result<Vec<Symptom>, Error> {
    const NAME: &str = "way-out";
    let mut symptoms = Vec::new();
    if patient.definition.is_some() && families(patient).is_empty() {
        symptoms.push(Symptom::ok(NAME, "it promises its guests no way out: they reach this host and each other"));
    }
    for net in addresses(patient) {
        let (family, subnet) = (Family::of(net.addr()), net.trunc());
        if !families(patient).contains(&family) {
            continue;
        }
        let Some(host) = way_of_host(scene, family)? else { continue };
        let (guest, to) = (example(net), far(family));
        let out = Traveller { to, from: Some(guest), incoming: Some(bridge.clone()) };
        let found = one_way(scene, &out, net, "leave")?;
        let uplink = match found {
            Err(symptom) => {
                symptoms.push(*symptom);
                continue;
            }
            Ok(way) => way.link.or(host.link),
        };
        let Some(uplink) = uplink.filter(|link| link != bridge) else { continue };
        let back = Traveller { to: guest, from: Some(to), incoming: Some(uplink.clone()) };
        symptoms.push(match one_way(scene, &back, net, "come back")? {
            Err(symptom) => *symptom,
            Ok(way) if way.link.as_ref() == Some(bridge) => {
                let finding = format!("packets of guests of {subnet} leave by {uplink} and come back by {bridge}");
                Symptom::ok(NAME, finding).read(words(&out)).read(words(&back))
            }
            Ok(way) => {
                let by = way.link.map_or_else(|| "nowhere".to_owned(), |link| link.to_string());
                let finding = format!("answers for guests of {subnet} that come in by {uplink} go to {by}");
                Symptom::problem(NAME, finding).read(words(&back)).read("`ip rule`, `ip route show table all`")
            }
        });
    }
    Ok(symptoms)
}

fn words(of: &Traveller) -> String {
    let from = of.from.map(|from| format!(" from {from}")).unwrap_or_default();
    let by = of.incoming.as_ref().map(|link| format!(" iif {link}")).unwrap_or_default();
    format!("`ip route get {}{from}{by}`", of.to)
}

fn one_way(scene: &Scene<'_>, of: &Traveller, net: IpNet, goes: &str) -> Result<Result<Way, Box<Symptom>>, Error> {
    let net = net.trunc();
    const NAME: &str = "way-out";
    let refused = match scene.netlink.way(of)? {
        Ok(way) if way.local && goes == "leave" => {
            let finding = format!("what guests of {net} send beyond the host is taken for its own: {} is local", of.to);
            return Ok(Err(Box::new(Symptom::problem(NAME, finding).read(words(of)))));
        }
        Ok(way) if way.link.as_ref().is_some_and(|link| link.as_str() == "lo") => {
            let finding = format!("packets of guests of {net} that {goes} go to lo, where they end");
            let symptom = Symptom::problem(NAME, finding).read(words(of)).read("`ip rule`, `ip route show table all`");
            return Ok(Err(Box::new(symptom.help("delete that route or rule"))));
        }
        Ok(way) => return Ok(Ok(way)),
        Err(refused) => refused,
    };
    let link = of.incoming.as_ref().map_or("all", InterfaceName::as_str);
    let filters = ["ipv4/conf/all/rp_filter".to_owned(), format!("ipv4/conf/{link}/rp_filter")];
    let strict = filters.iter().filter_map(|switch| sysctl(switch)).max().unwrap_or(0);
    // The filter refuses what comes in by another link than the answer would leave by.
    let back =
        of.from.and_then(|from| scene.netlink.way(&Traveller { to: from, from: None, incoming: None }).ok()?.ok());
    let is_filtered = net.addr().is_ipv4() && back.and_then(|way| way.link).as_ref() != of.incoming.as_ref();
    let symptom = match (strict, is_filtered) {
        (1.., true) => {
            let finding = format!(
                "packets of guests of {net} that {goes} are dropped: rp_filter of {link} is {strict}, and the answer would \
                 leave by another link"
            );
            let symptom =
                Symptom::problem(NAME, finding).read(filters.map(|it| format!("`/proc/sys/net/{it}`")).join(", "));
            symptom.help("mend the routes, or `sysctl -w` both to 2 or 0")
        }
        _ => {
            let finding = format!("the kernel refuses packets of guests of {net} that {goes}: {refused}");
            Symptom::problem(NAME, finding)
                .help("a route, a rule of policy routing, or a switch of the link refuses them")
        }
    };
    Ok(Err(Box::new(symptom.read(words(of)).read("`ip rule`, `ip route show table all`"))))
}

/// Whether what guests send fits all the way.
pub(super) fn mtu(scene: &Scene<'_>, patient: &Patient, bridge: &InterfaceName) -> Result<Vec<Symptom>, Error> {
    const NAME: &str = "mtu";
    let mtu_of = |link: &InterfaceName| -> Result<Option<u32>, Error> {
        Ok(scene.host.link(link)?.and_then(|known| known.link.mtu))
    };
    let Some(own) = mtu_of(bridge)? else { return Ok(Vec::new()) };
    let guests = patient.definition.as_ref().and_then(|network| network.mtu).unwrap_or(1500);
    let read = |link: &InterfaceName| format!("`ip link show {link}`");
    let mut symptoms = Vec::new();
    let ports = scene.netlink.links()?;
    let index = ports.iter().find(|known| known.link.name == *bridge).map(|known| known.index);
    let in_it = ports.iter().filter(|known| index.is_some() && known.controller == index);
    for (name, mtu) in in_it.filter_map(|known| Some((&known.link.name, known.link.mtu?))) {
        if mtu != own {
            let (small, large) = (mtu.min(own), mtu.max(own));
            let finding = format!(
                "{name} has an MTU of {mtu} and {bridge} of {own}: the bridge drops larger packets than {small} without a word"
            );
            let symptom = Symptom::problem(NAME, finding).read(read(name)).read(read(bridge));
            symptoms
                .push(symptom.command(format!("ip link set {} mtu {large}", if mtu < own { name } else { bridge })));
        }
    }
    if guests > own {
        let finding =
            format!("guests send {guests} bytes and {bridge} carries {own}: larger packets are dropped without a word");
        symptoms.push(Symptom::problem(NAME, finding).read(read(bridge)).mend(patient.repair()));
    }
    for family in families(patient) {
        let Some(link) = way_of_host(scene, family)?.and_then(|way| way.link) else { continue };
        let Some(mtu) = mtu_of(&link)?.filter(|mtu| *mtu < guests.min(own)) else { continue };
        let finding = format!(
            "guests send {} bytes and {link} carries {mtu}: where the message about that is dropped on the way, large \
             transfers hang",
            guests.min(own)
        );
        let help = format!("`<mtu size='{mtu}'/>` in the definition tells guests");
        symptoms.push(Symptom::problem(NAME, finding).read(read(&link)).help(help));
        break;
    }
    if symptoms.is_empty() {
        symptoms.push(Symptom::ok(NAME, format!("{} bytes fit all the way", guests.min(own))).read(read(bridge)));
    }
    Ok(symptoms)
}
