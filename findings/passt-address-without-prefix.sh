#!/usr/bin/env bash
# passt 2023-03 makes up a netmask for --address without a prefix; later releases take that of the
# address's class.
#
# libvirt's `<ip family='ipv4' address='…'/>` of an interface becomes --address, and without
# `prefix` nothing more is said. Where the address is not in a subnet of the uplink, the release of
# Debian 12 tells the guest 255.0.0.0 for 192.168.221.122 and 128.0.0.0 for 172.16.5.4: a guest that
# takes half of all addresses for its neighbours reaches none of them. From 2025-05 on it is the
# mask of the old classes. A prefix that is given holds on all.
. "$(dirname "$0")/passt.sh"
mask() {
    inside "$1" "$UPLINK"'
        for address in 192.168.221.122 172.16.5.4 10.1.2.3 192.0.2.77; do
            as_user passt --socket /tmp/run/$address --pid /tmp/run/p --address $address < /dev/null 2>&1 |
                grep mask: | cut -d: -f2
            kill $(cat /tmp/run/p) || true
        done' | paste -s -d '' | cut -c2-
}
seen "passt 2023-03-09" "$(mask 2023-03)" "255.0.0.0 128.0.0.0 255.0.0.0 255.255.255.0"
for release in 2025-05 2026-10; do
    seen "passt $release" "$(mask $release)" "255.255.255.0 255.255.0.0 255.0.0.0 255.255.255.0"
done
exit $changed
