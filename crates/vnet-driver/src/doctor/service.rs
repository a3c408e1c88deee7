//! dnsmasq: whether it runs, has its ports, has addresses left, and answers.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};

use vnet_dnsmasq::{Client, Config, Lease, parse_leases};
use vnet_plan::Key;
use vnet_types::{AddressRange, Family, InterfaceName, KnownPort, MacAddr};

use super::Scene;
use super::address::{addresses, is_tentative};
use super::ask::{self, Answer, ask, version};
use super::bridge::drifted;
use super::outside::may_ask_names;
use super::patient::{Keeper, Patient};
use super::scratch::{Findings, Offer};
use super::sockets::Listening;
use super::symptom::{Health, Symptom};
use crate::error::Error;
use crate::libvirt::LibvirtFolders;

/// The number of the process of its dnsmasq, if it runs.
fn process(patient: &Patient) -> Option<i32> {
    match &patient.keeper {
        Keeper::Vnet { .. } => patient.status()?.dnsmasq,
        Keeper::Libvirt { .. } => {
            let pid = fs::read_to_string(format!("/run/libvirt/network/{}.pid", patient.name)).ok()?;
            let pid = pid.trim().parse().ok()?;
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
            (name.trim() == "dnsmasq").then_some(pid)
        }
    }
}

fn config(patient: &Patient) -> Option<&Config> {
    patient.intent.as_ref()?.dnsmasq.as_ref()
}

/// Whether dnsmasq runs with the files that it was started with.
pub(super) fn dnsmasq(scene: &Scene<'_>, patient: &Patient, _: &InterfaceName) -> Result<Vec<Symptom>, Error> {
    const NAME: &str = "dnsmasq";
    if config(patient).is_none() {
        return Ok(Vec::new());
    }
    let drift = patient.drift(|key| matches!(key, Key::Process(_)));
    let what = "dnsmasq is not as it was started: guests get no addresses and no names";
    if let Some(symptom) = drifted(NAME, patient, &drift, what) {
        return Ok(vec![symptom]);
    }
    let drift = patient.drift(|key| matches!(key, Key::File(_)));
    let what = "a file of dnsmasq is not as it was made; dnsmasq runs with what it has read before";
    if let Some(symptom) = drifted(NAME, patient, &drift, what) {
        return Ok(vec![Symptom { health: Health::Unknown, ..symptom }]);
    }
    Ok(vec![match (process(patient), &patient.keeper) {
        (Some(pid), _) => Symptom::ok(NAME, format!("dnsmasq runs (process {pid})")).read(format!("`/proc/{pid}`")),
        (None, Keeper::Vnet { name, .. }) => {
            let files = scene.driver.directory(name);
            let symptom = Symptom::problem(NAME, "dnsmasq does not run: guests get no addresses and no names");
            symptom.read(format!("`{}`", files.join("dnsmasq.pid").display())).mend(patient.repair())
        }
        (None, Keeper::Libvirt { .. }) => {
            let symptom =
                Symptom::problem(NAME, "libvirt's dnsmasq does not run: guests get no addresses and no names");
            let symptom = symptom.read(format!("`/run/libvirt/network/{}.pid`", patient.name));
            symptom.help(format!("restart virtnetworkd or libvirtd, or {}", patient.restart().unwrap_or_default()))
        }
    }])
}

