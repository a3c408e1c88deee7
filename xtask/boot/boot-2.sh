# The second boot: a hundred networks more, and two that do not start.
it "the network runs after the reboot" runs virbr7
it "its bridge has the same MAC address" same /cases/address /sys/class/net/virbr7/address
it "its leases are the same" same /cases/leases /var/lib/vnet/lab/leases
all_run() {
    local number
    for number in {1..100}; do runs "vbr$number" && serves "n$number" || { echo "n$number does not run"; return 1; }; done
}
it "a hundred networks run" all_run
it "each dnsmasq is in a scope of its own" eval 'in_its_scope n1 && in_its_scope n100'
it "Docker starts behind the networks" same /cases/docker /run/vnet/lab/dnsmasq.pid
drops_what_is_forwarded() { iptables-nft --list-rules FORWARD | grep -x -- "-P FORWARD DROP"; }
it "Docker has made its rules" drops_what_is_forwarded
world
guest virbr7
it "a guest gets an address beside Docker" asks_for_an_address
it "the status names Docker's chain" eval 'vnet status lab | grep "the policy of chain .FORWARD. in table .ip filter. refuses it"'
it "a guest does not reach out yet" not reaches_out
leave() { vnet status lab | sed -n 's/^ *ip\(6*\)tables -I/ip\1tables-nft -I/p' | sh -ex; }
it "the commands that the status gives are taken" leave
it "a guest reaches out beside Docker" reaches_out
it "libvirt starts behind the networks" same /cases/virtqemud /run/vnet/lab/dnsmasq.pid
it "the unit failed, as two networks did not start" is failed vnet
said() { journalctl --boot --unit vnet --output cat | grep "$1"; }
it "the journal names the broken one" said broken
it "the journal names the one in the way" said late
# logind, which the machine does not have, does this for a user that lingers.
systemctl start user@1000
it "the user's network runs after the reboot" eventually eval 'as_user vnet list | grep mine'


# For the next boot: firewalld in place of nftables.
rm -f /etc/vnet/networks/autostart/{n*,broken,late}.xml
cat > /etc/firewalld/zones/libvirt.xml <<'XML'
<?xml version="1.0" encoding="utf-8"?>
<zone target="ACCEPT"><short>libvirt</short><protocol value="icmp"/><protocol value="ipv6-icmp"/><service name="dhcp"/>
  <service name="dhcpv6"/><service name="dns"/><service name="ssh"/><rule priority="32767"><reject/></rule></zone>
XML
systemctl --quiet disable nftables docker virtqemud
systemctl --quiet enable firewalld
