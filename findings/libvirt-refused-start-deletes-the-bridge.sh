#!/usr/bin/env bash
# `virsh net-start` of a network whose bridge somebody else has made is refused, and deletes that
# bridge.
#
# libvirt 11.3.0 looks at the host's routes first: `Network is already in use by interface virbr0`.
# Then it takes away what a start makes, by name, whoever has made it. Every guest in the bridge
# loses its link. 9.0.0 refuses with the same words and leaves the bridge.
. "$(dirname "$0")/lib.sh"
unpack bookworm 9.0 libvirt-daemon=9.0.0-4+deb12u2 libvirt-clients=9.0.0-4+deb12u2 dnsmasq-base iptables
unpack trixie 11.3 libvirt-daemon=11.3.0-3+deb13u3 libvirt-daemon-driver-network=11.3.0-3+deb13u3 \
    libvirt-clients=11.3.0-3+deb13u3 dnsmasq-base iptables
for release in 9.0 11.3; do
    for program in iptables ip6tables; do ln -sf xtables-nft-multi "$here/$release/usr/sbin/$program"; done
    rm -rf "$here/$release/var/run"
    ln -s /run "$here/$release/var/run"
    output=$(inside $release '
        # The other drivers of the daemon ask for more of a host than there is here.
        mkdir -p /tmp/drivers /run/libvirt /etc/libvirt
        ln -s /usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_network.so /tmp/drivers/
        printf "auth_unix_rw = \"none\"\nunix_sock_group = \"root\"\n" > /etc/libvirt/libvirtd.conf
        ip link add virbr0 type bridge
        ip address add 192.168.122.1/24 dev virbr0
        ip link set virbr0 up
        LIBVIRT_DRIVER_DIR=/tmp/drivers libvirtd > /tmp/log 2>&1 &
        virsh() { command virsh -q -c network:///system "$@" 2>&1; }
        for wait in 1 2 3 4 5 6 7 8 9; do virsh uri > /tmp/uri && break; sleep 1; done
        echo "<network><name>default</name><forward/><bridge name=\"virbr0\"/>
            <ip address=\"192.168.122.1\" prefix=\"24\"/></network>" > /tmp/default.xml
        virsh net-define /tmp/default.xml > /tmp/defined
        virsh net-start default | grep -o "Network is already in use by interface virbr0"
        ip link show virbr0 > /tmp/link 2>&1 && echo "virbr0 is there" || echo "virbr0 is gone"' | paste -s -d ';')
    case $release in 9.0) left="is there" ;; *) left="is gone" ;; esac
    seen "libvirt $release" "$output" "Network is already in use by interface virbr0;virbr0 $left"
done
exit $changed
