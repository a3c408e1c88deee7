# What the findings about Open vSwitch share: a database and a switch with the userspace datapath;
# $OVS starts them inside.
. "$(dirname "$0")/lib.sh"
OVS='
    cd /tmp; touch /etc/resolv.conf; exec 2> /tmp/errors
    ovsdb-tool create conf.db /usr/share/openvswitch/vswitch.ovsschema
    ovsdb-server --detach --pidfile=/tmp/db.pid --log-file=/tmp/db.log --unixctl=/tmp/db.ctl --remote=punix:/tmp/db.sock conf.db
    ovs() { ovs-vsctl --timeout=10 --db=unix:/tmp/db.sock "$@"; }
    ovs --no-wait init
    export OVS_RUNDIR=/tmp
    $(ls /usr/sbin/ovs-vswitchd /usr/lib/openvswitch-switch/ovs-vswitchd 2> /dev/null | head -1) --detach \
        --pidfile=/tmp/sw.pid --log-file=/tmp/sw.log --unixctl=/tmp/sw.ctl unix:/tmp/db.sock
    ovs add-br br0 -- set bridge br0 datapath_type=netdev
'
unpack bookworm 3.1 openvswitch-switch=3.1.0-2+deb12u1
unpack trixie 3.5 openvswitch-switch=3.5.0-1+b1
