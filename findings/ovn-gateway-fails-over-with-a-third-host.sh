#!/usr/bin/env bash
# With two hosts, the second gateway of a router of OVN does not take over from a first one that is
# dead: it needs an answer by BFD from any third host that the router concerns.
#
# Of two gateways the first one has the router's port. Its processes are killed. The second host
# sees that BFD to it is down, and leaves the port where it is, as it could be the one that is cut
# off. A third host with a guest behind the router, and nothing to do with its gateways, is enough
# for it to take over. Seen with OVN 23.03.1 and 25.03.0.
. "$(dirname "$0")/ovn.sh"
unpack bookworm 23.03 ovn-host=23.03.1-1~deb12u2 openvswitch-switch=3.1.0-2+deb12u1
unpack trixie 25.03 ovn-host=25.03.0-1 openvswitch-switch=3.5.0-1+b1
HOST='
    ip link add under type bridge && ip link set under up
    # host NAME ADDRESS: a switch with a guest, and its part of OVN
    host() {
        local at=/tmp/$1 switch=$(ls /usr/sbin/ovs-vswitchd /usr/lib/openvswitch-switch/ovs-vswitchd 2> /dev/null | head -1)
        mkdir $at; ip netns add $1
        ip link add v$1 type veth peer name e0 netns $1; ip link set v$1 master under up; ip -n $1 link set e0 up
        ovsdb-tool create $at/conf.db /usr/share/openvswitch/vswitch.ovsschema
        ovsdb-server --detach --pidfile=$at/db.pid --log-file=$at/db.log --unixctl=$at/db.ctl --remote=punix:$at/db.sock $at/conf.db
        ovs $1 --no-wait init -- set open . external_ids:system-id=$1 external_ids:ovn-remote=unix:/tmp/sb.sock \
            external_ids:ovn-encap-type=geneve external_ids:ovn-encap-ip=$2
        OVS_RUNDIR=$at ip netns exec $1 $switch --detach --pidfile=$at/switch.pid --log-file=$at/switch.log \
            --unixctl=$at/switch.ctl unix:$at/db.sock
        ovs $1 add-br br-int -- set bridge br-int datapath_type=netdev fail-mode=secure -- \
            add-br under -- set bridge under datapath_type=netdev -- add-port under e0 -- \
            add-port br-int guest -- set interface guest type=internal external_ids:iface-id=guest-$1
        ip -n $1 address add $2/24 dev under; ip -n $1 link set under up
        OVS_RUNDIR=$at OVN_RUNDIR=$at ip netns exec $1 ovn-controller --detach --pidfile=$at/ovn.pid \
            --log-file=$at/ovn.log unix:$at/db.sock
        nb lsp-add net guest-$1
    }
    ovs() { ovs-vsctl --timeout=20 --db=unix:/tmp/$1/db.sock "${@:2}"; }
    gateway() { sb get Chassis $(sb --bare --columns=chassis find Port_Binding type=chassisredirect) name; }
    bfd() { ovs h2 get interface $(ovs h2 --bare --columns=name find interface type=geneve options:remote_ip=10.66.0.1) bfd_status:state; }
    # until_ SECONDS WORD COMMAND: whether it prints the word in that time
    until_() { for try in $(seq $(($1 * 5))); do [ "$($3)" != "$2" ] || return 0; sleep 0.2; done; return 1; }
    nb ls-add net -- lr-add r -- lrp-add r inside 52:54:00:00:00:fe 10.77.0.1/24 -- \
        lsp-add net r-net -- lsp-set-type r-net router -- lsp-set-addresses r-net router -- lsp-set-options r-net router-port=inside \
        -- lrp-add r outside 52:54:00:00:00:ff 203.0.113.10/24 -- \
        lrp-set-gateway-chassis outside h1 20 -- lrp-set-gateway-chassis outside h2 10
'
THEN='
    until_ 60 h1 gateway || echo "no gateway"
    until_ 60 up bfd || echo "no BFD"
    before=$(gateway)
    kill -9 $(cat /tmp/h1/ovn.pid /tmp/h1/switch.pid)
    until_ 20 down bfd || echo "BFD does not end"
    until_ 20 h2 gateway
    echo "$before, then $(gateway), BFD $(bfd)"
'
for release in 23.03 25.03; do
    two=$(inside $release "$OVN$HOST"'host h1 10.66.0.1; host h2 10.66.0.2'"$THEN")
    seen "OVN $release, two hosts" "$two" "h1, then h1, BFD down"
    three=$(inside $release "$OVN$HOST"'host h1 10.66.0.1; host h2 10.66.0.2; host h3 10.66.0.3'"$THEN")
    seen "OVN $release, three hosts" "$three" "h1, then h2, BFD down"
done
exit $changed
