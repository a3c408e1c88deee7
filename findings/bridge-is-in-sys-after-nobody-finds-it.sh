#!/usr/bin/env bash
# Many bridges are deleted by one request (`ip link delete group`): within milliseconds none of them
# is found by its name or index (SIOCGIFINDEX, /proc/net/dev), long before the request is answered.
# The kernel waits for the readers of each bridge alone, with its lock on links. Until then
# /sys/class/net shows the bridge, its IPv4 address still counts as one of the host, as
# /proc/net/fib_trie shows, and whoever asks for a link by netlink waits. Seen with iproute2 6.1.0
# on Linux 6.18.
#
# So /sys/class/net is no place to ask whether a link is there; and who stops networks can go on
# when nobody finds the bridges, with the addresses deleted before. vnet does so for several.
. "$(dirname "$0")/lib.sh"
unpack bookworm 6.1.0 iproute2=6.1.0-3
seen "40 bridges while they are deleted" "$(inside 6.1.0 '
    for i in {1..40}; do
        echo "link add br$i type bridge"; echo "link set br$i up group 7"; echo "address add 192.0.2.$i/32 dev br$i"
    done > batch; ip -batch batch
    ip link delete group 7 & request=$!
    until ! grep -q br1: /proc/net/dev; do :; done
    named=$(grep -c br /proc/net/dev); shown=$(ls -d /sys/class/net/br* | wc -l); own=$(grep -c "192.0.2.*[0-9]$" /proc/net/fib_trie)
    kill -0 $request && answered=no || answered=yes
    wait $request
    echo "found $named, in /sys $([ $shown -gt 20 ] && echo most), addresses $([ $own -gt 20 ] && echo most), answered $answered;" \
        "afterwards in /sys $(ls /sys/class/net | grep -c br), addresses $(grep -c "192.0.2.*[0-9]$" /proc/net/fib_trie)"')" \
    'found 0, in /sys most, addresses most, answered no; afterwards in /sys 0, addresses 0'
exit $changed
