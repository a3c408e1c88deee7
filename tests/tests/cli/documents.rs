//! `vnet fmt` and `vnet update`: what they print.

use std::fs;

use crate::{DEFAULT, json, scratch, shown, text, vnet_with};

#[test]
fn fmt_prints_what_fmt_accepts() {
    let printed = vnet_with(&["fmt", "-"], DEFAULT.as_bytes());
    let again = vnet_with(&["fmt", "--check", "-"], &printed.stdout);
    assert!(again.status.success() && again.stdout.is_empty(), "{}", shown(&again));
}

#[test]
fn fmt_recognises_what_it_is_given_and_prints_both_forms() {
    let live = "<network connections='2'>\n  <name>n</name>\n  <forward mode='hostdev' managed='no'>\n    \
        <pf dev='eth0'/>\n    <address type='pci' domain='0x0000' bus='0x03' slot='0x00' function='0x1'/>\n  \
        </forward>\n</network>\n";
    assert_eq!(text(&vnet_with(&["fmt", "-"], live.as_bytes()).stdout), live);
    let inactive = text(&vnet_with(&["fmt", "--inactive", "-"], live.as_bytes()).stdout);
    assert_eq!(
        inactive,
        "<network>\n  <name>n</name>\n  <forward mode='hostdev' managed='no'>\n    <pf dev='eth0'/>\n  \
         </forward>\n</network>\n"
    );
    let port = vnet_with(&["fmt", "-"], b"<networkport><mac address='52:54:00:00:00:01'/></networkport>");
    assert!(text(&port.stderr).contains("`<networkport>` lacks `<uuid>`"), "{}", shown(&port));
    // What libvirt's parser refuses is refused; what it refuses later is printed.
    let open = b"<network><name>n</name><forward mode='open' dev='eth0'/></network>";
    assert_eq!(vnet_with(&["fmt", "-"], open).status.code(), Some(1));
}

#[test]
fn update_prints_the_network_or_says_where_it_is_refused() {
    let folder = scratch("update");
    let element = folder.join("element.xml");
    let update = |xml: &str, args: &[&str]| {
        fs::write(&element, xml).unwrap();
        let args = [&["update", "-", "--xml", element.to_str().unwrap()], args].concat();
        vnet_with(&args, DEFAULT.as_bytes())
    };
    let added = update("<host name='a' ip='192.168.122.9'/>", &["--section", "ip-dhcp-host", "--command", "add"]);
    assert!(text(&added.stdout).contains("      <host name='a' ip='192.168.122.9'/>\n"), "{}", shown(&added));
    let cases = [
        ("<host name='a' ip='192.168.123.9'/>", "ip-dhcp-host", "add-last", "VN0238", "192.168.123.9"),
        (
            "<range start='192.168.122.2' end='192.168.122.254'/>",
            "ip-dhcp-range",
            "add-last",
            "VN0040",
            "192.168.122.2",
        ),
        ("<range start='192.168.122.9' end='192.168.122.7'/>", "ip-dhcp-range", "add-last", "VN0224", "192.168.122.9"),
        ("<mtu size='9'/>", "mtu", "add-first", "VN0106", "9"),
        ("<mtu sise='9000'/>", "mtu", "delete", "VN0040", "<mtu sise='9000'/>"),
    ];
    for (xml, section, command, code, at) in cases {
        let refused = update(xml, &["--section", section, "--command", command, "--format", "json"]);
        assert_eq!(refused.status.code(), Some(1), "{xml}: {}", shown(&refused));
        let found = json(&refused);
        let errors = found["diagnostics"].as_array().unwrap().iter().filter(|it| it["severity"] == "error");
        let error = errors.into_iter().next().expect("an error");
        let bytes = |end: usize| usize::try_from(error["bytes"][end].as_u64().unwrap()).unwrap();
        assert_eq!((&error["code"], &xml[bytes(0)..bytes(1)]), (&code.into(), at), "{error}");
        assert!(found["xml"].is_null());
    }
    let both = vnet_with(&["update", "-", "--section", "mtu", "--command", "add", "--xml", "-"], b"");
    assert_eq!(both.status.code(), Some(2), "{}", shown(&both));
    fs::remove_dir_all(folder).unwrap();
}
