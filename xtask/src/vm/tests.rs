//! Runs the integration tests on another kernel, which has features that the machine's own may
//! lack, such as bridges that filter VLANs.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use super::PROCESSOR;
use super::archive::pack;
use super::folder::Root;
use super::kernel::{Kernel, kernel};
use crate::run::{Failed, build_programs, failed, output, root};
use crate::tally::Tally;
use crate::tests::{TestProgram, test_programs};

/// Programs of this machine that the tests run.
const PROGRAMS: [&str; 23] = [
    "bridge",
    "dash",
    "dnsmasq",
    "ip",
    "nft",
    "ovn-controller",
    "ovn-nbctl",
    "ovn-northd",
    "ovn-sbctl",
    "ovs-appctl",
    "ovs-vsctl",
    "ovs-vswitchd",
    "ovsdb-server",
    "ovsdb-tool",
    "passt",
    "ping",
    "prlimit",
    "script",
    "setpriv",
    "ss",
    "strace",
    "tc",
    "unshare",
];

/// What these read.
const FILES: [&str; 7] = [
    "/etc/protocols",
    "/etc/services",
    "/etc/iproute2",
    "/usr/share/iproute2",
    "/usr/share/openvswitch/vswitch.ovsschema",
    "/usr/share/ovn/ovn-nb.ovsschema",
    "/usr/share/ovn/ovn-sb.ovsschema",
];

const MODULES: [&str; 8] =
    ["net", "lib", "crypto", "arch/x86/crypto", "drivers/net", "drivers/virtio", "drivers/ptp", "drivers/pps"];

/// Modules that a user namespace cannot make the kernel load.
const PRELOADED: &str = "bridge veth tun macvtap vxlan dummy 8021q nf_tables nft_chain_nat nft_masq nft_nat nft_ct \
    nft_reject_inet nft_fib_inet nft_limit nf_conntrack_netlink nft_numgen nft_redir nft_log sch_htb sch_sfq sch_ingress \
    sch_fq_codel sch_tbf br_netfilter cls_basic cls_u32 cls_fw cls_flower cls_matchall act_police act_csum act_mirred act_gact act_pedit \
    nf_conntrack_tftp nf_flow_table_inet nft_flow_offload af_packet inet_diag udp_diag tcp_diag openvswitch geneve";

/// Test programs that are not run: the kernel hardly matters to them, they test the harness with
/// ignored tests, they boot machines, or they use passt, which cannot leave the root of an initial
/// file system.
const ELSEWHERE: [&str; 10] =
    ["cli", "conformance", "firewalld", "golden", "harness", "laws", "passt", "qemu", "try_passt", "vnet_tests"];

/// Parts of the names of tests that are not run: they are too slow in the machine, need programs
/// that it does not have, or do nothing by themselves.
const SKIPPED: [&str; 12] = [
    "a_browser",
    "every_case_of_libvirt",
    "every_valid_interface",
    "qemu",
    "takes_less_than",
    "bandwidth::",
    "iptables",
    "podman_runs",
    "ufw",
    "case_1_docker",
    "victim",
    "lists_are_whole",
];

/// Test programs that depend most on the kernel and take only some minutes there. The others take
/// as long again: `cargo xtask vm all` runs them too.
const CHOSEN: [&str; 8] =
    ["attach", "dnsmasq", "lifecycle", "netfilter", "netlink", "netlink_bridge", "netlink_tap", "netlink_traffic"];

/// The time limit for all of it, in seconds.
const DEADLINE: &str = "900";

/// The tests to run in the machine.
#[derive(Clone, Copy)]
pub(crate) enum Which<'a> {
    /// The tests that need such a kernel and are ignored elsewhere, and all of [`CHOSEN`].
    Chosen,
    /// All tests.
    All,
    /// All tests whose name contains this text.
    Named(&'a str),
}

/// Boots a machine with the tests inside, shows their output, and fails when they fail.
pub(crate) fn test(which: Which<'_>) -> Tally {
    Tally::or_failed(try_test(which))
}

