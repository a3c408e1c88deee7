//! The name servers that dnsmasq asks: those of the host's resolv.conf, or those of the definition.
//! And whether the host asks dnsmasq for the names of guests.

use std::fs;
use std::net::IpAddr;

use vnet_dnsmasq::Reach;
use vnet_plan::Key;

use super::Scene;
use super::ask::{self, Answer, ask, root};
use super::bridge::drifted;
use super::patient::Patient;
use super::symptom::{Health, Symptom};
use crate::error::Error;

const NAME: &str = "name-servers";
/// The file that dnsmasq reads.
const FILE: &str = "/etc/resolv.conf";
/// Where systemd-resolved listens.
const STUB: [&str; 2] = ["127.0.0.53", "127.0.0.54"];

/// The name servers of the host's resolv.conf.
pub(super) fn of_host() -> Result<Vec<String>, std::io::Error> {
    let text = fs::read_to_string(FILE)?;
    Ok(text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver")?.split_whitespace().next())
        .map(str::to_owned)
        .collect())
}

/// Whether names are resolved: those of guests by the host, and others by the network's dnsmasq.
pub(super) fn check(scene: &Scene<'_>, patient: &Patient) -> Result<Vec<Symptom>, Error> {
    let drift = patient.drift(|key| matches!(key, Key::Resolver(_)));
    let lost = drifted(NAME, patient, &drift, "systemd-resolved does not ask the network for names of its guests");
    Ok(lost.into_iter().chain(of_dnsmasq(scene, patient)?).collect())
}

/// Whether the name servers answer that the network's dnsmasq asks.
fn of_dnsmasq(scene: &Scene<'_>, patient: &Patient) -> Result<Vec<Symptom>, Error> {
    let config = patient.intent.as_ref().and_then(|intent| intent.dnsmasq.as_ref()).filter(|_| patient.runs);
    let Some(dns) = config.filter(|config| config.reach == Reach::Routed).and_then(|config| config.dns.as_ref()) else {
        return Ok(Vec::new());
    };
    let own: Vec<(IpAddr, u16)> =
        dns.forwarders.iter().filter_map(|it| Some((it.addr?, it.port.unwrap_or(53)))).collect();
    if !own.is_empty() {
        return Ok(asked(scene, &own, "`<forwarder>` of the definition"));
    }
    let given = match of_host() {
        Err(error) => {
            let symptom = Symptom::problem(NAME, format!("`{FILE}` cannot be read ({error}): guests resolve no names"));
            return Ok(vec![symptom.help(format!("write `nameserver` and an address into `{FILE}`"))]);
        }
        Ok(given) => given,
    };
    if given.is_empty() {
        let finding = format!("`{FILE}` names no server: dnsmasq has nobody to ask, and guests resolve no names");
        let help = format!("write `nameserver` and an address into `{FILE}`, or `<dns><forwarder addr='…'/></dns>`");
        return Ok(vec![Symptom::problem(NAME, finding).read(format!("`{FILE}`")).help(help)]);
    }
    let addresses: Vec<(IpAddr, u16)> = given.iter().filter_map(|it| Some((it.parse().ok()?, 53))).collect();
    let bridge = patient.bridge.as_ref();
    let is_own = |ip: IpAddr| {
        scene.inventory.addresses.iter().any(|(link, address)| Some(link) == bridge && address.net.addr() == ip)
    };
    if let Some((server, _)) = addresses.iter().find(|(ip, _)| is_own(*ip)) {
        let finding = format!("`{FILE}` names {server}, which is the network's own dnsmasq: it would ask itself");
        let help = format!("write another server into `{FILE}`, or `<dns><forwarder addr='…'/></dns>`");
        return Ok(vec![Symptom::problem(NAME, finding).read(format!("`{FILE}`")).help(help)]);
    }
    Ok(asked(scene, &addresses, &format!("`{FILE}`")))
}

fn asked(scene: &Scene<'_>, servers: &[(IpAddr, u16)], read: &str) -> Vec<Symptom> {
    if scene.quiet {
        let all: Vec<String> = servers.iter().map(|(ip, _)| ip.to_string()).collect();
        return vec![Symptom::unknown(NAME, format!("{} were not asked", all.join(", "))).read(read)];
    }
    let mut symptoms: Vec<Symptom> = servers.iter().map(|(server, port)| of(*server, *port).read(read)).collect();
    // One that answers is enough, late as the answer may be.
    if symptoms.iter().any(|symptom| symptom.health == Health::Ok) {
        for symptom in &mut symptoms {
            if symptom.health == Health::Problem {
                symptom.health = Health::Unknown;
                symptom.finding += "; another one does";
            }
        }
    }
    symptoms
}

fn of(server: IpAddr, port: u16) -> Symptom {
    let read = format!("`dig @{server} . ns`, from this host");
    let is_stub = STUB.contains(&server.to_string().as_str());
    let symptom = match ask(ask::at(server, port), &root()) {
        Answer::Came => Symptom::ok(NAME, format!("{server} answers")),
        Answer::Nobody if is_stub => {
            let finding = format!("{server} is systemd-resolved's, which does not listen: guests resolve no names");
            Symptom::problem(NAME, finding).command("systemctl restart systemd-resolved")
        }
        Answer::Nobody => Symptom::problem(NAME, format!("nobody listens at {server}: guests resolve no names")),
        Answer::Silence => {
            Symptom::problem(NAME, format!("{server} does not answer: guests resolve no names")).failed()
        }
        Answer::NotSent(why) => Symptom::problem(NAME, format!("{server} cannot be asked: {why}")).failed(),
    };
    symptom.read(read)
}
