#!/usr/bin/env bash
# The kernel forgets that nobody has answered (an entry in the state FAILED) because another network
# namespace knows many neighbours: the entries of all namespaces are counted together against
# net.ipv4.neigh.default.gc_thresh1 (128), which only the first namespace has. Seen with iproute2
# 6.1.0 on Linux 6.18.
#
# So an address that was asked in vain may have no entry at all, though its namespace has one only.
# `vnet doctor` takes an entry that is not there for silence, too, where it has asked.
. "$(dirname "$0")/lib.sh"
unpack bookworm 6.1.0 iproute2=6.1.0-3
seen "an entry that failed" "$(inside 6.1.0 '
    ip link add one type bridge; ip link set one up; ip address add 192.0.2.1/24 dev one
    after() { sleep 40; ip neighbour show 192.0.2.9 | grep -c FAILED; }
    ip neighbour add 192.0.2.9 dev one nud failed
    alone=$(after)
    unshare --net sh -c "ip link add two type bridge; ip link set two up
        for i in \$(seq 250); do ip neighbour add 198.51.100.\$i lladdr 52:54:00:00:00:01 dev two nud permanent; done
        sleep 60" &
    sleep 3
    echo "alone: $alone, beside 250 of another namespace: $(after)"
    kill $!')" \
    'alone: 1, beside 250 of another namespace: 0'
exit $changed
