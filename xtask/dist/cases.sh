# What the trees of all packages have beside `common.sh`: the main job.
. /common.sh
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
