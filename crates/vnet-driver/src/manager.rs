//! Other programs that manage links of vnet: systemd-networkd and NetworkManager. A manager that
//! has a profile for a bridge or a tap gives it its own addresses and takes it out of its bridge.

use std::fs;
use std::path::Path;

use vnet_host::{LinuxHost, Namespace};
use vnet_types::InterfaceName;

use crate::error::Error;
use crate::obstacle::Obstacle;

/// systemd-networkd's files about links, by index (`networkd-state-file.c` of systemd).
const NETWORKD: &str = "/run/systemd/netif/links";
/// NetworkManager's files about devices, by index (`nm-config.c` of NetworkManager).
const NETWORK_MANAGER: &str = "/run/NetworkManager/devices";
/// Profiles of NetworkManager that are lost at a reboot. It generates some for links that others
/// have set up, and changes nothing with these.
const VOLATILE_PROFILES: &str = "/run/NetworkManager/system-connections";

/// A program that manages links, and the links of ours that it manages.
struct Manager {
    program: &'static str,
    /// Its file or profile for a link.
    profile: String,
    links: Vec<InterfaceName>,
}

/// The programs that manage some of these links, as obstacles.
pub(crate) fn obstacles(host: &LinuxHost, links: &[InterfaceName]) -> Result<Vec<Obstacle>, Error> {
    // Most hosts have neither program, or are not its namespace.
    let is_there = [NETWORKD, NETWORK_MANAGER].map(|folder| Path::new(folder).exists());
    if is_there == [false, false] || !is_of_the_host()? {
        return Ok(Vec::new());
    }
    let mut managers: Vec<Manager> = Vec::new();
    for link in links {
        let Some(index) = host.link(link)?.map(|known| known.index) else { continue };
        let networkd = networkd(index).map(|file| ("systemd-networkd", file));
        let manager = network_manager(index).map(|profile| ("NetworkManager", profile));
        for (program, profile) in networkd.into_iter().chain(manager) {
            match managers.iter_mut().find(|known| known.program == program && known.profile == profile) {
                Some(known) => known.links.push(link.clone()),
                None => managers.push(Manager { program, profile, links: vec![link.clone()] }),
            }
        }
    }
    Ok(managers.iter().map(Manager::obstacle).collect())
}

/// Whether this is the network namespace of the first process. The managers run there, and an index
/// of another namespace is another link. An ordinary user cannot read it, and is in it unless he
/// has a user namespace of his own.
fn is_of_the_host() -> Result<bool, Error> {
    match Namespace::of(Path::new("/proc/1/ns/net")) {
        Ok(first) => Ok(LinuxHost::namespace()?.is(&first)),
        Err(_) => Ok(fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| is_everybody(&map))),
    }
}

/// Whether a user namespace has all users: only the first one has.
fn is_everybody(map: &str) -> bool {
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// The `.network` file by which systemd-networkd manages a link.
fn networkd(index: u32) -> Option<String> {
    let text = fs::read_to_string(format!("{NETWORKD}/{index}")).ok()?;
    let is_managed = value(&text, "ADMIN_STATE").is_some_and(|state| !matches!(state, "unmanaged" | "pending"));
    value(&text, "NETWORK_FILE").filter(|file| is_managed && !file.is_empty()).map(str::to_owned)
}

/// The profile by which NetworkManager manages a device.
fn network_manager(index: u32) -> Option<String> {
    let text = fs::read_to_string(format!("{NETWORK_MANAGER}/{index}")).ok()?;
    let profile = value(&text, "connection-uuid").filter(|_| value(&text, "managed") == Some("true"))?;
    let mut volatile = fs::read_dir(VOLATILE_PROFILES).into_iter().flatten().flatten();
    let is_generated = |text: &str| value(text, "uuid") == Some(profile) && value(text, "nm-generated") == Some("true");
    // An ordinary user cannot read profiles, and is told nothing that may be wrong.
    let is_harmless = volatile.any(|entry| fs::read_to_string(entry.path()).map_or(true, |text| is_generated(&text)));
    (!is_harmless).then(|| profile.to_owned())
}

/// The value of a line `name=value`.
fn value<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
}

impl Manager {
    fn obstacle(&self) -> Obstacle {
        let Self { program, profile, links } = self;
        let names: Vec<&str> = links.iter().map(InterfaceName::as_str).collect();
        let (all, by) = (names.join(", "), if profile.starts_with('/') { "" } else { "the connection " });
        let reason = format!(
            "{program} manages {all} by {by}`{profile}`: it takes addresses off a bridge, and taps out of their bridge"
        );
        Obstacle::by("links stay as vnet made them", reason, self.remedy(&names))
    }

    /// The lines of configuration that keep the manager off the links, and what reads them.
    fn remedy(&self, names: &[&str]) -> String {
        match self.program {
            "systemd-networkd" => format!(
                "write `/etc/systemd/network/05-vnet.network` with these lines, then `networkctl reload` and `vnet apply`:\n\
                 [Match]\nName={}\n[Link]\nUnmanaged=yes",
                names.join(" ")
            ),
            _ => {
                let devices: Vec<String> = names.iter().map(|name| format!("interface-name:{name}")).collect();
                format!(
                    "write `/etc/NetworkManager/conf.d/vnet.conf` with these lines, then `nmcli general reload` and \
                     `vnet apply`:\n[keyfile]\nunmanaged-devices={}",
                    devices.join(";")
                )
            }
        }
    }
}
