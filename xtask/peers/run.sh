#!/usr/bin/env bash
# run.sh VNET SUITE: vnet with the dnsmasq, passt and nft of a Debian release, its virsh and
# bindings for Python and Perl with vnetd, and its libvirtd with vnet's hook, unpacked in a
# temporary folder and entered. Prints what was tried, and at the end how much of it passed.
vnet=$(readlink -f "$1") suite=$2
scripts=$(dirname "$(readlink -f "$0")")
. "$scripts/../../findings/lib.sh"
unpack "$suite" tree passt dnsmasq-base nftables libvirt-clients python3-libvirt libsys-virt-perl \
    iptables libvirt-daemon libvirt-daemon-driver-network
for program in iptables ip6tables; do ln -sf xtables-nft-multi "$here/tree/usr/sbin/$program"; done
cp "$vnet" "$vnet"d "$scripts/../common.sh" "$here/tree"
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

cat > "$here/tree/port.xml" <<XML
<networkport><uuid>5d744f21-ba4a-4d6e-bdb2-30a35ff3207d</uuid><owner><name>guest1</name>
  <uuid>06578fc1-c686-46fa-bc2c-220893b466a6</uuid></owner><mac address='52:54:00:7b:35:93'/></networkport>
XML
cat > "$here/tree/events.py" <<'PYTHON'
# Prints events of networks until one has stopped.
import libvirt

seen, names = [], {0: "defined", 1: "undefined", 2: "started", 3: "stopped"}
libvirt.virEventRegisterDefaultImpl()
connection = libvirt.open("network:///system")
lifecycle = lambda _, network, event, detail, __: seen.append(network.name() + " " + names[event])
metadata = lambda _, network, kind, uri, __: seen.append(f"{network.name()} metadata {kind}")
connection.networkEventRegisterAny(None, libvirt.VIR_NETWORK_EVENT_ID_LIFECYCLE, lifecycle, None)
connection.networkEventRegisterAny(None, libvirt.VIR_NETWORK_EVENT_ID_METADATA_CHANGE, metadata, None)
open("/tmp/listens", "w").close()
while not seen or not seen[-1].endswith("stopped"):
    libvirt.virEventRunDefaultImpl()
print(*seen, sep=", ")
PYTHON

cat > "$here/tree/hooked.xml" <<XML
<network><name>hooked</name>
  <metadata><v:network xmlns:v='https://github.com/vnet-rs/vnet/network/1.0'>
    <v:portForward proto='tcp' guest='192.168.99.10'><v:range start='2222' to='22'/></v:portForward>
    <v:egress preset='internet-only'/></v:network></metadata>
  <forward mode='nat'/><bridge name='virbr9' stp='off'/>
  <ip address='192.168.99.1' prefix='24'/></network>
XML
cat > "$here/tree/serve.py" <<'PYTHON'
# Says hello to whoever connects to a port.
import socket, sys

server = socket.create_server(("", int(sys.argv[1])))
while True:
    client, _ = server.accept()
    client.sendall(b"hello")
    client.close()
PYTHON
cat > "$here/tree/networks.pl" <<'PERL'
# Prints each network that runs with its bridge, and why there are no secrets.
use Sys::Virt;

my $connection = Sys::Virt->new(uri => "network:///system", readonly => 1);
print $_->get_name, " ", $_->get_bridge_name, "\n" for grep { $_->is_active } $connection->list_all_networks;
eval { $connection->list_all_secrets };
print $@->message, "\n";
PERL

cat > "$here/tree/cases.sh" <<'CASES'
. /common.sh
rules_load() { /vnet render nft /nat.xml | nft --check --file -; }
gone() { /vnet stop nat && ! ip link show virbr0 2> /dev/null && ! pidof dnsmasq; }

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