/// Whether somebody else has dnsmasq's ports.
pub(super) fn listening(scene: &Scene<'_>, patient: &Patient, bridge: &InterfaceName) -> Result<Vec<Symptom>, Error> {
    const NAME: &str = "listening";
    let Some(config) = config(patient) else { return Ok(Vec::new()) };
    let (own, ours) = (process(patient), addresses(patient));
    let is_own = |it: &&Listening| own.is_some() && it.holder.as_ref().map(|holder| holder.pid) == own;
    let read = "`ss -lntup '( sport = :53 or sport = :67 )'`";
    let mut symptoms = Vec::new();
    for (port, is_needed) in [(53, config.dns_port() == Some(53)), (67, config.serves_dhcp(Family::Ipv4))] {
        let there: Vec<&Listening> = scene.listening().iter().filter(|it| it.port == port).collect();
        if !is_needed || (own.is_some() && there.iter().any(is_own)) {
            continue;
        }
        let takes = |it: &&&Listening| {
            let is_everywhere = it.address.is_unspecified();
            !is_other_dnsmasq(it, port) && (is_everywhere || ours.iter().any(|net| net.addr() == it.address))
        };
        match there.iter().find(takes) {
            Some(other) => {
                let holder = other.holder.as_ref();
                let holder = holder.map_or_else(|| "another process".to_owned(), ToString::to_string);
                let finding = format!(
                    "port {port}/{} of {} is held by {holder}, so that the network's dnsmasq cannot have it",
                    other.protocol,
                    if other.address.is_unspecified() { "all addresses".to_owned() } else { other.address.to_string() }
                );
                let help =
                    format!("have it listen on other addresses than those of {bridge}, then start the network anew");
                symptoms.push(Symptom::problem(NAME, finding).read(read).help(help));
            }
            // It takes no address that is still tentative.
            None if ours.iter().all(|net| is_tentative(net.addr())) => {}
            None if own.is_some() && there.iter().all(|it| it.holder.is_some()) => {
                let finding = format!("dnsmasq runs and does not listen on port {port}");
                symptoms.push(Symptom::problem(NAME, finding).read(read).mend(patient.repair()));
            }
            None => {}
        }
    }
    if symptoms.is_empty() {
        symptoms.push(Symptom::ok(NAME, "nobody else has its ports").read(read));
    }
    Ok(symptoms)
}

/// The dnsmasq of another network waits for DHCP at all addresses, but for one bridge only.
fn is_other_dnsmasq(socket: &Listening, port: u16) -> bool {
    port == 67 && socket.holder.as_ref().is_some_and(|holder| holder.name == "dnsmasq")
}

/// The leases of a network.
pub(super) fn leases(scene: &Scene<'_>, patient: &Patient) -> Result<Vec<Lease>, Error> {
    match (&patient.keeper, &patient.definition) {
        (Keeper::Vnet { name, .. }, _) => scene.driver.current_leases(name),
        (Keeper::Libvirt { .. }, Some(definition)) => {
            let text = scene.driver.libvirt_leases(&LibvirtFolders::system(), definition)?.unwrap_or_default();
            Ok(parse_leases(&text).into_iter().flatten().collect())
        }
        (Keeper::Libvirt { .. }, None) => Ok(Vec::new()),
    }
}

/// The addresses that attached guests have leased.
pub(super) fn leased<'p>(scene: &Scene<'_>, patient: &'p Patient) -> Result<Vec<(&'p KnownPort, Ipv4Addr)>, Error> {
    let leases = leases(scene, patient)?;
    let of = |port: &'p KnownPort| {
        let its = leases.iter().filter(|lease| matches!(lease.client, Client::Mac(mac) if mac == port.mac));
        let its = its.filter_map(|lease| match lease.ip {
            IpAddr::V4(ip) => Some((port, ip)),
            IpAddr::V6(_) => None,
        });
        its.collect::<Vec<_>>()
    };
    Ok(patient.ports.iter().filter(|port| port.bridge.is_some()).flat_map(of).collect())
}

/// The addresses that somebody has or will get.
pub(super) fn taken(scene: &Scene<'_>, patient: &Patient) -> Vec<IpAddr> {
    let leases = leases(scene, patient).unwrap_or_default().into_iter().map(|lease| lease.ip);
    let ips = || patient.definition.iter().flat_map(|network| &network.ips);
    let reserved = ips().filter_map(|ip| ip.dhcp.as_ref()).flat_map(|dhcp| &dhcp.hosts).map(|host| host.ip);
    leases.chain(reserved).chain(ips().map(|ip| ip.address)).collect()
}

