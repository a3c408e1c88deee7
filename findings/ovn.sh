# What the findings about OVN share: both databases and northd, without any host; $OVN starts them
# inside.
. "$(dirname "$0")/lib.sh"
OVN='
    cd /tmp; touch /etc/resolv.conf; exec 2> /tmp/errors
    for d in nb sb; do
        ovsdb-tool create $d.db /usr/share/ovn/ovn-$d.ovsschema
        ovsdb-server --detach --pidfile=/tmp/$d.pid --log-file=/tmp/$d.log --unixctl=/tmp/$d.ctl \
            --remote=punix:/tmp/$d.sock $d.db
    done
    ovn-northd --detach --pidfile=/tmp/northd.pid --log-file=/tmp/northd.log --unixctl=/tmp/northd.ctl \
        --ovnnb-db=unix:/tmp/nb.sock --ovnsb-db=unix:/tmp/sb.sock
    nb() { ovn-nbctl --timeout=10 --db=unix:/tmp/nb.sock "$@"; }
    sb() { ovn-sbctl --timeout=10 --db=unix:/tmp/sb.sock "$@"; }
    transact() { ovsdb-client transact unix:/tmp/nb.sock "$1"; }
    address() { nb get Logical_Switch_Port $1 dynamic_addresses | tr -d "\"[]" | cut -s -d" " -f2; }
'
OLD="ovn-central=23.03.1-1~deb12u2 ovn-common=23.03.1-1~deb12u2"
NEW="ovn-central=25.03.0-1 ovn-common=25.03.0-1"
unpack bookworm 23.03 $OLD
unpack trixie 25.03 $NEW
