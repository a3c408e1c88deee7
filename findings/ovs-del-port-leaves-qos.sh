#!/usr/bin/env bash
# `ovs-vsctl del-port` leaves the QoS and Queue rows that the port had: they stay in the database
# for ever.
#
# Both are root tables, and nothing collects them. With Open vSwitch 3.1.0 and 3.5.0 a port that is
# made with a QoS and removed a hundred times leaves a hundred of each. Rows need external_ids by
# which their owner finds them again.
. "$(dirname "$0")/ovs.sh"
for release in 3.1 3.5; do
    output=$(inside $release "$OVS"'
        ip link add t0 type veth peer name t1
        for n in 1 2 3; do
            ovs add-port br0 t0 -- set Port t0 qos=@q -- --id=@q create QoS type=linux-htb queues:0=@0 -- \
                --id=@0 create Queue other_config:max-rate=8000000 > /tmp/rows
            ovs del-port br0 t0
        done
        echo "qos=$(ovs --bare --columns=type list QoS | grep -c htb) queues=$(ovs --columns=_uuid list Queue | grep -c uuid)"')
    seen "Open vSwitch $release" "$output" "qos=3 queues=3"
done
exit $changed
