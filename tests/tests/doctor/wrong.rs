//! Ways in which a host is set up wrong.

/// A way in which a host is wrong: what breaks it, the check that must name it first, words of what
/// is said, and what mends it. Without `asks`, doctor only reads.
pub(crate) struct Wrong {
    pub(crate) breaks: &'static str,
    pub(crate) asks: bool,
    pub(crate) check: &'static str,
    pub(crate) words: &'static str,
    pub(crate) mends: &'static str,
}

const fn read(breaks: &'static str, check: &'static str, words: &'static str, mends: &'static str) -> Wrong {
    Wrong { breaks, asks: false, check, words, mends }
}

const fn tried(breaks: &'static str, check: &'static str, words: &'static str, mends: &'static str) -> Wrong {
    Wrong { asks: true, ..read(breaks, check, words, mends) }
}

const APPLY: &str = "vnet apply lab";

/// More than one thing follows from most of them.
pub(crate) const WRONG: &[Wrong] = &[
    read("ip link set virbr7 down", "bridge", "virbr7 is down", APPLY),
    read("ip link delete virbr7", "bridge", "virbr7 is gone", "vnet apply lab && ip link set plug master virbr7"),
    read(
        "ip route del 192.168.130.0/24 dev virbr7",
        "way-to-guests",
        "the route to guests of 192.168.130.0/24 by virbr7 is gone",
        "ip route add 192.168.130.0/24 dev virbr7 proto kernel scope link src 192.168.130.1",
    ),
    read("ip link set tap7 nomaster", "port", "tap7 is not in the bridge", APPLY),
    read("ip link delete tap7", "port", "tap7 is gone", APPLY),
    read("ip link set plug down", "port", "plug is down", "ip link set plug up"),
    read("ip address flush dev virbr7", "address", "ip address add 192.168.130.1/24", APPLY),
    read(
        "ip address add 192.168.130.200/25 dev eth0",
        "conflict",
        "VN0601",
        "ip address del 192.168.130.200/25 dev eth0",
    ),
    read(
        "ip rule add to 192.168.130.0/24 table 77 && ip route add 192.168.0.0/16 dev eth0 table 77",
        "way-to-guests",
        "leave by eth0",
        "ip rule del table 77 && ip route flush table 77",
    ),
    read(
        "ip rule add to 192.168.130.0/24 prohibit",
        "way-to-guests",
        "no way to guests",
        "ip rule del to 192.168.130.0/24 prohibit",
    ),
    read("kill -9 $(cat /run/vnet/lab/dnsmasq.pid)", "dnsmasq", "dnsmasq", APPLY),
    read("kill -STOP $(cat /run/vnet/lab/dnsmasq.pid)", "dnsmasq", "continue (it is stopped)", APPLY),
    read("nft flush ruleset", "own-rules", "as after a flush", APPLY),
    read(
        "nft add table ip filter && nft 'add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'",
        "foreign-rules",
        "chain `FORWARD` in table `ip filter`",
        "nft delete table ip filter",
    ),
    read(
        "nft add table inet me && nft 'add chain inet me in { type filter hook input priority 0; }' \
          && nft add rule inet me in udp dport 67 drop",
        "foreign-rules",
        "guests get addresses by DHCP",
        "nft delete table inet me",
    ),
    read(
        "for host in 2 3 4 5 6 7 8 9; do echo 0 52:54:00:00:00:0$host 192.168.130.$host vm$host '*'; done \
          > /var/lib/vnet/lab/leases",
        "pool",
        "is used up",
        ": > /var/lib/vnet/lab/leases",
    ),
    read("ip route del default", "uplink", "no default route", "ip route add default via 203.0.113.2"),
    read(": > /etc/resolv.conf", "name-servers", "names no server", "echo nameserver 203.0.113.2 > /etc/resolv.conf"),
    read(
        "echo nameserver 192.168.130.1 > /etc/resolv.conf",
        "name-servers",
        "it would ask itself",
        "echo nameserver 203.0.113.2 > /etc/resolv.conf",
    ),
    read("sysctl -qw net.ipv4.ip_forward=0", "forwarding", "does not forward ipv4", APPLY),
    read(
        "sysctl -qw net.ipv4.conf.virbr7.forwarding=0",
        "forwarding",
        "conf/virbr7/forwarding is 0",
        "sysctl -qw net.ipv4.conf.virbr7.forwarding=1",
    ),
    read("ip rule add iif virbr7 prohibit", "way-out", "that leave", "ip rule del iif virbr7 prohibit"),
    read(
        "ip rule add from 192.168.130.0/24 table 78 && ip route add default dev lo table 78",
        "way-to-guests",
        "leave by lo",
        "ip rule del table 78 && ip route flush table 78",
    ),
    read(
        "ip rule add iif virbr7 table 78 && ip route add default dev lo table 78",
        "way-out",
        "go to lo",
        "ip rule del table 78 && ip route flush table 78",
    ),
    read("bridge link set dev tap7 locked on", "port", "tap7 is locked", "bridge link set dev tap7 locked off"),
    read(
        "echo 0 52:54:00:00:00:77 192.168.130.5 vm '*' > /var/lib/vnet/lab/leases \
           && ip neighbour add 192.168.130.5 lladdr 02:00:00:00:00:99 dev virbr7",
        "guest",
        "this host sends to 02:00:00:00:00:99",
        ": > /var/lib/vnet/lab/leases && ip neighbour del 192.168.130.5 dev virbr7",
    ),
    tried(
        "ip route replace default via 203.0.113.9",
        "uplink",
        "203.0.113.9, the router of this host, does not answer",
        "ip route replace default via 203.0.113.2",
    ),
    read("ip link set eth0 mtu 1300", "mtu", "eth0 carries 1300", "ip link set eth0 mtu 1500"),
    read(
        "echo '<network>' > /etc/vnet/networks/lab.xml",
        "definition",
        "cannot be used",
        "cp /run/lab.xml /etc/vnet/networks/lab.xml",
    ),
    read(
        "mv /run/vnet/lab/receipt /run/receipt",
        "definition",
        "its receipt is gone",
        "mv /run/receipt /run/vnet/lab/receipt",
    ),
    read(
        "cp /run/vnet/lab/receipt /run/receipt && head -c 100 /run/receipt > /run/vnet/lab/receipt",
        "definition",
        "receipt cannot be read",
        "cp /run/receipt /run/vnet/lab/receipt",
    ),
    read(
        "echo 0 52:54:00:00:00:77 192.168.130.5 vm '*' > /var/lib/vnet/lab/leases && nft add table ip me \
           && nft 'add chain ip me out { type filter hook forward priority 0; }' \
           && nft add rule ip me out ip saddr 192.168.130.4/30 drop",
        "foreign-rules",
        "refuses what guests with these addresses send: 192.168.130.5",
        ": > /var/lib/vnet/lab/leases && nft delete table ip me",
    ),
    read(
        "vnet stop lab",
        "definition",
        "does not run",
        "vnet start lab && ip link set plug master virbr7 && vnet attach /run/guest.xml",
    ),
    tried(
        "echo nameserver 127.0.0.53 > /etc/resolv.conf",
        "name-servers",
        "systemd-resolved",
        "echo nameserver 203.0.113.2 > /etc/resolv.conf",
    ),
    tried(
        "nft add table bridge me && nft 'add chain bridge me in { type filter hook input priority 0; }' \
           && nft add rule bridge me in meta protocol arp drop",
        "frames",
        "does not answer a guest",
        "nft delete table bridge me",
    ),
    tried(
        "nft add table ip me && nft 'add chain ip me early { type filter hook prerouting priority -300; }' \
           && nft add rule ip me early iifname virbr7 udp dport 53 drop",
        "foreign-rules",
        "guests ask 192.168.130.1 for names, but the rule",
        "nft delete table ip me",
    ),
    tried(
        "nft add table ip me && nft 'add chain ip me late { type filter hook postrouting priority 300; }' \
           && nft add rule ip me late ip daddr 203.0.113.2 ip saddr 203.0.113.1 icmp type echo-request \
           meta iifname virbr7 drop",
        "outside",
        "answers this host and not a guest",
        "nft delete table ip me",
    ),
    read(
        "tc qdisc add dev virbr7 root blackhole",
        "traffic",
        "its queue is `blackhole`",
        "tc qdisc del dev virbr7 root",
    ),
    read("ip link set virbr7 arp off", "switches", "neither asks nor answers by ARP", "ip link set virbr7 arp on"),
    read(
        "sysctl -qw net.ipv4.conf.virbr7.arp_ignore=8",
        "switches",
        "`arp_ignore` is 8",
        "sysctl -qw net.ipv4.conf.virbr7.arp_ignore=0",
    ),
    read(
        "ip xfrm policy add dir fwd src 192.168.130.0/24 dst 0.0.0.0/0 action block",
        "ipsec",
        "192.168.130.0/24 to 0.0.0.0/0 drops",
        "ip xfrm policy flush",
    ),
    read(
        "ip route add blackhole 1.0.0.0/8",
        "uplink",
        "`blackhole`, refuses 1.1.1.1",
        "ip route del blackhole 1.0.0.0/8",
    ),
    read(
        "ip route add unreachable 192.168.130.8/30",
        "way-to-guests",
        "no way to guests",
        "ip route del unreachable 192.168.130.8/30",
    ),
    read(
        "ip address del 203.0.113.1/24 dev eth0 && ip route add default dev eth0",
        "uplink",
        "eth0, this host's way out, has no address of ipv4",
        "ip route del default && ip address add 203.0.113.1/24 dev eth0 && ip route add default via 203.0.113.2",
    ),
    read(
        "ip link set tap7 address 52:54:00:00:00:77",
        "port",
        "this host takes the guest's frames",
        "ip link set tap7 address fe:54:00:00:00:77",
    ),
    read(
        "bridge fdb add 52:54:00:00:00:77 dev plug master static",
        "port",
        "is behind plug",
        "bridge fdb del 52:54:00:00:00:77 dev plug master",
    ),
    read(
        "bridge link set dev plug bcast_flood off",
        "port",
        "no broadcasts by plug",
        "bridge link set dev plug bcast_flood on",
    ),
    read("bridge link set dev tap7 isolated on", "port", "tap7 is not as it was made", APPLY),
    read(
        "vnet detach tap7 && vnet attach --guest web /run/guest.xml",
        "port",
        "the reservation of 192.168.130.50 for web is for 52:54:00:00:00:78",
        "vnet detach tap7 && vnet attach /run/guest.xml",
    ),
    read("mount -t tmpfs -o ro none /var/lib/vnet/lab", "room", "can only be read", "umount /var/lib/vnet/lab"),
    read(
        "mount -t tmpfs -o size=4k none /var/lib/vnet/lab && : > /var/lib/vnet/lab/x \
           && ! head -c 8192 /dev/zero > /var/lib/vnet/lab/x 2> /dev/null",
        "room",
        "is full",
        "umount /var/lib/vnet/lab",
    ),
    read("mv /var/lib/vnet/lab /var/lib/vnet/away", "room", "is gone", "mv /var/lib/vnet/away /var/lib/vnet/lab"),
    read(
        "nft add table ip me && nft 'add chain ip me early { type filter hook prerouting priority -300; }' \
           && nft add rule ip me early iifname virbr7 notrack",
        "foreign-rules",
        "keeps connection tracking from it",
        "nft delete table ip me",
    ),
    read(
        "nft add table ip me && nft 'add chain ip me early { type filter hook prerouting priority -300; }' \
           && nft add rule ip me early ip saddr 192.168.130.0/24 tcp dport 443 drop",
        "foreign-rules",
        "refuses it before its way is chosen",
        "nft delete table ip me",
    ),
    read(
        "nft add table ip me && nft 'add chain ip me late { type filter hook postrouting priority 200; }' \
           && nft add rule ip me late oifname eth0 ip saddr 203.0.113.1 meta iifname virbr7 drop",
        "foreign-rules",
        "refuses it as it leaves",
        "nft delete table ip me",
    ),
    read(
        "nft add table ip me && nft 'add chain ip me out { type filter hook output priority 0; policy drop; }'",
        "foreign-rules",
        "this host answers, but the policy of chain `out`",
        "nft delete table ip me",
    ),
    read(
        "nft add table netdev me \
           && nft 'add chain netdev me in { type filter hook ingress device eth0 priority 0; policy drop; }'",
        "foreign-rules",
        "at eth0 drops all frames",
        "nft delete table netdev me",
    ),
    read(
        "nft add table bridge me && nft 'add chain bridge me on { type filter hook forward priority 0; policy drop; }'",
        "foreign-rules",
        "drops all frames",
        "nft delete table bridge me",
    ),
    tried(
        "ip neighbour replace 203.0.113.2 lladdr 02:00:00:00:00:09 dev eth0",
        "uplink",
        "somebody has written down 02:00:00:00:00:09",
        "ip neighbour del 203.0.113.2 dev eth0",
    ),
    tried(
        "nft add table ip me && nft 'add chain ip me to { type nat hook prerouting priority -100; }' \
           && nft add rule ip me to iifname virbr7 udp dport 53 dnat to 203.0.113.99",
        "dns",
        "what may be the cause: guests ask 192.168.130.1 for names, but the rule",
        "nft delete table ip me",
    ),
    tried(
        "nft add table ip me && nft 'add chain ip me early { type filter hook prerouting priority -150; }' \
           && nft add rule ip me early iifname virbr7 meta mark set 7 && ip rule add fwmark 7 blackhole",
        "outside",
        "why is not known",
        "nft delete table ip me && ip rule del fwmark 7",
    ),
];
