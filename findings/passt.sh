# What the findings about passt share: its releases, an uplink, and passt without privilege.
. "$(dirname "$0")/lib.sh"
UPLINK='
    cd /tmp; exec 2> /tmp/errors
    ip link add eth0 type veth peer name eth1; ip link set eth0 up; ip link set eth1 up
    ip addr add 192.0.2.2/24 dev eth0; ip route add default via 192.0.2.1
    mkdir /tmp/run; chmod 1777 /tmp/run
    as_user() { setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/tmp/run XDG_RUNTIME_DIR=/tmp/run "$@"; }
'
unpack bookworm 2023-03 passt=0.0~git20230309.7c7625d-1
unpack trixie 2025-05 passt=0.0~git20250503.587980c-2+deb13u1
unpack sid 2026-10 passt=0.0~git20261002.cba3570-1
