//! Virtual functions of network cards: found in sysfs (Documentation/PCI/pci-iov-howto.rst), with
//! the settings that their cards give them.

use std::fs;
use std::path::{Path, PathBuf};

use vnet_netlink::{KernelLink, Netlink};
use vnet_plan::Vf;
use vnet_types::{InterfaceName, LinkKind, VfSettings, VirtualFunction};

use super::{Kind, LinuxHost, gone_is_fine};
use crate::{Error, Fact};

/// The sysfs folder of links.
pub(super) const CLASS: &str = "/sys/class/net";

/// The virtual functions of these links, by card and number. `CARD/device/virtfnN` in `class` leads
/// to a function; the function's folder `net` has its device on the host.
///
/// `/sys` may be mounted for another network namespace. Cards that differ there have no functions.
pub(super) fn all(
    class: &Path,
    links: &[KernelLink],
    settings: impl Fn(&InterfaceName) -> Result<Vec<VfSettings>, Error>,
) -> Result<Vec<VirtualFunction>, Error> {
    let mut all = Vec::new();
    // A host may have thousands of bridges and taps, and none of them is a card.
    for card in links.iter().filter(|known| matches!(known.link.kind, LinkKind::Other(_))) {
        let name = &card.link.name;
        let mut found: Vec<(u32, PathBuf)> = entries(&class.join(name.as_str()).join("device"))
            .filter_map(|path| Some((path.file_name()?.to_str()?.strip_prefix("virtfn")?.parse().ok()?, path)))
            .collect();
        if found.is_empty() || !is_same(class, card) {
            continue;
        }
        found.sort_unstable();
        let given = settings(name)?;
        for (number, path) in found {
            let target = fs::read_link(&path).map_err(Error::file("read", &path))?;
            let address = target.file_name().and_then(|name| name.to_str()?.parse().ok());
            let Some(address) = address else { continue };
            let mut devices: Vec<InterfaceName> =
                entries(&path.join("net")).filter_map(|path| path.file_name()?.to_str()?.parse().ok()).collect();
            devices.sort_unstable();
            let unknown = VfSettings { number, ..VfSettings::default() };
            let settings = given.iter().find(|it| it.number == number).copied().unwrap_or(unknown);
            all.push(VirtualFunction { card: name.clone(), address, dev: devices.into_iter().next(), settings });
        }
    }
    all.sort_by(|a, b| (&a.card, a.settings.number).cmp(&(&b.card, b.settings.number)));
    Ok(all)
}

