#!/usr/bin/env bash
# run.sh VNET KERNEL FOLDER: boots Debian with systemd in qemu, runs the cases of boot-1.sh in it,
# and reboots it with its disk kept for those of boot-2.sh and boot-3.sh. Prints each case, and at
# the end how many passed. FOLDER keeps the image. It needs apt, busybox, e2fsprogs and qemu, and no
# privilege.
set -euo pipefail
vnet=$(readlink -f "$1") kernel=$(readlink -f "$2")
mkdir -p "$3"
folder=$(readlink -f "$3") here=$(dirname "$(readlink -f "$0")")
boots=3
# For one boot, in seconds.
limit=600
packages="base-files base-passwd bash coreutils dash debianutils findutils grep gzip hostname libc-bin
    login mount passwd sed tar util-linux netbase mawk procps kmod systemd systemd-sysv dbus
    dbus-user-session udev iproute2 iputils-ping busybox-static nftables iptables dnsmasq-base
    firewalld polkitd passt libvirt-clients"

# With an empty list of installed packages, apt names all that these need.
mkdir -p "$folder/apt/archives/partial"
ask() {
    apt-get install -qq --yes --no-install-recommends -o Dir::State::status=/dev/null \
        -o Dir::Cache="$folder/apt" -o Debug::NoLocking=true -o APT::Sandbox::User="$(id -un)" "$@" $packages
}
wanted=$(ask --print-uris -o Dir::Cache::archives=/nonexistent)
key=$({ echo "$wanted"; cat "$here/image.sh"; basename "$kernel"/lib/modules/*; } | sha256sum | cut -c1-16)
image=$folder/$key
if [ ! -d "$image" ]; then
    rm -rf "$folder"/*.partial "$folder"/????????????????
    mkdir -p "$image.partial/debs"
    ask --download-only
    while read -r _ name _; do ln "$folder/apt/archives/$name" "$image.partial/debs"; done <<< "$wanted"
    unshare --map-root-user bash "$here/image.sh" "$image.partial" "$kernel" "$image.partial/debs"
    rm -rf "$image.partial/debs" "$folder/apt/archives"
    mv "$image.partial" "$image"
fi

work=$(mktemp -d -p "$folder" work.XXXXXX)
trap 'rm -rf "$work"' EXIT
inside=$work/folder
mkdir -p "$inside/cases" "$inside"/usr/local/{bin,lib} "$inside/etc/systemd/system"
cp "$here"/{machine,cases,lease,boot-1,clients,boot-2,boot-3}.sh "$inside/cases"
chmod +x "$inside/cases/lease.sh"
strip -o "$inside/usr/local/bin/vnet" "$vnet"
strip -o "$inside/usr/local/bin/vnetd" "${vnet}d"
# As the README installs them; `systemctl enable` would make these links.
cp -r "$here/../../packaging/systemd" "$inside/usr/local/lib"
units=/usr/local/lib/systemd/system
for wanted in multi-user.target/vnet.service nftables.service/vnet-reload@nftables.service \
    firewalld.service/vnet-reload@firewalld.service firewalld.service/vnet-firewalld.service \
    sockets.target/vnetd.socket vnetd.socket/vnetd-ro.socket; do
    by=$inside/etc/systemd/system/${wanted%/*}.wants
    mkdir -p "$by"
    unit=${wanted#*/}
    ln -s "$units/${unit/@*./@.}" "$by/$unit"
done
mkdir -p "$inside/etc/systemd/system/sysinit.target.wants"
ln -s /lib/systemd/system/nftables.service "$inside/etc/systemd/system/sysinit.target.wants"
(cd "$work" && find folder | busybox cpio -o -H newc -R 0:0 2> /dev/null) | cat "$image/initrd" - > "$work/initrd"
rm -rf "$inside"
cp --sparse=always "$image/disk" "$work/disk"

passed=0 failed=0
for ((boot = 1; boot <= boots; boot++)); do
    echo "# boot $boot"
    ended=
    # q35, not microvm: without KVM's clock the kernel finds no timer in a microvm. A new qemu for
    # each boot: a reset within one takes half a minute. The kernel copies memory by single bytes
    # where the processor has erms.
    while IFS= read -r line; do
        line=${line%$'\r'}
        case $line in
            "test "*" ... ok") passed=$((passed + 1)) ;;
            "test "*" ... FAILED") failed=$((failed + 1)) ;;
            "@end $boot") ended=yes; continue ;;
        esac
        echo "$line"
    done < <(timeout "$limit" qemu-system-x86_64 -machine q35 -accel tcg -cpu max,erms=off,smap=off,smep=off -smp 2 \
        -m 1024 -nodefaults -no-user-config -display none -no-reboot -serial stdio \
        -kernel "$image/vmlinuz" -initrd "$work/initrd" \
        -drive id=disk,file="$work/disk",format=raw,if=none,cache=unsafe -device virtio-blk-pci,drive=disk \
        -append "console=ttyS0 no_timer_check quiet loglevel=3 panic=-1 clocksource=hpet mitigations=off nokaslr lsm=capability \
            audit=0 cryptomgr.notests no5lvl systemd.show_status=0" < /dev/null)
    if [ -z "$ended" ]; then
        echo "boot $boot did not come to its end within $limit s"
        failed=$((failed + 1))
        break
    fi
done
echo "test result: $passed passed; $failed failed"
[ "$failed" = 0 ]
