#!/usr/bin/env bash
# installed.sh DEB SUITE: the package in a fresh tree of a Debian release: installed, used, upgraded
# under a running network, and purged. Takes root; nothing of this machine is touched.
deb=$(readlink -f "$1") suite=$2 scripts=$(dirname "$(readlink -f "$0")")
. "$scripts/../../findings/lib.sh"
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

cp "$scripts/cases.sh" "$scripts/../common.sh" "$here/tree"
cat > "$here/tree/installed.sh" <<'CASES'
. /cases.sh
plugins=/usr/lib/cni
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
tell
CASES
inside tree "bash /installed.sh"
