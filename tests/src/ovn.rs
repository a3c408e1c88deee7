//! A cluster of OVN: its databases, and hosts, each with its own network, Open vSwitch in userspace
//! and ovn-controller. Between them are a network for the tunnels, and a physical one with a server
//! outside.

use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::program::{find, tell};
use crate::switch::{OvsdbServer, program};
use crate::{Machine, Netns, OpenVSwitch, run, vnet, wait_for};

const SOON: Duration = Duration::from_secs(20);
/// The server's address outside, and that of the gateway in examples.
const OUTSIDE: &str = "203.0.113.1/24";

/// The databases of OVN and ovn-northd.
pub struct OvnCentral {
    /// The northbound database.
    pub northbound: OvsdbServer,
    /// The southbound database.
    pub southbound: OvsdbServer,
    northd: Child,
}

/// A host of a cluster: a chassis of OVN.
pub struct OvnHost {
    /// Its `system-id`.
    pub name: String,
    /// Its network.
    pub netns: Netns,
    /// Its Open vSwitch. `None` when it was killed.
    pub switch: Option<OpenVSwitch>,
    controller: Child,
    folder: PathBuf,
}

/// A cluster.
pub struct OvnLab {
    /// The hosts, `h1` and so on.
    pub hosts: Vec<OvnHost>,
    /// The server outside.
    pub outside: Machine,
    /// The databases.
    pub central: OvnCentral,
    /// The kernel's bridges between the hosts.
    _wires: Netns,
}

impl OvnCentral {
    /// Starts them in a folder.
    ///
    /// # Panics
    /// When they do not start.
    pub fn start(folder: &Path) -> Self {
        let server = |name: &str| {
            let schema = find(&format!("share/ovn/ovn-{name}.ovsschema"));
            OvsdbServer::with_schema(&folder.join(name), &schema.display().to_string())
        };
        let (northbound, southbound) = (server("nb"), server("sb"));
        let mut northd = program(&ovn("ovn-northd"), folder);
        northd.env("OVN_RUNDIR", folder).arg(format!("--unixctl={}", folder.join("northd.ctl").display()));
        northd.arg(format!("--ovnnb-db=unix:{}", northbound.socket.display()));
        northd.arg(format!("--ovnsb-db=unix:{}", southbound.socket.display()));
        let northd = northd.spawn().expect("ovn-northd is installed");
        Self { northbound, southbound, northd }
    }

    /// Runs ovn-nbctl, and returns what it prints.
    pub fn nbctl(&self, arguments: &[&str]) -> String {
        let database = format!("--db=unix:{}", self.northbound.socket.display());
        run(&ovn("ovn-nbctl"), &[&[&*database, "--timeout=20"], arguments].concat())
    }

    /// Runs ovn-sbctl, and returns what it prints.
    pub fn sbctl(&self, arguments: &[&str]) -> String {
        let database = format!("--db=unix:{}", self.southbound.socket.display());
        run(&ovn("ovn-sbctl"), &[&[&*database, "--timeout=20"], arguments].concat())
    }

    /// Runs ovn-trace, and returns what it prints. It reads all flows first.
    ///
    /// # Panics
    /// When it fails, or cannot read a flow.
    pub fn trace(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(ovn("ovn-trace"));
        command.arg(format!("--db=unix:{}", self.southbound.socket.display())).args(arguments);
        let output = tell(command, "");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && told.is_empty(), "{arguments:?}: {told}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Ends ovn-northd, as a crash does.
    pub fn end_northd(&mut self) {
        let _ = self.northd.kill().and_then(|()| self.northd.wait());
    }

    /// The address of the northbound database.
    pub fn remote(&self) -> String {
        format!("unix:{}", self.northbound.socket.display())
    }
}

impl OvnHost {
    /// Starts a host on the cables of a number.
    fn start(number: usize, folder: &Path, wires: &Netns, southbound: &str) -> Self {
        let (name, netns) = (format!("h{number}"), Netns::new());
        let folder = folder.join(&name);
        let there = format!("/proc/{}/fd/{}", std::process::id(), netns.file().as_raw_fd());
        for (card, bridge) in [("e0", "tunnels"), ("e1", "physical")] {
            let cable = format!("{card}h{number}");
            wires.run(|| {
                run("ip", &["link", "add", &cable, "type", "veth", "peer", "name", card]);
                run("ip", &["link", "set", card, "netns", &there]);
                run("ip", &["link", "set", &cable, "master", bridge, "up"]);
            });
        }
        let address = format!("10.66.0.1{number}");
        let (switch, controller) = netns.run(|| {
            let switch = OpenVSwitch::start(&folder);
            let ids = [
                format!("system-id={name}"),
                format!("ovn-remote={southbound}"),
                "ovn-encap-type=geneve".to_owned(),
                format!("ovn-encap-ip={address}"),
                "ovn-bridge-mappings=physical:br-ex".to_owned(),
            ];
            let ids: Vec<String> = ids.iter().map(|id| format!("external_ids:{id}")).collect();
            let set: Vec<&str> = ["set", "open", "."].into_iter().chain(ids.iter().map(String::as_str)).collect();
            switch.vsctl(&set);
            for (bridge, card) in [("br-int", None), ("br-phy", Some("e0")), ("br-ex", Some("e1"))] {
                switch.add_bridge(bridge);
                if let Some(card) = card {
                    // Otherwise the kernel answers with the card's MAC address, too, and tunnels
                    // that are sent there lead nowhere.
                    run("ip", &["link", "set", card, "arp", "off", "up"]);
                    switch.vsctl(&["add-port", bridge, card]);
                }
            }
            switch.vsctl(&["set", "bridge", "br-int", "fail-mode=secure"]);
            run("ip", &["address", "add", &format!("{address}/24"), "dev", "br-phy"]);
            run("ip", &["link", "set", "br-phy", "up"]);
            let mut controller = program(&ovn("ovn-controller"), &folder);
            controller.env("OVN_RUNDIR", &folder).arg(format!("unix:{}", switch.server.socket.display()));
            (switch, controller.spawn().expect("ovn-controller is installed"))
        });
        Self { name, netns, switch: Some(switch), controller, folder }
    }

