//! Comments stay where they stand when a definition is printed.
#![allow(clippy::unwrap_used, reason = "a test")]

use vnet_xml::network::{Command, Section};
use vnet_xml::{Definition, Network, Style};

fn printed(text: &str) -> String {
    Definition::parse(text.as_bytes()).value.unwrap().print_into(text.as_bytes(), Style::default()).unwrap()
}

#[test]
fn canonical_text_with_comments_is_unchanged() {
    let text = "<!-- the lab -->
<network>
  <name>lab</name> <!-- short -->
  <!-- the way out -->
  <!-- is eth0 -->
  <forward dev='eth0' mode='nat'>
    <interface dev='eth0'/>
    <!-- no other -->
  </forward>
  <bridge stp='on' delay='0'/>
  <ip address='10.0.0.1' prefix='24'>
    <dhcp>
      <range start='10.0.0.10' end='10.0.0.99'/>
      <!-- the printer,
           by the door

        and the scanner
      -->
      <host mac='52:54:00:00:00:01' ip='10.0.0.2'/> <!-- Room 1 --> <!-- Mrs. B. -->
      <host mac='52:54:00:00:00:02' ip='10.0.0.3'/>
    </dhcp> <!-- of dhcp -->
  </ip>
  <!-- the end -->
</network>
<!-- as of May -->
";
    assert_eq!(printed(text), text);
}

#[test]
fn comments_of_what_is_not_printed_are_kept_around_it() {
    let text = "<network><!-- a --><name>l<!-- b -->ab</name><nonsense><!-- c --><x/></nonsense><!-- d -->\
                <forward mode='none'><!-- e --></forward><dns><!-- f --></dns><bridge name='lab0'><!-- g --></bridge>\
                <!-- h --><!-- i --></network><!-- j -->";
    let expected = "<network>
  <!-- a -->
  <!-- b -->
  <name>lab</name>
  <!-- g -->
  <bridge name='lab0' stp='on' delay='0'/>
  <!-- c -->
  <!-- d -->
  <!-- e -->
  <!-- f -->
  <!-- h -->
  <!-- i -->
</network>
<!-- j -->
";
    assert_eq!(printed(text), expected);
    assert_eq!(printed(expected), expected);
}

#[test]
fn metadata_keeps_its_own() {
    let text = "<network>
  <name>lab</name>
  <metadata>
    <a:b xmlns:a=\"urn:a\">
      <!-- inside -->
      <c/>
    </a:b>
    <!-- beside -->
  </metadata>
  <bridge stp='on' delay='0'/>
</network>
";
    assert_eq!(printed(text), text);
}

#[test]
fn interfaces_of_a_domain_keep_theirs() {
    let text = "<domain>
\t<devices> <!-- of web -->
\t\t<!-- the first -->
\t\t<interface type='user'> <!-- behind -->
\t\t\t<!-- two
\t\t\t     lines -->
\t\t\t<link state='up'/></interface><!-- done -->
\t</devices>
</domain>
";
    let expected = "<domain>
\t<devices> <!-- of web -->
\t\t<!-- the first -->
\t\t<interface type='user'>
\t\t  <!-- behind -->
\t\t  <!-- two
\t\t       lines -->
\t\t  <link state='up'/>
\t\t</interface><!-- done -->
\t</devices>
</domain>
";
    assert_eq!(printed(text), expected);
    assert_eq!(printed(expected), expected);
}

#[test]
fn an_update_moves_comments_with_their_elements() {
    let network: Network = "<network>
  <name>lab</name>
  <ip address='10.0.0.1' prefix='24'>
    <dhcp>
      <!-- one -->
      <host mac='52:54:00:00:00:01' ip='10.0.0.11'/>
      <!-- two -->
      <host mac='52:54:00:00:00:02' ip='10.0.0.12'/>
      <host mac='52:54:00:00:00:03' ip='10.0.0.13'/> <!-- three -->
    </dhcp>
  </ip>
</network>"
        .parse()
        .unwrap();
    let update = |network: &Network, command, host: &str| {
        network.update(Section::IpDhcpHost, command, None, host.as_bytes()).unwrap()
    };
    let deleted = update(&network, Command::Delete, "<host ip='10.0.0.12'/>");
    assert_eq!(deleted.lost.texts().collect::<Vec<_>>(), ["two"]);
    let added =
        update(&deleted.network, Command::AddFirst, "<!-- new --><host mac='52:54:00:00:00:04' ip='10.0.0.14'/>");
    let modified = update(&added.network, Command::Modify, "<host mac='52:54:00:00:00:01' ip='10.0.0.11' name='one'/>");
    assert!(added.lost.is_empty() && modified.lost.is_empty());
    let dhcp = "    <dhcp>
      <!-- new -->
      <host mac='52:54:00:00:00:04' ip='10.0.0.14'/>
      <!-- one -->
      <host mac='52:54:00:00:00:01' name='one' ip='10.0.0.11'/>
      <host mac='52:54:00:00:00:03' ip='10.0.0.13'/> <!-- three -->
    </dhcp>
";
    let text = modified.network.to_string();
    assert!(text.contains(dhcp), "{text}");
}

#[cfg(feature = "proptest")]
mod properties {
    use proptest::prelude::*;
    use vnet_xml::{Interface, Network, strategy};

    use super::printed;

    const COMMENTS: &[&str] = &["<!--%-->", " <!-- % -->", "<!-- %\n  more\n\n     and more -->\n", "\n\t<!--\r\n%-->"];

    /// The text with comments between its tags, and the comments.
    fn commented(text: &str, places: &[(prop::sample::Index, usize)]) -> (String, usize) {
        // Not in text, and not in metadata, where comments are part of the value.
        let metadata = text.find("<metadata>").zip(text.find("</metadata>")).map_or(0..0, |(start, end)| start..end);
        let is_gap = |at: &usize| {
            let (before, after) = text.split_at(*at);
            before.is_empty()
                || before.ends_with('>') && after.starts_with('\n')
                || before.trim_end_matches([' ', '\n']).ends_with('>') && after.starts_with('<')
        };
        let gaps = (0..=text.len()).filter(|at| text.is_char_boundary(*at) && !metadata.contains(at));
        let gaps: Vec<usize> = gaps.filter(is_gap).collect();
        let mut insertions: Vec<_> = places.iter().map(|(index, form)| (*index.get(&gaps), *form)).collect();
        insertions.sort_unstable();
        let mut commented = text.to_owned();
        for (number, (at, form)) in insertions.iter().enumerate().rev() {
            commented.insert_str(*at, &COMMENTS[*form % COMMENTS.len()].replace('%', &format!("c{number};")));
        }
        (commented, insertions.len())
    }

    proptest! {
        #[test]
        fn no_comment_is_lost(
            text in prop_oneof![
                strategy::network().prop_map(|network: Network| network.to_string()),
                strategy::interface().prop_map(|interface: Interface| interface.to_string()),
            ],
            places in prop::collection::vec((any::<prop::sample::Index>(), 0usize..9), 0..9),
        ) {
            let (commented, count) = commented(&text, &places);
            let again = printed(&commented);
            for number in 0..count {
                let comment = format!("c{number};");
                prop_assert_eq!(again.matches(&comment).count(), 1, "{} in\n{}\nof\n{}", comment, again, commented);
            }
            prop_assert_eq!(printed(&again), again);
            let bare = vnet_xml::Definition::parse(commented.as_bytes());
            prop_assert_eq!(bare.value, vnet_xml::Definition::parse(text.as_bytes()).value);
        }
    }
}
