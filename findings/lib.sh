# What the findings share: programs of a distribution's release, unpacked and entered. Run as root,
# or by `unshare -r`. Everything happens in a temporary folder and in namespaces; packages come
# through this machine's own apt.
set -eu
here=$(mktemp -d)
trap 'rm -rf --one-file-system "$here"' EXIT
changed=0

# unpack SUITE FOLDER PACKAGE=VERSION...: packages of Debian, with what they depend on, below
# $here/FOLDER
unpack() {
    local suite=$1 root=$here/$2 apt=$here/apt-$1 deb
    shift 2
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/sources" "$root"
    : > "$apt/status"
    sed "s/^Suites:.*/Suites: $suite/;/^#/d" /etc/apt/sources.list.d/debian.sources | awk -v RS= 'NR==1' > "$apt/sources/debian.sources"
    cat > "$apt/conf" <<CONF
Dir::Etc::SourceList "/dev/null"; Dir::Etc::SourceParts "$apt/sources";
Dir::State::Lists "$apt/lists"; Dir::State::status "$apt/status"; Dir::Cache "$apt/cache";
APT::Install-Recommends "false"; APT::Sandbox::User "root"; Acquire::Languages "none";
CONF
    APT_CONFIG=$apt/conf apt-get -qq update > "$here/log" 2>&1 || { echo "cannot read the packages of $suite"; exit 3; }
    APT_CONFIG=$apt/conf apt-get -qq -y --download-only install bash coreutils sed grep util-linux iproute2 mount "$@" \
        > "$here/log" 2>&1 || { echo "these versions are not offered any more: $*"; tail -3 "$here/log"; exit 3; }
    mkdir -p "$root"/{usr/bin,usr/sbin,usr/lib,usr/lib64,proc,sys,dev/net,run,tmp,etc,var/lib}
    for deb in bin sbin lib lib64; do ln -sfn usr/$deb "$root/$deb"; done
    for deb in "$apt"/cache/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root" --keep-directory-symlink
        rm "$deb"
    done
    [ -e "$root/bin/sh" ] || ln -s bash "$root/usr/bin/sh"
    printf 'root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n' > "$root/etc/passwd"
    printf 'root:x:0:\nnogroup:x:65534:\n' > "$root/etc/group"
    printf 'passwd: files\ngroup: files\nhosts: files\n' > "$root/etc/nsswitch.conf"
}

# inside FOLDER SCRIPT: bash runs the script there, with network, mounts and processes of its own
inside() {
    root=$here/$1 script=$2 unshare --net --mount --pid --ipc --fork --kill-child bash -c '
        mount --bind "$root" "$root"
        cd "$root"
        mount -t proc proc proc
        mount -t sysfs sysfs sys
        mount -t tmpfs tmpfs run
        mount -t tmpfs tmpfs tmp
        for node in null zero urandom net/tun; do
            [ ! -e /dev/$node ] || { : > dev/$node; mount --bind /dev/$node dev/$node; }
        done
        ip link set lo up
        # A program that makes a user namespace of its own (passt) may not be in a chroot(2).
        pivot_root . . && umount -l .
        exec env -i PATH=/usr/sbin:/usr/bin HOME=/tmp TMPDIR=/tmp LC_ALL=C bash -c "$script"'
}

# seen WHAT OUTPUT EXPECTED: says what was seen, and notes when it is not what this finding states
seen() {
    if [ "$2" = "$3" ]; then
        printf 'as stated   %s: %s\n' "$1" "$2"
    else
        printf 'CHANGED     %s: %s (stated: %s)\n' "$1" "$2" "$3"
        changed=1
    fi
}
