#!/usr/bin/env bash
# CNI's reference plugin bridge: an ADD that fails in its address plugin leaves the interface in the
# container.
#
# The specification lets the runtime call DEL after a failed ADD, and until then the container has a
# link to the bridge without an address. Seen with 1.1.1 and 1.9.1 where the address asked for is
# taken. Who retries ADD in the same container meets "already exists": DEL first.
. "$(dirname "$0")/cni.sh"
for release in 1.1.1 1.9.1; do
    output=$(inside $release "$CNI"'
        container a; container b
        cni ADD one eth0 /run/netns/a
        export CNI_ARGS="IgnoreUnknown=1;IP=10.77.0.2"
        cni ADD two eth0 /run/netns/b; echo "links in b: $(links b)"
        cni DEL two eth0 /run/netns/b; echo "then: $(links b)"' | paste -s -d ,)
    seen "bridge $release" "$output" "ADD one: 0,ADD two: 1,links in b: eth0,DEL two: 0,then: "
done
exit $changed