/// Whether addresses are left.
pub(super) fn pool(scene: &Scene<'_>, patient: &Patient, _: &InterfaceName) -> Result<Vec<Symptom>, Error> {
    const NAME: &str = "pool";
    let Some(config) = config(patient) else { return Ok(Vec::new()) };
    let dhcps = config.subnets.iter().filter_map(|subnet| subnet.dhcp.as_ref());
    let ranges: Vec<AddressRange> = dhcps.flat_map(|dhcp| &dhcp.ranges).map(|range| range.addresses).collect();
    if ranges.is_empty() {
        return Ok(Vec::new());
    }
    let mut taken = taken(scene, patient);
    taken.sort();
    taken.dedup();
    let read = match &patient.keeper {
        Keeper::Vnet { name, .. } => format!("`{}`", scene.driver.lease_file(name).display()),
        Keeper::Libvirt { .. } => "`/var/lib/libvirt/dnsmasq`".to_owned(),
    };
    let mut symptoms = Vec::new();
    for family in [Family::Ipv4, Family::Ipv6] {
        let of_family: Vec<AddressRange> =
            ranges.iter().copied().filter(|range| Family::of(range.start()) == family).collect();
        let used = |range: &AddressRange| {
            taken.iter().filter(|ip| **ip >= range.start() && **ip <= range.end() && Family::of(**ip) == family).count()
        };
        let is_left = |range: &&AddressRange| size(**range).is_none_or(|size| size > used(range));
        symptoms.push(match (of_family.first(), of_family.iter().find(is_left)) {
            (None, _) => continue,
            (Some(_), Some(range)) => {
                let of = size(*range).map_or(String::new(), |size| format!(" of {size}"));
                let finding = format!("of {} to {}, {}{of} are used", range.start(), range.end(), used(range));
                Symptom::ok(NAME, finding).read(read.clone())
            }
            (Some(range), None) => {
                let finding = format!(
                    "the range {} to {} is used up: all {} addresses are leased or reserved",
                    range.start(),
                    range.end(),
                    used(range)
                );
                let help =
                    "widen `<range>`, or shorten `<lease>`, so that guests that are gone give theirs back sooner";
                Symptom::problem(NAME, finding).read(read.clone()).help(help)
            }
        });
    }
    Ok(symptoms)
}

/// The number of addresses. `None` for more than can be used up.
fn size(range: AddressRange) -> Option<usize> {
    let last = match (range.start(), range.end()) {
        (IpAddr::V4(start), IpAddr::V4(end)) => u128::from(end.to_bits() - start.to_bits()),
        (IpAddr::V6(start), IpAddr::V6(end)) => end.to_bits() - start.to_bits(),
        _ => return None,
    };
    usize::try_from(last).ok()?.checked_add(1)
}

/// What to do about a missing privilege: `root_lacks` is for who is root already.
pub(super) fn as_root(root_lacks: &str) -> String {
    if rustix::process::geteuid().is_root() { root_lacks.to_owned() } else { "run it as root".to_owned() }
}

/// What the made-up guest has found, or why there was none.
pub(super) fn tried<'p>(check: &'static str, patient: &'p Patient) -> Result<&'p Findings, Vec<Symptom>> {
    match &patient.tried {
        Some(Ok(findings)) => Ok(findings),
        Some(Err(reason)) => {
            let finding = format!("it could not be tried as a guest: {reason}");
            Err(vec![Symptom::unknown(check, finding).help(as_root("`/dev/net/tun` and CAP_NET_ADMIN are needed"))])
        }
        None => Err(Vec::new()),
    }
}

