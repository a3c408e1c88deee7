#!/usr/bin/env bash
# A running ovsdb-server does not take over a new certificate for the same key.
#
# `ovs-vsctl set-ssl` with the private key as it was and another certificate: the server goes on to
# present the old one, which may have expired, and its log does not name the new one. It takes it
# over as soon as the key's file is newer, too (`touch`), or another key is set. Seen with 3.1.0 and
# 3.5.0, where the server reads the paths from the database (`--certificate=db:…`), as its service
# does.
. "$(dirname "$0")/lib.sh"
unpack bookworm 3.1 openvswitch-switch=3.1.0-2+deb12u1 openssl
unpack trixie 3.5 openvswitch-switch=3.5.0-1+b1 openssl
for release in 3.1 3.5; do
    output=$(inside $release '
        cd /tmp; exec 2> /tmp/errors
        for key in one two; do openssl genrsa -out $key.key 2048; done
        for it in first:one second:one third:two; do
            openssl req -x509 -new -key ${it#*:}.key -subj /CN=${it%:*} -days 2 -out ${it%:*}.pem
        done
        ovsdb-tool create conf.db /usr/share/openvswitch/vswitch.ovsschema
        ovsdb-server --detach --pidfile=/tmp/db.pid --log-file=/tmp/db.log --unixctl=/tmp/db.ctl \
            --remote=punix:/tmp/db.sock --remote=pssl:6640:127.0.0.1 \
            --private-key=db:Open_vSwitch,SSL,private_key --certificate=db:Open_vSwitch,SSL,certificate \
            --ca-cert=db:Open_vSwitch,SSL,ca_cert conf.db
        ovs() { ovs-vsctl --timeout=10 --no-wait --db=unix:/tmp/db.sock "$@"; }
        has() {
            sleep 1.5
            timeout 3 openssl s_client -connect 127.0.0.1:6640 < /dev/null | openssl x509 -noout -subject |
                sed "s/.*CN *= *//"
        }
        ovs init
        ovs set-ssl /tmp/one.key /tmp/first.pem /tmp/first.pem; has
        ovs set-ssl /tmp/one.key /tmp/second.pem /tmp/first.pem; has
        echo "named $(grep -c second /tmp/db.log)"
        touch /tmp/one.key; ovs set open . external_ids:any=change; has
        ovs set-ssl /tmp/two.key /tmp/third.pem /tmp/first.pem; has')
    seen "Open vSwitch $release" "$(echo "$output" | paste -s -d ' ')" "first first named 0 second third"
done
exit $changed
