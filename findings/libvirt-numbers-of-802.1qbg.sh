#!/usr/bin/env bash
# The same `managerid='010'` of a <virtualport> is 8 in libvirt 11.3 and 10 in 12.8; `0x10` is 16
# and refused.
#
# The numbers of 802.1Qbg are read with C's base prefixes by 11.3 and as decimal by 12.8. A
# definition from an older host keeps its text and changes its meaning. Write them in decimal,
# without leading zeros.
. "$(dirname "$0")/libvirt.sh"
network() {
    echo "<network><name>n</name><forward mode='vepa'><interface dev='eth0'/></forward><virtualport type='802.1Qbg'>
        <parameters managerid='$1' typeid='5' typeidversion='2' instanceid='9d0f3cbb-1f30-4a80-8e5c-6f8a3a1f4c4e'/></virtualport></network>"
}
id() { printed "$1" n "$(network "$2")" 'managerid|XML error' | grep -oE "managerid='[^']*'|XML error" | head -1; }
seen "libvirt 11.3, 010" "$(id 11.3 010)" "managerid='8'"
seen "libvirt 12.8, 010" "$(id 12.8 010)" "managerid='10'"
seen "libvirt 11.3, 0x10" "$(id 11.3 0x10)" "managerid='16'"
seen "libvirt 12.8, 0x10" "$(id 12.8 0x10)" "XML error"
exit $changed
