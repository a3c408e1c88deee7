//! A host with networks: a process in its own namespaces that does what it is told, one piece of
//! work after the other, and says how long each took.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use vnet_lab::mounts::mount_new;

use crate::library;

/// The argument that makes this program such a host.
pub(crate) const SERVE: &str = "serve";
/// Between the words of a request.
const BETWEEN: char = '\u{1f}';
/// The number of the network that is started and stopped beside the others.
pub(crate) const ONE: usize = 60_000;
/// The folder of state, in memory.
pub(crate) const STATE: &str = "/run/state";

/// A host, and the build that manages its networks.
pub(crate) struct Host {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    vnet: String,
    state: String,
}

impl Host {
    /// A new host for a build, with a number of networks.
    pub(crate) fn new(vnet: &str, networks: usize) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]).arg(program).arg(SERVE);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (requests, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut host = Self { child, requests, answers, vnet: vnet.to_owned(), state: STATE.to_owned() };
        for number in 0..networks {
            host.put(&file(number), &definition(number));
            host.vnet(&["start", &file(number)]);
        }
        host
    }

    /// From now on, vnet uses another folder of state.
    pub(crate) fn set_state(&mut self, state: &str) {
        state.clone_into(&mut self.state);
    }

    /// Runs vnet, and returns the milliseconds that it took.
    pub(crate) fn vnet(&mut self, arguments: &[&str]) -> f64 {
        let (vnet, state) = (self.vnet.clone(), self.state.clone());
        self.ask(&[&["run", &state, &vnet], arguments].concat())
    }

    /// Runs vnet once for each of these arguments.
    pub(crate) fn each(&mut self, verb: &str, arguments: &[String]) -> f64 {
        arguments.iter().map(|argument| self.vnet(&[verb, argument])).sum()
    }

    /// How often vnet waits for the disk.
    pub(crate) fn syncs(&mut self, arguments: &[&str]) -> f64 {
        let (vnet, state) = (self.vnet.clone(), self.state.clone());
        self.ask(&[&["syncs", &state, &vnet], arguments].concat())
    }

    /// Makes a call of the library.
    pub(crate) fn library(&mut self, call: &str) -> f64 {
        self.ask(&[call])
    }

    /// Deletes so many bare bridges as one group, by ip(8).
    pub(crate) fn delete_bridges(&mut self, count: usize) -> f64 {
        self.ask(&["bridges", &count.to_string()])
    }

    /// Writes a file.
    pub(crate) fn put(&mut self, path: &str, text: &str) {
        self.ask(&["put", path, text]);
    }

    fn ask(&mut self, words: &[&str]) -> f64 {
        let line = words.join(&BETWEEN.to_string()).replace('\n', " ");
        writeln!(self.requests, "{line}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        answer.trim().parse().unwrap_or_else(|_| panic!("{words:?}: {answer}"))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The definition of one of many networks, in its file.
pub(crate) fn file(number: usize) -> String {
    format!("/run/n{number}.xml")
}

/// One of many networks: NAT, without a program.
pub(crate) fn definition(number: usize) -> String {
    with(number, "<dns enable='no'/>", |_| String::new())
}

/// The same with DHCP.
pub(crate) fn dhcp_network(number: usize) -> String {
    with(number, "", |net| format!("<dhcp><range start='{net}.2' end='{net}.200'/></dhcp>"))
}

/// The subnet of one of many networks, without its last number.
pub(crate) fn net(number: usize) -> String {
    format!("10.{}.{}", number / 250, number % 250)
}

fn with(number: usize, dns: &str, dhcp: impl FnOnce(&str) -> String) -> String {
    let net = net(number);
    let dhcp = dhcp(&net);
    format!(
        "<network><name>n{number}</name><forward mode='nat'/><bridge name='b{number}' stp='off'/>{dns}\
         <ip address='{net}.1' prefix='24'>{dhcp}</ip></network>"
    )
}

/// Answers requests until there are no more.
pub(crate) fn serve() {
    mount_new("tmpfs", "/run").unwrap();
    mount_new("sysfs", "/sys").unwrap();
    let mut library = library::Library::new();
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(BETWEEN).collect();
        println!("{}", answer(&words, &mut library));
    }
}

fn answer(words: &[&str], library: &mut library::Library) -> f64 {
    match words {
        ["put", path, text] => {
            fs::write(path, text).unwrap();
            0.0
        }
        ["run", state, vnet, arguments @ ..] => settled(elapsed(|| run(state, &mut Command::new(vnet), arguments))),
        ["syncs", state, vnet, arguments @ ..] => {
            let mut strace = Command::new("strace");
            strace.args(["-f", "-o", "/run/trace", "-e", "trace=fsync,fdatasync,syncfs,sync"]).arg(vnet);
            run(state, &mut strace, arguments);
            let trace = fs::read_to_string("/run/trace").unwrap();
            let count = trace.lines().filter(|line| line.contains("sync(")).count();
            f64::from(u32::try_from(count).unwrap())
        }
        ["bridges", count] => {
            let count: usize = count.parse().unwrap();
            let made = (0..count).map(|it| format!("link add g{it} type bridge\nlink set g{it} up group 77\n"));
            fs::write("/run/bridges", made.collect::<String>()).unwrap();
            ip(&["-batch", "/run/bridges"]);
            elapsed(|| ip(&["link", "delete", "group", "77"]))
        }
        [call] => settled(library.call(call)),
        _ => panic!("{words:?}"),
    }
}

/// Waits for the kernel's lock on links, so that what is measured next does not wait for the rest
/// of a deletion.
fn settled(took: f64) -> f64 {
    ip(&["link", "show", "dev", "lo"]);
    took
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().unwrap();
    assert!(output.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The milliseconds that something takes.
pub(crate) fn elapsed(work: impl FnOnce()) -> f64 {
    let begin = Instant::now();
    work();
    begin.elapsed().as_secs_f64() * 1000.0
}

fn run(state: &str, program: &mut Command, arguments: &[&str]) {
    program.args(arguments).env("VNET_STATE_DIR", state).env("VNET_CONFIG_DIR", "/run/etc");
    let output = program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
