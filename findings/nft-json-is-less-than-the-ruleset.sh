#!/usr/bin/env bash
# `nft -j list ruleset | nft -j -f -` is not the ruleset it was: nft 1.0.6 loses parts, and refuses
# one of its own maps.
#
# The JSON of nft 1.0.6 (Debian 12) has no auto-merge of a set and no comment of a chain, so a
# ruleset that is saved and restored by it lacks both; and a map whose values are concatenations is
# printed in a form that the same nft does not read ("Invalid map type"). 1.1.3 (Debian 13) has all
# three right. Save rulesets as text, or by netlink.
. "$(dirname "$0")/lib.sh"
unpack bookworm 1.0.6 nftables=1.0.6-2+deb12u2
unpack trixie 1.1.3 nftables=1.1.3-1
back() {
    inside "$1" '
        again() {
            printf "table ip t {\n%s\nchain c {\n%s\n}\n}\n" "$1" "$2" | nft -f -
            nft list ruleset > /tmp/before; nft -j list ruleset > /tmp/json; nft flush ruleset
            if nft -j -f /tmp/json 2> /tmp/error; then
                [ "$(nft list ruleset)" = "$(cat /tmp/before)" ] && echo same || echo less
            else
                grep -o "Invalid map type" /tmp/error
            fi
            nft flush ruleset
        }
        again "set s { type ipv4_addr; flags interval; auto-merge
        }" "type filter hook forward priority 0"
        again "" "comment \"ours\""
        again "map m { type ipv4_addr . inet_service : ipv4_addr . inet_service
        }" "type nat hook prerouting priority -100
            meta l4proto tcp dnat to ip daddr . tcp dport map @m"' | paste -s -d ,
}
seen "nft 1.0.6: auto-merge, comment, map" "$(back 1.0.6)" "less,less,Invalid map type"
seen "nft 1.1.3: auto-merge, comment, map" "$(back 1.1.3)" "same,same,same"
exit $changed
