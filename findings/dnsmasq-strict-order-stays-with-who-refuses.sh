#!/usr/bin/env bash
# dnsmasq 2.90 with strict-order asks no other server when the first one refuses, and its clients
# get no answer; 2.91 asks the next one.
#
# dnsmasq(8) says of strict-order that each query is tried with each server strictly in their order.
# With 2.90 the answer REFUSED of the first one is the end; without strict-order the second one
# answers. A resolver that knows one domain only, before one that knows the rest, is such a case.
. "$(dirname "$0")/lib.sh"
unpack bookworm 2.90 dnsmasq-base=2.90-4~deb12u2 bind9-dnsutils
unpack trixie 2.91 dnsmasq-base=2.91-1+deb13u2 bind9-dnsutils
for release in 2.90 2.91; do
    output=$(inside $release '
        serve() {
            dnsmasq --conf-file=/dev/null --no-hosts --no-resolv --user=root --pid-file=/tmp/$1.pid --cache-size=0 \
                --listen-address=127.0.0.1 --bind-interfaces --port=$1 "${@:2}"
        }
        serve 5301
        serve 5302 --host-record=here.example,192.0.2.1
        for strict in "" --strict-order; do
            serve 5300 $strict --server=127.0.0.1#5301 --server=127.0.0.1#5302
            dig @127.0.0.1 -p 5300 here.example +time=2 +tries=1 |
                sed -n "s/.*status: \([A-Z]*\).*/\1/p; s/^here.*A\t//p"
            kill "$(cat /tmp/5300.pid)"; sleep 0.3
        done' | paste -s -d ' ')
    case $release in
        2.90) expected="NOERROR 192.0.2.1 REFUSED" ;;
        *) expected="NOERROR 192.0.2.1 NOERROR 192.0.2.1" ;;
    esac
    seen "dnsmasq $release" "$output" "$expected"
done
exit $changed
