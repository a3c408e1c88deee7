//! How a hypervisor connects a guest to its device on the host, or to its passt.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::Serialize;
use vnet_driver::{Device, KnownPort, PortOutcome, passt_process};
use vnet_passt::{Connection, Passt, qemu};
use vnet_types::MacAddr;
use vnet_xml::Interface;
use vnet_xml::interface::Driver;

/// A guest's passt, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct PasstJson {
    /// `None` while it does not run.
    pub(crate) pid: Option<i32>,
    pub(crate) socket: PathBuf,
    /// Arguments for QEMU.
    pub(crate) qemu: Vec<String>,
    /// Further arguments that QEMU needs, with the guest's memory size to fill in.
    pub(crate) qemu_memory: Option<[&'static str; 4]>,
    /// Arguments for cloud-hypervisor; `None` when it cannot use this connection.
    pub(crate) cloud_hypervisor: Option<String>,
}

impl PasstJson {
    /// A passt and its state.
    /// `number` distinguishes the cards of one guest.
    pub(crate) fn of(passt: &Passt, mac: Option<MacAddr>, number: usize) -> Self {
        let (connection, socket) = (passt.connection, &passt.socket);
        Self {
            pid: passt_process(passt).map(|running| running.pid()),
            socket: socket.clone(),
            qemu: qemu::arguments(connection, socket, mac, &format!("net{number}"), version()),
            qemu_memory: (connection == Connection::VhostUser).then_some(qemu::SHARED_MEMORY),
            cloud_hypervisor: qemu::cloud_hypervisor(connection, socket, mac),
        }
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("QEMU: {}\n", quoted(&self.qemu));
        if let Some(memory) = &self.qemu_memory {
            text += &format!("  and {}, with the guest's own size\n", quoted(memory));
        }
        text + &match &self.cloud_hypervisor {
            Some(arguments) => format!("cloud-hypervisor: {arguments}\n"),
            None => {
                "cloud-hypervisor and others without a stream device: use an interface of type vhostuser\n".to_owned()
            }
        }
    }
}

/// How a hypervisor uses a device of the host.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Connect {
    /// Arguments for QEMU.
    qemu: Vec<String>,
    /// Arguments for cloud-hypervisor.
    cloud_hypervisor: Vec<String>,
    /// Redirections of a shell that open the files which the arguments name by number.
    open: Vec<String>,
}

/// The number of the first file that a hypervisor gets.
const FIRST_FILE: usize = 3;

impl Connect {
    /// An interface with its device. `None` behind passt.
    pub(crate) fn of(interface: &Interface, outcome: &PortOutcome, number: usize) -> Option<Self> {
        match outcome.passt {
            Some(_) => None,
            None => Some(Self::of_device(interface, &outcome.port, &outcome.device, number)),
        }
    }

    fn of_device(interface: &Interface, port: &KnownPort, device: &Device, number: usize) -> Self {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        if let Some(function) = &port.function {
            return Self {
                qemu: words(&["-device", &format!("vfio-pci,host={function}")]),
                cloud_hypervisor: words(&["--device", &format!("path=/sys/bus/pci/devices/{function}/")]),
                open: Vec::new(),
            };
        }
        // In QEMU's options a doubled comma stands for a comma in the value.
        let (dev, name) = (&port.dev, port.dev.as_str().replace(',', ",,"));
        let (id, mac, queues) = (format!("net{number}"), port.mac, usize::from(port.queues));
        let files: Vec<String> = (FIRST_FILE..FIRST_FILE + queues).map(|file| file.to_string()).collect();
        let (tap, cloud) = match (&device.node, &files[..]) {
            (None, _) => {
                let queues = if queues > 1 { format!(",queues={queues}") } else { String::new() };
                (format!("ifname={name},script=no,downscript=no{queues}"), format!("tap={dev}"))
            }
            (Some(_), [one]) => (format!("fd={one}"), format!("fd={one}")),
            (Some(_), several) => (format!("fds={}", several.join(":")), format!("fd=[{}]", several.join(","))),
        };
        let header = if port.vnet_hdr { "" } else { ",vnet_hdr=off" };
        let card = match interface.model.as_deref() {
            None | Some("virtio") => "virtio-net-pci",
            Some("virtio-transitional") => "virtio-net-pci-transitional",
            Some("virtio-non-transitional") => "virtio-net-pci-non-transitional",
            Some(model) => model,
        };
        let is_virtio = card.starts_with("virtio");
        let many = if queues > 1 && is_virtio { format!(",mq=on,vectors={}", 2 * queues + 2) } else { String::new() };
        let mtu = device.mtu.filter(|mtu| is_virtio && *mtu != 1500).map(|mtu| format!(",host_mtu={mtu}"));
        let driver = interface.driver.as_ref().filter(|_| is_virtio);
        let offloads = driver.map(offloads).unwrap_or_default();
        let checksums = driver.is_some_and(|driver| driver.host.csum == Some(false));
        let checksums = if checksums { ",offload_csum=off" } else { "" };
        let both = if queues > 1 { format!(",num_queues={}", 2 * queues) } else { String::new() };
        let node = device.node.as_ref().map(|node| quoted(&[node.to_string_lossy()]));
        Self {
            qemu: words(&[
                "-netdev",
                &format!("tap,id={id},{tap}{header}"),
                "-device",
                &format!("{card},netdev={id},mac={mac}{many}{}{offloads}", mtu.unwrap_or_default()),
            ]),
            cloud_hypervisor: words(&["--net", &format!("{cloud},mac={mac}{both}{checksums}")]),
            open: node.iter().flat_map(|node| files.iter().map(move |file| format!("{file}<>{node}"))).collect(),
        }
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let open: String = self.open.iter().map(|open| format!(" {open}")).collect();
        format!("QEMU: {}{open}\ncloud-hypervisor: {}{open}\n", quoted(&self.qemu), quoted(&self.cloud_hypervisor))
    }
}

