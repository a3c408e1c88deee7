# What the findings about libvirt's network driver share: two releases of the daemon; $LIBVIRTD
# starts it inside, with virsh for it.
. "$(dirname "$0")/lib.sh"
unpack bookworm 9.0 libvirt-daemon=9.0.0-4+deb12u2 libvirt-clients=9.0.0-4+deb12u2 dnsmasq-base iptables
unpack trixie 11.3 libvirt-daemon=11.3.0-3+deb13u3 libvirt-daemon-driver-network=11.3.0-3+deb13u3 \
    libvirt-clients=11.3.0-3+deb13u3 dnsmasq-base iptables nftables
for release in 9.0 11.3; do
    for program in iptables ip6tables; do ln -sf xtables-nft-multi "$here/$release/usr/sbin/$program"; done
    rm -rf "$here/$release/var/run"
    ln -s /run "$here/$release/var/run"
done
LIBVIRTD='
    # The other drivers of the daemon ask for more of a host than there is here.
    mkdir -p /tmp/drivers /run/libvirt /etc/libvirt
    ln -s /usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_network.so /tmp/drivers/
    printf "auth_unix_rw = \"none\"\nunix_sock_group = \"root\"\n" > /etc/libvirt/libvirtd.conf
    LIBVIRT_DRIVER_DIR=/tmp/drivers libvirtd > /tmp/log 2>&1 &
    virsh() { command virsh -q -c network:///system "$@" 2>&1; }
    for wait in 1 2 3 4 5 6 7 8 9; do virsh uri > /tmp/uri && break; sleep 1; done
'
