#!/usr/bin/env bash
# `virsh net-start` of a network whose bridge somebody else has made is refused, and deletes that
# bridge.
#
# libvirt 11.3.0 looks at the host's routes first: `Network is already in use by interface virbr0`.
# Then it takes away what a start makes, by name, whoever has made it. Every guest in the bridge
# loses its link. 9.0.0 refuses with the same words and leaves the bridge.
. "$(dirname "$0")/libvirtd.sh"
for release in 9.0 11.3; do
    output=$(inside $release "$LIBVIRTD"'
        ip link add virbr0 type bridge
        ip address add 192.168.122.1/24 dev virbr0
        ip link set virbr0 up
        echo "<network><name>default</name><forward/><bridge name=\"virbr0\"/>
            <ip address=\"192.168.122.1\" prefix=\"24\"/></network>" > /tmp/default.xml
        virsh net-define /tmp/default.xml > /tmp/defined
        virsh net-start default | grep -o "Network is already in use by interface virbr0"
        ip link show virbr0 > /tmp/link 2>&1 && echo "virbr0 is there" || echo "virbr0 is gone"' | paste -s -d ';')
    case $release in 9.0) left="is there" ;; *) left="is gone" ;; esac
    seen "libvirt $release" "$output" "Network is already in use by interface virbr0;virbr0 $left"
done
exit $changed
