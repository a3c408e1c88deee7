#!/usr/bin/env bash
# OVN takes the address of a running port away when it is added to exclude_ips, at once and without
# a word.
#
# other_config:exclude_ips of a logical switch reads like a limit for addresses that are still to be
# given. With OVN 23.03.1 and 25.03.0 a port with a dynamic address that is excluded afterwards gets
# the next free one in the same pass of northd: the guest, which has leased the old one, is cut off.
# A reservation (`MAC ADDRESS`) stays.
. "$(dirname "$0")/ovn.sh"
for release in 23.03 25.03; do
    output=$(inside $release "$OVN"'
        nb ls-add net -- set Logical_Switch net other_config:subnet=10.77.0.0/24
        nb lsp-add net guest -- lsp-set-addresses guest dynamic
        nb lsp-add net kept -- lsp-set-addresses kept "52:54:00:00:00:04 10.77.0.9"
        nb --wait=sb sync; echo "before=$(address guest)"
        nb --wait=sb set Logical_Switch net other_config:exclude_ips="10.77.0.2 10.77.0.9"; echo "after=$(address guest)"
        nb get Logical_Switch_Port kept addresses | tr -d "[]\""' | paste -s -d ' ')
    seen "OVN $release" "$output" "before=10.77.0.2 after=10.77.0.3 52:54:00:00:00:04 10.77.0.9"
done
exit $changed
