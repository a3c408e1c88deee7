#!/usr/bin/env bash
# libvirt's `<network>`: of four places that are given `true` or `ON` for yes, one means on, one
# means no, two are refused.
#
# `<bridge stp>` is on unless it is the very word `off`; `<portgroup default>` is yes only for the
# very word `yes`, and anything else is dropped without a word, so that the group is not the
# default; `<network ipv6>` and `<port isolated>` refuse what is not `yes` or `no`. Seen with 11.3.0
# and 12.8.0.
. "$(dirname "$0")/libvirt.sh"
for release in 11.3 12.8; do
    network() { echo "<network $1><name>n</name><forward mode='$2'/><bridge name='vb0' $3/>$4</network>"; }
    seen "libvirt $release, stp='OFF'" "$(printed $release n "$(network '' open "stp='OFF'" '')" '<bridge')" \
        "<bridge name='vb0' stp='on' delay='0'/>"
    seen "libvirt $release, default='true'" \
        "$(printed $release n "$(network '' bridge '' "<portgroup name='p' default='true'/>")" '<portgroup')" "<portgroup name='p'>"
    seen "libvirt $release, ipv6='true'" "$(printed $release n "$(network "ipv6='true'" open '' '')" '<network')" \
        "XML error: Invalid ipv6 setting 'true' in network 'n'"
    seen "libvirt $release, isolated='true'" \
        "$(printed $release n "$(network '' open '' "<port isolated='true'/>")" '<port')" \
        "XML error: Invalid value for attribute 'isolated' in element 'port': 'true'."
done
exit $changed
