# What the trees of packages and those of other releases have: counting, a network of their own, and
# an ordinary user.
passed=0 failed=0
# it NAME COMMAND...: one case
it() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        passed=$((passed + 1)); echo "test $name ... ok"
    else
        failed=$((failed + 1)); echo "test $name ... FAILED"; echo "$output"
    fi
}
as_nobody() {
    setpriv --reuid 65534 --regid 65534 --clear-groups \
        env HOME=/tmp/nobody XDG_RUNTIME_DIR=/tmp/nobody "$@"
}
tell() {
    local result=ok
    [ $failed = 0 ] || result=FAILED
    echo "test result: $result. $passed passed; $failed failed"
    [ $failed = 0 ]
}

# Everybody may open /dev/net/tun on a Debian; who made the machine's may have kept it for root. To
# make a device takes root of the machine, as all of this does.
mount -t tmpfs tmpfs /dev/net && mknod --mode 666 /dev/net/tun c 10 200
mkdir -p /tmp/nobody && chown 65534 /tmp/nobody && chmod 700 /tmp/nobody
ip link add eth0 type veth peer name away
ip link set eth0 up && ip link set away up
ip address add 192.0.2.2/24 dev eth0
ip route add default via 192.0.2.1
