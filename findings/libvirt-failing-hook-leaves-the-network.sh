#!/usr/bin/env bash
# A hook that fails at `started` refuses a network, and libvirt 9.0.0 leaves what it has made: the
# bridge, its address and its dnsmasq.
#
# The network counts as inactive, so that nothing takes these away, and every later start is refused
# because of them: `Network is already in use by interface virbr0`. The hook is not called with
# `stopped`. 11.3.0 takes all of it away and calls `stopped`.
. "$(dirname "$0")/libvirtd.sh"
for release in 9.0 11.3; do
    output=$(inside $release "$LIBVIRTD"'
        mkdir -p /etc/libvirt/hooks /var/lib/libvirt/dnsmasq
        printf "#!/bin/sh\necho \$2 >> /tmp/calls\n[ \$2 != started ]\n" > /etc/libvirt/hooks/network
        chmod +x /etc/libvirt/hooks/network
        for pid in /proc/[0-9]*; do
            [ "$(cat $pid/comm 2> /tmp/none)" != libvirtd ] || kill -HUP ${pid#/proc/}
        done
        sleep 1
        echo "<network><name>default</name><forward/><bridge name=\"virbr0\"/>
            <ip address=\"192.168.122.1\" prefix=\"24\"/></network>" > /tmp/default.xml
        virsh net-define /tmp/default.xml > /tmp/defined
        virsh net-start default | grep -o "Hook script execution failed"
        ip link show virbr0 > /tmp/link 2>&1 && echo "virbr0 is there" || echo "virbr0 is gone"
        virsh net-start default | grep -o "already in use by interface virbr0"
        paste -s -d " " /tmp/calls' | paste -s -d ';')
    case $release in
        9.0) then="virbr0 is there;already in use by interface virbr0;start started start" ;;
        *) then="virbr0 is gone;start started stopped start started stopped" ;;
    esac
    seen "libvirt $release" "$output" "Hook script execution failed;$then"
done
exit $changed
