# What the findings about CNI share: the reference plugins, containers' namespaces, and one call of
# the bridge plugin.
. "$(dirname "$0")/lib.sh"
CNI='
    exec 2> /tmp/errors
    mkdir -p /run/netns
    container() { : > /run/netns/$1; unshare --net=/run/netns/$1 true; }
    links() { nsenter --net=/run/netns/$1 ip -o link show type veth | cut -d" " -f2 | cut -d@ -f1; }
    # cni VERB ID INTERFACE NAMESPACE
    cni() {
        printf "%s" "{\"cniVersion\":\"1.0.0\",\"name\":\"blue\",\"type\":\"bridge\",\"bridge\":\"br0\",\"isGateway\":true,
            \"ipam\":{\"type\":\"host-local\",\"dataDir\":\"/tmp/ipam\",\"ranges\":[[{\"subnet\":\"10.77.0.0/24\"}]]}}" |
            CNI_COMMAND=$1 CNI_CONTAINERID=$2 CNI_IFNAME=$3 CNI_NETNS=$4 CNI_PATH=/usr/lib/cni /usr/lib/cni/bridge > /tmp/out
        echo "$1 $2: $?"
    }
'
unpack bookworm 1.1.1 containernetworking-plugins=1.1.1+ds1-3+b5
unpack sid 1.9.1 containernetworking-plugins=1.9.1+ds1-1
