#!/usr/bin/env bash
# OVN's database accepts a range of addresses in NAT's external_ip, and northd then makes no
# translation for the network at all.
#
# ovn-nbctl's lr-nat-add refuses a range; the table's column is a free string, so a transaction over
# OVSDB (ovsdb-client, or `ovn-nbctl create`) succeeds. With OVN 23.03.1 and 25.03.0 northd logs a
# warning (`bad ip address`, `Invalid ip address`) and writes no flow for the row.
. "$(dirname "$0")/ovn.sh"
for release in 23.03 25.03; do
    output=$(inside $release "$OVN"'
        nb lr-add r -- set Logical_Router r options:chassis=here
        nb lr-nat-add r snat 192.0.2.5-192.0.2.9 10.77.0.0/24 2> refused; echo "lr-nat-add: exit=$?"
        with() {
            nb --wait=sb -- --id=@nat create NAT type=snat "external_ip=\"$1\"" "logical_ip=\"10.77.0.0/24\"" \
                -- set Logical_Router r nat=@nat > row; result=$?
            echo "$1: exit=$result translations=$(sb dump-flows r | grep -c "ct_snat(")"
        }
        with 192.0.2.5; with 192.0.2.5-192.0.2.9
        grep -qiE "WARN.*(bad|invalid) ip address" northd.log && echo "northd warns"' | paste -s -d ';')
    seen "OVN $release" "$output" "lr-nat-add: exit=1;192.0.2.5: exit=0 translations=1;192.0.2.5-192.0.2.9: exit=0 translations=0;northd warns"
done
exit $changed
