#!/usr/bin/env bash
# `tc -j class show` prints plain text and exits with 0: iproute2 6.1.0 knows no JSON for classes.
#
# `tc -j qdisc show` and `tc -j filter show` of the same release print JSON, so a program that
# parses them meets a syntax error only when it lists classes. Nothing tells it: the status is 0 and
# stderr is empty. iproute2 6.15.0 (Debian 13) prints JSON, with rates in bytes per second, where
# the text has bits. Read classes by netlink where Debian 12 counts.
. "$(dirname "$0")/lib.sh"
unpack bookworm 6.1.0 iproute2=6.1.0-3
unpack trixie 6.15.0 iproute2=6.15.0-1
classes() {
    inside "$1" '
        ip link add e0 type veth peer name e1; ip link set e0 up
        tc qdisc add dev e0 root handle 1: htb default 1
        tc class add dev e0 parent 1: classid 1:1 htb rate 10mbit burst 15k
        for what in qdisc class; do
            said=$(tc -j $what show dev e0 2>&1); echo "$what, status $?, ${said:0:26}"
        done' | paste -s -d ';'
}
seen "tc 6.1.0" "$(classes 6.1.0)" 'qdisc, status 0, [{"kind":"htb","handle":"1;class, status 0, class htb 1:1 root prio 0 '
seen "tc 6.15.0" "$(classes 6.15.0)" 'qdisc, status 0, [{"kind":"htb","handle":"1;class, status 0, [{"class":"htb","handle":"'
exit $changed
