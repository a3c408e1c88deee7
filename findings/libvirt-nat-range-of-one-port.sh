#!/usr/bin/env bash
# `<nat><port start='1024' end='1024'/>` is defined and printed by libvirt, and the network never
# starts.
#
# net-start says `Invalid port range '1024-1024'`: the start must be lower than the end, not only
# not higher. Seen with libvirt 9.0.0 and 11.3.0. An address range of one address is accepted.
. "$(dirname "$0")/libvirtd.sh"
for release in 9.0 11.3; do
    output=$(inside $release "$LIBVIRTD"'
        for range in "<port start=\"1024\" end=\"1024\"/>" "<address start=\"192.0.2.5\" end=\"192.0.2.5\"/>"; do
            echo "<network><name>one</name><forward mode=\"nat\"><nat>$range</nat></forward>
                <ip address=\"10.9.9.1\" prefix=\"24\"/></network>" > /tmp/one.xml
            virsh net-define /tmp/one.xml && echo defined
            virsh net-start one > /tmp/started && echo started || grep -o "Invalid port range.*" /tmp/started
            virsh net-destroy one > /tmp/gone; virsh net-undefine one > /tmp/gone
        done' | paste -s -d ' ')
    seen "libvirt $release" "$output" "defined Invalid port range '1024-1024'. defined started"
done
exit $changed
