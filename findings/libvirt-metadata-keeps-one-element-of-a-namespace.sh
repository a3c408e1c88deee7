#!/usr/bin/env bash
# libvirt keeps one element of each namespace in a network's <metadata>: a second one is dropped
# when it is defined.
#
# The documentation asks for one top-level element per namespace; a definition with two is not
# refused, and the second is gone in what is printed. Put all of an application's data below one
# element. Seen with 11.3.0 and 12.8.0.
. "$(dirname "$0")/libvirt.sh"
for release in 11.3 12.8; do
    seen "libvirt $release" "$(printed $release n "<network><name>n</name><metadata><a xmlns='urn:x'>1</a><b
        xmlns='urn:x'>2</b><c xmlns='urn:y'>3</c></metadata><bridge name='vb0'/></network>" 'urn:')" \
        '<a xmlns="urn:x">1</a> <c xmlns="urn:y">3</c>'
done
exit $changed
