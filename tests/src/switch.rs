//! Real servers of OVSDB, and a real Open vSwitch, as tests ask them.

use std::fs;
use std::ops::{Deref, DerefMut};
use std::path::Path;

use vnet_lab::Programs;

use crate::program::programs;
use crate::run;

/// A running ovsdb-server. It ends with this value.
pub struct OvsdbServer(vnet_lab::OvsdbServer);

impl OvsdbServer {
    /// Starts a server in a folder, with a new database of Open vSwitch.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(folder: &Path) -> Self {
        Self(vnet_lab::OvsdbServer::start(&programs(), folder).expect("ovsdb-server starts"))
    }

    /// Starts the servers of a cluster, each in a folder of its own. The first is the first leader.
    ///
    /// # Panics
    /// When they do not start.
    pub fn cluster(folder: &Path, count: u16) -> Vec<Self> {
        let programs: Programs = programs();
        let schema = programs.shared("openvswitch/vswitch.ovsschema").expect("Open vSwitch is installed");
        let address = |number: u16| format!("tcp:127.0.0.1:{}", 7000 + number);
        let start = |number: u16| {
            let folder = folder.join(number.to_string());
            fs::create_dir_all(&folder).expect("the folder can be made");
            let database = folder.join("conf.db");
            let (file, own) = (text(&database), address(number));
            if number == 1 {
                run("ovsdb-tool", &["--election-timer=200", "create-cluster", file, text(&schema), &own]);
            } else {
                run("ovsdb-tool", &["join-cluster", file, "Open_vSwitch", &own, &address(1)]);
            }
            Self(vnet_lab::OvsdbServer::of_switch(&programs, &folder, &database).expect("ovsdb-server starts"))
        };
        (1..=count).map(start).collect()
    }

    /// Runs ovs-vsctl on its database, and returns what it prints.
    pub fn vsctl(&self, arguments: &[&str]) -> String {
        vsctl(self, arguments)
    }
}

impl Deref for OvsdbServer {
    type Target = vnet_lab::OvsdbServer;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for OvsdbServer {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

/// An Open vSwitch. It ends with this value.
pub struct OpenVSwitch(pub(crate) vnet_lab::OpenVSwitch);

impl OpenVSwitch {
    /// Starts it in a folder.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(folder: &Path) -> Self {
        Self(vnet_lab::OpenVSwitch::start(&programs(), folder).expect("Open vSwitch starts"))
    }

    /// Runs ovs-vsctl on its database, and returns what it prints.
    pub fn vsctl(&self, arguments: &[&str]) -> String {
        vsctl(&self.0.server, arguments)
    }

    /// Makes a bridge whose frames go through the process.
    pub fn add_bridge(&self, name: &str) {
        self.vsctl(&["add-br", name, "--", "set", "bridge", name, "datapath_type=netdev"]);
    }

    /// Makes a bridge whose frames the kernel carries.
    pub fn add_kernel_bridge(&self, name: &str) {
        self.vsctl(&["add-br", name, "--", "set", "bridge", name, "datapath_type=system"]);
    }

    /// Makes it stand still, or go on.
    pub fn signal(&self, signal: &str) {
        run("kill", &[signal, &self.0.pid().to_string()]);
    }
}

impl Deref for OpenVSwitch {
    type Target = vnet_lab::OpenVSwitch;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for OpenVSwitch {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

fn vsctl(server: &vnet_lab::OvsdbServer, arguments: &[&str]) -> String {
    run("ovs-vsctl", &[&[&*format!("--db={}", server.remote()), "--timeout=20"], arguments].concat())
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the path is text")
}
