#!/usr/bin/env bash
# run.sh VNET SUITE: vnet with the dnsmasq, passt and nft of a Debian release, unpacked in a
# temporary folder and entered. Prints what was tried, and at the end how much of it passed.
vnet=$(readlink -f "$1") suite=$2
. "$(dirname "$(readlink -f "$0")")/../../findings/lib.sh"
unpack "$suite" tree passt dnsmasq-base nftables
cp "$vnet" "$here/tree/vnet"
mkdir -p "$here/tree/etc/vnet"

cat > "$here/tree/nat.xml" <<XML
<network><name>nat</name><forward/><bridge name='virbr0'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp><range start='192.168.122.2' end='192.168.122.254'/>
      <host mac='52:54:00:00:00:10' ip='192.168.122.10'/></dhcp></ip>
  <ip family='ipv6' address='2001:db8:ca2:2::1' prefix='64'/></network>
XML
sed 's/254/200/' "$here/tree/nat.xml" > "$here/tree/changed.xml"
cat > "$here/tree/user.xml" <<XML
<interface type='user'><mac address='52:54:00:11:22:33'/>
  <ip address='192.168.221.122' family='ipv4' prefix='24'/>
  <portForward proto='tcp' address='127.0.0.1'><range start='2022' to='22'/></portForward>
  <backend type='passt'/></interface>
XML
sed "s/start='2022' to='22'/start='80'/" "$here/tree/user.xml" > "$here/tree/low.xml"

cat > "$here/tree/cases.sh" <<'CASES'
passed=0 failed=0
as_nobody() {
    setpriv --reuid 65534 --regid 65534 --clear-groups \
        env HOME=/tmp/nobody XDG_RUNTIME_DIR=/tmp/nobody "$@"
}
# it NAME COMMAND...: one case
it() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        passed=$((passed + 1)); echo "test $name ... ok"
    else
        failed=$((failed + 1)); echo "test $name ... FAILED"; echo "$output"
    fi
}
rules_load() { /vnet render nft /nat.xml | nft --check --file -; }
gone() { /vnet stop nat && ! ip link show virbr0 2> /dev/null && ! pidof dnsmasq; }

# Everybody may open /dev/net/tun on a Debian; who made the machine's may have kept it for root. To
# make a device takes root of the machine, as all of this does.
mount -t tmpfs tmpfs /dev/net && mknod --mode 666 /dev/net/tun c 10 200
mkdir -p /tmp/nobody && chown 65534 /tmp/nobody && chmod 700 /tmp/nobody
ip link add eth0 type veth peer name away
ip link set eth0 up && ip link set away up
ip address add 192.0.2.2/24 dev eth0
ip route add default via 192.0.2.1
echo "# $(dnsmasq --version | head -1); $(nft --version); $(readlink -f /usr/bin/passt)"

it "a NAT network keeps its promises, as root" /vnet try /nat.xml
it "a NAT network keeps its promises, as nobody" as_nobody /vnet try /nat.xml
it "passt keeps its promises, as root" /vnet try /user.xml
it "passt keeps its promises, as nobody" as_nobody /vnet try /user.xml
it "a network starts" /vnet start /nat.xml
it "nft takes the rules" rules_load
it "it is in sync" /vnet status nat
it "it changes in place" /vnet apply /changed.xml
it "it is in sync after the change" /vnet diff nat
it "it stops without a trace" gone
it "passt starts for root" /vnet passt run --name one /user.xml
it "passt is known again" /vnet passt status one
it "passt stops" /vnet passt stop one
it "passt starts for nobody" as_nobody /vnet passt run --name two /user.xml
it "nobody's passt stops" as_nobody /vnet passt stop two
it "passt of root has a port below 1024" /vnet passt run --name low /low.xml
it "passt with a low port stops" /vnet passt stop low
result=ok
[ $failed = 0 ] || result=FAILED
echo "test result: $result. $passed passed; $failed failed"
[ $failed = 0 ]
CASES
inside tree "bash /cases.sh"