fn try_test(which: Which<'_>) -> Result<Tally, Failed> {
    build_programs()?;
    let folder = root().join("target/vm");
    fs::create_dir_all(&folder).map_err(failed(&folder))?;
    let kernel = kernel(&folder)?;
    let programs = test_programs()?;
    let programs = programs.iter().filter(|it| it.is_integration() && !ELSEWHERE.contains(&it.name.as_str()));
    let runs: Vec<Run<'_>> = programs.map(|it| Run::of(it, which)).collect::<Result<_, _>>()?;
    let runs: Vec<Run<'_>> = runs.into_iter().filter(|run| !run.arguments.is_empty()).collect();
    let archive = folder.join("tests.cpio");
    fill(&kernel, &folder, &runs, &archive)?;
    boot(&kernel, &archive)
}

/// How often a test program is run in the machine, each time with these arguments.
struct Run<'a> {
    program: &'a TestProgram,
    arguments: Vec<Vec<&'a str>>,
    /// Whether it runs beside the others: it has one test, which leaves a processor idle.
    beside: bool,
}

impl<'a> Run<'a> {
    /// Those that have a test to run: all programs together are larger than a machine's memory.
    fn of(program: &'a TestProgram, which: Which<'a>) -> Result<Self, Failed> {
        let own: &[&[&str]] = match which {
            Which::Chosen if !CHOSEN.contains(&program.name.as_str()) => &[&["--ignored"]],
            _ => &[&[], &["--ignored"]],
        };
        let name = if let Which::Named(name) = which { Some(name) } else { None };
        let skipped = SKIPPED.iter().flat_map(|part| ["--skip", part]);
        let (mut arguments, mut count) = (Vec::new(), 0);
        for own in own {
            let all: Vec<&str> = skipped.clone().chain(own.iter().copied()).chain(name).collect();
            let listed = output(&program.executable, &[&all[..], &["--list", "--format", "terse"]].concat())?;
            let tests = listed.lines().filter(|line| line.ends_with(": test")).count();
            if tests > 0 {
                arguments.push(all);
            }
            count += tests;
        }
        // Who runs all of them measures, too.
        Ok(Self { program, arguments, beside: matches!(which, Which::Chosen) && count == 1 })
    }
}

