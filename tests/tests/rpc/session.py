"""Calls everything that python3-libvirt has for networks, and prints what comes back."""

import sys
import threading
import time

import libvirt

URI = sys.argv[1]
LAB, PASSING, PORT = (open(f"/tmp/{name}.xml").read() for name in ("lab", "passing", "port"))
LAB_UUID = "0a0b0c0d-1111-4222-8333-444455557777"
PORT_UUID = "5d744f21-ba4a-4d6e-bdb2-30a35ff3207d"
NO_UUID = "0a0b0c0d-1111-4222-8333-444455550000"
LIVE, CONFIG = libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE, libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG
ADD, MODIFY = libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, libvirt.VIR_NETWORK_UPDATE_COMMAND_MODIFY
HOSTS, BRIDGE = libvirt.VIR_NETWORK_SECTION_IP_DHCP_HOST, libvirt.VIR_NETWORK_SECTION_BRIDGE
HOST = "<host mac='52:54:00:77:01:0b' name='bob' ip='10.77.7.11'/>"


def plain(value):
    if isinstance(value, (libvirt.virNetwork, libvirt.virNetworkPort)):
        return value.UUIDString()
    if isinstance(value, list):
        return sorted(map(plain, value), key=str)
    return value


def show(what, call, *arguments):
    """Prints what a call returns, or all that there is to know of its error."""
    try:
        value = call(*arguments)
    except libvirt.libvirtError as error:
        value, said = None, error
        number = (said.get_error_code(), said.get_error_domain(), said.get_error_level())
        print(what, "fails:", number, said, said.get_str2(), said.get_int1(), said.get_int2())
    except LookupError as error:
        value = print(what, "is refused by the bindings:", error)
    else:
        print(what, plain(value))
    return value


def loop():
    while True:
        libvirt.virEventRunDefaultImpl()


libvirt.registerErrorHandler(lambda _context, _error: None, None)
libvirt.virEventRegisterDefaultImpl()
threading.Thread(target=loop, daemon=True).start()

connection = libvirt.open(URI)
show("type", connection.getType)
show("secure", connection.isSecure)
show("encrypted", connection.isEncrypted)
show("alive", connection.isAlive)
show("keepalive", connection.setKeepAlive, 5, 3)
show("close callback", connection.registerCloseCallback, lambda *_: None, None)
print("version", connection.getLibVersion() >= 9_000_000)
identity = {libvirt.VIR_CONNECT_IDENTITY_USER_NAME: "somebody"}
show("identity", connection.setIdentity, identity)
for call in ("getCapabilities", "getHostname", "getInfo", "getVersion", "listAllDomains", "listAllStoragePools"):
    show(call, getattr(connection, call))

events, one = [], []
seen = lambda _connection, network, event, detail, into: into.append((network.name(), event, detail))
LIFECYCLE = libvirt.VIR_NETWORK_EVENT_ID_LIFECYCLE
every = connection.networkEventRegisterAny(None, LIFECYCLE, seen, events)
if hasattr(libvirt, "VIR_NETWORK_EVENT_ID_METADATA_CHANGE"):
    changed = lambda _connection, network, kind, uri, into: into.append((network.name(), "metadata", kind, uri))
    connection.networkEventRegisterAny(None, libvirt.VIR_NETWORK_EVENT_ID_METADATA_CHANGE, changed, events)


def counts():
    show("active", connection.listNetworks)
    show("defined", connection.listDefinedNetworks)
    show("numbers", lambda: (connection.numOfNetworks(), connection.numOfDefinedNetworks()))
    for flag in (0, 1, 2, 4, 8, 16, 32, 2 | 4, 1 << 9):
        show(f"list {flag}", connection.listAllNetworks, flag)


