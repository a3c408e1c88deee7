#!/usr/bin/env bash
# ovs-vsctl add-port of a device that is not there: the exit status depends on the release, the row
# stays on all.
#
# ovs-vsctl prints that the port could not be opened. With 3.1.0 and 3.5.0 it exits with 0; either
# way the port stays in the database with ofport -1. Who scripts it reads Interface.ofport and
# error, and takes the row away again.
. "$(dirname "$0")/ovs.sh"
for release in 3.1 3.5; do
    output=$(inside $release "$OVS"'
        ovs add-port br0 absent; echo "exit=$? ofport=$(ovs get Interface absent ofport) error=$(ovs get Interface absent error)"')
    seen "Open vSwitch $release" "$output" 'exit=0 ofport=-1 error="could not open network device absent (No such device)"'
done
exit $changed
