# What the trees of all packages have: counting, a network of their own, and the main job.
passed=0 failed=0
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
    setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/tmp/nobody XDG_RUNTIME_DIR=/tmp/nobody "$@"
}
mount -t tmpfs tmpfs /dev/net && mknod --mode 666 /dev/net/tun c 10 200
mkdir -p /tmp/nobody && chown 65534 /tmp/nobody && chmod 700 /tmp/nobody
ip link add eth0 type veth peer name away
ip link set eth0 up && ip link set away up
ip address add 192.0.2.2/24 dev eth0
ip route add default via 192.0.2.1
# As a container runtime calls the plugin, which is in the folder $plugins.
cni() {
    env CNI_COMMAND=$1 CNI_CONTAINERID=box CNI_NETNS=/run/netns/box CNI_IFNAME=eth0 CNI_PATH="$plugins" \
        "$plugins/vnet-cni" <<< '{"cniVersion": "1.0.0", "name": "lab", "type": "vnet-cni"}'
}
connects() {
    ip netns add box && cni ADD && ip -n box address show eth0 | grep "inet 192.168." && vnet ports lab | grep box &&
        cni DEL && ! ip -n box link show eth0
}
is_gone() {
    ! ip link show virbr0 2> /dev/null && ! pidof dnsmasq && [ -z "$(nft list tables)" ]
}
tell() {
    local result=ok
    [ $failed = 0 ] || result=FAILED
    echo "test result: $result. $passed passed; $failed failed"
    [ $failed = 0 ]
}
