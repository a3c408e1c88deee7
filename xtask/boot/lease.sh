#!/bin/busybox sh
# What udhcpc runs.
[ "$1" = bound ] || exit 0
ip address replace "$ip/$mask" dev "$interface"
ip route replace default via "${router%% *}"
