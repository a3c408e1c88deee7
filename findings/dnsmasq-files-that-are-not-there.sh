#!/usr/bin/env bash
# dnsmasq starts, and says nothing, where a file that it shall read is not there; of all of them
# only resolv-file is missed.
#
# addn-hosts, dhcp-hostsfile, servers-file and a tftp-root without enable-tftp: exit status 0,
# nothing on standard error, the daemon serves without them. resolv-file in a folder that is not
# there: exit status 5 and the reason. So a typo in the path of reservations is found by the guest
# that gets another address. Seen with 2.90 and 2.91.
. "$(dirname "$0")/lib.sh"
unpack bookworm 2.90 dnsmasq-base=2.90-4~deb12u2
unpack trixie 2.91 dnsmasq-base=2.91-1+deb13u2
for release in 2.90 2.91; do
    output=$(inside $release '
        for option in addn-hosts dhcp-hostsfile servers-file tftp-root resolv-file; do
            timeout 5 dnsmasq --conf-file=/dev/null --port=5300 --user=root --pid-file=/tmp/pid --$option=/absent/file \
                --dhcp-leasefile=/tmp/leases 2> /tmp/said > /tmp/said
            echo "$option=$?$([ -s /tmp/said ] && echo " with a word")"
            [ ! -s /tmp/pid ] || kill "$(cat /tmp/pid)"; rm -f /tmp/pid; sleep 0.3
        done' | paste -s -d ,)
    seen "dnsmasq $release" "$output" \
        "addn-hosts=0,dhcp-hostsfile=0,servers-file=0,tftp-root=0,resolv-file=5 with a word"
done
exit $changed