# libvirt's clients, which find vnetd where they look for virtnetworkd.
rm -rf /var/run && ln -s /run /var/run
mkdir /run/libvirt
/vnetd --timeout 0 --listen /run/libvirt/virtnetworkd-sock --listen-read-only /run/libvirt/virtnetworkd-sock-ro &
virsh() { command virsh --quiet --connect network:///system "$@"; }
says() { # says WORDS COMMAND...: whatever its end
    local words=$1 output
    shift
    output=$("$@" 2>&1) || true
    [[ $output == *"$words"* ]] || { echo "$output"; return 1; }
}
until [ -S /run/libvirt/virtnetworkd-sock-ro ]; do sleep 0.1; done
echo "# virsh $(virsh --version)"
PYTHONPATH=/usr/lib/python3/dist-packages python3 /events.py > /tmp/events 2>&1 &
until [ -e /tmp/listens ] || ! kill -0 $!; do sleep 0.1; done
it "virsh defines a network" virsh net-define /nat.xml --validate
it "virsh starts it" virsh net-start nat
it "virsh does not start it again" says "network is already active" virsh net-start nat
it "virsh lists it" says "nat   active   no   yes" virsh net-list
it "virsh shows what is of it" says "Bridge:         virbr0" virsh net-info nat
it "virsh prints it" says "<port start='1024' end='65535'/>" virsh net-dumpxml nat
it "Perl finds it" says "nat virbr0" perl /networks.pl
it "Perl is told what networks do not have" says "driver: virConnectListAllSecrets" perl /networks.pl
it "virsh describes it" virsh net-desc nat --live "for guests"
it "virsh shows the description" says "for guests" virsh net-desc nat
it "virsh gives it metadata" virsh net-metadata nat urn:a --key k --set "<a/>"
it "virsh shows the metadata" says "<a/>" virsh net-metadata nat urn:a
it "virsh adds a host" virsh net-update nat add ip-dhcp-host "<host mac='52:54:00:00:00:11' ip='192.168.122.11'/>" --live --config
it "virsh makes a port" virsh net-port-create nat /port.xml
it "virsh lists the port" says 5d744f21-ba4a-4d6e-bdb2-30a35ff3207d virsh net-port-list nat
it "vnet knows the port" says guest1 /vnet ports
it "virsh deletes the port" virsh net-port-delete nat 5d744f21-ba4a-4d6e-bdb2-30a35ff3207d
it "virsh only reads where it is told to" says "read only access prevents" virsh --readonly net-destroy nat
it "vnet finds it in sync" /vnet status nat --exit-code
it "virsh stops it" virsh net-destroy nat
it "virsh undefines it" virsh net-undefine nat
it "virsh finds it no longer" says "Network not found: no network with matching name 'nat'" virsh net-info nat
wait $!
it "python is told of everything" says "nat defined, nat started, nat metadata 0, nat metadata 2, nat stopped" cat /tmp/events
kill $(jobs -p)
rm -rf /run/libvirt/*

# libvirt's own daemon, with each of its ways to make rules, and vnet's hook. The kernel may have no
# action that fills in checksums.
mkdir -p /tmp/drivers /tmp/bin /etc/libvirt /run/netns /var/lib/libvirt/dnsmasq
ln -s /usr/lib/*/libvirt/connection-driver/libvirt_driver_network.so /tmp/drivers/
printf '#!/bin/bash\n/usr/sbin/tc "$@" || [[ "$*" == *csum* ]]\n' > /tmp/bin/tc
chmod +x /tmp/bin/tc
printf 'auth_unix_rw = "none"\nunix_sock_group = "root"\n' > /etc/libvirt/libvirtd.conf
libvirt() { # libvirt BACKEND: starts the daemon
    echo "firewall_backend = \"$1\"" > /etc/libvirt/network.conf
    PATH=/tmp/bin:$PATH LIBVIRT_DRIVER_DIR=/tmp/drivers libvirtd 2> /tmp/libvirtd.log &
    daemon=$!
    until virsh uri > /tmp/uri 2>&1 || ! kill -0 $daemon; do sleep 0.1; done
}
place() { # place NAME BRIDGE-OR-NONE ADDRESS GATEWAY: a namespace with eth0
    ip netns add "$1"
    ip link add "to$1" type veth peer name eth0 netns "$1"
    ip link set "to$1" ${2:+master $2} up
    ip -n "$1" link set eth0 up
    ip -n "$1" address add "$3/24" dev eth0
    ip -n "$1" route add default via "$4"
}
asks() { # asks PLACE ADDRESS PORT
    ip netns exec "$1" timeout 3 bash -c 'cat < /dev/tcp/$0/$1' "$2" "$3"
}
is_refused() { ! asks "$@"; }
no_trace() { ! nft list ruleset 2> /dev/null | grep -e vnet -e '"network ' && ! ls /run/vnet 2> /dev/null; }
ip link delete eth0
place far "" 198.51.100.1 198.51.100.2
ip address add 198.51.100.2/24 dev tofar
ip -n far address add 9.9.9.9/32 dev eth0
ip route replace default via 198.51.100.1
ip netns exec far python3 /serve.py 80 &
for backend in nftables iptables; do
    libvirt $backend
    echo "# libvirtd $(libvirtd --version | sed 's/.* //') with $backend"
    it "$backend: libvirt has a network" virsh net-define /hooked.xml
    it "$backend: libvirt starts it" virsh net-start hooked
    place web virbr9 192.168.99.10 192.168.99.1
    ip netns exec web python3 /serve.py 22 &
    sleep 0.5
    it "$backend: the guest is not reached without the hook" is_refused far 198.51.100.2 2222
    it "$backend: the hook is installed" says "network hooked has what" /vnet libvirt install-hook
    it "$backend: the guest is reached from outside" says hello asks far 198.51.100.2 2222
    it "$backend: but not at its own address" is_refused far 192.168.99.10 22
    it "$backend: the guest reaches the internet" says hello asks web 9.9.9.9 80
    it "$backend: but no other address" is_refused web 198.51.100.1 80
    kill $daemon && wait $daemon
    libvirt $backend
    it "$backend: libvirt's rules are made anew" says hello asks far 198.51.100.2 2222
    it "$backend: vnet finds it in sync" /vnet diff hooked
    it "$backend: libvirt stops it" virsh net-destroy hooked
    it "$backend: nothing is left" no_trace
    it "$backend: libvirt starts it again" virsh net-start hooked
    it "$backend: vnet finds it again" says "in libvirt" /vnet list
    it "$backend: the hook is removed" says "runs on without" /vnet libvirt remove-hook
    it "$backend: nothing is left again" no_trace
    virsh net-destroy hooked && virsh net-undefine hooked
    ip link delete toweb && ip netns delete web
    kill $daemon && wait $daemon
done
tell
CASES
inside tree "bash /cases.sh"
