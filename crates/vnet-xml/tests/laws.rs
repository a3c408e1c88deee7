//! Properties of every definition.
#![cfg(feature = "proptest")]
#![allow(clippy::unwrap_used, reason = "a test")]

use proptest::prelude::*;
use vnet_xml::{Definition, Domain, Interface, Network, NetworkPort, strategy};

/// The possible content of an element.
fn content() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "<d/>",
        " ",
        "\n  ",
        "x",
        "&#32;",
        "&amp;",
        "<!-- c -->",
        "<![CDATA[ ]]>",
        "<?p q?>",
        "<e f='&#10;é'/>",
    ]);
    let leaf = prop::collection::vec(part, 0..5).prop_map(|parts| parts.concat());
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop::collection::vec(prop_oneof![inner.clone(), inner.prop_map(|inner| format!("<c>{inner}</c>"))], 0..4)
            .prop_map(|parts| parts.concat())
    })
}

proptest! {
    #[test]
    fn metadata_reads_back(content in content()) {
        let text = format!("<network><name>n</name><metadata><x:a xmlns:x='u'>{content}</x:a></metadata></network>");
        let network: Network = text.parse().unwrap();
        let printed = network.to_string();
        prop_assert_eq!(printed.parse::<Network>().unwrap().to_string(), printed);
    }

    #[test]
    fn networks_read_back(network in strategy::network()) {
        let parsed = Network::parse(network.to_string().as_bytes());
        prop_assert_eq!(&parsed.problems, &[]);
        prop_assert_eq!(parsed.value.as_ref(), Some(&network));
        let inactive = network.inactive().to_string();
        prop_assert_eq!(inactive.parse::<Network>().unwrap().inactive().to_string(), inactive);
    }

    #[test]
    fn interfaces_read_back(interface in strategy::interface()) {
        let parsed = Interface::parse(interface.to_string().as_bytes());
        prop_assert_eq!(&parsed.problems, &[]);
        prop_assert_eq!(parsed.value.as_ref(), Some(&interface));
        let inactive = interface.inactive().to_string();
        prop_assert_eq!(inactive.parse::<Interface>().unwrap().inactive().to_string(), inactive);
    }

    #[test]
    fn bytes_never_panic(bytes in any::<Vec<u8>>()) {
        Definition::parse(&bytes);
        NetworkPort::parse(&bytes);
        Domain::parse(&bytes);
    }

    #[test]
    fn mutations_never_panic_and_have_places(
        text in prop_oneof![
            strategy::network().prop_map(|network| network.to_string()),
            strategy::interface().prop_map(|interface| interface.to_string()),
        ],
        at in any::<prop::sample::Index>(),
        with in prop_oneof![Just(""), Just("<"), Just("'"), Just("&"), Just("\0"), Just("<x>"), Just("é"), Just("]]>")],
        len in 0usize..4,
    ) {
        let mut text: Vec<char> = text.chars().collect();
        let start = at.index(text.len());
        let end = (start + len).min(text.len());
        text.splice(start..end, with.chars());
        let text: String = text.into_iter().collect();
        for problem in Definition::parse(text.as_bytes()).problems {
            prop_assert!(text.get(problem.span.clone()).is_some(), "{:?}", problem);
        }
    }
}
