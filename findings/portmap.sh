# What the findings about CNI's portmap share: the plugin with iptables, a container that has IPv4
# alone, and one call of the plugin.
. "$(dirname "$0")/lib.sh"
PORTMAP='
    mkdir -p /run/netns; : > /run/netns/a; unshare --net=/run/netns/a true
    portmap() {
        printf "%s" "{\"cniVersion\":\"1.0.0\",\"name\":\"blue\",\"type\":\"portmap\",\"backend\":\"iptables\",
            \"runtimeConfig\":{\"portMappings\":[{\"hostPort\":8080,\"containerPort\":80,\"protocol\":\"tcp\"}]},
            \"prevResult\":{\"cniVersion\":\"1.0.0\",\"interfaces\":[{\"name\":\"eth0\",\"mac\":\"52:54:00:00:00:01\",\"sandbox\":\"/run/netns/a\"}],
            \"ips\":[{\"address\":\"10.77.0.2/24\",\"gateway\":\"10.77.0.1\",\"interface\":0}]}}" |
            CNI_COMMAND=$1 CNI_CONTAINERID=one CNI_IFNAME=eth0 CNI_NETNS=/run/netns/a CNI_PATH=/usr/lib/cni /usr/lib/cni/portmap > /tmp/out
        echo "$1: $?"
    }
'
unpack bookworm 1.1.1 containernetworking-plugins=1.1.1+ds1-3+b5 iptables
unpack sid 1.9.1 containernetworking-plugins=1.9.1+ds1-1 iptables
for release in 1.1.1 1.9.1; do
    for program in iptables ip6tables; do ln -sf xtables-nft-multi "$here/$release/usr/sbin/$program"; done
done
