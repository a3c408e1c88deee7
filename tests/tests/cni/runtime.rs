//! A real runtime: podman, with its backend for CNI.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use serde_json::json;
use vnet_lab::mounts::mount_new;
use vnet_tests::{isolate, run, wait_for};

use super::chain::{ask, program};
use super::{Plugin, define, ends, nothing_is_left, vnet, world};

const BLUE: &str = "<network><name>blue</name><forward mode='nat'/><bridge name='br-blue'/>\
    <ip address='10.88.7.1' prefix='24'><dhcp><range start='10.88.7.2' end='10.88.7.9'/></dhcp></ip></network>";
const ROOT: &str = "/run/root";
const SERVER: &str = "while :; do echo hello | nc -l -p 80; done";

/// Containers of one busybox, without images, control groups and services.
fn furnish() {
    unshare(CloneFlags::CLONE_NEWCGROUP).unwrap();
    mount_new("cgroup2", "/sys/fs/cgroup").unwrap();
    for folder in ["bin", "proc", "sys", "dev", "etc", "tmp", "run"] {
        fs::create_dir_all(format!("{ROOT}/{folder}")).unwrap();
    }
    let busybox =
        ["/bin/busybox", "/usr/bin/busybox", "/usr/sbin/busybox"].into_iter().find(|it| fs::exists(it).unwrap());
    fs::copy(busybox.expect("busybox"), format!("{ROOT}/bin/busybox")).unwrap();
    for name in ["sh", "ping", "nc", "echo"] {
        symlink("busybox", format!("{ROOT}/bin/{name}")).unwrap();
    }
    let (ours, others) = (Plugin::ours().folder, program("portmap"));
    let engine = format!(
        "[network]\nnetwork_backend='cni'\ncni_plugin_dirs=['{}','{}']\nnetwork_config_dir='/run/networks'\n\
         [engine]\ncgroup_manager='cgroupfs'\nevents_logger='file'\nruntime='crun'\n[containers]\ncgroups='disabled'\n",
        ours.display(),
        others.parent().unwrap().display(),
    );
    fs::write("/run/containers.conf", engine).unwrap();
    let storage =
        "[storage]\ndriver='vfs'\nrunroot='/run/containers/storage'\ngraphroot='/var/lib/containers/storage'\n";
    fs::write("/run/storage.conf", storage).unwrap();
    let capabilities = json!({ "ips": true, "mac": true, "aliases": true });
    let plugins = json!([
        { "type": "vnet-cni", "capabilities": capabilities },
        { "type": "portmap", "capabilities": { "portMappings": true } },
    ]);
    let list = json!({ "cniVersion": "1.0.0", "cniVersions": ["0.4.0", "1.0.0", "1.1.0"], "name": "blue", "plugins": plugins });
    fs::create_dir("/run/networks").unwrap();
    fs::write("/run/networks/blue.conflist", list.to_string()).unwrap();
}

fn podman(arguments: &[&str]) -> String {
    let files = ["CONTAINERS_CONF=/run/containers.conf", "CONTAINERS_STORAGE_CONF=/run/storage.conf", "podman"];
    run("env", &[&files[..], arguments].concat())
}

/// `podman run` with options and a command of the container's shell. Its terminals are those of
/// the test: a user namespace with one user cannot mount others for a group.
fn podman_run(options: &[&str], command: &str) -> String {
    let usual =
        ["--volume=/dev/pts:/dev/pts", "--security-opt=apparmor=unconfined", "--security-opt=seccomp=unconfined"];
    let rest = ["--rootfs", ROOT, "/bin/sh", "-c", command];
    podman(&[&["run"][..], &usual, options, &rest].concat())
}

#[test]
#[cfg_attr(not(podman), ignore = "needs podman 4 with crun and busybox")]
fn podman_runs_containers_on_a_network() {
    isolate!();
    let outside = world();
    define(BLUE);
    furnish();
    assert!(podman(&["network", "ls", "--format={{.Name}}"]).lines().any(|name| name == "blue"));
    // The first container starts the network.
    let pinged = podman_run(&["--rm", "--network=blue"], "ping -c1 -W2 10.88.7.1 && ping -c1 -W2 198.51.100.1");
    assert_eq!(pinged.matches("1 packets received").count(), 2, "{pinged}");
    nothing_is_left();

    let network = "--network=blue:ip=10.88.7.77,mac=02:00:00:00:00:77";
    podman_run(&["--detach", "--name=web", network, "--publish=8080:80"], SERVER);
    let settings = podman(&["inspect", "--format={{json .NetworkSettings.Networks.blue}}", "web"]);
    assert!(settings.contains("10.88.7.77") && settings.contains("02:00:00:00:00:77"), "{settings}");
    assert!(vnet(&["ports"]).contains("web"), "{}", vnet(&["ports"]));
    let is_reached = || {
        let answer = || outside.run(|| ask("198.51.100.2:8080")).filter(|said| said == "hello\n");
        wait_for(Duration::from_secs(10), "the published port", answer);
    };
    is_reached();
    // DEL, then ADD with the same address.
    podman(&["network", "reload", "web"]);
    is_reached();
    podman(&["rm", "--force", "--time=0", "web"]);
    assert_eq!(outside.run(|| ask("198.51.100.2:8080")), None);
    assert_eq!(ends(), Vec::<String>::new());
    nothing_is_left();
}
