#!/usr/bin/env bash
# cases.sh BOOT: what the cases are written with, and the cases of one boot.
exec 2>&1
it() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        echo "test $name ... ok"
    else
        echo "test $name ... FAILED"
        echo "$output"
    fi
}
# A firewall's jobs, and the end of a scope, come a moment after the command.
eventually() {
    local tries
    for tries in {1..60}; do
        "$@" > /dev/null 2>&1 && return
        sleep 0.5
    done
    "$@"
}
not() { ! "$@"; }
same() { [ "$(cat "$1")" = "$(cat "$2")" ]; } # same FILE FILE
refused() { # refused WORDS COMMAND...: it fails and says so
    local words=$1 output
    shift
    ! output=$("$@" 2>&1) && echo "$output" && [[ $output == *"$words"* ]]
}
settled() { [ -z "$(systemctl list-jobs --no-legend)" ]; }
after_jobs() { eventually settled && "$@"; }

# The world behind this host, and a guest.
world() {
    ip netns add world
    ip link add up0 type veth peer name eth0 netns world
    ip address add 192.0.2.2/24 dev up0
    ip link set up0 up
    ip -n world address add 192.0.2.1/24 dev eth0
    ip -n world link set eth0 up
    ip route add default via 192.0.2.1
}
guest() { # guest BRIDGE
    ip netns add guest
    ip link add g0 type veth peer name eth0 netns guest address 52:54:00:00:00:21
    ip link set g0 master "$1" up
    ip -n guest link set lo up
    ip -n guest link set eth0 up
}
asks_for_an_address() { ip netns exec guest busybox udhcpc -i eth0 -n -q -f -t 20 -T 1 -s /cases/lease.sh; }
reaches_out() { ip netns exec guest ping -c 1 -W 2 192.0.2.1; }

# What is said of a network.
runs() { [ -e "/sys/class/net/$1/bridge" ]; }
dnsmasq_of() { cat "/run/vnet/$1/dnsmasq.pid"; }
cgroup_of() { cut -d: -f3 "/proc/$1/cgroup"; }
serves() { kill -0 "$(dnsmasq_of "$1")"; }
in_its_scope() { [ "$(cgroup_of "$(dnsmasq_of "$1")")" = "/system.slice/vnet-$1-dnsmasq.scope" ]; }
in_sync() { vnet diff "$1"; }
gone() { [ -z "$(systemctl list-units --no-legend --all "$1")" ]; }
is() { [ "$(systemctl is-active "$2")" = "$1" ]; } # is STATE UNIT

network() { # network NAME BRIDGE NUMBER [ELEMENTS]
    echo "<network><name>$1</name><bridge name='$2'/>${4-}<ip address='10.7.$3.1'
        netmask='255.255.255.0'><dhcp><range start='10.7.$3.100' end='10.7.$3.200'/></dhcp></ip></network>"
}
as_user() {
    setpriv --reuid 1000 --regid 1000 --clear-groups env HOME=/home/user XDG_RUNTIME_DIR=/run/user/1000 "$@"
}

. "/cases/boot-$1.sh"