fn fill(kernel: &Kernel, folder: &Path, runs: &[Run<'_>], archive: &Path) -> Result<(), Failed> {
    let inside = Root::new(folder.join("tests"))?;
    inside.modules(kernel, &MODULES)?;
    PROGRAMS.iter().try_for_each(|program| inside.program(program))?;
    inside.stripped(&root().join("target/debug/vnet"))?;
    let docs = ["vnet-driver", "vnet-firewall", "vnet-host"].map(|name| format!("crates/{name}/docs"));
    for data in ["testdata", "tests/Cargo.toml", "tests/tests"].into_iter().chain(docs.iter().map(String::as_str)) {
        inside.copy(&root().join(data))?;
    }
    FILES.iter().map(Path::new).filter(|file| file.exists()).try_for_each(|file| inside.copy(file))?;
    runs.iter().try_for_each(|run| inside.stripped(Path::new(&run.program.executable)))?;
    inside.link("/run", "/var/run")?;
    inside.write("etc/resolv.conf", "nameserver 192.0.2.53\n")?;
    inside.write("init", &init(runs))?;
    pack(&inside, archive)
}

/// Runs a test program: the heading, the program, its arguments. A test that fails is run once
/// more, alone. A program that fails without the name of a test has failed.
const RUN: &str = r##"
run() {
    echo "# $1"
    shift
    log=$(busybox mktemp)
    { "$@" 2>&1 || : >$log.failed; } | busybox tee $log
    [ -e $log.failed ] || return 0
    failed=$(busybox sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' $log | busybox sort -u)
    [ -n "$failed" ] || : >/run/failed
    for name in $failed; do
        echo "# again"
        "$1" --include-ignored --exact "$name" || : >/run/failed
    done
}
"##;

fn init(runs: &[Run<'_>]) -> String {
    let mut script = format!(
        r#"#!/bin/busybox sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin RUST_BACKTRACE=1
/bin/busybox --install -s /tmp/applets 2>/dev/null
mkdir -p /media /srv /usr/bin
for applet in mount cat ls mkdir reboot grep sleep kill true false sh env test timeout id sed head tail; do
    [ -e /bin/$applet ] || ln -s /bin/busybox /bin/$applet
done
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for place in run tmp; do mount -t tmpfs tmpfs /$place; done
modprobe ifb numifbs=0
modprobe -qa {PRELOADED}
chmod 666 /dev/net/tun
ip link set lo up
cd '{}'
{RUN}"#,
        root().join("tests").display()
    );
    let (beside, others): (Vec<_>, Vec<_>) = runs.iter().partition(|run| run.beside);
    let lines = |runs: &[&Run<'_>]| runs.iter().map(|run| commands(run)).collect::<String>();
    script += &format!("{{\n:\n{}}} >/run/beside 2>&1 &\n{}", lines(&beside), lines(&others));
    script + "wait\ncat /run/beside\n[ -e /run/failed ]\necho \"@$((! $?))\"\nreboot -f\n"
}

/// The lines of the script that run a test program.
fn commands(Run { program, arguments, .. }: &Run<'_>) -> String {
    // Measurements run alone.
    let threads = if program.name == "bandwidth" { 1 } else { 2 };
    let line = |arguments: &Vec<&str>| {
        let words = arguments.iter().map(|word| format!(" '{word}'")).collect::<String>();
        let kind = if arguments.contains(&"--ignored") { " --ignored" } else { "" };
        format!("run '{}{kind}' '{}' --test-threads {threads}{words}\n", program.name, program.executable)
    };
    arguments.iter().map(line).collect()
}

fn boot(kernel: &Kernel, archive: &Path) -> Result<Tally, Failed> {
    let mut qemu = Command::new("timeout");
    qemu.args([
        DEADLINE,
        "qemu-system-x86_64",
        "-machine",
        "q35",
        "-accel",
        "tcg",
        "-cpu",
        PROCESSOR,
        "-smp",
        "2",
        "-m",
        "2048",
    ]);
    qemu.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio"]);
    qemu.args([
        "-append",
        "console=ttyS0 quiet panic=-1 tsc=reliable mitigations=off lsm=capability audit=0 rcupdate.rcu_expedited=1",
    ]);
    qemu.arg("-kernel").arg(&kernel.image).arg("-initrd").arg(archive);
    println!("$ qemu-system-x86_64 with Linux {} and the integration tests", kernel.release());
    let mut machine = qemu.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(failed(Path::new("qemu")))?;
    let console = BufReader::new(machine.stdout.take().expect("it was asked for"));
    let (mut verdict, mut tally) = (None, Tally::default());
    let (mut program, mut again) = (Tally::default(), false);
    let add = |tally: Tally, program: Tally, again: bool| {
        if again { tally.again(&program) } else { [tally, program].into_iter().sum() }
    };
    for line in console.split(b'\n') {
        let line = line.map_err(failed(Path::new("the console")))?;
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        if let Some(status) = line.strip_prefix('@') {
            verdict = Some(status == "0");
            continue;
        }
        println!("{line}");
        if line.starts_with("# ") {
            tally = add(tally, std::mem::take(&mut program), again);
            again = line == "# again";
        } else {
            program.line(line);
        }
    }
    tally = add(tally, program, again);
    machine.wait().map_err(failed(Path::new("qemu")))?;
    let release = kernel.release();
    match verdict {
        Some(succeeded) => Ok(tally.with_status(succeeded)),
        None => Err(Failed(format!("the machine with Linux {release} ended, or took {DEADLINE} s, without a verdict"))),
    }
}
