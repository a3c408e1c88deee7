#!/usr/bin/env bash
# The certificates of ovs-pki name a host that cannot exist: a client that compares names refuses
# every server with one.
#
# `ovs-pki req+sign NAME` of Open vSwitch 3.1.0 and 3.5.0 writes the common name and the subject
# alternative name as `NAME id:…` (a UUID, or the time where there is no uuidgen), with a blank in
# what is a DNS name. NAME alone is nowhere in the certificate, so verification by host name
# (`openssl verify -verify_hostname NAME`, and any TLS library that does so by default) fails, while
# the chain is right. Open vSwitch and OVN compare no names.
. "$(dirname "$0")/lib.sh"
unpack bookworm 3.1 openvswitch-pki=3.1.0-2+deb12u1 openvswitch-common=3.1.0-2+deb12u1 openssl
unpack trixie 3.5 openvswitch-pki=3.5.0-1 openvswitch-common=3.5.0-1+b1 openssl
for release in 3.1 3.5; do
    output=$(inside $release '
        cd /tmp; exec 2> /tmp/errors
        ovs-pki --dir=/tmp/pki --log=/tmp/log init > /dev/null
        ovs-pki --dir=/tmp/pki --log=/tmp/log req+sign db.example controller > /dev/null
        openssl x509 -in db.example-cert.pem -noout -ext subjectAltName | tail -1 |
            sed "s/id:.*/id:unique/; s/^ *//"
        ca=/tmp/pki/controllerca/cacert.pem
        openssl verify -CAfile $ca db.example-cert.pem > /dev/null && echo "chain right"
        openssl verify -CAfile $ca -verify_hostname db.example db.example-cert.pem > /dev/null || echo "name wrong"')
    seen "Open vSwitch $release" "$(echo "$output" | paste -s -d ';')" "DNS:db.example id:unique;chain right;name wrong"
done
exit $changed