/// The options of QEMU's virtio card for what `<host>` and `<guest>` of `<driver>` switch on and
/// off.
fn offloads(Driver { host, guest, .. }: &Driver) -> String {
    let options = [
        ("csum", host.csum),
        ("gso", host.gso),
        ("host_tso4", host.tso4),
        ("host_tso6", host.tso6),
        ("host_ecn", host.ecn),
        ("host_ufo", host.ufo),
        ("mrg_rxbuf", host.mrg_rxbuf),
        ("guest_csum", guest.csum),
        ("guest_tso4", guest.tso4),
        ("guest_tso6", guest.tso6),
        ("guest_ecn", guest.ecn),
        ("guest_ufo", guest.ufo),
    ];
    let option = |(name, on): (&str, Option<bool>)| Some(format!(",{name}={}", if on? { "on" } else { "off" }));
    options.into_iter().filter_map(option).collect()
}

/// The version of this machine's QEMU, if it is installed.
fn version() -> Option<qemu::Version> {
    let programs = [format!("qemu-system-{}", std::env::consts::ARCH), "qemu-kvm".to_owned()];
    let outputs = programs.iter().map(|program| Command::new(program).arg("--version").stdin(Stdio::null()).output());
    outputs.flatten().find_map(|output| String::from_utf8_lossy(&output.stdout).parse().ok())
}

/// Quotes words for a shell.
pub(crate) fn quoted<T: AsRef<str>>(words: &[T]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+,.:/%@~".contains(c);
    let quote = |word: &T| match word.as_ref() {
        word if !word.is_empty() && word.chars().all(plain) && !word.starts_with('~') => word.to_owned(),
        word => format!("'{}'", word.replace('\'', r"'\''")),
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_macvtap_is_a_file_that_the_shell_opens() {
        let connect = Connect {
            qemu: vec!["-netdev".to_owned(), "tap,id=net0,fds=3:4".to_owned()],
            cloud_hypervisor: vec!["--net".to_owned(), "fd=[3,4]".to_owned()],
            open: vec!["3<>/dev/tap7".to_owned(), "4<>/dev/tap7".to_owned()],
        };
        let text = "QEMU: -netdev tap,id=net0,fds=3:4 3<>/dev/tap7 4<>/dev/tap7\n\
                    cloud-hypervisor: --net 'fd=[3,4]' 3<>/dev/tap7 4<>/dev/tap7\n";
        assert_eq!(connect.text(), text);
    }

    #[test]
    fn offloads_are_options_of_the_card() {
        let driver = "<driver><host csum='off' tso6='on'/><guest csum='off' ufo='off'/></driver>";
        let interface =
            format!("<interface type='bridge'><source bridge='b'/><model type='virtio'/>{driver}</interface>");
        let interface: Interface = interface.parse().unwrap();
        assert_eq!(offloads(&interface.driver.unwrap()), ",csum=off,host_tso6=on,guest_csum=off,guest_ufo=off");
    }

    #[test]
    fn words_are_quoted_where_they_must_be() {
        assert_eq!(
            quoted(&["--socket", "/run/a b", "it's", "", "~1", "22:80"]),
            r"--socket '/run/a b' 'it'\''s' '' '~1' 22:80"
        );
    }
}
