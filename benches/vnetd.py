"""Measures two servers of libvirt's network driver in turns: vnetd.py THEIRS OURS [ROUNDS].

Each argument is a URI, such as network+unix:///system?socket=/run/libvirt/libvirt-sock. Each server
gets ten networks, four of which run.
"""

import statistics
import sys
import time

import libvirt

ADD, HOSTS = libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, libvirt.VIR_NETWORK_SECTION_IP_DHCP_HOST
LIVE = libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE
servers = [libvirt.open(uri) for uri in sys.argv[1:3]]
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 300


def xml(number, forward="", dhcp=""):
    return (
        f"<network><name>n{number}</name><uuid>0a0b0c0d-1111-4222-8333-{number:012d}</uuid>{forward}"
        f"<bridge name='vb{number}' stp='on' delay='0'/><mac address='52:54:00:77:01:{number:02x}'/>"
        f"<ip address='10.77.{number}.1' netmask='255.255.255.0'>{dhcp}</ip></network>"
    )


def measure(what, call, times=rounds):
    taken = [[], []]
    for at in range(2 * times):
        before = time.perf_counter()
        call(at % 2, at // 2)
        taken[at % 2].append(1000 * (time.perf_counter() - before))
    theirs, ours = map(statistics.median, taken)
    print(f"| {what} | {theirs:.3f} | {ours:.3f} | {ours / theirs:.2f} |", flush=True)


networks = []
for at, server in enumerate(servers):
    # Numbers of their own: the servers share one host.
    networks.append([server.networkDefineXML(xml(100 * at + number)) for number in range(10)])
    for network in networks[at][:4]:
        network.create()
# What was just written is read again by a server that remembers files.
time.sleep(1)
print("| call | libvirtd | vnetd | vnetd / libvirtd |\n|---|---|---|---|")
measure("list", lambda at, _: servers[at].listAllNetworks())
measure("lookup", lambda at, _: servers[at].networkLookupByName(f"n{100 * at + 5}"))
measure("dumpxml of one that runs", lambda at, _: networks[at][1].XMLDesc())
measure("dumpxml of one that is defined", lambda at, _: networks[at][6].XMLDesc())
measure("define", lambda at, _: servers[at].networkDefineXML(xml(100 * at + 7)))

names = ("net-start, NAT with DHCP", "net-update of a DHCP host, live", "net-destroy")
taken = {name: [[], []] for name in names}
for turn in range(8):
    for at, server in enumerate(servers):
        number = 100 * at + 50
        dhcp = f"<dhcp><range start='10.77.{number}.100' end='10.77.{number}.150'/></dhcp>"
        network = server.networkDefineXML(xml(number, "<forward mode='nat'/>", dhcp))
        host = f"<host mac='52:54:00:77:02:01' ip='10.77.{number}.20'/>"
        calls = (network.create, lambda: network.update(ADD, HOSTS, -1, host, LIVE), network.destroy)
        for name, call in zip(names, calls):
            before = time.perf_counter()
            call()
            taken[name][at].append(1000 * (time.perf_counter() - before))
for name in names:
    theirs, ours = map(statistics.median, taken[name])
    print(f"| {name} | {theirs:.1f} | {ours:.1f} | {ours / theirs:.2f} |")
