#!/usr/bin/env bash
# CNI's portmap plugin 1.1.1: CHECK right after a successful ADD fails where the container has IPv4
# alone.
#
# ADD makes the rules of the families that the container has addresses of. CHECK looks for those of
# both wherever ip6tables can be run: code 999, "could not check ipv6 dnat". 1.9.1 looks for what
# ADD made. A runtime that trusts CHECK takes a sound container for a broken one on Debian 12.
. "$(dirname "$0")/portmap.sh"
for release in 1.1.1 1.9.1; do
    output=$(inside $release "$PORTMAP"'
        portmap ADD
        portmap CHECK; grep -o "could not check ipv6 dnat" /tmp/out' | paste -s -d ,)
    case $release in 1.1.1) check="CHECK: 1,could not check ipv6 dnat" ;; *) check="CHECK: 0" ;; esac
    seen "portmap $release" "$output" "ADD: 0,$check"
done
exit $changed
