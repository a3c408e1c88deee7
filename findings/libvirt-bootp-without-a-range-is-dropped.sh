#!/usr/bin/env bash
# `<dhcp><bootp file='pxelinux.0'/></dhcp>` alone is defined by libvirt, and gone: neither the boot
# file nor the `<dhcp>` is kept. With a `<range>` it is kept for IPv4 and dropped for IPv6.
#
# The schema takes each of them. Seen with libvirt 11.3.0 and 12.8.0. A network whose guests have
# all static addresses and boot by network keeps one reservation or a range.
. "$(dirname "$0")/libvirt.sh"
ipv4() { printf "<network><name>t</name><ip address='10.9.9.1' prefix='24'><dhcp>%s<bootp file='pxelinux.0'/></dhcp></ip></network>" "$1"; }
ipv6="<network><name>t</name><ip family='ipv6' address='fd00::1' prefix='64'><dhcp><range start='fd00::5' end='fd00::9'/><bootp file='pxelinux.0'/></dhcp></ip></network>"
for release in 11.3 12.8; do
    seen "libvirt $release, IPv4, alone" "$(printed $release t "$(ipv4 "")" "dhcp|range|bootp")" ""
    seen "libvirt $release, IPv4, with a range" "$(printed $release t "$(ipv4 "<range start='10.9.9.5' end='10.9.9.9'/>")" "range|bootp")" \
        "<range start='10.9.9.5' end='10.9.9.9'/> <bootp file='pxelinux.0'/>"
    seen "libvirt $release, IPv6, with a range" "$(printed $release t "$ipv6" "range|bootp")" "<range start='fd00::5' end='fd00::9'/>"
done
exit $changed
