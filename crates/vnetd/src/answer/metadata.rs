//! Title, description and metadata of a network.

use vnet_driver::{Driver, Error, Impact, NetworkIdentity};
use vnet_rpc::{ErrorCode, ErrorDomain, NetworkRef, Reply};
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
    const FUNCTION: &str = "virNetworkGetMetadata";
    if flags & (LIVE | CONFIG) == LIVE | CONFIG {
        return Err(refusal::argument(BOTH, FUNCTION, "ctl"));
    }
    check_uri(kind, uri.as_deref(), FUNCTION)?;
    let known = find(driver, network)?;
    only_flags(flags, LIVE | CONFIG, "virNetworkObjGetMetadata")?;
    let Some(part) = part(kind, uri)? else {
        check_state(&known, flags)?;
        return Err(absent());
    };
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
    if kind == TITLE && text.as_ref().is_some_and(|text| text.contains('\n')) {
        return Err(refusal::argument("metadata title can't contain newlines", FUNCTION, "metadata"));
    }
    check_uri(kind, uri.as_deref(), FUNCTION)?;
    match kind {
        DESCRIPTION | TITLE if key.is_some() => {
            return Err(refusal::argument("key in virNetworkSetMetadata must be NULL", FUNCTION, "key"));
        }
        ELEMENT if key.is_none() && text.is_some() => {
            return Err(refusal::argument("key in virNetworkSetMetadata must not be NULL", FUNCTION, "key"));
        }
        _ => {}
    }
    only_flags(flags, LIVE | CONFIG, "networkSetMetadata")?;
    news.change(|| {
        let known = find(driver, network)?;
        let Some(part) = part(kind, uri.clone())? else {
            check_state(&known, flags)?;
            return Ok((Reply::Nothing {}, Deed::Metadata(reference(&known), kind, uri)));
        };
        if let Some(text) = text.as_ref().filter(|_| kind == ELEMENT) {
            refusal::readable(text)?;
        }
        if let Some(error) = text.as_ref().filter(|_| kind == ELEMENT).and_then(|text| refusal::not_well_formed(text)) {
            return Err(error);
        }
        let set = driver.set_metadata(&known.name, &part, text.as_deref(), key.as_deref(), impact(flags));
        set.map_err(|error| in_words(error, text.as_deref().unwrap_or_default()))?;
        Ok((Reply::Nothing {}, Deed::Metadata(reference(&known), kind, uri)))
    })
}

/// Refuses a namespace where the kind has none, and a kind without its namespace.
fn check_uri(kind: i32, uri: Option<&str>, function: &str) -> Result<(), Refusal> {
    let wrong = match (kind, uri) {
        (DESCRIPTION | TITLE, Some(_)) => "must be NULL",
        (ELEMENT, None) => "must not be NULL",
        _ => return Ok(()),
    };
    Err(refusal::argument(&format!("uri in {function} {wrong}"), function, "uri"))
}

/// The part that a call means. libvirt takes a negative kind, and has nothing of that kind.
fn part(kind: i32, uri: Option<String>) -> Result<Option<MetadataPart>, Refusal> {
    match (kind, uri) {
        (DESCRIPTION, _) => Ok(Some(MetadataPart::Description)),
        (TITLE, _) => Ok(Some(MetadataPart::Title)),
        (ELEMENT, Some(uri)) => Ok(Some(MetadataPart::Element(uri))),
        (i32::MIN..0, _) => Ok(None),
        _ => Err(refusal::network(ErrorCode::InvalidArg, format!("unknown metadata type '{kind}'"))),
    }
}

/// Refuses flags for a definition that the network does not have.
fn check_state(known: &NetworkIdentity, flags: u32) -> Result<(), Refusal> {
    if flags & LIVE != 0 && !known.is_active {
        return Err(refusal::invalid("network is not running"));
    }
    if flags & CONFIG != 0 && !known.is_persistent {
        return Err(refusal::other(Error::NotDefined(known.name.clone())));
    }
    Ok(())
}

fn absent() -> Refusal {
    refusal::network(ErrorCode::NoNetworkMetadata, "Requested metadata element is not present")
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
        Error::NoMetadata { .. } => absent(),
        Error::NotRunning(_) => refusal::invalid("network is not running"),
        Error::Metadata(MetadataError::Element(refused)) => refusal::document(text, refused, |_| None),
        Error::Metadata(MetadataError::TitleOfLines) => {
            refusal::argument("metadata title can't contain newlines", "virNetworkSetMetadata", "metadata")
        }
        Error::Metadata(MetadataError::Key(_)) => {
            let what = "failed to validate prefix for a new XML namespace";
            refusal::of(ErrorCode::InternalError, ErrorDomain::Xml, what)
        }
        Error::Metadata(_) => refusal::network(ErrorCode::InvalidArg, error.to_string()),
        _ => refusal::other(error),
    }
}
