#!/usr/bin/env bash
# tc of iproute2 6.1.0 cuts a burst to whole microseconds of its rate: a class of 10 Gbit/s without
# a burst gets one that is shorter than a frame, and tc prints it as 0b.
#
# The kernel takes bursts as time, in ticks of 64 ns. tc first computes that time in whole
# microseconds, so the rest of a burst below a microsecond is lost, which at 10 Gbit/s is up to 1250
# bytes: 2000 bytes become 15 ticks (1200 bytes), as does the default of 1600 bytes, and at 20
# Gbit/s the default becomes no tick at all. iproute2 6.15.0 (Debian 13) rounds up to the next tick.
# The ticks are seen as the tokens of a class that has sent nothing. Whoever shapes fast links by tc
# of Debian 12, as libvirt does, gives a burst of many microseconds.
. "$(dirname "$0")/lib.sh"
unpack bookworm 6.1.0 iproute2=6.1.0-3
unpack trixie 6.15.0 iproute2=6.15.0-1
bursts() {
    inside "$1" '
        ip link add e0 type veth peer name e1; ip link set e0 up
        tc qdisc add dev e0 root handle 1: htb default 1
        for given in "1gbit burst 1600b" "10gbit burst 2000b" "10gbit" "20gbit"; do
            tc class add dev e0 parent 1: classid 1:1 htb rate $given quantum 60000
            echo "$given: $(tc -s class show dev e0 | sed -n "s/.* burst \([^ ]*\) .*/\1/p;s/.*tokens: \([0-9]*\) .*/\1 ticks/p" | paste -s -d " ")"
            tc class delete dev e0 classid 1:1
        done' | paste -s -d ';'
}
seen "tc 6.1.0" "$(bursts 6.1.0)" '1gbit burst 1600b: 1375b 187 ticks;10gbit burst 2000b: 0b 15 ticks;10gbit: 0b 15 ticks;20gbit: 0b 0 ticks'
seen "tc 6.15.0" "$(bursts 6.15.0)" '1gbit burst 1600b: 1600b 200 ticks;10gbit burst 2000b: 2000b 25 ticks;10gbit: 1680b 21 ticks;20gbit: 1760b 11 ticks'
exit $changed