/// Whether the host hears a guest at all.
pub(super) fn frames(scene: &Scene<'_>, patient: &Patient, bridge: &InterfaceName) -> Result<Vec<Symptom>, Error> {
    const NAME: &str = "frames";
    let findings = match tried(NAME, patient) {
        Ok(findings) => findings,
        Err(symptoms) => return Ok(symptoms),
    };
    let Some(gateway) = addresses(patient).into_iter().find(|net| net.addr().is_ipv4()) else { return Ok(Vec::new()) };
    let gateway = gateway.addr();
    let read = format!("a guest that was made up in {bridge} asked by ARP for {gateway}");
    let own = scene.host.link(bridge)?.and_then(|known| known.link.mac);
    if let Some(other) = other_claim(findings, gateway, own) {
        let finding = format!("{other} says that it has {gateway}: guests send to it what is for this host");
        let help = format!("`bridge fdb show br {bridge} | grep {other}` says behind which port it is");
        return Ok(vec![Symptom::problem(NAME, finding).read(read).help(help)]);
    }
    Ok(vec![match findings.gateway {
        true => Symptom::ok(NAME, format!("the host answers a guest at {gateway}")).read(read),
        false => {
            let finding = format!("the host does not answer a guest that asks by ARP for {gateway}");
            let help = "the bridge, a filter of frames (`nft list tables bridge`, `ebtables -L`, `tc filter show`), or \
                        `arp_ignore` keeps it";
            Symptom::problem(NAME, finding).failed().read(read).help(help)
        }
    }])
}

/// Who else says that it has an address of a known owner.
pub(super) fn other_claim(findings: &Findings, ip: IpAddr, owner: Option<MacAddr>) -> Option<MacAddr> {
    let (IpAddr::V4(ip), Some(owner)) = (ip, owner) else { return None };
    findings.claims.get(&ip)?.iter().copied().find(|mac| *mac != owner)
}

/// Whether a guest is offered an address.
pub(super) fn dhcp(_: &Scene<'_>, patient: &Patient, bridge: &InterfaceName) -> Result<Vec<Symptom>, Error> {
    const NAME: &str = "dhcp";
    let Some(config) = config(patient).filter(|config| config.serves_dhcp(Family::Ipv4)) else { return Ok(Vec::new()) };
    let findings = match tried(NAME, patient) {
        Ok(findings) => findings,
        Err(symptoms) => return Ok(symptoms),
    };
    let own: Vec<IpAddr> = addresses(patient).iter().map(vnet_types::IpNet::addr).collect();
    let (ours, others): (Vec<&Offer>, Vec<&Offer>) =
        findings.offers.iter().partition(|offer| own.contains(&offer.server.into()));
    let read = format!("a guest that was made up in {bridge} sent a DHCP discover");
    let mut symptoms = Vec::new();
    for other in &others {
        let finding =
            format!("another DHCP server, {} ({}), offers {} in this network", other.server, other.mac, other.address);
        let help = format!("`bridge fdb show br {bridge} | grep {}` says behind which port it is", other.mac);
        symptoms.push(Symptom::problem(NAME, finding).read(read.clone()).help(help));
    }
    let has_ranges = config.subnets.iter().filter_map(|it| it.dhcp.as_ref()).any(|dhcp| !dhcp.ranges.is_empty());
    let examined = patient.has_guest && !patient.ports.is_empty();
    symptoms.push(match ours.first() {
        Some(offer) => {
            let who = if examined { "the guest is" } else { "a guest is" };
            Symptom::ok(NAME, format!("{who} offered {}", offer.address)).read(read)
        }
        None if !has_ranges && !examined => {
            Symptom::unknown(NAME, "only guests with a reservation get an address, and none was asked about").read(read)
        }
        None => {
            let finding = "nobody offers an address: a DHCP discover gets no answer";
            let help = format!(
                "`tcpdump -ni {bridge} port 67` shows whether it arrives, `vnet trace GUEST --proto udp` what drops it"
            );
            Symptom::problem(NAME, finding).failed().read(read).help(help)
        }
    });
    Ok(symptoms)
}

