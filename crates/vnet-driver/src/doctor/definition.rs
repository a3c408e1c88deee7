//! What is kept, what runs, and who runs it.

use vnet_types::{InterfaceName, IpNet, NetworkName};

use super::Scene;
use super::address::addresses;
use super::patient::{Keeper, Patient};
use super::symptom::{Mend, Symptom};
use crate::definitions::DefinitionNews;
use crate::error::Error;
use crate::libvirt::ClientSocket;
use crate::state::State;

/// Whether the rules and the processes of others can be read.
pub(super) fn privilege(scene: &Scene<'_>) -> Result<Vec<Symptom>, Error> {
    let _ = scene;
    let name = "privilege";
    Ok(match rustix::process::geteuid().is_root() {
        true => Vec::new(),
        false => vec![
            Symptom::unknown(name, "not root: the rules of the firewall, and who holds a port, cannot be read")
                .read("`id -u`")
                .help("run it as root"),
        ],
    })
}

/// Whether the definition can be used, runs, and runs as it is kept.
pub(super) fn check(scene: &Scene<'_>, patient: &Patient) -> Result<Vec<Symptom>, Error> {
    match &patient.keeper {
        Keeper::Vnet { .. } => of_vnet(scene, patient),
        Keeper::Libvirt { unusable: Some(file), .. } => {
            let file = file.display();
            let finding = format!("libvirt's definition `{file}` cannot be used");
            Ok(vec![Symptom::problem("definition", finding).read(format!("`vnet check {file}`"))])
        }
        Keeper::Libvirt { autostart, .. } => Ok(vec![of_libvirt(patient, *autostart)]),
    }
}

fn of_vnet(scene: &Scene<'_>, patient: &Patient) -> Result<Vec<Symptom>, Error> {
    const NAME: &str = "definition";
    let (Keeper::Vnet { name, status }, driver) = (&patient.keeper, scene.driver) else { return Ok(Vec::new()) };
    let file = format!("`{}`", driver.definition_file(name).display());
    let mut symptoms = Vec::new();
    let news = driver.definition_news(name);
    if let Some(DefinitionNews::Unusable(error)) = &news {
        let symptom = Symptom::problem(NAME, format!("the kept definition cannot be used: {error:?}"));
        symptoms.push(symptom.read(file.clone()).command(format!("vnet edit {name}")));
    }
    match status {
        Err(error) => {
            let symptom = Symptom::problem(NAME, format!("the network's receipt cannot be read: {error:?}"));
            let symptom = symptom.command(format!("vnet forget {name}"));
            symptoms.push(symptom.read(format!("`{}`", driver.directory(name).display())));
        }
        Ok(None) => symptoms.extend(idle(scene, patient)?),
        Ok(Some(status)) => match status.state {
            State::Elsewhere => {
                let finding = "it runs in another network namespace, which cannot be read from here";
                symptoms.push(Symptom::unknown(NAME, finding).help("run it there, with `nsenter` or `ip netns exec`"));
            }
            State::Interrupted => {
                let symptom = Symptom::problem(NAME, "its last start, stop or change was interrupted");
                symptoms.push(symptom.read(format!("`{}`", driver.directory(name).display())).mend(patient.repair()));
            }
            State::InSync | State::Unsure | State::Drifted if matches!(news, Some(DefinitionNews::Differs)) => {
                let symptom = Symptom::unknown(NAME, "it does not run as it is kept: the definition was changed since");
                symptoms.push(
                    symptom
                        .read(file.clone())
                        .read(format!("`vnet dumpxml {name}`"))
                        .command(format!("vnet apply {name}")),
                );
            }
            State::InSync | State::Unsure | State::Drifted => {}
        },
    }
    if let Some(obstacle) = driver.unconfirmed_obstacle(name)? {
        let symptom = Symptom::unknown(NAME, obstacle.to_string());
        symptoms.push(obstacle.help().map_or(symptom.clone(), |help| symptom.help(help)));
    }
    if symptoms.is_empty() {
        let finding = match driver.is_persistent(name)? {
            true => "it runs as it is kept",
            false => "it runs; its definition is not kept",
        };
        symptoms.push(Symptom::ok(NAME, finding).read(file));
    }
    Ok(symptoms)
}

