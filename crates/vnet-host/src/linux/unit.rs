//! Asks systemd for scopes, over D-Bus (org.freedesktop.systemd1(5)).

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use zbus::connection::Builder;
use zbus::{Connection, Error, Variant};

use super::LinuxHost;
use super::bus::{self, BUS, BUS_PATH};
use super::scope::{cgroup, is_booted, unscoped};

const SYSTEMD: &str = "org.freedesktop.systemd1";
const SYSTEMD_PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const UNIT_EXISTS: &str = "org.freedesktop.systemd1.UnitExists";
/// How long systemd may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long systemd may take to notice that an earlier scope of the same name is empty.
const LEFTOVER: Duration = Duration::from_millis(500);

impl LinuxHost {
    /// Puts a program that has just been started into a scope, named after the folder of its files
    /// and the program. Does nothing where systemd does not run.
    pub fn put_in_scope(&self, folder: &Path, program: &str, pid: i32) {
        if !is_booted() {
            return;
        }
        if let Err(reason) = put(folder, program, pid) {
            self.unscoped.borrow_mut().push(unscoped(program, pid, reason));
        }
    }
}

fn put(folder: &Path, program: &str, pid: i32) -> Result<(), String> {
    let user = nix::unistd::geteuid();
    if !user.is_root() && !outlives_sessions(user.as_raw()) {
        return Err("the user's systemd ends with the last session; `loginctl enable-linger` lets it stay".to_owned());
    }
    let bus = if user.is_root() { Builder::system } else { Builder::session };
    let name = folder.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let stem = format!("vnet-{}-{program}", escape(&name));
    let scope = Scope {
        description: format!("{program} of {name} (vnet)"),
        processes: with_children(pid),
        serves_services: user.is_root(),
        unit: format!("{stem}.scope"),
        other: format!("{stem}-{pid}.scope"),
    };
    let unit = match bus::ask(bus, PATIENCE, async move |connection| scope.start(connection).await) {
        Ok(Some(Some(unit))) => unit,
        Ok(Some(None)) => return Err("systemd runs in another process namespace".to_owned()),
        Ok(None) => return Err("there is no D-Bus to reach systemd".to_owned()),
        Err(error) if bus::is_timeout(&error) => {
            return Err(format!("systemd did not answer within {} s", PATIENCE.as_secs()));
        }
        Err(error) => return Err(format!("systemd refused: {error}")),
    };
    // systemd moves the process after it has answered.
    let deadline = Instant::now() + PATIENCE;
    while cgroup(pid).is_some_and(|cgroup| !cgroup.ends_with(&unit)) {
        if Instant::now() > deadline {
            return Err(format!("systemd did not start {unit} within {} s", PATIENCE.as_secs()));
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Whether a user's systemd does not end before this session does: it lingers, or it runs us.
fn outlives_sessions(user: u32) -> bool {
    let name = nix::unistd::User::from_uid(user.into()).ok().flatten().map(|user| user.name);
    let lingers = name.is_some_and(|name| Path::new("/var/lib/systemd/linger").join(name).exists());
    let runs_us =
        || cgroup(nix::unistd::getpid().as_raw()).is_some_and(|it| it.contains(&format!("/user@{user}.service/")));
    lingers || runs_us()
}

/// A process and its children. A helper of dnsmasq, which runs its `dhcp-script`, is a child.
fn with_children(pid: i32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|child| child.parse().ok());
    u32::try_from(pid).into_iter().chain(children).collect()
}

/// Writes other characters than those of unit names as `\xNN` (systemd.unit(5)).
fn escape(name: &str) -> String {
    name.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b":_.-".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped += &format!("\\x{byte:02x}");
        }
        escaped
    })
}

struct Scope {
    unit: String,
    /// The name when another network of this name, with another state folder, has the first.
    other: String,
    description: String,
    processes: Vec<u32>,
    /// Whether services may need it until they have ended.
    serves_services: bool,
}

impl Scope {
    /// Starts it and returns its name. `None` when systemd counts processes in another namespace.
    async fn start(&self, connection: &Connection) -> zbus::Result<Option<String>> {
        let own = connection.unique_name().map(|name| name.as_str()).unwrap_or_default();
        let pid = connection.call_method(Some(BUS), BUS_PATH, Some(BUS), "GetConnectionUnixProcessID", &own).await?;
        if pid.body().deserialize::<u32>()? != std::process::id() {
            return Ok(None);
        }
        let deadline = Instant::now() + LEFTOVER;
        loop {
            match self.start_as(&self.unit, connection).await {
                Err(Error::MethodError(name, ..)) if name == UNIT_EXISTS && Instant::now() < deadline => {
                    thread::sleep(Duration::from_millis(10));
                }
                Err(Error::MethodError(name, ..)) if name == UNIT_EXISTS => {
                    return self.start_as(&self.other, connection).await.map(|()| Some(self.other.clone()));
                }
                result => return result.map(|()| Some(self.unit.clone())),
            }
        }
    }

    async fn start_as(&self, unit: &str, connection: &Connection) -> zbus::Result<()> {
        let mut properties = vec![
            ("Description", Variant::from(self.description.as_str())),
            ("PIDs", Variant::from(self.processes.clone())),
            ("CollectMode", Variant::from("inactive-or-failed")),
        ];
        if self.serves_services {
            // At shutdown it ends after the guests, which services run.
            properties.push(("Before", Variant::from(vec!["network.target"])));
        }
        let none: [(&str, Vec<(&str, Variant<'_>)>); 0] = [];
        let body = (unit, "fail", properties, none.as_slice());
        let call = connection.call_method(Some(SYSTEMD), SYSTEMD_PATH, Some(MANAGER), "StartTransientUnit", &body);
        call.await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_units_are_escaped() {
        assert_eq!(escape("a-b.c"), "a-b.c");
        assert_eq!(escape("my net\\ü"), "my\\x20net\\x5c\\xc3\\xbc");
    }
}