/// Whether a guest hears of a router for IPv6, and finds the host.
pub(super) fn router(_: &Scene<'_>, patient: &Patient, bridge: &InterfaceName) -> Result<Vec<Symptom>, Error> {
    const NAME: &str = "router";
    let Some(net) = addresses(patient).into_iter().find(|net| net.addr().is_ipv6()) else { return Ok(Vec::new()) };
    let findings = match tried(NAME, patient) {
        Ok(findings) => findings,
        Err(symptoms) => return Ok(symptoms),
    };
    let (host, read) = (net.addr(), format!("a guest that was made up in {bridge} asked for routers"));
    if is_tentative(host) {
        let finding = format!("{host} was not asked for: the address is tentative");
        return Ok(vec![Symptom::unknown(NAME, finding).read(format!("`ip -6 address show {bridge}`"))]);
    }
    if !findings.gateway6 {
        let finding = format!("the host does not answer a guest that asks who has {host}");
        let help = "a rule for ICMPv6, or a filter of frames, keeps it";
        return Ok(vec![Symptom::problem(NAME, finding).failed().read(read).help(help)]);
    }
    if config(patient).is_none() {
        return Ok(vec![Symptom::ok(NAME, format!("the host answers a guest at {host}")).read(read)]);
    }
    Ok(vec![match findings.router {
        Some(0) => {
            let finding = "the router that guests hear of says that it is none: they get no default route of IPv6";
            Symptom::unknown(NAME, finding).read(read)
        }
        Some(seconds) => Symptom::ok(NAME, format!("guests hear of a router, for {seconds} s")).read(read),
        None => {
            let finding = "guests hear of no router: they get neither an address nor a default route of IPv6";
            let help = format!("`tcpdump -ni {bridge} icmp6` shows whether it is asked and answers");
            Symptom::problem(NAME, finding).failed().read(read).help(help)
        }
    }])
}

/// Whether dnsmasq answers questions, of the host and of a guest.
pub(super) fn dns(scene: &Scene<'_>, patient: &Patient, bridge: &InterfaceName) -> Result<Vec<Symptom>, Error> {
    const NAME: &str = "dns";
    let Some(port) = config(patient).and_then(Config::dns_port).filter(|_| !scene.quiet) else { return Ok(Vec::new()) };
    let mut symptoms = Vec::new();
    for net in addresses(patient) {
        let server = net.addr();
        if is_tentative(server) {
            let finding = format!("{server} was not asked: the address is tentative as long as nothing is plugged in");
            symptoms.push(Symptom::unknown(NAME, finding).read(format!("`ip address show {bridge}`")));
            continue;
        }
        let answer = ask(ask::at(server, port), &version());
        let read = format!("`dig @{server} version.bind chaos txt`, from this host");
        symptoms.push(match answer {
            Answer::Came => Symptom::ok(NAME, format!("dnsmasq answers at {server}")).read(read),
            Answer::Nobody => {
                let finding = format!("nobody listens at {server} port {port}: guests cannot resolve names");
                Symptom::problem(NAME, finding).read(read).mend(patient.repair())
            }
            Answer::Silence => {
                let finding = format!("dnsmasq does not answer at {server}: guests cannot resolve names");
                Symptom::problem(NAME, finding).failed().read(read).help("it hangs, or a rule drops what it is asked")
            }
            Answer::NotSent(why) => Symptom::unknown(NAME, format!("{server} could not be asked: {why}")).read(read),
        });
    }
    if let (Some(Ok(findings)), Some(Symptom { health: super::Health::Ok, .. })) = (&patient.tried, symptoms.first())
        && port == 53
        && may_ask_names(patient)
        && let Some(address) = findings.address.filter(|_| !findings.dns)
    {
        let finding = format!(
            "dnsmasq answers this host and not a guest: what a guest at {address} asks, or the answer, is dropped on its \
             way through {bridge}"
        );
        let read = format!("a guest that was made up in {bridge} asked it");
        let symptom = Symptom::problem(NAME, finding).failed().read(read);
        let server = addresses(patient).first().map(|net| net.addr().to_string()).unwrap_or_default();
        let command = format!("vnet trace {address} {server}:53 --proto udp --send");
        symptoms.push(symptom.help(format!("`{command}` shows which rule drops it")));
    }
    Ok(symptoms)
}