/// A network that is defined and does not run.
fn idle(scene: &Scene<'_>, patient: &Patient) -> Result<Option<Symptom>, Error> {
    let Keeper::Vnet { name, .. } = &patient.keeper else { return Ok(None) };
    if matches!(scene.driver.kept(name), Err(_) | Ok(None)) {
        return Ok(None);
    }
    if let Some(lost) = lost(scene, patient, name) {
        return Ok(Some(lost));
    }
    let (finding, read) =
        ("it is defined and does not run", format!("`vnet list --all`, `{}`", scene.driver.state().display()));
    let is_wanted = patient.is_meant || scene.driver.is_autostarted(name)?;
    let symptom = if is_wanted { Symptom::problem("definition", finding) } else { Symptom::ok("definition", finding) };
    let start = is_wanted.then(|| Mend::Start(name.clone()));
    Ok(Some(symptom.read(read).mend(start)))
}

/// A bridge with the network's name and address, which runs without a receipt.
fn lost(scene: &Scene<'_>, patient: &Patient, name: &NetworkName) -> Option<Symptom> {
    let bridge = patient.bridge.as_ref()?;
    let wanted = addresses(patient);
    let is_its = |link: &InterfaceName, net: &IpNet| link == bridge && wanted.contains(net);
    scene.inventory.addresses.iter().find(|(link, address)| is_its(link, &address.net))?;
    let directory = scene.driver.directory(name);
    let directory = directory.display();
    let finding = format!("{bridge} looks like this network's, and its receipt is gone from `{directory}`");
    let command = format!(
        "kill $(cat {directory}/dnsmasq.pid); rm -r {directory}; vnet gc --rules; ip link delete {bridge}; vnet start \
         {name}"
    );
    let symptom = Symptom::problem("definition", finding).read(format!("`ls {directory}`, `ip address show {bridge}`"));
    Some(symptom.command(command))
}

fn of_libvirt(patient: &Patient, autostart: bool) -> Symptom {
    let name = &patient.name;
    match (patient.runs, patient.is_meant || autostart) {
        (true, _) => Symptom::ok("definition", "libvirt runs it").read(format!("`/run/libvirt/network/{name}.xml`")),
        (false, wanted) => {
            let finding = "libvirt has it defined and does not run it";
            let symptom =
                if wanted { Symptom::problem("definition", finding) } else { Symptom::ok("definition", finding) };
            let symptom = symptom.read(format!("`/etc/libvirt/qemu/networks/{name}.xml`, `/run/libvirt/network`"));
            if wanted { symptom.command(format!("virsh net-start {name}")) } else { symptom }
        }
    }
}

/// Sockets that are left behind by a program that has ended.
pub(super) fn libvirt(scene: &Scene<'_>) -> Result<Vec<Symptom>, Error> {
    const NAME: &str = "libvirt";
    let (alive, stale): (Vec<_>, Vec<_>) = scene.driver.client_sockets().into_iter().partition(|it| it.is_alive);
    let mut symptoms = Vec::new();
    for ClientSocket { path, mend, .. } in &stale {
        let path = path.display();
        let finding = format!("nobody listens at `{path}`: a service has ended and left its socket, and virsh fails");
        // `virsh` takes the other one where only that is alive, but only when it is told to.
        let symptom = if alive.is_empty() { Symptom::problem(NAME, finding) } else { Symptom::unknown(NAME, finding) };
        symptoms.push(symptom.read("`/proc/net/unix`").command(mend.clone()));
    }
    if symptoms.is_empty() && !alive.is_empty() {
        let paths: Vec<String> = alive.iter().map(|it| it.path.display().to_string()).collect();
        symptoms.push(Symptom::ok(NAME, format!("somebody listens at {}", paths.join(", "))).read("`/proc/net/unix`"));
    }
    Ok(symptoms)
}
