//! `vnet fmt` and `vnet update`: what they print.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::{DEFAULT, json, scratch, shown, text, vnet_with};

#[test]
fn fmt_prints_what_fmt_accepts() {
    let printed = vnet_with(&["fmt", "-"], DEFAULT.as_bytes());
    let again = vnet_with(&["fmt", "--check", "-"], &printed.stdout);
    assert!(again.status.success() && again.stdout.is_empty(), "{}", shown(&again));
}

/// Files are rewritten at once, with their mode, and only where nothing is lost.
#[test]
fn fmt_rewrites_what_is_not_in_its_form() {
    let folder = scratch("write");
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        path
    };
    let unformatted = "<network><name>a</name></network>";
    let [a, commented, unknown] = [
        file("a.xml", unformatted),
        file("b.xml", "<network><name>b</name>\n<!-- why --> </network>"),
        file("c.xml", "<network><name>c</name><ipp/></network>"),
    ];
    symlink("a.xml", folder.join("d.xml")).unwrap();
    let given = folder.to_str().unwrap();
    let check = vnet_with(&["fmt", "--check", given], b"");
    assert_eq!((check.status.code(), text(&check.stdout).lines().count()), (Some(1), 3), "{}", shown(&check));
    let kept = [&commented, &unknown].map(|path| fs::read(path).unwrap());
    let output = vnet_with(&["fmt", "--write", given], b"");
    assert!(text(&output.stdout).starts_with(&format!("{}\n", a.display())), "{}", shown(&output));
    assert!(text(&output.stderr).contains("c.xml` stays as it is"), "{}", shown(&output));
    let formatted = "<network>\n  <name>a</name>\n  <bridge stp='on' delay='0'/>\n</network>\n";
    assert_eq!(fs::read_to_string(&a).unwrap(), formatted);
    assert_eq!(fs::metadata(&a).unwrap().permissions().mode() & 0o7777, 0o640);
    assert!(fs::symlink_metadata(folder.join("d.xml")).unwrap().is_symlink());
    assert_eq!(fs::read(&unknown).unwrap(), kept[1], "what is not known is not lost");
    let comments = fs::read_to_string(&commented).unwrap();
    assert!(comments.contains("<!-- why -->"), "a comment is not lost: {comments}");
    let names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 4, "nothing else is left in the folder: {names:?}");
    assert_eq!(vnet_with(&["fmt", "--write", "-"], unformatted.as_bytes()).status.code(), Some(2));
    fs::remove_dir_all(folder).unwrap();
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
