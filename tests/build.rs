//! Says whether libvirt, its test data, the guest's image, a browser and podman are at hand, so
//! that tests with them run or are reported as ignored.

use std::path::Path;
use std::process::Command;

fn main() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/libvirt-corpus");
    let named = std::env::var_os("VNET_LIBVIRT_CORPUS").map(|folder| Path::new(&folder).to_owned());
    let folder = named.unwrap_or(beside);
    println!("cargo::rustc-check-cfg=cfg(libvirt_corpus)");
    println!("cargo::rerun-if-env-changed=VNET_LIBVIRT_CORPUS");
    if folder.join("manifest.json").is_file() {
        println!("cargo::rerun-if-changed={}", folder.display());
        println!("cargo::rustc-cfg=libvirt_corpus");
    }
    let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/vm/guest.cpio");
    println!("cargo::rustc-check-cfg=cfg(guest_image)");
    println!("cargo::rerun-if-changed={}", guest.display());
    if guest.is_file() {
        println!("cargo::rustc-cfg=guest_image");
    }
    println!("cargo::rustc-check-cfg=cfg(libvirt)");
    let programs = ["libvirtd", "virsh"];
    watch("/usr/sbin/libvirtd");
    if programs.iter().all(|program| is_in(&["/usr/bin", "/usr/sbin"], program)) && has_driver("network") {
        println!("cargo::rustc-cfg=libvirt");
    }
    println!("cargo::rustc-check-cfg=cfg(browser)");
    watch("/usr/bin/chromium-headless-shell");
    if Path::new("/usr/bin/chromium-headless-shell").is_file() {
        println!("cargo::rustc-cfg=browser");
    }
    println!("cargo::rustc-check-cfg=cfg(libvirt_qemu)");
    if has_driver("qemu") {
        println!("cargo::rustc-cfg=libvirt_qemu");
    }
    println!("cargo::rustc-check-cfg=cfg(podman)");
    watch("/usr/bin/podman");
    // Later ones have no CNI.
    let version = Command::new("podman").arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    let has_all = ["/usr/bin/crun", "/usr/bin/busybox"].iter().all(|file| Path::new(file).is_file());
    if has_all && version.starts_with(b"podman version 4.") {
        println!("cargo::rustc-cfg=podman");
    }
    println!("cargo::rustc-env=VNET_LIBVIRT_CORPUS_FOLDER={}", folder.display());
}

/// Has the tests built again when this program comes or goes. A file that is not there counts as
/// changed at each build, so its folder is watched.
fn watch(program: &str) {
    let program = Path::new(program);
    let watched = if program.exists() { Some(program) } else { program.parent() };
    watched.into_iter().for_each(|path| println!("cargo::rerun-if-changed={}", path.display()));
}

/// Whether libvirtd can load this driver.
fn has_driver(name: &str) -> bool {
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
    is_in(&folders, &format!("libvirt/connection-driver/libvirt_driver_{name}.so"))
}

fn is_in(folders: &[&str], file: &str) -> bool {
    folders.iter().any(|folder| Path::new(folder).join(file).is_file())
}
