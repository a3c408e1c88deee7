//! Every switch that is set to no: libvirt prints it, except for a few that it omits.
#![allow(clippy::unwrap_used, reason = "a test")]

use proptest::prelude::*;
use vnet_xml::Definition;

/// Documents with every switch that libvirt prints, in its own form and order.
const DOCUMENTS: &[&str] = &[
    "<network trustGuestRxFilters='no'>
  <name>n</name>
  <forward mode='nat'>
    <nat ipv6='no'/>
  </forward>
  <bridge stp='off' delay='0'/>
  <domain name='d' localOnly='no' register='no'/>
  <dns enable='no' forwardPlainNames='no'/>
  <port isolated='no'/>
  <ip address='10.0.0.1' prefix='24' localPtr='no'>
  </ip>
  <portgroup name='a' trustGuestRxFilters='no'>
  </portgroup>
</network>
",
    "<interface type='user' trustGuestRxFilters='no'>
  <mac address='52:54:00:00:00:01' check='no'/>
  <port isolated='no'/>
  <portForward proto='tcp'>
    <range start='2' exclude='no'/>
  </portForward>
  <target dev='x' managed='no'/>
  <model type='virtio'/>
  <driver ioeventfd='off' event_idx='off' rss='off' rss_hash_report='off' iommu='off' ats='off' packed='off' page_per_vq='off'>
    <host csum='off' gso='off' tso4='off' tso6='off' ecn='off' ufo='off' mrg_rxbuf='off'/>
    <guest csum='off' tso4='off' tso6='off' ecn='off' ufo='off'/>
  </driver>
  <rom enabled='yes' bar='off'/>
  <address type='pci' domain='0x0000' bus='0x00' slot='0x03' function='0x0' multifunction='off'/>
</interface>
",
    "<interface type='vhostuser'>
  <source type='unix' path='/s' mode='client'>
    <reconnect enabled='no'/>
  </source>
  <rom enabled='no'/>
</interface>
",
    "<networkport>
  <uuid>5d744f21-ba4a-4d6e-bdb2-30a35ff3207d</uuid>
  <owner>
    <name>vm</name>
    <uuid>d54df46f-1ab5-4a22-8618-4560ef5fac2c</uuid>
  </owner>
  <mac address='52:54:00:7b:35:93'/>
  <port isolated='no'/>
  <rxfilters trustGuest='no'/>
  <plug type='hostdev-pci' managed='no'>
    <address domain='0x0001' bus='0x02' slot='0x03' function='0x4'/>
  </plug>
</networkport>
",
];

proptest! {
    /// Each switch is absent, on or off; what is written is printed.
    #[test]
    fn what_is_said_is_kept(choices in prop::collection::vec(0u8..4, 32)) {
        for document in DOCUMENTS {
            let mut text = (*document).to_owned();
            let switches = document.match_indices(['=']).filter_map(|(at, _)| {
                let start = document[..at].rfind(' ')?;
                let value = ["='no'", "='off'"].into_iter().find(|value| document[at..].starts_with(value))?;
                Some((&document[start..at], value))
            });
            for ((name, value), choice) in switches.zip(choices.iter().cycle()) {
                let other = if value == "='no'" { "='yes'" } else { "='on'" };
                // `<reconnect>` needs a timeout, and a disabled ROM has no other setting.
                let fixed = name == " enabled" || name == " stp";
                match choice {
                    0 if !fixed => text = text.replacen(&format!("{name}{value}"), &format!("{name}{other}"), 1),
                    _ => {}
                }
            }
            let parsed = Definition::parse(text.as_bytes());
            prop_assert_eq!(&parsed.problems, &[]);
            prop_assert_eq!(parsed.value.unwrap().to_string(), text);
        }
    }
}
