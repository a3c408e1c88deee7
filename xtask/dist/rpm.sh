#!/usr/bin/env bash
# rpm.sh RPM: the package, by Debian's rpm, in a fresh tree of Debian: installed, used and erased.
# That rpm knows no package of Fedora, so what the package depends on is not asked for. Takes root.
rpm=$(readlink -f "$1") scripts=$(dirname "$(readlink -f "$0")")
. "$scripts/../../findings/lib.sh"
unpack trixie tree rpm dnsmasq-base nftables procps findutils
cp "$rpm" "$here/tree/vnet.rpm"
cp "$scripts/cases.sh" "$scripts/../common.sh" "$here/tree"
cat > "$here/tree/rpm.sh" <<'CASES'
. /cases.sh
plugins=/usr/libexec/cni
installs() { rpm --install --nodeps /vnet.rpm && rpm --query vnet; }
# Every file is there as it was packed: size, checksum, mode, owner, time.
is_whole() { rpm --verify --nodeps vnet; }
# systemd's own package reloads units, so no script has to run.
has_no_scripts() { [ -z "$(rpm --query --scripts --triggers vnet)" ]; }
has_files() {
    local file
    for file in bin/vnet sbin/vnetd libexec/cni/vnet-cni lib/systemd/system/vnetd.socket lib/systemd/user/vnet.service \
        share/man/man1/vnet.1 share/man/man8/vnetd.8 share/man/man8/vnet-cni.8 share/doc/vnet/LICENSE-MIT \
        share/doc/vnet/licences.txt share/doc/vnet/vnet.cdx.json share/doc/vnet/examples/network \
        share/bash-completion/completions/vnet share/zsh/site-functions/_vnet share/fish/vendor_completions.d/vnet.fish \
        share/polkit-1/actions/vnetd.policy; do
        rpm --query --list vnet | grep --quiet "^/usr/$file" || { echo "there is no /usr/$file"; return 1; }
    done
}
recommends() { [ "$(rpm --query --recommends --suggests vnet | sort | xargs)" = "dnsmasq passt" ]; }
erases() {
    rpm --erase vnet
    local left
    left=$(find /usr -name 'vnet*' -o -name 'nftables.service.d')
    [ -z "$left" ] || { echo "left: $left"; return 1; }
}
it "it installs" installs
it "its files are as they were packed" is_whole
it "it has no scripts" has_no_scripts
it "its files are where Fedora has them" has_files
it "it recommends dnsmasq and suggests passt" recommends
it "a network keeps its promises" sh -c 'vnet new nat lab | vnet try -'
it "a network is made and starts" vnet new nat lab --define --start
it "a container is connected and disconnected" connects
it "it is erased under the running network" erases
it "which goes on" ip link show virbr0
it "it installs again" installs
it "the network is in sync" vnet diff lab
it "the network stops" vnet stop lab
it "nothing of it is left" is_gone
tell
CASES
inside tree "bash /rpm.sh"
