#!/usr/bin/env bash
# OVN gives a port that asks for a certain dynamic address another one, or none, without an error.
#
# A port of a logical switch asks northd for an address by the word `dynamic`. With OVN 23.03.1 and
# 25.03.0:
# - `dynamic ADDRESS` is honoured, but not where the switch's exclude_ips has the address: the port
#   gets the lowest
#   free address instead;
# - `MAC dynamic ADDRESS` is accepted by ovn-nbctl and by northd, and the port gets no address;
# - `MAC ADDRESS dynamic` gives the fixed address alone: the last word is passed over. Who needs a
#   certain address writes it without `dynamic`; who does not reads dynamic_addresses after asking.
. "$(dirname "$0")/ovn.sh"
for release in 23.03 25.03; do
    output=$(inside $release "$OVN"'
        nb ls-add net -- set Logical_Switch net other_config:subnet=10.77.0.0/24 other_config:exclude_ips=10.77.0.1..10.77.0.99
        ask() { nb lsp-add net $1 -- lsp-set-addresses $1 "$2"; }
        ask free "dynamic 10.77.0.150" && ask excluded "dynamic 10.77.0.60"
        ask mac "52:54:00:00:00:03 dynamic 10.77.0.151" && ask fixed "52:54:00:00:00:04 10.77.0.61 dynamic" && echo accepted
        nb --wait=sb sync
        for port in free excluded mac fixed; do echo "$port=$(address $port)"; done' | paste -s -d ' ')
    seen "OVN $release" "$output" "accepted free=10.77.0.150 excluded=10.77.0.100 mac= fixed="
done
exit $changed