fn is_same(class: &Path, card: &KernelLink) -> bool {
    let says = |file: &str, value: String| {
        let text = fs::read_to_string(class.join(card.link.name.as_str()).join(file));
        text.is_ok_and(|text| text.trim() == value)
    };
    says("ifindex", card.index.to_string()) && card.link.mac.is_some_and(|mac| says("address", mac.to_string()))
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

impl Kind for Vf {
    /// The function is lent while it has exactly the settings that the guest needs.
    fn look(&self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Self>, Error> {
        Ok(has(&host.netlink, &self.card, &self.settings)?.then(|| self.clone()))
    }

    fn create(&self, host: &LinuxHost) -> Result<Option<Fact>, Error> {
        host.netlink.set_vf(&self.card, &self.settings)?;
        Ok(None)
    }

    fn update(&self, to: &Self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Fact>, Error> {
        to.create(host)
    }

    /// Restores the function's earlier settings where they are known, unless somebody else has
    /// changed them since.
    fn delete(&self, host: &LinuxHost, _: Option<Fact>) -> Result<(), Error> {
        let is_known = self.was.mac.is_some() || self.was.vlan.is_some();
        if is_known && has(&host.netlink, &self.card, &self.settings)? {
            gone_is_fine(host.netlink.set_vf(&self.card, &self.was))
        } else {
            Ok(())
        }
    }
}

fn has(netlink: &Netlink, card: &InterfaceName, settings: &VfSettings) -> Result<bool, Error> {
    let all = match netlink.vfs(card) {
        Err(error) if error.is_not_found() => return Ok(false),
        all => all?,
    };
    let there = all.into_iter().find(|it| it.number == settings.number);
    Ok(there.is_some_and(|there| {
        settings.mac.is_none_or(|mac| there.mac == Some(mac))
            && settings.vlan.is_none_or(|vlan| there.vlan == Some(vlan))
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use std::os::unix::fs::symlink;

    use vnet_types::{Link, MacAddr};

    use super::*;

    /// A sysfs in a temporary folder, removed on drop.
    struct Sysfs(PathBuf);

    impl Sysfs {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("vnet-sysfs-{name}-{}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        fn class(&self) -> PathBuf {
            self.0.join("class")
        }

        /// Adds a card with so many functions, the first in `slot`. The first `devices` of them
        /// have a device.
        fn card(&self, card: &KernelLink, index: u32, slot: u8, functions: u8, devices: u8) {
            let folder = self.class().join(card.link.name.as_str());
            fs::create_dir_all(folder.join("device")).unwrap();
            fs::write(folder.join("ifindex"), format!("{index}\n")).unwrap();
            fs::write(folder.join("address"), format!("{}\n", card.link.mac.unwrap())).unwrap();
            for number in 0..functions {
                let address = format!("0000:03:{:02x}.{}", slot + number / 8, number % 8);
                let function = self.0.join("devices").join(&address);
                fs::create_dir_all(&function).unwrap();
                if number < devices {
                    fs::create_dir_all(function.join("net").join(format!("{}v{number}", card.link.name))).unwrap();
                }
                symlink(&function, folder.join(format!("device/virtfn{number}"))).unwrap();
            }
        }
    }

    impl Drop for Sysfs {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn card(name: &str, index: u32) -> KernelLink {
        let mac = Some(MacAddr([2, 0, 0, 0, 0, 1]));
        let kind = LinkKind::Other(String::new());
        KernelLink::new(index, Link { name: name.parse().unwrap(), kind, mac, mtu: None, up: true })
    }

    fn found(sysfs: &Sysfs, links: &[KernelLink]) -> Vec<String> {
        let given = |_: &InterfaceName| Ok(vec![VfSettings { number: 1, mac: None, vlan: Some(7) }]);
        let words = |it: VirtualFunction| {
            let dev = it.dev.map_or_else(|| "-".to_owned(), |dev| dev.to_string());
            format!("{} {} {dev} {}", it.card, it.address, it.settings)
        };
        all(&sysfs.class(), links, given).unwrap().into_iter().map(words).collect()
    }

    #[test]
    fn functions_are_listed_by_card_and_number() {
        let sysfs = Sysfs::new("list");
        let (eth0, eth1) = (card("eth0", 2), card("eth1", 3));
        sysfs.card(&eth1, 3, 2, 12, 1);
        sysfs.card(&eth0, 2, 16, 2, 2);
        let all = found(&sysfs, &[eth1, eth0]);
        let expected = [
            "eth0 0000:03:10.0 eth0v0 vf 0",
            "eth0 0000:03:10.1 eth0v1 vf 1 vlan 7",
            "eth1 0000:03:02.0 eth1v0 vf 0",
            "eth1 0000:03:02.1 - vf 1 vlan 7",
            "eth1 0000:03:02.2 - vf 2",
        ];
        assert_eq!(all[..5], expected);
        assert_eq!((all.len(), all[13].as_str()), (14, "eth1 0000:03:03.3 - vf 11"), "10 and 11 come after 9");
    }

    #[test]
    fn another_card_of_that_name_in_another_namespace_is_not_meant() {
        let sysfs = Sysfs::new("others");
        let eth0 = card("eth0", 2);
        sysfs.card(&eth0, 5, 16, 2, 2);
        assert_eq!(found(&sysfs, &[eth0, card("eth1", 3)]), [""; 0]);
    }
}
