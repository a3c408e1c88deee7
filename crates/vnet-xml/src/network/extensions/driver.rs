//! `<vnet:driver>`: how the host forwards for guests of the network.

use std::fmt;

use crate::element::{Element, Scope};
use crate::grammar::Grammar;
use crate::value::on_off;
use crate::write::Writer;

pub(super) const NAME: &str = "vnet:driver";
const FLOWTABLE: &str = "flowtable";

pub(super) static GRAMMAR: Grammar = Grammar::new(&[FLOWTABLE], &[]);

/// Reads the element in `<vnet:network>`.
pub(super) fn read(network: &Element<'_>, scope: &Scope) -> Option<bool> {
    let element = network.only_child_in(scope, NAME)?;
    element.expect_in(scope, &GRAMMAR);
    element.required(FLOWTABLE, on_off)
}

pub(super) fn write(flowtable: bool, writer: &mut Writer<'_>) -> fmt::Result {
    writer.tag(NAME)?.on_off(FLOWTABLE, Some(flowtable))?.empty()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use rstest::rstest;

    use super::super::parsed;
    use crate::Network;

    #[rstest]
    #[case("on", true)]
    #[case("off", false)]
    fn it_is_kept(#[case] word: &str, #[case] on: bool) {
        let network = parsed(&format!("<v:driver flowtable='{word}'/>")).value.unwrap();
        assert_eq!(network.extensions.flowtable, Some(on));
        let printed = network.to_string();
        assert!(printed.contains(&format!("<vnet:driver flowtable=\"{word}\"/>")), "{printed}");
        assert_eq!(printed.parse::<Network>().unwrap().extensions, network.extensions);
    }

    #[rstest]
    #[case("<v:driver/>", "VN0031")]
    #[case("<v:driver flowtable='yes'/>", "VN0030")]
    #[case("<v:driver flowtable='on'/><v:driver flowtable='on'/>", "VN0033")]
    #[case("<v:driver flowtable='on' queues='2'/>", "VN0022")]
    fn what_is_wrong_has_a_code(#[case] inner: &str, #[case] code: &str) {
        let parsed = parsed(inner);
        assert_eq!(parsed.problems.iter().map(|it| it.code.to_string()).collect::<Vec<_>>(), [code]);
        assert!(parsed.into_result().is_err());
    }
}
