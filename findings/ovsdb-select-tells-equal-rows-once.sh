#!/usr/bin/env bash
# OVSDB's select with columns tells rows once that are equal in them: the number of rows that come
# back is not the number of rows.
#
# Three Queue rows with the same dscp come as one row where only dscp is asked for, and as three
# where _uuid is asked for too; without columns it is always there. Seen with ovsdb-server 3.1.0 and
# 3.5.0. A client that counts rows has to ask for _uuid.
. "$(dirname "$0")/ovs.sh"
for release in 3.1 3.5; do
    output=$(inside $release "$OVS"'
        for n in 1 2 3; do ovs create Queue dscp=7 > /tmp/rows; done
        for columns in "\"dscp\"" "\"dscp\",\"_uuid\""; do
            ovsdb-client transact unix:/tmp/db.sock "[\"Open_vSwitch\",{\"op\":\"select\",\"table\":\"Queue\",\"where\":[],\"columns\":[$columns]}]" |
                grep -o "\"dscp\":7" | wc -l
        done' | paste -s -d ,)
    seen "Open vSwitch $release" "$output" "1,3"
done
exit $changed
