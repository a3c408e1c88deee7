//! Beginning, serving, dying.

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::id;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rstest::rstest;
use vnet_passt::run::{Error, Problem, Program, Running};
use vnet_passt::{Connection, Lifetime, Passt, Process, Protocol};
use vnet_tests::wait_for;

use crate::guest::Guest;
use crate::host::{Host, OUTSIDE, SOON, ask, folder, forward, passt, passt_in, start, try_start};

const LOOPBACK: [u8; 4] = [127, 0, 0, 1];

/// Asks the guest behind port 8080.
fn answers() -> bool {
    ask(Protocol::Tcp, LOOPBACK.into(), 8080) == Some(80)
}

fn forwarding() -> Passt {
    let mut passt = passt();
    passt.forwards = vec![forward("tcp 8080:80")];
    passt
}

fn gone(running: &Running) {
    wait_for(SOON, "the end of passt", || (!running.is_alive()).then_some(()));
}

#[test]
fn one_that_is_for_one_guest_ends_with_it() {
    vnet_tests::isolate!();
    let _host = Host::new();
    let passt = forwarding();
    let running = start(&passt);
    // To look whether it is ready has not used it up.
    assert!(running.is_alive());
    let mut guest = Guest::new(&passt.socket);
    guest.lease();
    guest.serve(&[80]);
    assert!(answers());
    guest.unplug();
    gone(&running);
    assert_eq!(Running::find(passt.pid_file.as_deref().unwrap(), &passt.socket).unwrap(), None);
}

#[test]
fn one_that_stays_serves_the_next_guest() {
    vnet_tests::isolate!();
    let _host = Host::new();
    let mut passt = forwarding();
    passt.lifetime = Lifetime::ManyGuests;
    let running = start(&passt);
    let mut guest = Guest::new(&passt.socket);
    guest.lease();
    guest.serve(&[80]);
    assert!(answers());
    guest.plug(&passt.socket);
    guest.lease();
    assert!(answers());
    assert!(running.is_alive());
    running.stop().unwrap();
    assert!(!running.is_alive());
    let left: Vec<_> = fs::read_dir("/run/vm1").unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    running.stop().unwrap();
}

#[test]
fn a_guest_goes_on_with_a_passt_that_takes_the_place_of_a_killed_one() {
    vnet_tests::isolate!();
    let _host = Host::new();
    let passt = forwarding();
    let first = start(&passt);
    let mut guest = Guest::new(&passt.socket);
    guest.lease();
    guest.serve(&[80]);
    assert!(answers());
    kill(Pid::from_raw(first.pid()), Signal::SIGKILL).unwrap();
    gone(&first);
    assert!(!answers());
    assert_eq!(Running::find(passt.pid_file.as_deref().unwrap(), &passt.socket).unwrap(), None);
    // Its socket and its number are still there: they are in nobody's way.
    let second = start(&passt);
    assert_ne!(second.pid(), first.pid());
    guest.plug(&passt.socket);
    // passt knows a guest by the first frame that it sends.
    guest.netns.run(|| ask(Protocol::Udp, OUTSIDE.parse().unwrap(), 9));
    wait_for(SOON, "the guest to be found again", || answers().then_some(()));
    // Who holds the first one does not hold the second, nor its files.
    first.stop().unwrap();
    assert_eq!(Running::find(passt.pid_file.as_deref().unwrap(), &passt.socket).unwrap(), Some(second));
    assert!(fs::exists(&passt.socket).unwrap());
}

#[test]
fn a_number_that_another_process_has_by_now_is_not_its() {
    vnet_tests::isolate!();
    let _host = Host::new();
    let passt = passt();
    let running = start(&passt);
    let pid_file = passt.pid_file.as_deref().unwrap();
    assert_eq!(Running::find(pid_file, &passt.socket).unwrap(), Some(running.clone()));
    assert_eq!(Running::find(pid_file, Path::new("/run/vm1/other.socket")).unwrap(), None);
    fs::write(pid_file, format!("{}\n", id())).unwrap();
    assert_eq!(Running::find(pid_file, &passt.socket).unwrap(), None);
    for nonsense in ["", "-1", "x", "99999999999999"] {
        fs::write(pid_file, nonsense).unwrap();
        assert_eq!(Running::find(pid_file, &passt.socket).unwrap(), None, "{nonsense:?}");
    }
}

#[test]
fn a_second_one_at_the_same_socket_or_port_is_refused() {
    vnet_tests::isolate!();
    let _host = Host::new();
    let passt = forwarding();
    let first = start(&passt);
    assert!(matches!(try_start(&passt), Err(Error::InUse { .. })));
    let mut other = passt_in(&folder("vm2"));
    other.forwards = vec![forward("tcp 9000,8080:81")];
    let error = try_start(&other).unwrap_err();
    let Error::Host(problems) = &error else { panic!("{error}") };
    let [Problem::PortTaken { protocol: Protocol::Tcp, port: 8080, .. }] = problems[..] else { panic!("{error}") };
    assert!(first.is_alive());
    other.forwards = vec![forward("udp 8080"), forward("tcp 8081:81")];
    start(&other);
}

