#!/usr/bin/env bash
# pasta of 2023 loses what a server says before it has read anything, when it closes at once.
#
# A server that greets and closes (daytime, an SMTP refusal, `echo | nc`) is forwarded with
# `-t PORT`. With 2023-03-09 the client's connection is accepted and ends without a byte. 2025-05-03
# and 2026-10-02 deliver the words.
. "$(dirname "$0")/lib.sh"
unpack bookworm 2023-03 passt=0.0~git20230309.7c7625d-1 socat
unpack trixie 2025-05 passt=0.0~git20250503.587980c-2+deb13u1 socat
unpack sid 2026-10 passt=0.0~git20261002.cba3570-1 socat
greeted() {
    inside "$1" '
        cd /tmp; exec 2> errors
        # A user who is not root has to open it.
        mknod -m 666 tun c 10 200; umount /dev/net/tun; mount --bind tun /dev/net/tun
        ip netns add outside
        ip link add eth0 type veth peer name eth1 netns outside
        ip -n outside link set eth1 up; ip -n outside addr add 192.0.2.1/24 dev eth1
        ip link set eth0 up; ip addr add 192.0.2.2/24 dev eth0; ip route add default via 192.0.2.1
        mkdir -m 1777 run
        setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/tmp/run XDG_RUNTIME_DIR=/tmp/run \
            pasta --config-net -u none -t 2080-2081 -- sh -c "
                socat -U TCP-LISTEN:2080,fork,reuseaddr SYSTEM:\"echo greeting\" &
                socat TCP-LISTEN:2081,fork,reuseaddr SYSTEM:\"read asked; echo answer\"" > pasta 2>&1 &
        hear() { ip netns exec outside timeout 5 socat -t2 -u TCP:192.0.2.2:2080 -; }
        ask() { echo asked | ip netns exec outside timeout 5 socat -t2 - TCP:192.0.2.2:2081; }
        for try in 1 2 3 4 5 6 7 8 9; do [ -z "$(ask)" ] || break; sleep 1; done
        echo "asked=$(ask) first=$(hear) second=$(hear)"'
}
seen "pasta 2023-03-09" "$(greeted 2023-03)" "asked=answer first= second="
seen "pasta 2025-05-03" "$(greeted 2025-05)" "asked=answer first=greeting second=greeting"
seen "pasta 2026-10-02" "$(greeted 2026-10)" "asked=answer first=greeting second=greeting"
exit $changed
