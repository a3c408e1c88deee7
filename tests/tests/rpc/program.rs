//! The program `vnetd` as a process: whose networks it has, at which sockets, and what it tells of
//! the program `vnet`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use vnet_rpc::{Call, Lifecycle, RemoteEvent, Reply};
use vnet_tests::{isolate, run, vnet, vnetd, wait_for};

use crate::lab::{Client, READ_ONLY, SOCKET};

pub(crate) const SOON: Duration = Duration::from_secs(10);
const LAB: &str = "<network><name>lab</name><bridge name='virbr7'/>\
    <ip address='10.77.7.1' netmask='255.255.255.0'>\
    <dhcp><range start='10.77.7.100' end='10.77.7.150'/></dhcp></ip></network>";
pub(crate) const RUNTIME: &str = "/tmp/user/run";
const OF_SESSION: &str = "/tmp/user/run/libvirt/virtnetworkd-sock";

/// A process, ended with the value.
pub(crate) struct Daemon(pub(crate) Child);

impl Daemon {
    /// Serves the networks of the test's `/run/vnet`.
    pub(crate) fn start() -> Self {
        fs::create_dir_all("/run/libvirt").unwrap();
        let sockets = ["--listen-read-only", READ_ONLY, "--listen", SOCKET];
        Self::at(SOCKET, Command::new(vnetd()).args(["--timeout", "0"]).args(sockets))
    }

    pub(crate) fn at(socket: &str, command: &mut Command) -> Self {
        let daemon = Self(command.stdin(Stdio::null()).spawn().expect("vnetd starts"));
        wait_for(SOON, "vnetd", || UnixStream::connect(socket).ok());
        daemon
    }

    /// Asks it to end.
    fn end(mut self) -> ExitStatus {
        run("kill", &[&self.0.id().to_string()]);
        self.0.wait().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program, as an ordinary user.
pub(crate) fn of_user(program: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-user=1000", "--map-group=1000"]).arg(program).env("LC_ALL", "C");
    command.env("HOME", "/tmp/user").env("XDG_RUNTIME_DIR", RUNTIME);
    for variable in ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "VNET_STATE_DIR"] {
        command.env_remove(variable);
    }
    command
}

/// What the program `vnet` prints for this user.
fn vnet_of_user(arguments: &[&str]) -> String {
    let output = of_user(&vnet()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_ordinary_user_has_a_server_of_its_own_networks() {
    isolate!();
    run("ip", &["link", "add", "br0", "type", "bridge"]);
    fs::create_dir_all(RUNTIME).unwrap();
    let daemon = Daemon::at(OF_SESSION, of_user(&vnetd()).args(["--timeout", "0"]));
    assert_eq!(fs::metadata(OF_SESSION).unwrap().permissions().mode() & 0o777, 0o600);
    let second = of_user(&vnetd()).output().unwrap();
    let told = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(told.contains("another program listens at"), "{told}");

    let mut client = Client::connect(OF_SESSION);
    let open = |uri: &str| Call::ConnectOpen { uri: Some(uri.to_owned()), flags: 0 };
    let refused = client.call(&open("network:///system")).unwrap_err();
    let what = "internal error: unexpected network URI path '/system', try network:///session";
    assert_eq!(refused.message.as_deref(), Some(what));
    client.done(&open("network:///session"));
    let xml = "<network><name>mine</name><forward mode='bridge'/><bridge name='br0'/></network>";
    let network = client.define(xml);
    assert!(Path::new("/tmp/user/.config/vnet/networks/mine.xml").is_file());
    client.done(&Call::NetworkCreate { network: network.clone() });
    assert!(vnet_of_user(&["list", "--all"]).contains("mine"));
    if cfg!(libvirt) {
        let virsh = of_user(Path::new("virsh")).args(["-c", "network:///session", "net-list", "--name"]).output();
        let virsh = virsh.unwrap();
        assert_eq!(String::from_utf8_lossy(&virsh.stdout).trim(), "mine", "{virsh:?}");
    }
    vnet_of_user(&["stop", "mine"]);
    assert_eq!(client.done(&Call::NetworkIsActive { network }), Reply::Int { value: 0 });
    assert!(daemon.end().success());
    assert!(!Path::new(OF_SESSION).exists(), "a file without a server misleads clients");
}

/// A file without a server misleads libvirt's clients. Who looks at the state is told.
#[test]
fn a_socket_that_is_left_is_named() {
    isolate!();
    drop(Daemon::start());
    let said = |arguments: &[&str]| {
        let output = Command::new(vnet()).args(arguments).output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    for arguments in [&["status"][..], &["doctor", "--no-probe"]] {
        let told = said(arguments);
        assert!(told.contains("nobody listens at `/run/libvirt/virtnetworkd-sock`"), "{told}");
        assert!(told.contains("rm /run/libvirt/virtnetworkd-sock"), "{told}");
    }
    let _daemon = Daemon::start();
    assert!(!said(&["status"]).contains("nobody listens"));
}

#[test]
fn a_socket_for_everybody_needs_polkit() {
    isolate!();
    let served = |options: &str| {
        let script = format!("umask 0; exec '{}' --timeout 1 {options}", vnetd().display());
        Command::new("sh").args(["-c", &script]).output().unwrap()
    };
    let refused = served("--listen /tmp/vnetd.sock");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{told}");
    assert!(told.contains("everybody may change networks") && told.contains("--polkit"), "{told}");
    assert!(!Path::new("/tmp/vnetd.sock").exists());
    assert!(served("--listen-read-only /tmp/vnetd.sock").status.success());
    assert!(served("--listen /tmp/vnetd.sock --polkit").status.success());
}

/// What the program `vnet` does is told to clients of the server.
#[test]
fn tells_of_what_the_program_does() {
    isolate!();
    let _daemon = Daemon::start();
    let mut client = Client::open();
    client.done(&Call::ConnectNetworkEventRegisterAny { event_id: 0, network: None });
    fs::write("/tmp/lab.xml", LAB).unwrap();
    let vnet = vnet();
    for (arguments, expected) in [
        (["define", "/tmp/lab.xml"], Lifecycle::Defined),
        (["start", "lab"], Lifecycle::Started),
        (["stop", "lab"], Lifecycle::Stopped),
        (["undefine", "lab"], Lifecycle::Undefined),
    ] {
        run(vnet.to_str().unwrap(), &arguments);
        let message = client.receive().expect("an event");
        let event = RemoteEvent::from_payload(message.header.procedure, &message.payload).unwrap();
        let Some(RemoteEvent::Lifecycle { network, event, .. }) = event else { panic!("{event:?}") };
        assert_eq!((network.name.as_str(), event), ("lab", expected as i32));
    }
}
