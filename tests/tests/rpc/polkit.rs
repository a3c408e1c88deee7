//! The real polkitd, on a bus of the test's own: who is let in, and in which words others are told.

use std::fs;
use std::path::Path;

use vnet_rpc::{Call, Reply};
use vnet_tests::{isolate, run, vnetd, wait_for};

use crate::lab::Client;
use crate::program::{Daemon, RUNTIME, SOON, of_user};
use crate::replay::replay;

const SOCKET: &str = "/tmp/vnetd.sock";
const READ_ONLY: &str = "/tmp/vnetd.sock-ro";
const BUS: &str = "/run/dbus/system_bus_socket";

/// vnetd's actions, which are libvirt's.
const ACTIONS: &str = include_str!("../../../packaging/vnetd.policy");
/// The administrator decides by a file. Where it is empty, the defaults count.
const RULES: &str = "polkit.addRule(function(action) {\
    if (action.id == 'org.libvirt.unix.manage') return polkit.spawn(['cat', '/tmp/answer']).trim() || null;\
    });";

/// Everybody here is one user, who is not root: the one that a test can always be.
#[test]
fn polkit_decides() {
    isolate!();
    fs::create_dir_all(RUNTIME).unwrap();
    let serve = ["--polkit", "--timeout", "0", "--listen", SOCKET, "--listen-read-only", READ_ONLY];
    let _vnetd = Daemon::at(SOCKET, of_user(&vnetd()).args(serve));
    // The words are those of the recording `polkit-nobody`.
    let no_bus = "internal error: Unable to get system bus connection: Could not connect: No such file or directory";
    assert_eq!(asked(SOCKET).map(drop), Err((1, 47, no_bus.to_owned())));
    let recorded = Path::new("../testdata/rpc/misc-11.3/polkit-nobody.rec");
    assert_eq!(replay(recorded, SOCKET, &mut Vec::new()), [""; 0]);

    let _bus = bus();
    let refused = asked(SOCKET).map(drop).unwrap_err();
    assert!((refused.0, refused.1) == (45, 60) && refused.2.contains("polkit cannot be asked"), "{refused:?}");

    let _polkit = polkitd();
    fs::write("/tmp/answer", "yes").unwrap();
    let mut client = asked(SOCKET).unwrap();
    client.define("<network><name>lab</name><forward mode='bridge'/><bridge name='br0'/></network>");
    assert_eq!(virsh("net-list --all --name"), "lab\n\n");

    fs::write("/tmp/answer", "no").unwrap();
    let refused = "authentication failed: access denied by policy".to_owned();
    assert_eq!(asked(SOCKET).map(drop), Err((45, 60, refused.clone())));
    assert!(virsh("net-list").contains(&refused));
    assert_eq!(client.done(&Call::ConnectNumOfDefinedNetworks {}), Reply::Int { value: 1 }, "who was let in stays");

    // Somebody would have to give a password, and there is nobody to ask for it.
    fs::write("/tmp/answer", "").unwrap();
    let unavailable =
        "authentication unavailable: no polkit agent available to authenticate action 'org.libvirt.unix.manage'";
    assert_eq!(asked(SOCKET).map(drop), Err((94, 60, unavailable.to_owned())));

    let _agent = agent();
    let cancelled = "authentication cancelled: user cancelled authentication process".to_owned();
    assert_eq!(asked(SOCKET).map(drop), Err((79, 60, cancelled)));

    let mut reader = asked(READ_ONLY).unwrap();
    assert_eq!(reader.done(&Call::ConnectNumOfDefinedNetworks {}), Reply::Int { value: 1 });
    let define = Call::NetworkDefineXml { xml: "<network><name>other</name></network>".to_owned() };
    assert_eq!(reader.call(&define).unwrap_err().code, 29);
}

/// A connection that polkit has let in, or code, domain and words of the refusal.
fn asked(socket: &str) -> Result<Client, (i32, i32, String)> {
    let mut client = Client::connect(socket);
    let open = Call::ConnectOpen { uri: Some("network:///session".to_owned()), flags: 0 };
    assert_eq!(client.call(&open).unwrap_err().message.as_deref(), Some("authentication required"));
    assert_eq!(client.done(&Call::AuthList {}), Reply::Ints { values: vec![2] });
    let answer = client.call(&Call::AuthPolkit {});
    answer.map_err(|error| (error.code, error.domain, error.message.unwrap_or_default()))?;
    client.done(&open);
    Ok(client)
}

/// What virsh prints.
fn virsh(command: &str) -> String {
    let uri = format!("network+unix:///session?socket={SOCKET}");
    let output = of_user(Path::new("virsh")).args(["-c", &uri]).args(command.split(' ')).output().unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

/// An agent that asks for this process, and is told no.
fn agent() -> Daemon {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let started = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap();
    let mut command = of_user(Path::new("/usr/bin/python3"));
    command.args(["tests/rpc/agent.py", &std::process::id().to_string(), started]);
    let daemon = Daemon(command.spawn().expect("the agent starts"));
    wait_for(SOON, "the agent", || Path::new("/tmp/agent").exists().then_some(()));
    daemon
}

fn bus() -> Daemon {
    fs::create_dir("/run/dbus").unwrap();
    let options = ["--config-file=tests/firewalld/bus.conf", "--nofork", "--nopidfile", "--nosyslog"];
    Daemon::at(BUS, of_user(Path::new("dbus-daemon")).args(options))
}

fn polkitd() -> Daemon {
    for (folder, file, text) in
        [("/usr/share/polkit-1/actions", "vnetd.policy", ACTIONS), ("/etc/polkit-1/rules.d", "10-test.rules", RULES)]
    {
        run("mount", &["-t", "tmpfs", "tmpfs", folder]);
        fs::write(Path::new(folder).join(file), text).unwrap();
    }
    let users = "root:x:0:0::/:/bin/sh\npolkitd:x:1000:1000::/:/bin/sh\n";
    fs::write("/tmp/passwd", users).unwrap();
    run("mount", &["--bind", "/tmp/passwd", "/etc/passwd"]);
    let mut command = of_user(Path::new("strace"));
    // It becomes the user that it is already. In a namespace with one user there are no groups.
    command.args(["-f", "-o", "/tmp/trace", "-e", "trace=setgroups", "-e", "inject=setgroups:retval=0"]);
    let child = command.args(["/usr/lib/polkit-1/polkitd", "--no-debug"]).spawn().expect("strace starts");
    let daemon = Daemon(child);
    wait_for(SOON, "polkitd", || {
        let owned =
            ["--system", "--print-reply", "--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.NameHasOwner"];
        let mut ask = of_user(Path::new("dbus-send"));
        let said = ask.args(owned).arg("string:org.freedesktop.PolicyKit1").output().unwrap();
        String::from_utf8_lossy(&said.stdout).contains("true").then_some(())
    });
    daemon
}
