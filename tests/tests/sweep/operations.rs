//! The operations, each with what comes before it, and what is so when it has come to its end.

use std::fs;
use std::os::unix::fs::symlink;

const LAB: &str = "start /tmp/lab.xml";
const GUEST: &str = "attach /tmp/guest.xml";
const DEFINE: &str = "define /tmp/lab.xml";
const BOTH: &str = "define /tmp/lab.xml /tmp/other.xml";

/// What is done to a host.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    /// The commands before it.
    pub(crate) before: &'static [&'static str],
    pub(crate) command: &'static str,
    /// What is so when it is done.
    pub(crate) end: &'static [End],
    /// The commands that take everything away.
    pub(crate) after: &'static [&'static str],
    /// A failure may leave a part of it done.
    pub(crate) in_part: bool,
    /// It is killed or refused at one call of so many: short operations have fewer calls.
    pub(crate) stride: usize,
}

/// What is so at the end.
pub(crate) enum End {
    /// The network runs as the file says.
    As(&'static str),
    /// The command prints the text.
    Says(&'static str, &'static str),
    /// The command does not print the text.
    Not(&'static str, &'static str),
}

use End::{As, Not, Says};

const OPERATION: Operation = Operation {
    name: "",
    before: &[],
    command: "",
    end: &[],
    after: &["detach tap7", "stop lab"],
    in_part: false,
    stride: 67,
};

/// One of a definition that is kept.
const KEPT: Operation = Operation { after: &["undefine lab"], stride: 11, ..OPERATION };

pub(crate) static OPERATIONS: [Operation; 18] = [
    Operation { name: "start", command: LAB, end: &[As("/tmp/lab.xml")], ..OPERATION },
    Operation {
        name: "apply: another DHCP range",
        before: &[LAB],
        command: "apply /tmp/range.xml",
        end: &[As("/tmp/range.xml")],
        ..OPERATION
    },
    Operation {
        name: "apply: another mode",
        before: &[LAB, GUEST],
        command: "apply /tmp/route.xml",
        end: &[As("/tmp/route.xml")],
        ..OPERATION
    },
    Operation {
        name: "apply: isolated, another MTU",
        before: &[LAB],
        command: "apply /tmp/isolated.xml",
        end: &[As("/tmp/isolated.xml")],
        ..OPERATION
    },
    Operation {
        name: "apply: another bridge name",
        before: &[LAB, GUEST],
        command: "apply /tmp/renamed.xml",
        end: &[As("/tmp/renamed.xml")],
        ..OPERATION
    },
    Operation {
        name: "apply: another MAC address",
        before: &[LAB],
        command: "apply /tmp/mac.xml",
        end: &[As("/tmp/mac.xml")],
        ..OPERATION
    },
    Operation {
        name: "stop",
        before: &[LAB, GUEST],
        command: "stop lab",
        end: &[Not("list --name", "lab")],
        in_part: true,
        stride: 31,
        ..OPERATION
    },
    Operation {
        name: "attach",
        before: &[LAB],
        command: GUEST,
        end: &[Says("ports", "tap7"), Says("diff tap7", "")],
        stride: 31,
        ..OPERATION
    },
    Operation {
        name: "attach: to a bridge of the host",
        command: "attach /tmp/alone.xml",
        end: &[Says("ports", "tap7")],
        after: &["detach tap7"],
        stride: 11,
        ..OPERATION
    },
    Operation {
        name: "detach",
        before: &[LAB, GUEST],
        command: "detach tap7",
        end: &[Not("ports", "tap7")],
        in_part: true,
        stride: 5,
        ..OPERATION
    },
    Operation { name: "define", command: DEFINE, end: &[Says("list --all --name", "lab")], ..KEPT },
    Operation {
        name: "define: another definition",
        before: &[DEFINE],
        command: "define /tmp/range.xml",
        end: &[Says("dumpxml lab", "'192.168.130.20'")],
        ..KEPT
    },
    Operation {
        name: "undefine",
        before: &["import"],
        command: "undefine lab",
        end: &[Not("list --all --name", "lab")],
        in_part: true,
        stride: 7,
        ..KEPT
    },
    Operation {
        name: "autostart",
        before: &[DEFINE],
        command: "autostart lab",
        end: &[Says("list --all --autostart --name", "lab")],
        ..KEPT
    },
    Operation {
        name: "update: live and kept",
        before: &[DEFINE, "start lab"],
        command: "update lab add ip-dhcp-host /tmp/host.xml --live --config",
        end: &[
            Says("dumpxml lab", "ip='192.168.130.50'"),
            Says("dumpxml --inactive lab", "ip='192.168.130.50'"),
            Says("diff lab", ""),
        ],
        after: &["stop lab", "undefine lab"],
        stride: 31,
        ..OPERATION
    },
    Operation {
        name: "desc: live and kept",
        before: &[DEFINE, "start lab"],
        command: "desc lab --live --config for-tests",
        end: &[
            Says("dumpxml lab", "<description>for-tests<"),
            Says("dumpxml --inactive lab", "<description>for-tests<"),
            Says("diff lab", "network lab is in sync"),
        ],
        after: &["stop lab", "undefine lab"],
        stride: 31,
        ..OPERATION
    },
    Operation {
        name: "import",
        command: "import",
        end: &[Says("list --all --autostart --name", "lab"), Says("leases lab", "192.168.130.7")],
        ..KEPT
    },
    Operation {
        name: "boot",
        before: &[BOTH, "autostart lab other"],
        command: "start --autostart",
        end: &[As("/tmp/lab.xml"), Says("list --name", "other"), Says("diff other", "")],
        in_part: true,
        after: &["stop lab", "stop other", "undefine lab", "undefine other"],
        ..OPERATION
    },
];

/// Writes the definitions that commands name.
pub(crate) fn write() {
    let network = |bridge: &str, more: &str, first: u8| {
        format!(
            "<network><name>lab</name>{more}<bridge name='{bridge}'/><ip address='192.168.130.1' prefix='24'>
             <dhcp><range start='192.168.130.{first}' end='192.168.130.99'/></dhcp></ip></network>"
        )
    };
    let guest = |of: &str| format!("<interface {of}<mac address='52:54:00:00:00:77'/><target dev='tap7'/></interface>");
    for (file, text) in [
        ("lab", network("virbr7", "<forward/>", 2)),
        ("range", network("virbr7", "<forward/>", 20)),
        ("route", network("virbr7", "<forward mode='route'/>", 2)),
        ("isolated", network("virbr7", "<mtu size='1400'/>", 2)),
        ("renamed", network("virbr8", "<forward/>", 2)),
        ("mac", network("virbr7", "<forward/><mac address='52:54:00:00:00:99'/>", 2)),
        ("other", network("virbr9", "<forward/>", 2).replace("lab", "other").replace("130", "131")),
        ("guest", guest("type='network'><source network='lab'/>")),
        ("alone", guest("type='bridge'><source bridge='br0'/>")),
        ("host", "<host mac='52:54:00:00:00:50' ip='192.168.130.50'/>".to_owned()),
    ] {
        fs::write(format!("/tmp/{file}.xml"), text).unwrap();
    }
    // The bridge of the host.
    vnet_tests::run("ip", &["link", "add", "br0", "address", "52:54:00:00:00:b0", "type", "bridge"]);
    // What libvirt keeps. The test's /etc has a link to the host's folder in its place.
    let _ = fs::remove_file("/etc/libvirt");
    for folder in ["/etc/libvirt/qemu/networks/autostart", "/var/lib/libvirt/dnsmasq"] {
        fs::create_dir_all(folder).unwrap();
    }
    let definition = "/etc/libvirt/qemu/networks/lab.xml";
    let identity = "<forward/><uuid>5e3b1c5a-0000-4000-8000-000000000001</uuid><mac address='52:54:00:00:00:01'/>";
    fs::write(definition, network("virbr7", identity, 2)).unwrap();
    symlink(definition, "/etc/libvirt/qemu/networks/autostart/lab.xml").unwrap();
    let lease = "[{\"ip-address\": \"192.168.130.7\", \"mac-address\": \"52:54:00:00:00:07\",
        \"expiry-time\": 4102444800}]";
    fs::write("/var/lib/libvirt/dnsmasq/virbr7.status", lease).unwrap();
    // It stays as a network needs it.
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
}
