#!/usr/bin/env bash
# dnsmasq gives a reservation outside every range, but passes over one outside the subnet: the guest
# gets any address.
#
# dhcp-range reads like the list of what may be given. With 2.90 and 2.91 a dhcp-host outside the
# range and inside of the interface's subnet is given all the same. One outside of the subnet is no
# error and not even logged: the client gets an address of the range, and whoever wrote the
# reservation finds the guest elsewhere. The server's own address is passed over with a line in the
# log.
. "$(dirname "$0")/lib.sh"
unpack bookworm 2.90 dnsmasq-base=2.90-4~deb12u2 busybox-static
unpack trixie 2.91 dnsmasq-base=2.91-1+deb13u2 busybox-static
for release in 2.90 2.91; do
    output=$(inside $release '
        exec 2> /tmp/errors
        ip link add br0 type veth peer name guest0; ip addr add 10.77.0.1/24 dev br0; ip link set br0 up
        unshare --net sleep 60 & sleep 0.5; ip link set guest0 netns $!
        ask() { nsenter --target $! --net "$@"; }
        ask ip link set guest0 address 52:54:00:00:00:0a up
        lease() {
            dnsmasq --conf-file=/dev/null --no-hosts --no-resolv --port=0 --interface=br0 --bind-interfaces --no-ping \
                --user=root --pid-file=/tmp/pid --dhcp-leasefile=/tmp/leases --log-facility=/tmp/log --dhcp-authoritative \
                --dhcp-range=10.77.0.100,10.77.0.100 --dhcp-host=52:54:00:00:00:0a,$1
            ask busybox udhcpc -i guest0 -n -q -t 9 -T 1 -s /bin/true 2>&1 | grep -oE "lease of [0-9.]+"
            kill $(cat /tmp/pid); rm -f /tmp/leases; sleep 0.5
        }
        lease 10.77.0.50; lease 10.78.0.50; kill %1' | paste -s -d ' ')
    seen "dnsmasq $release, 10.77.0.50 and 10.78.0.50 reserved" "$output" "lease of 10.77.0.50 lease of 10.77.0.100"
done
exit $changed
