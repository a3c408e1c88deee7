//! Whether an answer from outside comes back to a guest, by a guest that is made up for a moment.

use std::net::{IpAddr, Ipv4Addr};
use std::thread;

use vnet_netlink::{Netlink, Traveller};
use vnet_types::{EgressProtocol, Family, InterfaceName, IpNet, Link};
use vnet_xml::network::WayOut;

use super::address::is_tentative;
use super::ask::{self, Answer, ask, ping, root};
use super::names;
use super::patient::Patient;
use super::scratch::{Findings, Task, tried};
use super::service::{leased, taken};
use super::symptom::Symptom;
use super::{Scene, beyond};
use crate::error::Error;

/// More networks than this are not tried as a guest at once.
const MOST: usize = 16;

/// Those beyond the host that answer the host itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Targets {
    routers: Vec<Ipv4Addr>,
    name_servers: Vec<Ipv4Addr>,
    /// Those that do not answer.
    pub(super) silent: Vec<IpAddr>,
    /// Those of them that could not be asked.
    pub(super) unasked: Vec<IpAddr>,
}

impl Targets {
    /// Asks the router of the host, and its name servers that are not the host's own.
    pub(super) fn of(netlink: &Netlink) -> Self {
        let way = |to| netlink.way(&Traveller { to, from: None, incoming: None }).ok().and_then(Result::ok);
        let mut targets = Self::default();
        for (far, way) in beyond::FAR.into_iter().filter_map(|far| Some((far, way(far)?))) {
            let Some(router) = way.gateway.filter(|router| router.is_ipv4() == far.is_ipv4()) else { continue };
            let link = way.link.and_then(|link| netlink.link(&link).ok()?).map_or(0, |known| known.index);
            match (ping(router, link), router) {
                (Answer::Came, IpAddr::V4(router)) => targets.routers.push(router),
                (Answer::Came, IpAddr::V6(_)) => {}
                (answer, _) => {
                    targets.silent.push(router);
                    targets.unasked.extend(matches!(answer, Answer::NotSent(_)).then_some(router));
                }
            }
        }
        if !targets.routers.is_empty() {
            return targets;
        }
        for server in names::of_host().unwrap_or_default().iter().filter_map(|it| it.parse::<Ipv4Addr>().ok()) {
            if way(server.into()).is_none_or(|way| way.local) {
                continue;
            }
            match ask(ask::at(server.into(), 53), &root()) {
                Answer::Came => targets.name_servers.push(server),
                _ => targets.silent.push(server.into()),
            }
        }
        targets
    }

    fn words(&self) -> String {
        let all = self.routers.iter().chain(&self.name_servers).map(ToString::to_string);
        all.collect::<Vec<_>>().join(", ")
    }
}

/// Tries every network as a guest, at the same time.
pub(super) fn try_all(scene: &Scene<'_>, patients: &mut [Patient]) -> Result<(), Error> {
    let mut tasks = Vec::new();
    for (at, patient) in patients.iter().enumerate() {
        let there = patient.bridge.as_ref().filter(|_| patient.runs && patient.intent.is_some());
        let Some(bridge) = there else { continue };
        if let Some(known) = scene.host.link(bridge)?.filter(|known| known.link.up) {
            tasks.push((at, task(scene, patient, bridge, &known.link)));
        }
    }
    if tasks.len() > MOST {
        let reason = || Err(format!("there are more than {MOST} networks; name one"));
        tasks.into_iter().for_each(|(at, _)| patients[at].tried = Some(reason()));
        return Ok(());
    }
    // A thread begins in the network namespace of the one that starts it.
    let found: Vec<(usize, Result<Findings, String>)> = thread::scope(|scope| {
        let all: Vec<_> = tasks.iter().map(|(at, task)| (*at, scope.spawn(move || tried(task)))).collect();
        let end = |(at, thread): (usize, thread::ScopedJoinHandle<'_, _>)| {
            (at, thread.join().unwrap_or_else(|_| Err("it ended early".to_owned())))
        };
        all.into_iter().map(end).collect()
    });
    found.into_iter().for_each(|(at, found)| patients[at].tried = Some(found));
    Ok(())
}

fn task(scene: &Scene<'_>, patient: &Patient, bridge: &InterfaceName, link: &Link) -> Task {
    let network = patient.definition.as_ref();
    let gateway = super::address::addresses(patient).into_iter().find_map(|net| match net {
        IpNet::V4(net) => Some(net),
        IpNet::V6(_) => None,
    });
    let config = patient.intent.as_ref().and_then(|intent| intent.dnsmasq.as_ref());
    let goes_out = network.is_some_and(|network| network.way_out(Family::Ipv4).is_some());
    let gateway6 = super::address::addresses(patient).into_iter().find_map(|net| match net.addr() {
        IpAddr::V6(ip) if !is_tentative(ip.into()) => Some(ip),
        _ => None,
    });
    Task {
        bridge: bridge.clone(),
        mtu: link.mtu,
        gateway,
        host: link.mac,
        leased: leased(scene, patient).unwrap_or_default().into_iter().map(|(_, ip)| ip).collect(),
        taken: taken(scene, patient),
        dhcp: config.is_some_and(|config| config.serves_dhcp(Family::Ipv4)),
        examined: patient.ports.first().filter(|_| patient.has_guest).map(|port| port.mac),
        dns: config.is_some_and(|config| config.dns_port() == Some(53)) && may_ask_names(patient),
        routers: if goes_out { scene.targets.routers.clone() } else { Vec::new() },
        name_servers: if goes_out { scene.targets.name_servers.clone() } else { Vec::new() },
        gateway6,
        asks_router: gateway6.is_some() && config.is_some(),
    }
}

