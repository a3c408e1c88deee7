# libvirt's clients: vnetd is started by its sockets, ends when nobody is there, and gives way to
# virtnetworkd. Part of the first boot.
clients="network:///system"
asks() { virsh --quiet --connect "$clients" "$@"; }
finds_lab() { asks "$@" net-list | grep -w lab; }
sockets() { # sockets STATE: of both
    is "$1" vnetd.socket && is "$1" vnetd-ro.socket
}
it "the sockets listen since the boot" sockets active
it "vnetd does not run before somebody connects" is inactive vnetd
it "virsh starts it" finds_lab
it "vnetd runs" is active vnetd
it "virsh that only reads is answered" finds_lab --readonly
it "virsh that only reads changes nothing" refused "read only" asks --readonly net-destroy lab
it "a user whom polkit does not let in is told" refused polkit as_user virsh --connect "$clients" net-list
it "virsh stops the network" asks net-destroy lab
it "virsh starts the network" asks net-start lab
it "dnsmasq is in a scope of its own, and not in vnetd's" in_its_scope lab
systemctl kill --signal=KILL vnetd
it "vnetd is killed" eventually not is active vnetd
it "the network that it started serves" serves lab
it "the next client starts vnetd again" finds_lab

mkdir -p /run/systemd/system/vnetd.service.d
printf '[Service]\nExecStart=\nExecStart=vnetd --polkit --timeout 1\n' > /run/systemd/system/vnetd.service.d/soon.conf
systemctl daemon-reload
it "vnetd restarts" systemctl restart vnetd
it "it ends when nobody is there" eventually is inactive vnetd
it "its sockets go on listening" sockets active
it "the next client starts it once more" finds_lab

# libvirt's own units, as far as they matter here.
for name in "" -ro; do
    printf '[Socket]\nListenStream=/run/libvirt/virtnetworkd-sock%s\nService=virtnetworkd.service\n' "$name" \
        > "/run/systemd/system/virtnetworkd$name.socket"
done
printf '[Service]\nExecStart=sleep infinity\n' > /run/systemd/system/virtnetworkd.service
systemctl daemon-reload
it "virtnetworkd's sockets take the place" systemctl start virtnetworkd.socket virtnetworkd-ro.socket
it "vnetd's sockets have given way" sockets inactive
it "vnetd has ended" eventually is inactive vnetd
it "vnetd's sockets take it back" systemctl start vnetd.socket vnetd-ro.socket
it "virtnetworkd's sockets have given way" is inactive virtnetworkd.socket
it "virsh is answered again" finds_lab

systemctl stop vnetd.socket vnetd
it "a stopped socket leaves no file" not test -e /run/libvirt/virtnetworkd-sock
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("/run/libvirt/virtnetworkd-sock")'
it "a file that is left is named" eval 'vnet status 2>&1 | grep "systemctl restart vnetd.socket"'
it "the named command helps" systemctl restart vnetd.socket
it "virsh is answered after it" finds_lab
rm -r /run/systemd/system/vnetd.service.d
