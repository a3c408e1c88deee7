//! Title, description and metadata of a network.

use vnet_driver::{Driver, Error, Impact};
use vnet_rpc::{NetworkRef, Reply};
use vnet_xml::network::{MetadataError, MetadataPart};

use super::known::{find, reference};
use super::only_flags;
use crate::news::{Deed, News};
use crate::refusal::{self, Refusal};

/// The kinds of metadata, by libvirt's numbers.
const DESCRIPTION: i32 = 0;
const TITLE: i32 = 1;
const ELEMENT: i32 = 2;

const LIVE: u32 = 1;
const CONFIG: u32 = 2;
const BOTH: &str =
    "Flags 'VIR_NETWORK_UPDATE_AFFECT_LIVE' and 'VIR_NETWORK_UPDATE_AFFECT_CONFIG' are mutually exclusive";

/// What to set, and to what.
pub(super) struct Wanted {
    pub(super) kind: i32,
    pub(super) text: Option<String>,
    pub(super) key: Option<String>,
    pub(super) uri: Option<String>,
}

pub(super) fn get(
    driver: &Driver,
    network: &NetworkRef,
    kind: i32,
    uri: Option<String>,
    flags: u32,
) -> Result<Reply, Refusal> {
    let part = part(kind, uri, "virNetworkGetMetadata")?;
    only_flags(flags, LIVE | CONFIG, "networkGetMetadata")?;
    let known = find(driver, network)?;
    if flags == LIVE | CONFIG {
        return Err(refusal::argument(BOTH, "networkGetMetadata", "flags"));
    }
    let text = driver.metadata(&known.name, &part, impact(flags)).map_err(|error| in_words(error, ""))?;
    Ok(Reply::Text { text })
}

pub(super) fn set(
    driver: &Driver,
    news: &News,
    network: &NetworkRef,
    wanted: Wanted,
    flags: u32,
) -> Result<Reply, Refusal> {
    const FUNCTION: &str = "virNetworkSetMetadata";
    let Wanted { kind, text, key, uri } = wanted;
    match kind {
        DESCRIPTION | TITLE if key.is_some() => {
            return Err(refusal::argument("key in virNetworkSetMetadata must be NULL", FUNCTION, "key"));
        }
        ELEMENT if key.is_none() && text.is_some() => {
            return Err(refusal::argument("key in virNetworkSetMetadata must not be NULL", FUNCTION, "key"));
        }
        _ => {}
    }
    let part = part(kind, uri.clone(), FUNCTION)?;
    only_flags(flags, LIVE | CONFIG, "networkSetMetadata")?;
    news.change(|| {
        let known = find(driver, network)?;
        let set = driver.set_metadata(&known.name, &part, text.as_deref(), key.as_deref(), impact(flags));
        set.map_err(|error| in_words(error, text.as_deref().unwrap_or_default()))?;
        Ok((Reply::Nothing {}, Deed::Metadata(reference(&known), kind, uri)))
    })
}

/// The part that a call means.
fn part(kind: i32, uri: Option<String>, function: &str) -> Result<MetadataPart, Refusal> {
    match (kind, uri) {
        (DESCRIPTION, None) => Ok(MetadataPart::Description),
        (TITLE, None) => Ok(MetadataPart::Title),
        (ELEMENT, Some(uri)) => Ok(MetadataPart::Element(uri)),
        (DESCRIPTION | TITLE, Some(_)) => {
            Err(refusal::argument(&format!("uri in {function} must be NULL"), function, "uri"))
        }
        (ELEMENT, None) => Err(refusal::argument(&format!("uri in {function} must not be NULL"), function, "uri")),
        _ => Err(refusal::network(vnet_rpc::ErrorCode::InvalidArg, "unknown metadata type")),
    }
}

fn impact(flags: u32) -> Impact {
    Impact { live: flags & LIVE != 0, config: flags & CONFIG != 0 }
}

/// libvirt's number for a part, and the namespace of an element.
pub(crate) fn number(part: &MetadataPart) -> (i32, Option<String>) {
    match part {
        MetadataPart::Description => (DESCRIPTION, None),
        MetadataPart::Title => (TITLE, None),
        MetadataPart::Element(uri) => (ELEMENT, Some(uri.clone())),
    }
}

fn in_words(error: Error, text: &str) -> Refusal {
    match &error {
        Error::NoMetadata { .. } => {
            refusal::network(vnet_rpc::ErrorCode::NoNetworkMetadata, "Requested metadata element is not present")
        }
        Error::NotRunning(_) => refusal::invalid("network is not running"),
        Error::Metadata(MetadataError::Element(refused)) => refusal::document(text, refused),
        Error::Metadata(MetadataError::TitleOfLines) => {
            refusal::argument("metadata title can't contain newlines", "virNetworkSetMetadata", "metadata")
        }
        Error::Metadata(_) => refusal::network(vnet_rpc::ErrorCode::InvalidArg, error.to_string()),
        _ => refusal::other(error),
    }
}
