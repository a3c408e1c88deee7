#!/usr/bin/env bash
# OVSDB reports an error at commit as one element more than there were operations, behind results
# that all look good.
#
# An operation that fails stands in its own place and has null after it. What is found at commit
# only (a reference to a row that is not there, an index that is not unique) is found after every
# operation has its result: a client that looks at the results of its operations, by their number,
# takes the transaction for done. Nothing is done.
. "$(dirname "$0")/ovn.sh"
for release in 23.03 25.03; do
    output=$(inside $release "$OVN"'
        row() { echo "{\"op\":\"insert\",\"table\":\"$1\",\"row\":$2}"; }
        two=$(transact "[\"OVN_Northbound\",$(row Port_Group "{\"name\":\"g\"}"),$(row Port_Group "{\"name\":\"g\"}")]")
        echo "$two" | sed -E "s/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/UUID/g; s/\"details\":.*/…/"
        echo "rows=$(nb --bare --columns=name list Port_Group | wc -w)"' | tr -d '"' | paste -s -d ' ')
    seen "OVN $release's ovsdb-server" "$output" '[{uuid:[uuid,UUID]},{uuid:[uuid,UUID]},{… rows=0'
done
exit $changed