#[rstest]
#[case::taken("tcp 127.0.0.1/7000", "tcp port 7000 is taken by NAME (process PID)")]
#[case::taken_everywhere("tcp 7000", "tcp port 7000 is taken by NAME (process PID)")]
#[case::address_elsewhere("tcp 192.0.2.1/7001", "no device of this host has the address 192.0.2.1")]
#[case::no_device("tcp 10.77.0.2%eth9/7001", "there is no device eth9 on this host")]
fn what_is_in_the_way_is_said_before_it_starts(#[case] line: &str, #[case] expected: &str) {
    vnet_tests::isolate!();
    let _host = Host::new();
    let _listener = TcpListener::bind(("127.0.0.1", 7000)).unwrap();
    let mut passt = passt();
    passt.forwards = vec![forward(line)];
    let name = fs::read_to_string("/proc/self/comm").unwrap();
    let expected = expected.replace("NAME", name.trim()).replace("PID", &id().to_string());
    assert_eq!(try_start(&passt).unwrap_err().to_string(), expected);
    assert!(!fs::exists(&passt.socket).unwrap());
}

#[test]
fn what_passt_says_is_in_the_error() {
    vnet_tests::isolate!();
    // Without a default route there is nothing to take addresses from.
    let mut passt = passt();
    passt.interface = Some("lo".parse().unwrap());
    let error = try_start(&passt).unwrap_err();
    let Error::Refused { stderr, .. } = &error else { panic!("{error}") };
    assert!(!stderr.is_empty() && !stderr.contains("syslog"), "{stderr}");
    passt.options.process = Process::Foreground;
    let start = Instant::now();
    let error = try_start(&passt).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }) && start.elapsed() < Duration::from_secs(4), "{error}");
}

#[test]
fn what_an_old_passt_lacks_is_an_error_before_it_starts() {
    vnet_tests::isolate!();
    let program = Program::find().unwrap();
    let mut passt = passt();
    passt.connection = Connection::VhostUser;
    passt.hostname = Some("vm1".to_owned());
    let refused = program.check(&passt.arguments().unwrap());
    // The passt that is installed may have them: then the whole command line stands.
    match refused {
        Ok(()) => assert!(program.has("--vhost-user") && program.has("--hostname")),
        Err(Error::Unsupported { option, since, .. }) => {
            assert!(!program.has(&option) && since.contains("2024"), "{option} {since}");
        }
        Err(error) => panic!("{error}"),
    }
    assert!(program.check(&crate::host::passt().arguments().unwrap()).is_ok());
}

#[test]
fn without_passt_the_error_says_how_it_is_installed() {
    vnet_tests::isolate!();
    let output = std::process::Command::new(vnet_tests::vnet())
        .args(["passt", "run", "/dev/stdin"])
        .env("PATH", "/var/empty")
        .stdin(fs::File::open(interface("<backend type='passt'/>")).unwrap())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("passt is not installed: "), "{stderr}");
}

fn interface(inside: &str) -> String {
    let file = "/tmp/vm1.xml".to_owned();
    fs::write(&file, format!("<interface type='user'>\n  {inside}\n</interface>\n")).unwrap();
    file
}

#[test]
fn log_and_capture_are_written() {
    vnet_tests::isolate!();
    let _host = Host::new();
    let mut passt = passt();
    passt.log_file = Some("/run/vm1/passt.log".into());
    passt.options.pcap = Some("/run/vm1/passt.pcap".into());
    let running = start(&passt);
    let guest = Guest::new(&passt.socket);
    guest.lease();
    running.stop().unwrap();
    let log = fs::read_to_string("/run/vm1/passt.log").unwrap();
    assert!(log.contains("DHCP"), "{log}");
    let capture = fs::read("/run/vm1/passt.pcap").unwrap();
    assert_eq!(capture[..4], 0xa1b2_c3d4_u32.to_ne_bytes(), "the magic number of pcap");
    let cookie = [99, 130, 83, 99];
    assert!(capture.windows(4).any(|bytes| bytes == cookie), "no DHCP message was captured");
}

#[test]
fn another_program_s_socket_is_left_alone() {
    vnet_tests::isolate!();
    let _host = Host::new();
    let passt = passt();
    let listener = UnixListener::bind(&passt.socket).unwrap();
    assert!(matches!(try_start(&passt), Err(Error::InUse { .. })));
    drop(listener);
    start(&passt);
}
