#!/usr/bin/env bash
# A pool of `<forward>` with interfaces and PCI addresses is accepted by libvirt, which keeps the
# interfaces and forgets the addresses without a word.
#
# net-define refuses nothing. Seen with libvirt 11.3.0 and 12.8.0. Addresses alone are kept.
. "$(dirname "$0")/libvirt.sh"
pool() { echo "<network><name>$1</name><forward mode='hostdev'>$2</forward></network>"; }
address="<address type='pci' domain='0' bus='3' slot='0' function='1'/>"
for release in 11.3 12.8; do
    output="mixed: $(printed $release mixed "$(pool mixed "<interface dev='eth1'/>$address")" "(interface|address)");"
    output="$output alone: $(printed $release alone "$(pool alone "$address")" "(interface|address)")"
    seen "libvirt $release" "$output" "mixed: <interface dev='eth1'/>; alone: <address type='pci' domain='0x0000' bus='0x03' slot='0x00' function='0x1'/>"
done
exit $changed
