//! A cluster of OVN, as tests ask it: hosts that run vnet, and a server outside.

use std::ops::{Deref, DerefMut};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use vnet_lab::Daemon;

use crate::program::{program, programs, tell};
use crate::{Machine, Netns, OpenVSwitch, run, vnet};

/// The server's address outside, and that of the gateway in examples.
const OUTSIDE: &str = "203.0.113.1/24";

/// The databases of OVN and ovn-northd.
pub struct OvnCentral(vnet_lab::OvnCentral);

/// A host of a cluster: a chassis of OVN.
pub struct OvnHost {
    /// Its `system-id`.
    pub name: String,
    /// Its network.
    pub netns: Netns,
    /// Its Open vSwitch. `None` when it was killed.
    pub switch: Option<OpenVSwitch>,
    controller: Option<Daemon>,
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
        Self(vnet_lab::OvnCentral::start(&programs(), folder).expect("OVN starts"))
    }

    /// Runs ovn-nbctl, and returns what it prints.
    pub fn nbctl(&self, arguments: &[&str]) -> String {
        let database = format!("--db={}", self.northbound.remote());
        run(&program("ovn-nbctl"), &[&[&*database, "--timeout=20"], arguments].concat())
    }

    /// Runs ovn-sbctl, and returns what it prints.
    pub fn sbctl(&self, arguments: &[&str]) -> String {
        let database = format!("--db={}", self.southbound.remote());
        run(&program("ovn-sbctl"), &[&[&*database, "--timeout=20"], arguments].concat())
    }

    /// Runs ovn-trace, and returns what it prints. It reads all flows first.
    ///
    /// # Panics
    /// When it fails, or cannot read a flow.
    pub fn trace(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(program("ovn-trace"));
        command.arg(format!("--db={}", self.southbound.remote())).args(arguments);
        let output = tell(command, "");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && told.is_empty(), "{arguments:?}: {told}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Ends ovn-northd, as a crash does.
    pub fn end_northd(&mut self) {
        self.0.northd.kill();
    }

    /// The address of the northbound database.
    pub fn remote(&self) -> String {
        self.northbound.remote()
    }
}

impl Deref for OvnCentral {
    type Target = vnet_lab::OvnCentral;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for OvnCentral {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl OvnHost {
    fn of(host: vnet_lab::OvnHost) -> Self {
        let vnet_lab::OvnHost { name, namespace, folder, controller, switch } = host;
        Self { name, netns: Netns::of(namespace), switch: switch.map(OpenVSwitch), controller, folder }
    }

    /// Runs vnet on this host, with a document as its standard input. It answers in JSON.
    pub fn vnet(&self, arguments: &[&str], document: &str) -> Output {
        let command = self.command(arguments);
        self.netns.run(|| tell(command, document))
    }

    /// Runs vnet on this host, and kills it at the nth call of one of these kinds, in any of its
    /// threads. Returns whether it came so far.
    ///
    /// # Panics
    /// When strace does not start.
    pub fn killed(&self, arguments: &[&str], calls: &str, nth: usize) -> bool {
        let inject = format!("inject={calls}:signal=KILL:when={nth}");
        let mut strace = self.strace(arguments, calls, &["-o", "/dev/null", "-e", &inject]);
        strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.netns.run(|| strace.status().expect("strace is installed").signal().is_some())
    }

    /// Runs vnet on this host, and returns its calls of these kinds, each in a line.
    ///
    /// # Panics
    /// When it fails.
    pub fn calls(&self, arguments: &[&str], calls: &str) -> String {
        let strace = self.strace(arguments, calls, &[]);
        let output = self.netns.run(|| tell(strace, ""));
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {told}");
        told
    }

    fn strace(&self, arguments: &[&str], calls: &str, more: &[&str]) -> Command {
        let vnet = self.command(arguments);
        let mut strace = Command::new("strace");
        // Programs that it starts are let go.
        strace.args(["-f", "-b", "execve", "-qq", "-e", &format!("trace={calls}")]).args(more);
        strace.arg(vnet.get_program()).args(vnet.get_args());
        strace.envs(vnet.get_envs().filter_map(|(name, value)| Some((name, value?))));
        strace
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
        self.controller = None;
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
        Self::of(|names| vnet_lab::OvnLab::start(&programs(), folder, names), hosts)
    }

    /// The same, where the kernel carries the frames.
    ///
    /// # Panics
    /// When something does not start.
    pub fn start_in_kernel(folder: &Path, hosts: usize) -> Self {
        Self::of(|names| vnet_lab::OvnLab::start_in_kernel(&programs(), folder, names), hosts)
    }

    fn of(start: impl FnOnce(&[&str]) -> Result<vnet_lab::OvnLab, vnet_lab::Error>, hosts: usize) -> Self {
        let names: Vec<String> = (1..=hosts).map(|number| format!("h{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let lab = start(&names);
        let vnet_lab::OvnLab { hosts, central, wires, .. } = lab.unwrap_or_else(|error| panic!("{error}: {error:?}"));
        let wires = Netns::of(wires);
        let outside = Machine::on_new("out", &wires, "02:00:00:00:00:99");
        wires.run(|| run("ip", &["link", "set", "out", "master", vnet_lab::OvnLab::OUTSIDE, "up"]));
        outside.address(OUTSIDE);
        let hosts = hosts.into_iter().map(OvnHost::of).collect();
        Self { hosts, outside, central: OvnCentral(central), _wires: wires }
    }
}
