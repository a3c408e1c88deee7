#!/usr/bin/env bash
# libvirt 12.8 defines, and prints, a `<route>` without an address; 11.3 refuses that definition.
#
# From 12.8 on a `<route>` that has only a gateway is a default route. A definition that is carried
# back, by migration of a host or from a backup, does not define. The print differs in more than
# that: 12.8 closes an empty <ip> in one tag, so two releases' dumps of one network are not equal as
# text.
. "$(dirname "$0")/libvirt.sh"
route="<network><name>n</name><forward mode='route'/><bridge name='vb1'/><ip address='10.1.1.1' prefix='24'/><route
    gateway='10.1.1.9'/></network>"
seen "libvirt 12.8" "$(printed 12.8 n "$route" '<ip|</ip|<route')" \
    "<ip address='10.1.1.1' prefix='24'/> <route gateway='10.1.1.9'/>"
seen "libvirt 11.3" "$(printed 11.3 n "$route" '<ip|</ip|<route')" \
    "XML error: n: Missing required address attribute in route definition"
seen "libvirt 11.3, without the route" "$(printed 11.3 n "${route%%<route*}</network>" '<ip|</ip|<route')" \
    "<ip address='10.1.1.1' prefix='24'> </ip>"
exit $changed
