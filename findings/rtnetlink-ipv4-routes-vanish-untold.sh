#!/usr/bin/env bash
# A link goes down: its IPv4 routes are gone, and who listens to RTNLGRP_IPV4_ROUTE is told of none
# of them. Its IPv6 routes are told of, one by one. Seen with iproute2 6.1.0 on Linux 6.18.
#
# So the IPv4 routes of a host cannot be followed by notifications alone: who keeps a list of them
# has to drop those of a link when RTM_NEWLINK says that it is down or RTM_DELLINK that it is gone,
# or to list anew. `ip monitor` shows nothing either. A program of vnet's lists the routes at
# each start; a library of vnet's that keeps a copy reads the routes of a link again then.
. "$(dirname "$0")/lib.sh"
unpack bookworm 6.1.0 iproute2=6.1.0-3
seen "routes of a link that goes down" "$(inside 6.1.0 '
    ip link add e0 type veth peer name e1; ip link set e0 up; ip link set e1 up
    ip address add 192.0.2.1/24 dev e0; ip address add 2001:db8::1/64 dev e0 nodad
    ip route add 198.51.100.0/24 via 192.0.2.2; ip route add 2001:db8:1::/64 via 2001:db8::2
    sleep 1
    before=$(ip -4 route show | wc -l)
    ip monitor route > told & monitor=$!
    sleep 1; ip link set e0 down; sleep 1; kill $monitor
    echo "IPv4: $before before, $(ip -4 route show | wc -l) after, $(grep -c "^Deleted.*\(192.0.2.0\|198.51\)" told) told;" \
        "IPv6: $(grep -c "^Deleted 2001:db8" told) told"')" 'IPv4: 2 before, 0 after, 0 told; IPv6: 2 told'
exit $changed
