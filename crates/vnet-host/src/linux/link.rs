//! Links.

use vnet_netlink::{KernelLink, Netlink};
use vnet_types::{Link, LinkKind, TapOptions};

use crate::{Error, Fact};

/// The link of this name. What `expected` leaves open is left open.
pub(super) fn look(netlink: &Netlink, expected: &Link) -> Result<Option<Link>, Error> {
    let Some(KernelLink { link, .. }) = netlink.link(&expected.name)? else { return Ok(None) };
    let (mac, mtu) = (link.mac.filter(|_| expected.mac.is_some()), link.mtu.filter(|_| expected.mtu.is_some()));
    let kind = match (link.kind, &expected.kind) {
        // Who opens a tap says whether there is a header in front of frames.
        (LinkKind::Tap(tap), LinkKind::Tap(wanted)) => LinkKind::Tap(TapOptions { vnet_hdr: wanted.vnet_hdr, ..tap }),
        (kind, _) => kind,
    };
    Ok(Some(Link { kind, mac, mtu, ..link }))
}

pub(super) fn create(netlink: &Netlink, link: &Link) -> Result<Fact, Error> {
    Ok(Fact::Link(netlink.add_link(link)?))
}

pub(super) fn change(netlink: &Netlink, from: &Link, to: &Link) -> Result<(), Error> {
    match netlink.link(&to.name)? {
        Some(known) => Ok(netlink.set_link(known.index, from, to)?),
        None => Err(Error::Unexpected(vnet_plan::Key::Link(to.name.clone()))),
    }
}

/// Deletes the link when it is the one that was made: by its index, or, where a crash lost that, by its kind and MAC
/// address. Another one of that name is not ours to delete.
pub(super) fn delete(netlink: &Netlink, link: &Link, fact: Option<Fact>) -> Result<(), Error> {
    let Some(known) = netlink.link(&link.name)? else { return Ok(()) };
    let ours = match fact {
        Some(Fact::Link(index)) => known.index == index,
        _ => {
            let same_kind = std::mem::discriminant(&known.link.kind) == std::mem::discriminant(&link.kind);
            same_kind && link.mac.is_some() && known.link.mac == link.mac
        }
    };
    if ours { super::gone_is_fine(netlink.delete_link(known.index)) } else { Ok(()) }
}
