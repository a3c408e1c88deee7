#!/usr/bin/env bash
# `ovs-vsctl --may-exist add-port BRIDGE PORT tag=N` of a port with another tag succeeds and leaves
# the old tag.
#
# The words behind the port read like what the port shall be. With Open vSwitch 3.1.0 and 3.5.0 they
# count only when the port is made; the exit status is 0 either way. libvirt's call has this form
# (its settings follow in a `set` of their own). Who changes a port says `-- set Port PORT tag=N` as
# well.
. "$(dirname "$0")/ovs.sh"
for release in 3.1 3.5; do
    output=$(inside $release "$OVS"'
        ip link add t0 type veth peer name t1
        ovs add-port br0 t0 tag=42; ovs --may-exist add-port br0 t0 tag=43; echo "exit=$? tag=$(ovs get Port t0 tag)"')
    seen "Open vSwitch $release" "$output" "exit=0 tag=42"
done
exit $changed
