#!/usr/bin/env bash
# OVSDB's mutation `insert` on a map does not replace the value of a key that is there, and counts
# the row as changed.
#
# The answer is {"count":1} either way. RFC 7047 section 5.1 has it so (a key that exists is left
# alone); what looks like an upsert of external_ids is none. To replace, one operation has two
# mutations: delete of the key, then insert.
. "$(dirname "$0")/ovn.sh"
for release in 23.03 25.03; do
    output=$(inside $release "$OVN"'
        nb ls-add net -- set Logical_Switch net external_ids:generation=1
        mutate() {
            transact "[\"OVN_Northbound\",{\"op\":\"mutate\",\"table\":\"Logical_Switch\",\"where\":[],\"mutations\":[$1]}]"
            nb get Logical_Switch net external_ids:generation
        }
        new="[\"external_ids\",\"insert\",[\"map\",[[\"generation\",\"2\"]]]]"
        mutate "$new"
        mutate "[\"external_ids\",\"delete\",[\"set\",[\"generation\"]]],$new"' | tr -d '"' | paste -s -d ' ')
    seen "OVN $release's ovsdb-server" "$output" '[{count:1}] 1 [{count:1}] 2'
done
exit $changed
