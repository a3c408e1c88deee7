//! What a container's interface costs, beside CNI's reference plugins in the same run: `cargo xtask
//! bench`. Each number is the median of whole processes, with a fresh network namespace each time.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on says where")]
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use vnet_benches::median;
use vnet_lab::mounts::mount_new;
use vnet_tests::NamedNetns;

/// How often each plugin is called.
const ROUNDS: usize = 25;
/// How many containers are attached while it is measured what others cost.
const MANY: usize = 100;
/// The highest ratio to the reference plugins for ADD and DEL together.
const TARGET: f64 = 1.0 / 3.0;

const OURS: &str = r#"{"cniVersion":"1.0.0","name":"bench","type":"vnet-cni","definition":"<network><name>bench</name><forward mode='nat'/><bridge stp='on' delay='0'/><ip address='10.88.7.1' prefix='24'><dhcp><range start='10.88.7.2' end='10.88.7.254'/></dhcp></ip></network>"}"#;
const REFERENCE: &str = r#"{"cniVersion":"1.0.0","name":"reference","type":"bridge","bridge":"reference","isGateway":true,"ipMasq":true,"ipam":{"type":"host-local","ranges":[[{"subnet":"10.88.8.0/24"}]],"routes":[{"dst":"0.0.0.0/0"}]}}"#;

const HEAD: &str = "
## Containers

CNI's ADD and DEL of one interface with an address, a default route and translation: `vnet-cni` on a network with DHCP and DNS,
and the reference plugins `bridge` and `host-local` with `ipMasq`, in turns. Milliseconds, of whole processes. Load average LOAD
at the start.

| what | measured | against | ratio | target |
|---|---|---|---|---|
";

/// A plugin and its configuration.
struct Plugin {
    program: PathBuf,
    config: &'static str,
}

impl Plugin {
    /// Makes a call and returns the milliseconds that it took.
    fn call(&self, verb: &str, container: &str) -> f64 {
        let mut command = Command::new(&self.program);
        command.env("CNI_COMMAND", verb).env("CNI_CONTAINERID", container).env("CNI_IFNAME", "eth0");
        command.env("CNI_NETNS", format!("/run/netns/{container}")).env("CNI_PATH", self.program.parent().unwrap());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let begin = Instant::now();
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(self.config.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let elapsed = begin.elapsed();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{verb} of {}: {said}", self.program.display());
        elapsed.as_secs_f64() * 1000.0
    }
}

/// The times of ADD and DEL of each plugin, in turns.
fn rounds(plugins: &[&Plugin]) -> Vec<[Vec<f64>; 2]> {
    let mut times = vec![[Vec::new(), Vec::new()]; plugins.len()];
    for round in 0..=ROUNDS {
        for (plugin, times) in plugins.iter().zip(&mut times) {
            let _namespace = NamedNetns::new("c");
            let [add, del] = ["ADD", "DEL"].map(|verb| plugin.call(verb, "c"));
            // The first round makes the bridge.
            if round > 0 {
                times[0].push(add);
                times[1].push(del);
            }
        }
    }
    times
}

fn row(what: &str, measured: f64, against: f64, target: Option<f64>) -> String {
    let ratio = measured / against;
    let target = match target {
        Some(target) if ratio <= target => format!("≤ {target:.2}"),
        Some(target) => format!("≤ {target:.2}: **not reached**"),
        None => String::new(),
    };
    format!("| {what} | {measured:.2} | {against:.2} | {ratio:.3} | {target} |\n")
}

fn report(program: &str) -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap();
    let folders = ["/usr/lib/cni/bridge", "/usr/libexec/cni/bridge"];
    let bridge = folders.into_iter().map(Path::new).find(|file| file.is_file());
    let reference = Plugin { program: bridge.expect("containernetworking-plugins").to_owned(), config: REFERENCE };
    let ours = Plugin { program: program.into(), config: OURS };
    let mut text = HEAD.replace("LOAD", load.split(' ').next().unwrap_or_default());
    let times = rounds(&[&ours, &reference]);
    let both = |times: &[Vec<f64>; 2]| median(times[0].iter().zip(&times[1]).map(|(add, del)| add + del).collect());
    for (at, verb) in ["ADD", "DEL"].into_iter().enumerate() {
        let what = format!("{verb} / bridge, host-local, masquerade");
        text += &row(&what, median(times[0][at].clone()), median(times[1][at].clone()), None);
    }
    let alone = both(&times[0]);
    text += &row("ADD and DEL / bridge, host-local, masquerade", alone, both(&times[1]), Some(TARGET));
    let names: Vec<String> = (0..MANY).map(|number| format!("many{number}")).collect();
    let _namespaces: Vec<NamedNetns> = names.iter().map(|name| NamedNetns::new(name)).collect();
    for name in &names {
        ours.call("ADD", name);
    }
    let beside = both(&rounds(&[&ours])[0]);
    for name in &names {
        ours.call("DEL", name);
    }
    text + &row(&format!("ADD and DEL beside {MANY} containers / beside none"), beside, alone, None)
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, program] = &arguments[..] else { panic!("usage: containers RESULTS.md VNET-CNI") };
    let program = fs::canonicalize(program).unwrap();
    for folder in ["/run", "/var/lib"] {
        mount_new("tmpfs", folder).unwrap();
    }
    mount_new("sysfs", "/sys").unwrap();
    fs::create_dir_all("/run/netns").unwrap();
    let text = report(program.to_str().unwrap());
    print!("{text}");
    OpenOptions::new().append(true).open(file).unwrap().write_all(text.as_bytes()).unwrap();
}
