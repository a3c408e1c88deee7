//! What calls are refused with: codes, parts and words are those of libvirt 11.3, which answered
//! the same calls.

use vnet_rpc::{Call, Frame, FrameHeader, NetworkRef, PortRef, Reply, TypedParameter, TypedValue};
use vnet_tests::isolate;

use crate::lab::{Client, SOCKET, Server, answer};

const UUID: &str = "0a0b0c0d-1111-4222-8333-000000000001";
const MISSING: &str = "0a0b0c0d-1111-4222-8333-000000000009";
const LAB: &str = "<network><name>lab</name><uuid>0a0b0c0d-1111-4222-8333-000000000001</uuid>\
    <bridge name='virbr7'/><portgroup name='p' default='yes'/>\
    <dns><txt name='t' value='v'/><host ip='10.77.7.40'><hostname>w</hostname></host>\
    <host ip='10.77.7.41'><hostname>w</hostname></host><srv service='s' protocol='tcp'/></dns>\
    <ip address='10.77.7.1' netmask='255.255.255.0'>\
    <dhcp><host mac='52:54:00:00:00:0a' name='a' ip='10.77.7.10'/></dhcp></ip></network>";

/// A call, and code, domain and words of its refusal.
type Case = (Call, i32, i32, String);

#[test]
fn calls_are_refused_in_the_words_of_libvirt() {
    isolate!();
    let _server = Server::start();
    let mut client = Client::open();
    client.define(LAB);
    let cases = [lookups(), metadata(), updates(), definitions(), ports(), identities()].concat();
    let mut wrong = Vec::new();
    for (call, code, domain, words) in cases {
        match client.call(&call) {
            Err(error) if (error.code, error.domain, error.message.as_deref()) == (code, domain, Some(&*words)) => {}
            other => wrong.push(format!("{call:?}\n  {other:?}\n  in place of {code} {domain} {words}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The URIs that no connection is opened with, and those that mean the same as the usual one.
#[test]
fn uris_are_taken_as_by_libvirt() {
    isolate!();
    let _server = Server::start();
    let open = |uri: &str| {
        let mut client = Client::connect(SOCKET);
        client.call(&Call::ConnectOpen { uri: Some(uri.to_owned()), flags: 0 })
    };
    for uri in ["network:/system", "network:///system#x", "network:///system?x=1"] {
        assert_eq!(open(uri), Ok(Reply::Nothing {}), "{uri}");
    }
    for (uri, code, words) in [
        ("/system", 5, "no connection driver available for URI '/system' does not include a driver name"),
        ("network", 5, "no connection driver available for URI 'network' does not include a driver name"),
        ("network:system", 1, "internal error: unexpected network URI path 'system', try network:///system"),
        ("network:///", 1, "internal error: unexpected network URI path '/', try network:///system"),
        ("network:///system/", 1, "internal error: unexpected network URI path '/system/', try network:///system"),
        ("xen:///system", 5, "no connection driver available for xen:///system"),
    ] {
        let error = open(uri).unwrap_err();
        assert_eq!((error.code, error.message.as_deref()), (code, Some(words)), "{uri}");
    }
}

/// A call of another driver names the function that is not there; a call that libvirt does not have
/// does not.
#[test]
fn calls_of_other_drivers_are_not_supported() {
    isolate!();
    let _server = Server::start();
    let refused = |client: &mut Client, procedure| {
        client.send(&Frame::new(FrameHeader::call(procedure, 1), vec![0; 64]).to_bytes().unwrap());
        let error = answer(&client.receive().unwrap()).unwrap_err();
        (error.code, error.domain, error.message.unwrap_or_default())
    };
    let unsupported = |function| format!("this function is not supported by the connection driver: {function}");
    let mut client = Client::connect(SOCKET);
    assert_eq!(refused(&mut client, 23).2, "internal error: hypervisor connection not open");
    assert_eq!(refused(&mut client, 84).2, "internal error: connection not open");
    let mut client = Client::open();
    assert_eq!(refused(&mut client, 23), (3, 20, unsupported("virDomainLookupByName")));
    assert_eq!(refused(&mut client, 287), (3, 30, unsupported("virConnectListAllSecrets")));
    assert_eq!(refused(&mut client, 33), (3, 20, unsupported("virDomainShutdown")));
    assert_eq!(refused(&mut client, 9999), (39, 7, "unknown procedure: 9999".to_owned()));
    let denied = "operation forbidden: read only access prevents virDomainShutdown".to_owned();
    assert_eq!(refused(&mut Client::reader(), 33), (29, 20, denied));
}

fn lab() -> NetworkRef {
    NetworkRef { name: "lab".to_owned(), uuid: UUID.parse().unwrap() }
}

fn unknown() -> NetworkRef {
    NetworkRef { name: "lab".to_owned(), uuid: MISSING.parse().unwrap() }
}

fn invalid(words: &str) -> String {
    format!("Requested operation is not valid: {words}")
}

fn no_network() -> String {
    format!("Network not found: no network with matching uuid '{MISSING}' (lab)")
}

fn lookups() -> Vec<Case> {
    let names = |maxnames| Call::ConnectListNetworks { maxnames };
    vec![
        (names(-1), 39, 7, "maxnames must be non-negative".to_owned()),
        (names(16_385), 39, 7, "maxnames > REMOTE_NETWORK_LIST_MAX".to_owned()),
        (
            Call::ConnectListAllNetworks { need_results: 0, flags: 192 },
            8,
            19,
            "unsupported flags (0xc0) in function networkConnectListAllNetworks".to_owned(),
        ),
        (Call::NetworkGetAutostart { network: unknown() }, 43, 19, no_network()),
        (
            Call::NetworkGetDhcpLeases { network: unknown(), mac: Some("zz".to_owned()), need_results: 1, flags: 0 },
            44,
            19,
            "invalid MAC address: zz".to_owned(),
        ),
    ]
}

fn metadata() -> Vec<Case> {
    let get = |network, kind, flags| Call::NetworkGetMetadata { network, kind, uri: None, flags };
    let set = |kind, text: &str, key: Option<&str>, uri: Option<&str>| Call::NetworkSetMetadata {
        network: lab(),
        kind,
        metadata: Some(text.to_owned()),
        key: key.map(str::to_owned),
        uri: uri.map(str::to_owned),
        flags: 2,
    };
    let both = "Flags 'VIR_NETWORK_UPDATE_AFFECT_LIVE' and 'VIR_NETWORK_UPDATE_AFFECT_CONFIG' are mutually exclusive";
    let flags = "unsupported flags (0x8) in function virNetworkObjGetMetadata";
    vec![
        (get(unknown(), 0, 7), 8, 19, both.to_owned()),
        (get(unknown(), 0, 8), 43, 19, no_network()),
        (get(lab(), 0, 8), 8, 19, flags.to_owned()),
        (get(lab(), 3, 0), 8, 19, "invalid argument: unknown metadata type '3'".to_owned()),
        (get(lab(), -1, 0), 111, 19, "metadata not found: Requested metadata element is not present".to_owned()),
        (get(lab(), -1, 1), 55, 19, invalid("network is not running")),
        (get(lab(), 2, 0), 8, 19, "uri in virNetworkGetMetadata must not be NULL".to_owned()),
        (set(1, "a\nb", Some("k"), Some("u")), 8, 19, "metadata title can't contain newlines".to_owned()),
        (set(0, "a", Some("k"), Some("u")), 8, 19, "uri in virNetworkSetMetadata must be NULL".to_owned()),
        (set(0, "a", Some("k"), None), 8, 19, "key in virNetworkSetMetadata must be NULL".to_owned()),
        (set(2, "<a/>", None, None), 8, 19, "uri in virNetworkSetMetadata must not be NULL".to_owned()),
        (set(2, "<a/>", None, Some("u")), 8, 19, "key in virNetworkSetMetadata must not be NULL".to_owned()),
        (
            set(2, "<a/>", Some("1x"), Some("u")),
            1,
            5,
            "internal error: failed to validate prefix for a new XML namespace".to_owned(),
        ),
        (set(9, "a", None, None), 8, 19, "invalid argument: unknown metadata type '9'".to_owned()),
    ]
}

fn updates() -> Vec<Case> {
    let update = |command, section, xml: &str, parent_index| Call::NetworkUpdate {
        network: lab(),
        command,
        section,
        parent_index,
        xml: xml.to_owned(),
        flags: 2,
    };
    let (modify, delete, add) = (1, 2, 3);
    let case = |command, section, xml: &str, code, words: &str| -> Case {
        let before = match code {
            27 => "XML error: ",
            55 => "Requested operation is not valid: ",
            84 => "Operation not supported: ",
            _ => "",
        };
        (update(command, section, xml, -1), code, 19, format!("{before}{words}"))
    };
    let by_index = invalid("couldn't update dhcp host entry - no <ip> element found at index 5 in network 'lab'");
    vec![
        case(9, 99, "<x/>", 84, "can't update unrecognized section of network"),
        case(add, 1, "<x/>", 84, "can't update 'bridge' section of network 'lab'"),
        case(add, 4, "<x/>", 27, "unexpected element <x>, expecting <host>, while updating network 'lab'"),
        case(
            modify,
            4,
            "<host mac='52:54:00:00:00:0c' ip='10.77.7.98'/>",
            55,
            "couldn't locate an existing dhcp host entry with \"mac='52:54:00:00:00:0c'\" \"name='(null)'\" \
             \"ip='10.77.7.98'\" in network 'lab'",
        ),
        case(
            modify,
            4,
            "<host ip='10.77.7.98'/>",
            27,
            "Static host definition in IPv4 network 'lab' must have mac or name attribute",
        ),
        case(modify, 5, "<x/>", 27, "unexpected element <x>, expecting <range>, while updating network 'lab'"),
        case(modify, 10, "<host ip='10.77.7.40'/>", 35, "Missing hostname in network 'lab' DNS HOST record"),
        case(modify, 12, "<x/>", 84, "DNS SRV records cannot be modified, only added or deleted"),
        (update(add, 4, "<host mac='52:54:00:00:00:0b' ip='10.77.7.11'/>", 5), 55, 19, by_index),
        case(
            add,
            4,
            "<host mac='52:54:00:00:00:0a' ip='10.77.7.99'/>",
            55,
            "there is an existing dhcp host entry in network 'lab' that matches \"<host mac='52:54:00:00:00:0a' \
             name='(null)' ip='10.77.7.99'/>\"",
        ),
        case(delete, 4, "<host ip='10.77.7.99'/>", 55, "couldn't locate a matching dhcp host entry in network 'lab'"),
        case(
            modify,
            5,
            "<range start='10.77.7.100' end='10.77.7.110'/>",
            84,
            "dhcp ranges cannot be modified, only added or deleted",
        ),
        case(add, 5, "<range/>", 27, "Missing 'start' attribute in dhcp range for network 'lab'"),
        case(
            delete,
            7,
            "<interface dev='x'/>",
            55,
            "couldn't find an interface entry in network 'lab' matching <interface dev='x'>",
        ),
        case(add, 7, "<interface/>", 27, "missing dev attribute in <interface> element"),
        case(
            add,
            9,
            "<portgroup name='p'/>",
            55,
            "there is an existing portgroup entry in network 'lab' that matches \"<portgroup name='p'>\"",
        ),
        case(
            add,
            9,
            "<portgroup name='q' default='yes'/>",
            55,
            "a different portgroup entry in network 'lab' is already set as the default. Only one default is allowed.",
        ),
        case(
            delete,
            9,
            "<portgroup name='q'/>",
            55,
            "couldn't find a portgroup entry in network 'lab' matching <portgroup name='q'>",
        ),
        case(add, 9, "<portgroup/>", 27, "Missing required name attribute in portgroup"),
        case(
            delete,
            10,
            "<host><hostname>w</hostname></host>",
            55,
            "multiple matching DNS HOST records were found in network lab",
        ),
        case(add, 10, "<host ip='10.77.7.42'/>", 35, "Missing hostname in network 'lab' DNS HOST record"),
        case(delete, 10, "<host/>", 35, "Missing ip and hostname in network 'lab' DNS HOST record"),
        case(
            add,
            11,
            "<txt name='t' value='x'/>",
            55,
            "there is already a DNS TXT record with name 't' in network lab",
        ),
        case(add, 11, "<txt/>", 35, "missing required name attribute in DNS TXT record of network lab"),
        case(
            add,
            12,
            "<srv service='s' protocol='tcp'/>",
            55,
            "there is already at least one DNS SRV record matching all specified fields in network lab",
        ),
    ]
}

fn definitions() -> Vec<Case> {
    let case = |inside: &str, code, domain, words: &str| -> Case {
        let xml = format!("<network><name>other</name>{inside}</network>");
        (Call::NetworkDefineXml { xml }, code, domain, words.to_owned())
    };
    let range = |start: &str, end: &str| {
        format!("<ip address='10.0.0.1' prefix='24'><dhcp><range start='{start}' end='{end}'/></dhcp></ip>")
    };
    vec![
        (
            Call::NetworkCreateXml { xml: "<domain/>".to_owned() },
            27,
            5,
            "XML error: expecting root element of 'network', not 'domain'".to_owned(),
        ),
        case("<uuid>zz</uuid>", 1, 19, "internal error: malformed uuid element"),
        case("<forward mode='x'/>", 67, 19, "unsupported configuration: unknown forwarding type 'x'"),
        case(
            "<ip address='10.0.0.1' prefix='33'/>",
            67,
            19,
            "unsupported configuration: Invalid IPv4 prefix '33' in network 'other'",
        ),
        case(
            "<ip family='ipv6' address='10.0.0.1' prefix='24'/>",
            67,
            19,
            "unsupported configuration: Family 'ipv6' specified for non-IPv6 address '10.0.0.1' in network 'other'",
        ),
        case(&range("10.0.0.9", "10.0.0.2"), 1, 0, "internal error: range 10.0.0.9 - 10.0.0.2 is reversed "),
        case(
            &range("10.0.1.2", "10.0.1.9"),
            1,
            0,
            "internal error: range 10.0.1.2 - 10.0.1.9 is not entirely within network 10.0.0.1/24",
        ),
        case(
            "<ip address='10.0.0.1' prefix='24'><dhcp><host ip='10.0.0.9'/></dhcp></ip>",
            27,
            19,
            "XML error: Static host definition in IPv4 network 'other' must have mac or name attribute",
        ),
        case(
            "<forward mode='nat'/>",
            27,
            19,
            "XML error: nat forwarding requested, but no IP address provided for network 'other'",
        ),
        case(
            "<portgroup name='b' default='yes'/><portgroup name='c' default='yes'/>",
            67,
            19,
            "unsupported configuration: network 'other' has multiple default <portgroup> elements (b and c), but only \
             one default is allowed",
        ),
        case(
            "<vlan><tag id='5'/></vlan>",
            67,
            19,
            "unsupported configuration: <vlan> element specified for network other, whose type doesn't support vlan \
             configuration",
        ),
    ]
}

fn ports() -> Vec<Case> {
    let port = || PortRef { network: lab(), uuid: MISSING.parse().unwrap() };
    let parameter = TypedParameter { field: "inbound.average".to_owned(), value: TypedValue::UInt(1) };
    let missing = format!("network port not found: Network port with UUID {MISSING} does not exist");
    let inactive = invalid("network 'lab' is not active");
    vec![
        (Call::NetworkPortDelete { port: port(), flags: 0 }, 107, 19, missing.clone()),
        (Call::NetworkPortGetXmlDesc { port: port(), flags: 0 }, 107, 19, missing),
        (Call::NetworkListAllPorts { network: lab(), need_results: 1, flags: 0 }, 55, 19, inactive),
        (
            Call::NetworkPortSetParameters { port: port(), parameters: vec![parameter; 17], flags: 0 },
            39,
            7,
            "Unable to decode message payload".to_owned(),
        ),
        (
            Call::NetworkPortCreateXml { network: lab(), xml: "<x/>".to_owned(), flags: 0 },
            27,
            5,
            "XML error: expecting root element of 'networkport', not 'x'".to_owned(),
        ),
    ]
}

fn identities() -> Vec<Case> {
    let name = TypedParameter { field: "user-name".to_owned(), value: TypedValue::String("x".to_owned()) };
    let id = TypedParameter { field: "unix-user-id".to_owned(), value: TypedValue::UInt(0) };
    let set = |parameters| Call::ConnectSetIdentity { parameters, flags: 0 };
    let type_words = "invalid argument: invalid type 'uint' for parameter 'unix-user-id', expected 'ullong'";
    vec![
        (set(vec![id]), 8, 0, type_words.to_owned()),
        (
            set(vec![name.clone(), name]),
            8,
            0,
            "invalid argument: parameter 'user-name' occurs multiple times".to_owned(),
        ),
    ]
}
