#!/usr/bin/env bash
# CNI's reference plugin bridge: DEL goes by the interface's name, whoever's it is.
#
# An ADD for a second attachment that names an interface which is there already fails, as it must.
# The DEL that a runtime owes after a failed ADD succeeds, and takes away the interface of the first
# attachment; its address stays reserved, since that goes by the id. Seen with 1.1.1 and 1.9.1. A
# plugin needs to know what it made.
. "$(dirname "$0")/cni.sh"
for release in 1.1.1 1.9.1; do
    output=$(inside $release "$CNI"'
        container a
        cni ADD one eth0 /run/netns/a; cni ADD two eth0 /run/netns/a; echo "links: $(links a)"
        cni DEL two eth0 /run/netns/a; echo "links: $(links a)"
        echo "reserved: $(ls /tmp/ipam/blue | grep -c ^10)"' | paste -s -d ,)
    seen "bridge $release" "$output" "ADD one: 0,ADD two: 1,links: eth0,DEL two: 0,links: ,reserved: 1"
done
exit $changed
