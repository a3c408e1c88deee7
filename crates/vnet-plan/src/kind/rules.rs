//! nf_tables rules of networks.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use vnet_firewall::Ruleset;
use vnet_types::NetworkName;

use super::{Kind, difference};
use crate::Key;

/// What a flowtable means.
const ACCELERATED: &str = "established connections with the outside skip all rules until vnet changes the network's: \
                           rules that others change meanwhile, counters and marks do not concern them";

/// A network's nf_tables rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkRules {
    /// The network.
    pub network: NetworkName,
    /// The rules, chains and map elements. They are most of a network's state, and copied with it.
    #[serde(with = "whole")]
    pub ruleset: Arc<Ruleset>,
}

/// The rules as they are written where they are not shared.
mod whole {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use vnet_firewall::Ruleset;

    pub(super) fn serialize<S: Serializer>(ruleset: &Arc<Ruleset>, to: S) -> Result<S::Ok, S::Error> {
        (**ruleset).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<Ruleset>, D::Error> {
        Ruleset::deserialize(from).map(Arc::new)
    }
}

impl Kind for NetworkRules {
    fn key(&self) -> Key {
        Key::Ruleset(self.network.clone())
    }

    fn added(&self) -> String {
        let text = self.ruleset.to_string().replace('\t', "    ");
        let lines = text.lines().filter(|line| !line.is_empty()).map(|line| format!("\n    {line}"));
        format!("nft -f -{}", lines.collect::<String>())
    }

    fn deleted(&self) -> String {
        format!("nft rules of network {}", self.network)
    }

    fn changed(&self, to: &Self) -> String {
        let lines = difference(&self.ruleset.to_string(), &to.ruleset.to_string());
        format!("~ nft rules of network {}{lines}", to.network)
    }

    fn effect_of_create(&self) -> Option<&'static str> {
        self.ruleset.flowtable.as_ref().map(|_| ACCELERATED)
    }

    fn effect_of_delete(&self) -> Option<&'static str> {
        Some("traffic is no longer filtered or translated")
    }

    fn effect_of_change(&self, to: &Self) -> Option<&'static str> {
        match (&self.ruleset.flowtable, &to.ruleset.flowtable) {
            (None, Some(_)) => return Some(ACCELERATED),
            (Some(_), _) => return Some("rules change in one step; what skips them is asked anew"),
            (None, None) => {}
        }
        if to.ruleset.limits_guests() {
            return Some("rules change in one step; what guests have begun is asked anew");
        }
        Some("rules change in one step; connections that run go on")
    }
}
