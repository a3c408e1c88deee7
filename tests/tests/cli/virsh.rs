//! virsh's commands under their own names.

use rstest::rstest;

use crate::{shown, text, vnet_with};

/// The commands for networks and interfaces of `virsh help` of libvirt 11.3, each with words as
/// people type them, for a network that does not exist.
#[rstest]
#[case(&["net-autostart", "nope", "--disable"])]
#[case(&["net-create", "/nope.xml"])]
#[case(&["net-define", "/nope.xml"])]
#[case(&["net-destroy", "nope"])]
#[case(&["net-dhcp-leases", "nope"])]
#[case(&["net-dumpxml", "nope", "--inactive"])]
#[case(&["net-edit", "nope"])]
#[case(&["net-event", "--list"])]
#[case(&["net-info", "nope"])]
#[case(&["net-list", "--all"])]
#[case(&["net-name", "nope"])]
#[case(&["net-port-create", "nope", "port.xml"])]
#[case(&["net-port-delete", "nope", "vnet0"])]
#[case(&["net-port-dumpxml", "--network", "nope", "--port", "vnet0"])]
#[case(&["net-port-list", "nope"])]
#[case(&["net-start", "nope"])]
#[case(&["net-start", "--network", "nope"])]
#[case(&["net-create", "--file", "/nope.xml"])]
#[case(&["net-create", "/nope.xml", "--validate"])]
#[case(&["net-define", "/nope.xml", "--validate"])]
#[case(&["net-desc", "nope", "--title", "--live", "a", "title"])]
#[case(&["net-desc", "--network", "nope", "--new-desc", "a", "text"])]
#[case(&["net-destroy", "--network", "nope"])]
#[case(&["net-dumpxml", "nope", "--xpath", "//ip", "--wrap"])]
#[case(&["net-list", "--all", "--persistent", "--transient", "--autostart", "--no-autostart", "--table", "--title"])]
#[case(&["net-metadata", "nope", "--uri", "urn:a", "--key", "a", "--set", "<a/>", "--config"])]
#[case(&["net-metadata", "nope", "urn:a", "--remove"])]
#[case(&["net-port-list", "--network", "nope", "--uuid"])]
#[case(&["net-undefine", "nope"])]
#[case(&["net-update", "nope", "add", "dns-txt", "<txt name='a' value='b'/>", "--live"])]
#[case(&["net-uuid", "nope"])]
#[case(&["attach-interface", "web", "network", "nope", "--model", "virtio", "--mac", "52:54:00:00:00:01", "--live"])]
#[case(&["attach-interface", "--domain", "web", "--type", "bridge", "--source", "br0", "--config"])]
#[case(&["detach-interface", "web", "network", "--mac", "52:54:00:00:00:01"])]
fn every_command_of_virsh_is_understood(#[case] words: &[&str]) {
    vnet_tests::isolate!();
    let output = vnet_with(words, b"");
    let stderr = text(&output.stderr);
    assert!(
        !stderr.contains("unrecognized subcommand") && !stderr.contains("unexpected argument"),
        "{}",
        shown(&output)
    );
    assert!(output.status.success() || stderr.starts_with("error"), "one line says why not: {}", shown(&output));
}

#[test]
fn attach_interface_prints_what_virsh_prints() {
    let words = ["attach-interface", "web", "direct", "eth0", "--source-mode", "bridge", "--mac", "52:54:00:00:00:01"];
    let more = ["--model", "virtio", "--target", "web0", "--inbound", "100,200", "--print-xml"];
    let output = vnet_with(&[&words[..], &more[..]].concat(), b"");
    let expected = "<interface type='direct'>
  <mac address='52:54:00:00:00:01'/>
  <source dev='eth0' mode='bridge'/>
  <bandwidth>
    <inbound average='100' peak='200'/>
  </bandwidth>
  <target dev='web0'/>
  <model type='virtio'/>
</interface>
";
    assert_eq!(text(&output.stdout), expected, "{}", shown(&output));
    let config = vnet_with(&["attach-interface", "web", "network", "lab", "--config"], b"");
    assert!(text(&config.stderr).contains("vnet keeps no definitions of guests"), "{}", shown(&config));
}

#[test]
fn a_port_comes_and_goes_by_the_words_of_virsh() {
    vnet_tests::isolate!();
    let network = "<network><name>lab</name><bridge name='lab0'/><ip address='10.9.0.1' prefix='24'/></network>";
    let done = |words: &[&str], stdin: &str| {
        let output = vnet_with(words, stdin.as_bytes());
        assert!(output.status.success(), "{words:?}: {}", shown(&output));
        text(&output.stdout)
    };
    done(&["net-create", "-"], network);
    let attached = done(&["attach-interface", "web", "network", "lab", "--mac", "52:54:00:00:00:01"], "");
    assert!(attached.contains("QEMU: -netdev tap,id=net0,ifname=vnet0"), "{attached}");
    let port = done(&["net-port-dumpxml", "lab", "vnet0"], "");
    let uuid = port.split("<uuid>").nth(1).unwrap().split('<').next().unwrap();
    assert_eq!(done(&["net-port-dumpxml", "lab", uuid], ""), port);
    assert_eq!(done(&["net-port-list", "--network", "lab", "--uuid"], ""), format!("{uuid}\n"));
    done(&["net-port-delete", "lab", uuid], "");
    done(&["attach-interface", "web", "network", "lab"], "");
    done(&["detach-interface", "web", "network"], "");
    assert!(!done(&["net-port-list", "lab"], "").contains("vnet"));
    done(&["net-destroy", "lab"], "");
}
