#!/usr/bin/env bash
# One value of OVN's DHCP_Options that is wrong ends DHCP for every guest of that row, and nobody is
# told where it was written.
#
# `lease_time=1h`, as dnsmasq spells it, and `option150`, as its number is, are accepted by
# ovn-nbctl, by the database and by northd, which logs nothing. northd writes all options into one
# action; where ovn-controller (here ovn-trace) cannot parse one, the whole flow is left out and no
# offer is sent. Seen with OVN 23.03.1 and 25.03.0: whoever writes the row has to parse each value.
. "$(dirname "$0")/ovn.sh"
for release in 23.03 25.03; do
    output=$(inside $release "$OVN"'
        nb ls-add net -- lsp-add net guest -- lsp-set-addresses guest "52:54:00:00:00:01 10.77.0.5"
        row=$(nb create DHCP_Options cidr=10.77.0.0/24 \
            options="server_id=10.77.0.1 server_mac=\"52:54:00:00:00:ff\" lease_time=\"3600\" router=10.77.0.1")
        nb --wait=sb lsp-set-dhcpv4-options guest $row
        asked="inport == \"guest\" && eth.src == 52:54:00:00:00:01 && eth.dst == ff:ff:ff:ff:ff:ff &&
            ip4.src == 0.0.0.0 && ip4.dst == 255.255.255.255 && ip.ttl == 64 && udp.src == 68 && udp.dst == 67"
        # set the option, and see whether the guest is answered
        with() {
            nb --wait=sb set DHCP_Options $row "options:$1"; result=$?
            ovn-trace --db=unix:/tmp/sb.sock --minimal net "$asked" > trace 2>&1
            grep -q "output(\"guest\")" trace && offer=yes || offer=no
            echo "$1: exit=$result offer=$offer"
        }
        with lease_time=3600; with lease_time=1h; with lease_time=3600
        with option150=10.77.0.9; nb remove DHCP_Options $row options option150; with tftp_server_address=10.77.0.9
        echo "warnings of northd: $(grep -cE "WARN|ERR" northd.log)"' | paste -s -d ';')
    seen "OVN $release" "$output" "lease_time=3600: exit=0 offer=yes;lease_time=1h: exit=0 offer=no;lease_time=3600: exit=0 offer=yes;option150=10.77.0.9: exit=0 offer=no;tftp_server_address=10.77.0.9: exit=0 offer=yes;warnings of northd: 0"
done
exit $changed
