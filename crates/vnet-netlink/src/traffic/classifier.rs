//! Filters of everybody, as far as it matters whether they take packets away.

use vnet_types::{InterfaceName, TrafficHandle};

use super::{Header, TCA_KIND, TCA_OPTIONS};
use crate::message::{Message, attribute, attributes, text};
use crate::{Error, Intent, Netlink, Operation, Refused};

const RTM_GETTFILTER: u16 = 46;
const TCA_ACT_KIND: u16 = 1;
const TCA_ACT_OPTIONS: u16 = 2;
const TCA_GACT_PARMS: u16 = 2;
const TC_ACT_SHOT: u8 = 2;

/// A filter of traffic control.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Classifier {
    /// Its kind, such as `u32`, `flower` or `bpf`.
    pub kind: String,
    /// The kinds of its actions.
    pub actions: Vec<String>,
    /// Whether one of the actions drops what matches.
    pub drops: bool,
}

impl Netlink {
    /// Lists the filters at a place of a link. Empty when the link or the place is not there.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn classifiers(&self, link: &InterfaceName, parent: TrafficHandle) -> Result<Vec<Classifier>, Error> {
        let list = || -> Result<Vec<Classifier>, Refused> {
            let header = Header { index: self.index(link)?, parent: parent.number(), ..Header::default() };
            self.ask(header.request(RTM_GETTFILTER), Intent::List, read)
        };
        match list() {
            // EINVAL: the qdisc does not exist.
            Err(refused) if refused.is_not_found() || refused.errno == nix::libc::EINVAL => Ok(Vec::new()),
            mut listed => {
                if let Ok(found) = &mut listed {
                    found.sort();
                    found.dedup();
                }
                listed.map_err(Operation::List.of(format_args!("filters of {link}")))
            }
        }
    }
}

/// A table of hashes, which u32 lists beside its filters, has no action.
fn read(message: Message<'_>) -> Option<Classifier> {
    let (_, all) = Header::read(message)?;
    let kind = attribute(all, TCA_KIND).and_then(text)?;
    let options = attribute(all, TCA_OPTIONS)?;
    let number = match kind {
        "u32" => 7,
        "matchall" => 2,
        "bpf" => 1,
        "fw" => 4,
        _ => 3,
    };
    let mut actions = Vec::new();
    let mut drops = false;
    for (_, action) in attribute(options, number).into_iter().flat_map(attributes) {
        let Some(name) = attribute(action, TCA_ACT_KIND).and_then(text) else { continue };
        let parameters = attribute(action, TCA_ACT_OPTIONS).and_then(|options| attribute(options, TCA_GACT_PARMS));
        // The index, the capabilities, and what happens.
        drops |= name == "gact" && parameters.and_then(|it| it.get(8)) == Some(&TC_ACT_SHOT);
        actions.push(name.to_owned());
    }
    Some(Classifier { kind: kind.to_owned(), actions, drops })
}
