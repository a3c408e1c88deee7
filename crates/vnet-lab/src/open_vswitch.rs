//! Servers of OVSDB, and an Open vSwitch.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::Error;
use crate::program::{Daemon, Programs};

/// How long a server may take until it takes connections.
const SOON: Duration = Duration::from_secs(20);
/// The schema of Open vSwitch's own database.
const SCHEMA: &str = "openvswitch/vswitch.ovsschema";
/// What the service of Open vSwitch tells its server.
const OF_SWITCH: [&str; 4] = [
    "--remote=db:Open_vSwitch,Open_vSwitch,manager_options",
    "--private-key=db:Open_vSwitch,SSL,private_key",
    "--certificate=db:Open_vSwitch,SSL,certificate",
    "--ca-cert=db:Open_vSwitch,SSL,ca_cert",
];

/// A running ovsdb-server. It ends with this value.
#[derive(Debug)]
pub struct OvsdbServer {
    process: Daemon,
    /// The socket of its clients.
    pub socket: PathBuf,
}

impl OvsdbServer {
    /// Starts a server in a folder, with a new database of Open vSwitch.
    ///
    /// # Errors
    /// [`Error`] when it does not start.
    pub fn start(programs: &Programs, folder: &Path) -> Result<Self, Error> {
        let database = Self::create(programs, folder, SCHEMA)?;
        Self::of_switch(programs, folder, &database)
    }

    /// The same, with a database of Open vSwitch that is there.
    ///
    /// # Errors
    /// [`Error`] when it does not start.
    pub fn of_switch(programs: &Programs, folder: &Path, database: &Path) -> Result<Self, Error> {
        Self::of(programs, folder, database, &OF_SWITCH)
    }

    /// The same, with a new database of another schema, by its file below `share`, and options of
    /// the server.
    pub(crate) fn with_schema(
        programs: &Programs,
        folder: &Path,
        schema: &str,
        options: &[&str],
    ) -> Result<Self, Error> {
        let database = Self::create(programs, folder, schema)?;
        Self::of(programs, folder, &database, options)
    }

    fn create(programs: &Programs, folder: &Path, schema: &str) -> Result<PathBuf, Error> {
        fs::create_dir_all(folder).map_err(Error::doing(format!("make {}", folder.display())))?;
        let database = folder.join("conf.db");
        let schema = programs.shared(schema)?;
        programs.run("ovsdb-tool", &["create", &database.display().to_string(), &schema.display().to_string()])?;
        Ok(database)
    }

    fn of(programs: &Programs, folder: &Path, database: &Path, more: &[&str]) -> Result<Self, Error> {
        let socket = folder.join("db.sock");
        let mut command = programs.daemon("ovsdb-server", folder)?;
        command.arg(format!("--remote=punix:{}", socket.display()));
        command.args(more).arg(format!("--unixctl={}", folder.join("db.ctl").display())).arg(database);
        let process = Daemon::start(command)?;
        let deadline = Instant::now() + SOON;
        while let Err(error) = UnixStream::connect(&socket) {
            if Instant::now() > deadline {
                return Err(Error::doing(format!("reach ovsdb-server at {}", socket.display()))(error));
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(Self { process, socket })
    }

    /// Its address, as clients are told it.
    pub fn remote(&self) -> String {
        format!("unix:{}", self.socket.display())
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}

/// An Open vSwitch, whose bridges say by their `datapath_type` what carries frames: its own process
/// (`netdev`), or the kernel's module. It ends with this value.
#[derive(Debug)]
pub struct OpenVSwitch {
    /// Its database.
    pub server: OvsdbServer,
    daemon: Daemon,
}

impl OpenVSwitch {
    /// Starts it in a folder, in the namespaces of this thread.
    ///
    /// # Errors
    /// [`Error`] when it does not start.
    pub fn start(programs: &Programs, folder: &Path) -> Result<Self, Error> {
        let server = OvsdbServer::start(programs, folder)?;
        programs.run("ovs-vsctl", &[&format!("--db={}", server.remote()), "--no-wait", "init"])?;
        let mut command = programs.daemon("ovs-vswitchd", folder)?;
        command.arg(format!("--unixctl={}", folder.join("switch.ctl").display())).arg(server.remote());
        Ok(Self { daemon: Daemon::start(command)?, server })
    }

    /// The process of ovs-vswitchd.
    pub fn pid(&self) -> u32 {
        self.daemon.pid()
    }
}