    /// Runs vnet on this host, with a document as its standard input. It answers in JSON.
    pub fn vnet(&self, arguments: &[&str], document: &str) -> Output {
        let command = self.command(arguments);
        self.netns.run(|| tell(command, document))
    }

    /// Begins to run vnet on this host.
    ///
    /// # Panics
    /// When it does not start.
    pub fn begins(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.netns.run(|| command.spawn().expect("vnet is built"))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(vnet());
        command
            .env("OVS_RUNDIR", &self.folder)
            .env("OVN_RUNDIR", &self.folder)
            .arg("--state-dir")
            .arg(self.folder.join("vnet"));
        command.args(arguments).args(["--format", "json"]);
        command
    }

    /// The same, and its answer.
    ///
    /// # Panics
    /// When it fails.
    pub fn does(&self, arguments: &[&str], document: &str) -> Value {
        let output = self.vnet(arguments, document);
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{}: {arguments:?}: {stderr}\n{stdout}", self.name);
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {stdout}"))
    }

    /// The interface of a guest.
    pub fn interface(network: &str, mac: &str, inside: &str) -> String {
        format!("<interface type='network'><source network='{network}'/><mac address='{mac}'/>{inside}</interface>")
    }

    /// Attaches a guest with a MAC address to a network, and starts it.
    pub fn guest(&self, network: &str, name: &str, mac: &str, inside: &str) -> Machine {
        let attached = self.does(&["attach", "-", "--guest", name], &Self::interface(network, mac, inside));
        let tap = attached["port"]["name"].as_str().expect("a name").to_owned();
        Machine::on(&tap, &self.netns, mac)
    }

    /// Ends its ovn-controller only, as a crash does.
    pub fn end_controller(&mut self) {
        let _ = self.controller.kill().and_then(|()| self.controller.wait());
    }

    /// Ends everything that OVN has on it, as a loss of power does.
    pub fn kill(&mut self) {
        self.end_controller();
        self.switch = None;
    }
}

impl OvnLab {
    /// Starts a cluster in a folder, and waits until each host is a chassis.
    ///
    /// # Panics
    /// When something does not start.
    pub fn start(folder: &Path, hosts: usize) -> Self {
        let central = OvnCentral::start(folder);
        let wires = Netns::new();
        wires.run(|| {
            for bridge in ["tunnels", "physical"] {
                run("ip", &["link", "add", bridge, "type", "bridge"]);
                run("ip", &["link", "set", bridge, "up"]);
            }
        });
        let outside = Machine::on_new("out", &wires, "02:00:00:00:00:99");
        wires.run(|| run("ip", &["link", "set", "out", "master", "physical", "up"]));
        outside.address(OUTSIDE);
        let southbound = format!("unix:{}", central.southbound.socket.display());
        let hosts: Vec<_> = (1..=hosts).map(|it| OvnHost::start(it, folder, &wires, &southbound)).collect();
        for host in &hosts {
            let find = ["--bare", "--columns=_uuid", "find", "chassis", &format!("name={}", host.name)];
            wait_for(SOON, "the chassis", || Some(central.sbctl(&find)).filter(|found| !found.trim().is_empty()));
        }
        Self { hosts, outside, central, _wires: wires }
    }
}

impl Drop for OvnHost {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Drop for OvnCentral {
    fn drop(&mut self) {
        self.end_northd();
    }
}

fn ovn(name: &str) -> String {
    find(&format!("bin/{name}")).display().to_string()
}
