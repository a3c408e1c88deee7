#!/usr/bin/env bash
# installed.sh DEB SUITE: the package in a fresh tree of a Debian release: installed, used, upgraded
# under a running network, and purged. Takes root; nothing of this machine is touched.
deb=$(readlink -f "$1") suite=$2
. "$(dirname "$(readlink -f "$0")")/../../findings/lib.sh"
unpack "$suite" tree dpkg tar gzip diffutils libc-bin dnsmasq-base nftables procps
cp "$deb" "$here/tree/vnet.deb"
# The same package as the next release.
dpkg-deb --raw-extract "$deb" "$here/next"
sed -i 's/^Version: .*/Version: 99.0.0-1/' "$here/next/DEBIAN/control"
dpkg-deb -Znone --root-owner-group --build "$here/next" "$here/tree/next.deb" > "$here/log"
mkdir -p "$here"/tree/var/lib/dpkg/{info,updates,triggers}
: > "$here/tree/var/lib/dpkg/status"
# What a system has made at its installation, and scripts of packages expect.
mkdir -p "$here"/tree/var/{log,cache,tmp} "$here/tree/usr/share/doc"

cat > "$here/tree/cases.sh" <<'CASES'
passed=0 failed=0
it() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        passed=$((passed + 1)); echo "test $name ... ok"
    else
        failed=$((failed + 1)); echo "test $name ... FAILED"; echo "$output"
    fi
}
as_nobody() {
    setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/tmp/nobody XDG_RUNTIME_DIR=/tmp/nobody "$@"
}
mount -t tmpfs tmpfs /dev/net && mknod --mode 666 /dev/net/tun c 10 200
mkdir -p /tmp/nobody && chown 65534 /tmp/nobody && chmod 700 /tmp/nobody
ip link add eth0 type veth peer name away
ip link set eth0 up && ip link set away up
ip address add 192.0.2.2/24 dev eth0
ip route add default via 192.0.2.1

installs() { dpkg --install "/$1.deb" && dpkg --status vnet | grep "^Status: install ok installed"; }
# Every command has its page.
has_pages() {
    local pages=/usr/share/man page part
    for page in man1/vnet.1 man1/vnet-start.1 man1/vnet-forward-add.1 man8/vnetd.8 man8/vnet-cni.8; do
        for part in EXAMPLES FILES ENVIRONMENT 'EXIT STATUS'; do
            zcat "$pages/$page.gz" | grep --quiet --extended-regexp "^.SH \"?$part" ||
                { echo "$page has no $part"; return 1; }
        done
    done
}
has_papers() {
    local file
    for file in doc/vnet/{copyright,licences.txt*,vnet.cdx.json*,examples/network} polkit-1/actions/vnetd.policy; do
        [ -s /usr/share/$file ] || { echo "there is no $file"; return 1; }
    done
}
has_units() { [ -e /usr/lib/systemd/system/vnet.service ] && [ ! -e /etc/systemd/system/multi-user.target.wants/vnet.service ]; }
makes() {
    # The example of a hook, which also leaves a trace here.
    install -D /usr/share/doc/vnet/examples/network /etc/vnet/hooks/network
    echo 'echo "$1 $2" >> /run/hooked' >> /etc/vnet/hooks/network
    vnet new nat lab --define --start | grep "started on" && grep --quiet --line-regexp "lab started" /run/hooked
}
# What bash asks for when somebody has written `vnet info l` and hits the tabulator.
completes() {
    . /usr/share/bash-completion/completions/vnet
    COMP_WORDS=(vnet info l) COMP_CWORD=2 COMP_TYPE=9
    _clap_complete_vnet vnet l info
    [ "${COMPREPLY[*]}" = lab ] || { echo "completed: ${COMPREPLY[*]}"; return 1; }
}
# As a container runtime calls the plugin.
cni() {
    env CNI_COMMAND=$1 CNI_CONTAINERID=box CNI_NETNS=/run/netns/box CNI_IFNAME=eth0 CNI_PATH=/usr/lib/cni \
        /usr/lib/cni/vnet-cni <<< '{"cniVersion": "1.0.0", "name": "lab", "type": "vnet-cni"}'
}
connects() {
    ip netns add box && cni ADD && ip -n box address show eth0 | grep "inet 192.168." && vnet ports lab | grep box &&
        cni DEL && ! ip -n box link show eth0
}
is_gone() {
    ! ip link show virbr0 2> /dev/null && ! pidof dnsmasq && [ -z "$(nft list tables)" ]
}
purges() {
    dpkg --purge vnet
    local left
    left=$(ls --directory /etc/vnet /var/lib/vnet /usr/bin/vnet /usr/sbin/vnetd /usr/lib/cni/vnet-cni \
        /usr/share/polkit-1/actions/vnetd.policy /usr/lib/systemd/system/vnet* 2> /dev/null)
    [ -z "$left" ] || { echo "left: $left"; return 1; }
}
it "it installs" installs vnet
it "it says its version" vnet version
it "every command has a page" has_pages
it "licences, bill of materials, example of a hook and polkit's actions are there" has_papers
it "its units are there, and nothing is enabled" has_units
it "a network keeps its promises, as root" sh -c 'vnet new nat lab | vnet try -'
it "a network keeps its promises, as nobody" as_nobody sh -c 'vnet new nat lab | vnet try -'
it "a network is made and starts" makes
it "the shell completes its name" completes
it "a container is connected and disconnected" connects
it "it is upgraded under the running network" installs next
it "the network is in sync" vnet diff lab
it "the network stops" vnet stop lab
it "nothing of it is left" is_gone
it "it is purged" purges
result=ok
[ $failed = 0 ] || result=FAILED
echo "test result: $result. $passed passed; $failed failed"
[ $failed = 0 ]
CASES
inside tree "bash /cases.sh"
