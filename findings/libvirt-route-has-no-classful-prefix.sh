#!/usr/bin/env bash
# libvirt gives `<ip address='192.168.7.1'/>` the prefix of its class, but refuses
# `<route address='192.168.7.0' gateway=…/>` as "not a network address": a route without prefix and
# netmask has prefix 0.
#
# The schema has both as optional in both elements. Seen with libvirt 11.3.0 and 12.8.0. Only
# 0.0.0.0 can be written without one, and then it is the default route.
. "$(dirname "$0")/libvirt.sh"
route() { printf "<network><name>t</name><forward mode='route'/><ip address='192.168.9.1'/><route address='%s' gateway='192.168.9.2'/></network>" "$1"; }
for release in 11.3 12.8; do
    seen "libvirt $release, a subnet" "$(printed $release t "$(route 192.168.7.0)" "route")" \
        "XML error: t: Address '192.168.7.0' in route definition is not a network address"
    seen "libvirt $release, all" "$(printed $release t "$(route 0.0.0.0)" "<route")" "<route address='0.0.0.0' gateway='192.168.9.2'/>"
done
exit $changed
