#!/usr/bin/env bash
# After `virsh net-update --live`, libvirt gives a device that a guest has for itself to a second
# guest.
#
# A passthrough network lends each of its devices to one guest at a time: the second guest is
# refused, because there is none left. A live update of any section, here a portgroup that has
# nothing to do with it, sets the network's and the devices' counts of connections to zero, so the
# next guest gets the device that is in use. Seen with libvirt 9.0.0 and 11.3.0. Change such a
# network by --config, and restart it without guests.
. "$(dirname "$0")/libvirtd.sh"
for release in 9.0 11.3; do
    output=$(inside $release "$LIBVIRTD"'
        port() {
            echo "<networkport><uuid>00000000-0000-0000-0000-00000000000$1</uuid>
                <owner><name>guest$1</name><uuid>10000000-0000-0000-0000-00000000000$1</uuid></owner>
                <mac address=\"52:54:00:00:00:0$1\"/></networkport>" > /tmp/port.xml
            virsh net-port-create one /tmp/port.xml > /tmp/said && echo "guest $1 has $(virsh net-port-dumpxml one 00000000-0000-0000-0000-00000000000$1 |
                grep -o "dev=.e0.")" || grep -o "none are available" /tmp/said
        }
        ip link add e0 type veth peer name e1
        echo "<network><name>one</name><forward mode=\"passthrough\"><interface dev=\"e0\"/></forward></network>" > /tmp/one.xml
        virsh net-define /tmp/one.xml; virsh net-start one
        port 1; port 2
        virsh net-update one add-last portgroup "<portgroup name=\"x\"/>" --live
        port 2' | paste -s -d ';')
    seen "libvirt $release" "$output" "guest 1 has dev='e0';none are available;guest 2 has dev='e0'"
done
exit $changed
