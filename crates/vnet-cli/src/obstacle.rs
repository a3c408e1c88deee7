//! Rules of others that are in a network's way: told, never touched.

use std::fs;

use serde::Serialize;
use vnet_firewall::{Judgement, Site};
use vnet_plan::{HostState, promises};
use vnet_types::Inventory;

use crate::failure::is_for_root;
use crate::host::Here;
use crate::output::plain;

/// Something that a network promises and somebody else's firewall refuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Obstacle {
    /// What is promised.
    promise: String,
    /// Is it sure? Otherwise it hangs on something that cannot be known beforehand.
    sure: bool,
    /// Where it is refused. `None`: by rules that cannot be read, of iptables' old kind or for lack of privilege.
    #[serde(flatten)]
    site: Option<Site>,
}

impl Obstacle {
    /// What is in the way of a state, on this host. firewalld's rules say nothing of a bridge that is still to be put into
    /// one of its zones.
    pub(crate) fn find(here: &Here, desired: &HostState, inventory: &Inventory) -> anyhow::Result<Vec<Self>> {
        let promises = promises(desired, inventory);
        if promises.is_empty() {
            return Ok(Vec::new());
        }
        let unread = Self { promise: "what the network promises".to_owned(), sure: false, site: None };
        let judged = match here.judge(promises.iter().map(|promise| &promise.packet)) {
            Err(error) if is_for_root(&error) => return Ok(vec![unread]),
            judged => judged?,
        };
        let is_to_be_put = here.is_to_be_put(desired)?;
        let mut obstacles: Vec<Self> = Vec::new();
        for (promise, judgement) in promises.iter().zip(judged) {
            let (sure, site) = match judgement {
                Judgement::Passes => continue,
                Judgement::Refused(site) => (true, site),
                Judgement::Unsure(site) => (false, site),
            };
            if !(is_to_be_put && is_of_firewalld(&site)) {
                obstacles.push(Self { promise: promise.what.clone(), sure, site: Some(site) });
            }
        }
        // The old kind of iptables has tables of its own in the kernel.
        let tables = ["/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"].map(fs::read_to_string);
        if tables.iter().flatten().any(|names| names.lines().any(|name| name == "filter")) {
            obstacles.push(unread);
        }
        Ok(obstacles)
    }

    /// For people.
    pub(crate) fn human(obstacles: &[Self]) -> String {
        let (bold, yellow, reset) = ("\x1b[1m", "\x1b[1;33m", "\x1b[0m");
        let line = |obstacle: &Self| {
            let promise = &obstacle.promise;
            let (word, text) = match (&obstacle.site, obstacle.sure) {
                (Some(site), true) => ("warning", format!("{promise}, but the {site} refuses it")),
                (Some(site), false) => ("note", format!("{promise}, but the {site} may refuse it")),
                (None, _) => (
                    "note",
                    format!(
                        "{promise} may be refused by rules that vnet cannot read: those of iptables-legacy, or any where it is not root"
                    ),
                ),
            };
            format!("{yellow}{word}{reset}{bold}: {}{reset}\n", plain(&text))
        };
        let mut text: String = obstacles.iter().map(line).collect();
        if !obstacles.is_empty() {
            text.push_str("  vnet leaves the rules of others alone: allow it where they are made\n");
        }
        text
    }
}

fn is_of_firewalld(site: &Site) -> bool {
    site.table.ends_with(" firewalld")
}
