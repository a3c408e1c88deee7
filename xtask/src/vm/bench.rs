//! Measures forwarding in a virtual machine whose clock counts instructions, on a kernel with
//! flowtables.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::archive::pack;
use super::folder::Root;
use super::kernel::kernel;
use crate::run::{Failed, cargo, failed, root};

const MODULES: [&str; 4] = ["net", "lib", "crypto", "drivers/net/veth.ko"];

const INIT: &str = r#"#!/bin/busybox sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
for applet in mount cat reboot; do ln -s /bin/busybox /bin/$applet; done
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for place in run tmp; do mount -t tmpfs tmpfs /$place; done
for module in veth bridge nf_tables nft_chain_nat nft_masq nft_nat nft_ct nft_reject_inet nf_flow_table_inet nft_flow_offload; do
    modprobe -q $module
done
ip link set lo up
/bin/firewall /tmp/report machine
echo @begin
cat /tmp/report
echo @end
reboot -f
"#;

/// The heading of the section, which the program writes too.
const HEADING: &str = "## Forwarding, in instructions\n";

/// Measures, and writes the section of this file anew, or at its end.
pub(crate) fn write_to(results: &Path) -> Result<(), Failed> {
    let section = forwarding()?;
    let all = fs::read_to_string(results).map_err(failed(results))?;
    let text = match all.split_once(HEADING) {
        Some((before, old)) => {
            let next = ["\n# ", "\n## "].iter().filter_map(|heading| old.find(heading)).min();
            format!("{before}{section}{}", next.map_or("", |next| &old[next..]))
        }
        None => format!("{all}\n{section}"),
    };
    fs::write(results, text).map_err(failed(results))
}

fn forwarding() -> Result<String, Failed> {
    // What is counted is the kernel's work: no release of the program is needed.
    cargo(&["build", "--package", "vnet-benches", "--bin", "firewall"])?;
    let folder = root().join("target/vm");
    fs::create_dir_all(&folder).map_err(failed(&folder))?;
    let kernel = kernel(&folder)?;
    let inside = Root::new(folder.join("bench"))?;
    inside.modules(&kernel, &MODULES)?;
    ["ip", "nft"].iter().try_for_each(|program| inside.program(program))?;
    let program = root().join("target/debug/firewall");
    inside.executable(&program)?;
    inside.link(&program.display().to_string(), "/bin/firewall")?;
    inside.write("init", INIT)?;
    let archive = folder.join("bench.cpio");
    pack(&inside, &archive)?;
    let machine = ["-machine", "q35", "-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", "1024", "-nodefaults"];
    let mut qemu = Command::new("timeout");
    qemu.args(["1800", "qemu-system-x86_64", "-icount", "shift=0,sleep=off"]).args(machine);
    qemu.args(["-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio"]);
    qemu.args(["-append", "console=ttyS0 quiet panic=-1 tsc=reliable mitigations=off"]);
    qemu.arg("-kernel").arg(&kernel.image).arg("-initrd").arg(&archive);
    let output = qemu.output().map_err(failed(Path::new("qemu")))?;
    let said = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    let report = said.split_once("@begin\n").and_then(|(_, rest)| rest.split_once("@end"));
    let (report, _) = report.ok_or_else(|| Failed(format!("the machine has measured nothing:\n{said}")))?;
    Ok(report.trim_end().to_owned() + &format!("\n\nLinux {}.\n", kernel.release()))
}
