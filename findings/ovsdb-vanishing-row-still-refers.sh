#!/usr/bin/env bash
# OVSDB refuses to delete a QoS row together with the only port that has it, where the port is a row
# that vanishes.
#
# A transaction takes a port out of its bridge, which makes the row vanish at its commit, and
# deletes the QoS row that only this port refers to. ovsdb-server 3.1.0 and 3.5.0 count the
# reference of the row that vanishes and report "referential integrity violation". With one more
# operation that empties the port's column qos the same transaction succeeds.
. "$(dirname "$0")/ovs.sh"
for release in 3.1 3.5; do
    output=$(inside $release "$OVS"'
        ip link add t0 type veth peer name t1
        ovs add-port br0 t0 -- set Port t0 qos=@q -- --id=@q create QoS type=linux-htb > /tmp/rows
        port=$(ovs get Port t0 _uuid)
        out="{\"op\":\"mutate\",\"table\":\"Bridge\",\"where\":[[\"name\",\"==\",\"br0\"]],\"mutations\":[[\"ports\",\"delete\",[\"uuid\",\"$port\"]]]}"
        qos="{\"op\":\"delete\",\"table\":\"QoS\",\"where\":[]}"
        empty="{\"op\":\"update\",\"table\":\"Port\",\"where\":[[\"name\",\"==\",\"t0\"]],\"row\":{\"qos\":[\"set\",[]]}}"
        for operations in "$out,$qos" "$empty,$out,$qos"; do
            ovsdb-client transact unix:/tmp/db.sock "[\"Open_vSwitch\",$operations]" |
                grep -o "referential integrity violation" || echo done
        done' | paste -s -d ,)
    seen "Open vSwitch $release" "$output" "referential integrity violation,done"
done
exit $changed