counts()
lab = show("define", connection.networkDefineXML, LAB)
show("define again", connection.networkDefineXMLFlags, LAB, libvirt.VIR_NETWORK_DEFINE_VALIDATE)
show("define another of the name", connection.networkDefineXML, LAB.replace(LAB_UUID, NO_UUID))
show("define nothing", connection.networkDefineXML, "<network/>")
show("define with flags", connection.networkDefineXMLFlags, LAB, 8)
connection.networkEventRegisterAny(lab, LIFECYCLE, seen, one)
counts()
for key, find in (
    ("lab", connection.networkLookupByName),
    ("none", connection.networkLookupByName),
    (LAB_UUID, connection.networkLookupByUUIDString),
    (NO_UUID, connection.networkLookupByUUIDString),
    (lab.UUID(), connection.networkLookupByUUID),
):
    show(f"lookup {key!r}", find, key)


def facts(network):
    for call in ("isActive", "isPersistent", "autostart", "bridgeName", "DHCPLeases", "listAllPorts"):
        show(call, getattr(network, call))
    for flags in (0, libvirt.VIR_NETWORK_XML_INACTIVE, 8):
        show(f"xml {flags}", network.XMLDesc, flags)


facts(lab)
show("destroy", lab.destroy)
show("live", lab.update, ADD, HOSTS, -1, HOST, LIVE)
show("autostart", lab.setAutostart, 1)
show("create", lab.create)
show("create again", lab.create)
facts(lab)
show("update", lab.update, ADD, HOSTS, -1, HOST, LIVE | CONFIG)
show("update again", lab.update, ADD, HOSTS, 0, HOST, LIVE)
show("update the bridge", lab.update, MODIFY, BRIDGE, -1, "<bridge name='x'/>", LIVE)
show("update with flags", lab.update, ADD, HOSTS, -1, HOST, 64)
show("leases", lab.DHCPLeases, "52:54:00:77:01:0b")
show("leases", lab.DHCPLeases, "nonsense")

port = show("port", lab.portCreateXML, PORT, 0)
show("port again", lab.portCreateXML, PORT, 0)
show("port", lab.portLookupByUUIDString, PORT_UUID)
show("port", lab.portLookupByUUIDString, NO_UUID)
show("port's network", port.network)
show("parameters", port.parameters)
show("set", port.setParameters, {"inbound.average": 1000, "inbound.peak": 2000, "outbound.average": 500})
show("parameters", port.parameters)
show("port xml", port.XMLDesc, 0)
show("port xml", port.XMLDesc, 1)
facts(lab)
show("delete", port.delete)
show("delete again", port.delete)

if hasattr(lab, "setMetadata"):
    ELEMENT = libvirt.VIR_NETWORK_METADATA_ELEMENT
    for kind, text, key, uri in ((0, "words", None, None), (1, "title", None, None), (ELEMENT, "<a/>", "k", "urn:a")):
        show("metadata", lab.metadata, kind, uri, 0)
        show("set", lab.setMetadata, kind, text, key, uri, LIVE | CONFIG)
        show("metadata", lab.metadata, kind, uri, 0)
        show("remove", lab.setMetadata, kind, None, key, uri, CONFIG)
    show("title of two lines", lab.setMetadata, 1, "a\nb", None, None, 0)

passing = show("create", connection.networkCreateXML, PASSING)
show("create again", connection.networkCreateXMLFlags, PASSING, libvirt.VIR_NETWORK_CREATE_VALIDATE)
counts()
show("autostart", passing.setAutostart, 1)
show("undefine", passing.undefine)
show("destroy", passing.destroy)
show("gone", passing.isActive)

only = libvirt.openReadOnly(URI)
reads = only.networkLookupByName("lab")
facts(reads)
for call in ("create", "destroy", "undefine"):
    show(call, getattr(reads, call))
show("define", only.networkDefineXML, LAB)
show("autostart", reads.setAutostart, 0)
show("close", only.close)

show("undefine", lab.undefine)
facts(lab)
show("destroy", lab.destroy)
show("destroy again", lab.destroy)
counts()
deadline = time.monotonic() + 10
while not (events and events[-1] == ("lab", libvirt.VIR_NETWORK_EVENT_STOPPED, 0)) and time.monotonic() < deadline:
    time.sleep(0.01)
print("events", events)
print("of one network", one)
show("leave", connection.networkEventDeregisterAny, every)
show("leave again", connection.networkEventDeregisterAny, every)
show("forget", connection.unregisterCloseCallback)
show("close", connection.close)
