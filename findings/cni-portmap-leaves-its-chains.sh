#!/usr/bin/env bash
# CNI's portmap plugin leaves three chains and three rules in the host's nat table after the DEL of
# the last container.
#
# DEL removes what belongs to the container and keeps what all share: jumps from PREROUTING, OUTPUT
# and POSTROUTING, and a mark for hairpin connections. Seen with 1.1.1 and 1.9.1 and the iptables
# backend. Whoever compares a host before and after subtracts them.
. "$(dirname "$0")/portmap.sh"
for release in 1.1.1 1.9.1; do
    output=$(inside $release "$PORTMAP"'
        portmap ADD; portmap DEL
        iptables -t nat -S | sed -nE "s/^-N (CNI-.*)/\1/p; s/^-A ([A-Z]+) .*-j (CNI.*)/\1 to \2/p"' | paste -s -d ,)
    seen "portmap $release" "$output" "ADD: 0,DEL: 0,CNI-HOSTPORT-DNAT,CNI-HOSTPORT-MASQ,CNI-HOSTPORT-SETMARK,PREROUTING to CNI-HOSTPORT-DNAT,OUTPUT to CNI-HOSTPORT-DNAT,POSTROUTING to CNI-HOSTPORT-MASQ"
done
exit $changed
