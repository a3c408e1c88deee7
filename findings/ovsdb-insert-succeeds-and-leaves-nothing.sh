#!/usr/bin/env bash
# OVSDB answers an insert with the new row's UUID, and the row is not there.
#
# A table whose schema does not say isRoot keeps a row only while another row refers to it. RFC 7047
# says so in its section on garbage collection; what surprises is the answer: ovsdb-server 3.1.0 and
# 3.5.0 report success and a UUID for a Logical_Switch_Port that no switch names, and drop it in the
# same commit. A client that makes a port first and names it in its switch by a second transaction
# has lost it in between.
. "$(dirname "$0")/ovn.sh"
for release in 23.03 25.03; do
    output=$(inside $release "$OVN"'
        transact "[\"OVN_Northbound\",{\"op\":\"insert\",\"table\":\"Logical_Switch_Port\",\"row\":{\"name\":\"p\"}}]" |
            sed -E "s/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/UUID/"
        echo "rows=$(nb --bare --columns=name list Logical_Switch_Port | wc -w)"' | paste -s -d ' ')
    seen "OVN $release's ovsdb-server" "$output" '[{"uuid":["uuid","UUID"]}] rows=0'
done
exit $changed
