//! A domain is printed as the document that it was read from, with its interfaces in libvirt's
//! form.
#![allow(clippy::unwrap_used, reason = "a test")]

use vnet_xml::{Definition, Style};

fn printed(document: &[u8]) -> String {
    let definition = Definition::parse(document).into_result().unwrap();
    definition.print_into(document, Style::default()).unwrap()
}

#[test]
fn a_domain_is_printed_into_its_document() {
    let domain = "<?xml version='1.0'?>\n<!-- first -->\n<domain type='kvm'>\n  <name>web</name>\n  <os firmware=\"efi\"/>\n  \
        <devices>\n\t<interface type=\"user\">\n<mtu size='1400'/>\n  <backend type='passt'/></interface>\n    \
        <disk type='file'/><interface type='user'/>\n  </devices>\n</domain>\n<!-- last -->\n";
    let canonical = "<?xml version='1.0'?>\n<!-- first -->\n<domain type='kvm'>\n  <name>web</name>\n  <os firmware=\"efi\"/>\n  \
        <devices>\n\t<interface type='user'>\n\t  <backend type='passt'/>\n\t  <mtu size='1400'/>\n\t</interface>\n    \
        <disk type='file'/><interface type='user'>\n    </interface>\n  </devices>\n</domain>\n<!-- last -->\n";
    assert_eq!(printed(domain.as_bytes()), canonical);
    assert_eq!(printed(canonical.as_bytes()), canonical);
    // A document that is no longer in the encoding that it names gets UTF-8 as its encoding.
    let latin: &[u8] = b"<?xml version='1.0' encoding='ISO-8859-1'?><domain><name>\xe9</name></domain>";
    assert_eq!(printed(latin), "<?xml version='1.0' encoding='UTF-8'?><domain><name>é</name></domain>");
}
