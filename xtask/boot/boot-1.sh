# The first boot: nftables, networks defined by hand, and an ordinary user.
echo "# $(systemctl --version | head -1); $(nft --version); $(dnsmasq --version | head -1)"

it "a boot without networks succeeds" is active vnet
world
network lab virbr7 7 "<forward mode='nat'/>" > /cases/lab.xml
it "a network is defined" vnet define /cases/lab.xml
it "a network starts at boot" vnet autostart lab
it "a reload of the unit starts what has become an autostart" systemctl reload vnet
it "the network runs" runs virbr7
it "dnsmasq is in a scope of its own" in_its_scope lab

network other virbr8 8 > /cases/other.xml
it "a oneshot starts a network" systemd-run --quiet --wait vnet start /cases/other.xml
it "dnsmasq survives the end of the oneshot" serves other
it "its scope is there" in_its_scope other
it "the network stops" vnet stop other
it "its scope is gone" eventually gone vnet-other-dnsmasq.scope
before=$(dnsmasq_of lab)
same_dnsmasq() { [ "$(dnsmasq_of lab)" = "$before" ]; }
it "a restart of the unit succeeds" systemctl restart vnet
it "a restart of the unit leaves the network alone" same_dnsmasq

guest virbr7
it "a guest gets an address" asks_for_an_address
it "a guest reaches out" reaches_out
it "nftables restarts" systemctl restart nftables
it "a guest reaches out after a restart of nftables" after_jobs reaches_out
it "nftables reloads" systemctl reload nftables
it "a guest reaches out after a reload of nftables" after_jobs reaches_out
it "nftables stops" systemctl stop nftables
it "a guest reaches out when nftables is stopped" after_jobs eventually reaches_out
it "nftables starts" systemctl start nftables
it "a guest reaches out when nftables is started" after_jobs reaches_out
nft -f /etc/nftables.conf
it "rules that are flushed by hand are drift" not in_sync lab
it "what runs is repaired" vnet apply --running
it "a guest reaches out after the repair" reaches_out

# Where there is no bus, the process stays with its caller, and that is said.
systemctl stop dbus.socket dbus
it "a network starts without a bus" eval 'vnet start /cases/other.xml 2>&1 | grep "note: dnsmasq runs in .*cases.service"'
it "the network without a scope serves" serves other
systemctl start dbus.socket
it "the network without a scope stops" vnet stop other

echo 'user:x:1000:1000::/home/user:/bin/bash' >> /etc/passwd
. /cases/clients.sh
mkdir -p /home/user/.config/systemd /var/lib/systemd/linger
chown -R 1000:1000 /home/user
touch /var/lib/systemd/linger/user
systemctl start user@1000
echo "<network><name>mine</name><forward mode='bridge'/><bridge name='virbr7'/></network>" > /cases/mine.xml
echo "<interface type='user'><backend type='passt'/></interface>" > /cases/passt.xml
it "a user defines a network" as_user vnet define /cases/mine.xml
it "a user's network starts at boot" as_user vnet autostart mine
it "the user's unit is enabled" as_user systemctl --user enable --now vnet
it "the user's network runs" eval 'as_user vnet list | grep mine'
it "a user starts a passt" as_user vnet passt run --name web /cases/passt.xml
it "passt is in a scope of the user" eval 'as_user systemctl --user is-active vnet-web-passt.scope'
it "the passt stops" as_user vnet passt stop web

# Docker and libvirt, by what their units are ordered behind: each notes the dnsmasq that it finds.
# Docker makes its rules then, which drop what is forwarded and not its own.
cat > /cases/docker.sh <<'SH'
for table in iptables-nft ip6tables-nft; do
    $table --policy FORWARD DROP
    for chain in DOCKER-USER DOCKER-FORWARD; do
        $table --new-chain $chain
        $table --append FORWARD --jump $chain
    done
    $table --append DOCKER-USER --jump RETURN
done
SH
: > /cases/virtqemud.sh
for unit in docker virtqemud; do
    cat > "/etc/systemd/system/$unit.service" <<UNIT
[Unit]
Wants=network-online.target
After=network-online.target nss-lookup.target nftables.service firewalld.service time-set.target dbus.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'cat /run/vnet/lab/dnsmasq.pid > /cases/$unit; exec sh /cases/$unit.sh'
[Install]
WantedBy=multi-user.target
UNIT
    systemctl --quiet enable "$unit"
done
sound() {
    local said folder=/usr/local/lib/systemd/system
    said=$(systemd-analyze verify --man=no "$folder"/vnet.service "$folder"/vnet-*.service /etc/systemd/system/{docker,virtqemud}.service 2>&1)
    [ -z "$said" ] || { echo "$said"; false; }
}
it "systemd finds no fault with the units and their order" sound

# For the next boot: a hundred networks more, and two that do not start.
cp /sys/class/net/virbr7/address /var/lib/vnet/lab/leases /cases
for number in {1..100}; do
    network "n$number" "vbr$number" "$((number + 100))" > "/etc/vnet/networks/n$number.xml"
done
echo '<network><name>broken</name>' > /etc/vnet/networks/broken.xml
network late virbr9 7 > /etc/vnet/networks/late.xml
chmod 600 /etc/vnet/networks/*.xml
for file in /etc/vnet/networks/*.xml; do
    ln -sf "../${file##*/}" /etc/vnet/networks/autostart
done
