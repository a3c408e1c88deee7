#!/usr/bin/env bash
# image.sh TO KERNEL DEBS: a disk with Debian and systemd, and the initial file system that mounts
# it, from the packages in DEBS. Runs as root of a user namespace. The packages are unpacked and not
# configured: no script of theirs runs, and what of these matters is below.
set -euo pipefail
to=$1 kernel=$2 debs=$3 root=$1/root
release=$(basename "$kernel"/lib/modules/*)

mkdir -p "$root"/usr/{bin,sbin,lib,lib64}
for folder in bin sbin lib lib64; do ln -s usr/$folder "$root/$folder"; done
for package in "$debs"/*.deb; do dpkg-deb --fsys-tarfile "$package"; done |
    tar --extract --ignore-zeros --no-same-owner --keep-directory-symlink --directory "$root" \
        --exclude=./usr/share/{doc,man,locale,i18n,zoneinfo} --exclude=./usr/lib/udev/hwdb.d

from=$kernel/lib/modules/$release modules=$root/lib/modules/$release
mkdir -p "$modules/kernel/drivers/block"
cp "$from"/modules.{order,builtin,builtin.modinfo} "$modules"
cp -r "$from"/kernel/{net,lib,crypto,arch} "$modules/kernel"
cp -r "$from"/kernel/drivers/{virtio,net} "$modules/kernel/drivers"
rm -rf "$modules"/kernel/drivers/net/{ethernet,wireless,phy,usb}
cp "$from/kernel/drivers/block/virtio_blk.ko" "$modules/kernel/drivers/block"

inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin LC_ALL=C.UTF-8 "$@"; }
cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
cp "$root/usr/share/libc-bin/nsswitch.conf" "$root/etc/nsswitch.conf"
inside depmod "$release"
inside ldconfig
inside systemd-sysusers 2> /dev/null
ln -sf mawk "$root/usr/bin/awk"
# GDBus looks for the bus below /var/run: without it polkit ends, and firewalld waits for polkit.
rm -rf "$root/var/run" "$root/var/lock"
ln -s /run "$root/var/run"
ln -s /run/lock "$root/var/lock"
actions=$root/usr/share/polkit-1/actions
ln -sf org.fedoraproject.FirewallD1.server.policy.choice "$actions/org.fedoraproject.FirewallD1.policy"
inside python3 -m compileall -q /usr/lib/python3 /usr/lib/python3.11 > /dev/null || true
echo 0123456789abcdef0123456789abcdef > "$root/etc/machine-id"
echo vm > "$root/etc/hostname"
echo '127.0.0.1 localhost vm' > "$root/etc/hosts"
echo 'nameserver 192.0.2.53' > "$root/etc/resolv.conf"
: > "$root/etc/fstab"
# firewalld reads 220 descriptions of services when it starts. Its zones name these.
find "$root/usr/lib/firewalld/services" -type f ! -name 'ssh.xml' ! -name 'dhcp*' ! -name 'dns.xml' \
    ! -name 'mdns.xml' ! -name 'ipp-client.xml' ! -name 'samba-client.xml' ! -name 'netbios-ns.xml' \
    -delete

# Units and generators that cost seconds in the machine and matter to no network.
units=$root/etc/systemd/system
mkdir -p "$units/systemd-udev-trigger.service.d" "$units/user@.service.d"
mkdir -p "$root/etc/systemd"/{system-generators,journald.conf.d}
for unit in modprobe@ kmod-static-nodes x11-common systemd-{modules-load,remount-fs,fsck-root} \
    systemd-{random-seed,update-utmp,update-utmp-runlevel,journal-flush,udev-settle,binfmt,pstore} \
    systemd-{pcrphase,pcrphase-sysinit,sysusers,firstboot,machine-id-commit,logind,user-sessions} \
    systemd-network-generator; do
    ln -sf /dev/null "$units/$unit.service"
done
for unit in getty.target systemd-{initctl,rfkill}.socket proc-sys-fs-binfmt_misc.automount \
    systemd-ask-password-{console,wall}.path {dev-hugepages,dev-mqueue}.mount \
    sys-{kernel-config,kernel-debug,kernel-tracing,fs-fuse-connections}.mount \
    {fstrim,dpkg-db-backup,systemd-tmpfiles-clean}.timer; do
    ln -sf /dev/null "$units/$unit"
done
for generator in "$root"/usr/lib/systemd/system-generators/*; do
    ln -sf /dev/null "$root/etc/systemd/system-generators/$(basename "$generator")"
done
cat > "$units/systemd-udev-trigger.service.d/vm.conf" <<'UNIT'
[Service]
ExecStart=
ExecStart=udevadm trigger --action=add --subsystem-match=net --subsystem-match=misc
UNIT
printf '[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\n' > "$root/etc/systemd/journald.conf.d/vm.conf"
# PAM is not configured here.
printf '[Service]\nPAMName=\nEnvironment=XDG_RUNTIME_DIR=/run/user/%%i\n' > "$units/user@.service.d/vm.conf"
# Behind multi-user.target and no part of it: the cases see a boot that is finished.
printf '[Unit]\nRequires=multi-user.target\nWants=cases.service\nAfter=multi-user.target\n' > "$units/cases.target"
printf '[Unit]\nAfter=multi-user.target\n[Service]\nExecStart=/usr/bin/bash /cases/machine.sh\n' > "$units/cases.service"
ln -sf cases.target "$units/default.target"

truncate -s 700M "$to/disk"
mke2fs -q -t ext4 -O ^has_journal,^metadata_csum -N 40000 -d "$root" "$to/disk"

# Debian's kernel for virtual machines has ext4 built in, and virtio as modules. The cases are a
# second archive behind this one. They go onto the disk once, before systemd reads its units.
first=$to/first
mkdir -p "$first"/{bin,dev,root,lib,folder}
cp "$(command -v busybox)" "$first/bin"
for name in virtio_pci virtio_blk; do
    inside modprobe -S "$release" -D $name
done | while read -r _ file _; do
    [ -e "$first/lib/$(basename "$file")" ] && continue
    cp "$root$file" "$first/lib"
    basename "$file" >> "$first/lib/order"
done
cat > "$first/init" <<'INIT'
#!/bin/busybox sh
b=/bin/busybox
$b mount -t devtmpfs dev /dev
while read -r module; do $b insmod /lib/$module; done < /lib/order
while [ ! -b /dev/vda ]; do $b sleep 0.1; done
$b mount -t ext4 -o noatime /dev/vda /root || exec $b poweroff -f
[ -e /root/cases/boot ] || { $b cp -a /folder/. /root/; echo 0 > /root/cases/boot; }
$b mount --move /dev /root/dev
exec $b switch_root /root /sbin/init
INIT
chmod +x "$first/init"
(cd "$first" && find . | busybox cpio -o -H newc 2> /dev/null) > "$to/initrd"
cp "$kernel/boot/vmlinuz-$release" "$to/vmlinuz"
rm -rf "$root" "$first"