/// Whether the network lets its guests ask its name server.
pub(super) fn may_ask_names(patient: &Patient) -> bool {
    let egress = patient.definition.as_ref().and_then(|network| network.extensions.egress.as_ref());
    let mut addresses = super::address::addresses(patient).into_iter().map(|net| net.addr());
    egress.is_none_or(|egress| addresses.all(|host| egress.allows(host, EgressProtocol::Udp, Some(53), true)))
}

/// Whether guests may reach those that were asked; `None` where the network does not limit them.
fn may_reach(patient: &Patient, targets: &Targets) -> Option<bool> {
    let egress = patient.definition.as_ref()?.extensions.egress.as_ref()?;
    let pings = |to: &Ipv4Addr| egress.allows((*to).into(), EgressProtocol::Icmp, None, false);
    let asks = |to: &Ipv4Addr| egress.allows((*to).into(), EgressProtocol::Udp, Some(53), false);
    Some(targets.routers.iter().any(pings) || targets.name_servers.iter().any(asks))
}

/// Whether an answer from outside comes back to a guest.
pub(super) fn check(scene: &Scene<'_>, patient: &Patient, bridge: &InterfaceName) -> Result<Vec<Symptom>, Error> {
    let mut symptoms = over_ipv4(scene, patient, bridge)?;
    let network = patient.definition.as_ref().filter(|network| network.has_family(Family::Ipv6));
    let has_way = network.is_some_and(|network| network.way_out(Family::Ipv6).is_some());
    if has_way && patient.tried.is_some() {
        let finding = "whether answers from beyond the host come back to guests over IPv6 was not tried";
        symptoms.push(Symptom::unknown("outside", finding));
    }
    Ok(symptoms)
}

fn over_ipv4(scene: &Scene<'_>, patient: &Patient, bridge: &InterfaceName) -> Result<Vec<Symptom>, Error> {
    const NAME: &str = "outside";
    let way_out = patient.definition.as_ref().and_then(|network| network.way_out(Family::Ipv4));
    let (Some(way_out), Some(Ok(findings))) = (way_out, &patient.tried) else { return Ok(Vec::new()) };
    let Some(address) = findings.address else { return Ok(Vec::new()) };
    let targets = &scene.targets;
    let read = format!("a guest that was made up in {bridge}, at {address}, asked them");
    if targets.routers.is_empty() && targets.name_servers.is_empty() {
        let silent = targets.silent.iter().filter(|it| it.is_ipv4());
        let silent: Vec<String> = silent.map(ToString::to_string).collect();
        let finding = match silent.is_empty() {
            true => "nobody beyond the host is known who could be asked".to_owned(),
            false => format!("beyond the host nobody answers even the host itself: {}", silent.join(", ")),
        };
        return Ok(vec![Symptom::unknown(NAME, finding)]);
    }
    if may_reach(patient, targets) == Some(false) {
        return Ok(vec![match findings.outside.first() {
            Some(answered) => {
                let finding = format!("{answered} answers a guest, which `<vnet:egress>` keeps from it");
                Symptom::problem(NAME, finding).read(read).mend(patient.repair())
            }
            None => Symptom::ok(NAME, format!("guests are kept from {}, as `<vnet:egress>` says", targets.words()))
                .read(read),
        }]);
    }
    if let Some(answered) = findings.outside.first() {
        return Ok(vec![Symptom::ok(NAME, format!("{answered} answers a guest")).read(read)]);
    }
    let who = targets.words();
    let told = match findings.refused {
        Some((from, kind, code)) => format!("; {from} says that it is refused (ICMP type {kind}, code {code})"),
        None => String::new(),
    };
    Ok(vec![match way_out {
        WayOut::Translated { .. } => {
            let finding =
                format!("{who} answers this host and not a guest: packets get lost on the way through it{told}");
            let first = targets.routers.iter().chain(&targets.name_servers).next().map(ToString::to_string);
            let command = format!("vnet trace {address} {} --send", first.unwrap_or_default());
            let help = format!("if nothing above explains it, `{command}` shows which rule drops them");
            Symptom::problem(NAME, finding).failed().read(read).help(help)
        }
        WayOut::Routed => {
            let finding =
                format!("{who} answers this host and not a guest{told}: it needs a route back to the network");
            Symptom::unknown(NAME, finding).read(read)
        }
    }])
}
