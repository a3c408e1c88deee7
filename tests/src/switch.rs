//! Real servers of OVSDB, and a real Open vSwitch.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::{run, wait_for};

const SOON: Duration = Duration::from_secs(20);
const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";

/// What the service of Open vSwitch tells its server.
const OF_SWITCH: [&str; 4] = [
    "--remote=db:Open_vSwitch,Open_vSwitch,manager_options",
    "--private-key=db:Open_vSwitch,SSL,private_key",
    "--certificate=db:Open_vSwitch,SSL,certificate",
    "--ca-cert=db:Open_vSwitch,SSL,ca_cert",
];

/// What OVN's service tells the server of its northbound database.
const OF_NORTHBOUND: [&str; 4] = [
    "--remote=db:OVN_Northbound,NB_Global,connections",
    "--private-key=db:OVN_Northbound,SSL,private_key",
    "--certificate=db:OVN_Northbound,SSL,certificate",
    "--ca-cert=db:OVN_Northbound,SSL,ca_cert",
];

/// A running ovsdb-server. It ends with this value.
pub struct OvsdbServer {
    child: Child,
    /// The socket of its clients.
    pub socket: PathBuf,
}

impl OvsdbServer {
    /// Starts a server in a folder, with a new database of Open vSwitch.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(folder: &Path) -> Self {
        Self::with_schema(folder, SCHEMA)
    }

    /// The same, with a new database of another schema.
    pub(crate) fn with_schema(folder: &Path, schema: &str) -> Self {
        fs::create_dir_all(folder).expect("the folder can be made");
        let database = folder.join("conf.db");
        run("ovsdb-tool", &["create", text(&database), schema]);
        let more: &[&str] = match schema {
            SCHEMA => &OF_SWITCH,
            schema if schema.ends_with("ovn-nb.ovsschema") => &OF_NORTHBOUND,
            _ => &[],
        };
        Self::of(folder, &database, more)
    }

    /// Starts the servers of a cluster, each in a folder of its own. The first is the first leader.
    ///
    /// # Panics
    /// When they do not start.
    pub fn cluster(folder: &Path, count: u16) -> Vec<Self> {
        let address = |number: u16| format!("tcp:127.0.0.1:{}", 7000 + number);
        let start = |number: u16| {
            let folder = folder.join(number.to_string());
            fs::create_dir_all(&folder).expect("the folder can be made");
            let database = folder.join("conf.db");
            let (file, own) = (text(&database), address(number));
            if number == 1 {
                run("ovsdb-tool", &["--election-timer=200", "create-cluster", file, SCHEMA, &own]);
            } else {
                run("ovsdb-tool", &["join-cluster", file, "Open_vSwitch", &own, &address(1)]);
            }
            Self::of(&folder, &database, &OF_SWITCH)
        };
        (1..=count).map(start).collect()
    }

    fn of(folder: &Path, database: &Path, more: &[&str]) -> Self {
        let socket = folder.join("db.sock");
        let mut command = program("ovsdb-server", folder);
        command.arg(format!("--remote=punix:{}", socket.display()));
        command.args(more).arg(format!("--unixctl={}", folder.join("db.ctl").display())).arg(database);
        let child = command.spawn().expect("ovsdb-server is installed");
        wait_for(SOON, "ovsdb-server", || UnixStream::connect(&socket).ok());
        Self { child, socket }
    }

    /// Runs ovs-vsctl on its database, and returns what it prints.
    pub fn vsctl(&self, arguments: &[&str]) -> String {
        let database = format!("--db=unix:{}", self.socket.display());
        run("ovs-vsctl", &[&[&*database, "--timeout=20"], arguments].concat())
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub fn kill(&mut self) {
        self.child.kill().and_then(|()| self.child.wait()).expect("a child can be killed");
    }
}

impl Drop for OvsdbServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An Open vSwitch whose frames go through its own process: it needs no module of the kernel. It
/// ends with this value.
pub struct OpenVSwitch {
    /// Its database.
    pub server: OvsdbServer,
    daemon: Child,
}

impl OpenVSwitch {
    /// Starts it in a folder.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(folder: &Path) -> Self {
        let server = OvsdbServer::start(folder);
        let database = format!("unix:{}", server.socket.display());
        server.vsctl(&["--no-wait", "init"]);
        let mut command = program("ovs-vswitchd", folder);
        command.arg(format!("--unixctl={}", folder.join("switch.ctl").display())).arg(&database);
        let daemon = command.spawn().expect("ovs-vswitchd is installed");
        Self { server, daemon }
    }

    /// Runs ovs-vsctl on its database, and returns what it prints.
    pub fn vsctl(&self, arguments: &[&str]) -> String {
        self.server.vsctl(arguments)
    }

    /// Makes a bridge.
    pub fn add_bridge(&self, name: &str) {
        self.vsctl(&["add-br", name, "--", "set", "bridge", name, "datapath_type=netdev"]);
    }

    /// Makes it stand still, or go on.
    pub fn signal(&self, signal: &str) {
        run("kill", &[signal, &self.daemon.id().to_string()]);
    }
}

impl Drop for OpenVSwitch {
    fn drop(&mut self) {
        self.daemon.kill().and_then(|()| self.daemon.wait()).expect("a child can be killed");
    }
}

pub(crate) fn program(name: &str, folder: &Path) -> Command {
    let mut command = Command::new(name);
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    command.env("PATH", path).env("OVS_RUNDIR", folder).env("OVS_LOGDIR", folder).stderr(Stdio::null());
    command.args(["--no-chdir", "-vconsole:off"]);
    command
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the path is text")
}
