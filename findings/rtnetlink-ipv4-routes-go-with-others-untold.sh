#!/usr/bin/env bash
# An IPv4 route is gone, and its link is told of nothing: because a route through another link has
# come in its place (told as a new route with NLM_F_REPLACE, which `ip monitor` does not show), or
# because its next hop, which is an object, was deleted (told to RTNLGRP_NEXTHOP alone). One that
# goes with its preferred source, an address of another link, is told of as deleted. Seen with
# iproute2 6.1.0 on Linux 6.18.
#
# So who keeps a list of routes, and reads those of a link again when something of the link is told,
# keeps routes that are gone. vnet, which does so, lists all anew after NLM_F_REPLACE and after a
# message about a next hop.
. "$(dirname "$0")/lib.sh"
unpack bookworm 6.1.0 iproute2=6.1.0-3
seen "routes that go with something else" "$(inside 6.1.0 '
    for i in one two; do ip link add $i type bridge; ip link set $i up; done
    ip address add 192.0.2.1/24 dev one; ip address add 198.51.100.1/24 dev two
    ip route add 203.0.113.0/26 via 192.0.2.2
    ip route add 203.0.113.64/26 via 192.0.2.2 src 198.51.100.1
    ip nexthop add id 7 via 192.0.2.2 dev one; ip route add 203.0.113.128/26 nhid 7
    there() { ip -4 route show root 203.0.113.0/24 dev one | wc -l; }
    case_of() {
        ip monitor route > told & monitor=$!
        sleep 0.5; before=$(there); "$@"; sleep 0.5; kill $monitor; wait $monitor 2> /dev/null
        echo "$before before, $(there) after, $(grep -c "Deleted 203.0.113" told) told;"
    }
    echo replaced: $(case_of ip route replace 203.0.113.0/26 via 198.51.100.2) \
        source: $(case_of ip address del 198.51.100.1/24 dev two) next hop: $(case_of ip nexthop del id 7)')" \
    'replaced: 3 before, 2 after, 0 told; source: 2 before, 1 after, 1 told; next hop: 1 before, 0 after, 0 told;'
exit $changed
