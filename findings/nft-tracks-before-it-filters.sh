#!/usr/bin/env bash
# A transaction that asks for connection tracking for the first time turns it on before its rules
# hold: what passes in between is tracked, and not filtered.
#
# nft 1.0.6 loads a chain that drops new packets to a port, in one transaction with 20 000 more
# rules, so that the kernel takes its time. Packets for that port keep arriving from another
# namespace. Those that are dropped are never remembered, and before the first rule nothing is
# tracked; yet some are in the kernel's table of connections afterwards (Linux 6). Of a connection
# that was there before, whoever sends first in that moment counts as the one who began it. A
# ruleset to which that matters holds back what is on its way by a rule without `ct` first.
. "$(dirname "$0")/lib.sh"
unpack bookworm 1.0.6 nftables=1.0.6-2+deb12u2
tracked=$(inside 1.0.6 '
    unshare --net sleep 60 &
    peer=$!
    until [ "$(readlink /proc/$peer/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do :; done
    ip link add here type veth peer name there netns $peer
    ip address add 10.0.0.1/24 dev here
    ip link set here up
    nsenter --net=/proc/$peer/ns/net sh -c "ip address add 10.0.0.2/24 dev there; ip link set there up"
    send() { nsenter --net=/proc/$peer/ns/net bash -c "while :; do echo x > /dev/udp/10.0.0.1/9; done" 2> /dev/null; }
    send &
    sender=$!
    {
        printf "table inet t {\nchain c {\ntype filter hook input priority 0\nudp dport 9 ct state new drop\n}\n"
        printf "chain more {\n"
        for a in $(seq 0 99); do for b in $(seq 0 199); do echo "ip saddr 10.1.$a.$b drop"; done; done
        printf "}\n}\n"
    } > /tmp/rules
    nft -f /tmp/rules
    before=$(cat /proc/sys/net/netfilter/nf_conntrack_count)
    sleep 1
    after=$(cat /proc/sys/net/netfilter/nf_conntrack_count)
    kill $sender $peer
    [ "$before" -gt 0 ] && echo "some while it loads"
    [ "$after" -le "$before" ] && echo "none afterwards"' | paste -s -d ,)
seen "packets of a dropped port in the table of connections" "$tracked" "some while it loads,none afterwards"
exit $changed
