#!/usr/bin/env bash
# A guest that asks for a portgroup that its network does not have is let in without any group, so
# also without the limits of the default group.
#
# Without a portgroup the port has the bandwidth of the one with default='yes'. With a name that is
# misspelt it has none, and libvirt says nothing, neither when the port is made nor in its log. Seen
# with libvirt 9.0.0 and 11.3.0. The same goes for the VLAN of a group.
. "$(dirname "$0")/libvirtd.sh"
for release in 9.0 11.3; do
    output=$(inside $release "$LIBVIRTD"'
        echo "<network><name>one</name><ip address=\"10.9.9.1\" prefix=\"24\"/>
            <portgroup name=\"slow\" default=\"yes\"><bandwidth><inbound average=\"100\"/></bandwidth></portgroup></network>" > /tmp/one.xml
        virsh net-define /tmp/one.xml; virsh net-start one
        for group in "" "<group>slow</group>" "<group>slwo</group>"; do
            echo "<networkport><uuid>00000000-0000-0000-0000-000000000001</uuid>
                <owner><name>guest</name><uuid>10000000-0000-0000-0000-000000000001</uuid></owner>
                $group<mac address=\"52:54:00:00:00:01\"/></networkport>" > /tmp/port.xml
            virsh net-port-create one /tmp/port.xml
            virsh net-port-dumpxml one 00000000-0000-0000-0000-000000000001 | grep -o "average=.100." || echo "no limit"
            virsh net-port-delete one 00000000-0000-0000-0000-000000000001
        done' | paste -s -d ';')
    seen "libvirt $release" "$output" "average='100';average='100';no limit"
done
exit $changed
