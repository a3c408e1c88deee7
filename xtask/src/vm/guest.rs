//! The guest that tests boot: a kernel, busybox, a network card, and a shell that reads commands
//! from the console.

use std::fs;

use super::archive::pack;
use super::folder::Root;
use super::kernel::kernel;
use crate::run::{Failed, failed, root};

const MODULES: [&str; 6] = [
    "drivers/virtio",
    "drivers/net/virtio_net.ko",
    "drivers/net/net_failover.ko",
    "net/core",
    "net/packet",
    "net/ipv6",
];

/// The guest's init script. Each line on its console is a command; it answers with `@` and the exit
/// status.
const INIT: &str = r#"#!/bin/busybox sh
export PATH=/bin:/sbin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in virtio_pci virtio_net ipv6; do modprobe -q $module; done
stty -echo
echo; echo "@ready"
while read -r line; do
    eval "$line" </dev/null 2>&1
    status=$?
    echo; echo "@$status"
done
reboot -f
"#;

/// The script that udhcpc runs for a lease.
const LEASE: &str = r#"#!/bin/sh
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip address flush dev "$interface"
ip address add "$ip/$mask" dev "$interface"
[ -z "$mtu" ] || ip link set "$interface" mtu "$mtu"
# The router may be outside of the subnet.
[ -z "$router" ] || ip route replace "${router%% *}" dev "$interface"
[ -z "$router" ] || ip route replace default via "${router%% *}"
: > /etc/resolv.conf
for server in $dns; do echo "nameserver $server" >> /etc/resolv.conf; done
echo "lease $ip/$mask router $router dns $dns hostname $hostname domain $domain mtu $mtu"
"#;

/// Builds `target/vm/vmlinuz` and `target/vm/guest.cpio`, if they are missing.
pub(crate) fn image() -> Result<(), Failed> {
    let folder = root().join("target/vm");
    fs::create_dir_all(&folder).map_err(failed(&folder))?;
    let (image, archive) = (folder.join("vmlinuz"), folder.join("guest.cpio"));
    let kernel = kernel(&folder)?;
    let inside = Root::new(folder.join("guest"))?;
    inside.modules(&kernel, &MODULES)?;
    inside.write("init", INIT)?;
    inside.write("etc/lease", LEASE)?;
    let partial = folder.join("guest.cpio.partial");
    pack(&inside, &partial)?;
    // An unchanged image keeps its time stamp: cargo rebuilds the tests when it changes.
    if fs::read(&partial).ok() != fs::read(&archive).ok() {
        fs::rename(&partial, &archive).map_err(failed(&archive))?;
    }
    if !image.exists() {
        fs::copy(&kernel.image, &image).map_err(failed(&image))?;
    }
    Ok(())
}
