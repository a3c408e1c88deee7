#!/usr/bin/env bash
# libvirt refuses a `<networkport>` without `<uuid>`, which its documentation makes optional:
# "network port has no uuid".
#
# Networks, guests and pools get a drawn UUID when they have none, and the page about ports says the
# same of them; the schema agrees with the program. Seen with libvirt 9.0.0 and 11.3.0. Whoever
# makes ports draws the UUID.
. "$(dirname "$0")/libvirtd.sh"
for release in 9.0 11.3; do
    output=$(inside $release "$LIBVIRTD"'
        echo "<network><name>one</name><ip address=\"10.9.9.1\" prefix=\"24\"/></network>" > /tmp/one.xml
        virsh net-define /tmp/one.xml; virsh net-start one
        for uuid in "" "<uuid>00000000-0000-0000-0000-000000000001</uuid>"; do
            echo "<networkport>$uuid<owner><name>guest</name><uuid>10000000-0000-0000-0000-000000000001</uuid></owner>
                <mac address=\"52:54:00:00:00:01\"/></networkport>" > /tmp/port.xml
            virsh net-port-create one /tmp/port.xml > /tmp/said && echo created || grep -o "network port has no uuid" /tmp/said
        done' | paste -s -d ';')
    seen "libvirt $release" "$output" "network port has no uuid;created"
done
exit $changed
