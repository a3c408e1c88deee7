#!/usr/bin/env bash
# One host port at two addresses, led to two ports of the guest: three releases of passt have three
# answers.
#
# `-t 127.0.0.1/2022:22 -t 192.0.2.2/2022:23` is refused by 2023-03 ("Overlapping port specifier"),
# accepted by 2025-05 with a note that the mapping of that port is altered (it has one table of
# ports for all addresses), and accepted by 2026-10, which keeps the two apart. So libvirt's
# two <portForward> elements with an address each depend on the release.
. "$(dirname "$0")/passt.sh"
both() {
    inside "$1" "$UPLINK"'
        timeout 10 setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/tmp/run passt --socket /tmp/run/s \
            --pid /tmp/run/p -t 127.0.0.1/2022:22 -t 192.0.2.2/2022:23 < /dev/null > /tmp/run/out 2>&1
        echo "exit=$? $(grep -oE "Overlapping port specifier|Altering mapping of already mapped port" /tmp/run/out)"'
}
seen "passt 2023-03-09" "$(both 2023-03)" "exit=1 Overlapping port specifier"
seen "passt 2025-05-03" "$(both 2025-05)" "exit=0 Altering mapping of already mapped port"
seen "passt 2026-10-02" "$(both 2026-10)" "exit=0 "
exit $changed
