//! Queueing disciplines.

use vnet_types::{InterfaceName, Qdisc, QdiscKind, TrafficHandle};

use super::{Header, TCA_KIND, TCA_OPTIONS, added};
use crate::link::names;
use crate::message::{Message, Request, attribute, number32, text};
use crate::{Error, Intent, KernelLink, Netlink, Operation, Refused};

const RTM_NEWQDISC: u16 = 36;
const RTM_DELQDISC: u16 = 37;
const RTM_GETQDISC: u16 = 38;
const TCA_HTB_INIT: u16 = 2;

impl Netlink {
    /// Lists the queueing disciplines of a link, including those that the kernel added itself.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn qdiscs(&self, link: &InterfaceName) -> Result<Vec<Qdisc>, Error> {
        let list = || -> Result<Vec<Qdisc>, Refused> {
            let index = self.index(link)?;
            let request = Header { index, ..Header::default() }.request(RTM_GETQDISC);
            self.ask(request, Intent::List, |message| read(message, index, link))
        };
        list().map_err(Operation::List.of(format_args!("qdiscs of {link}")))
    }

    /// Lists the queueing disciplines of these links, for a caller that has just listed the
    /// [`links`](Self::links).
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn qdiscs_among(&self, links: &[KernelLink]) -> Result<Vec<Qdisc>, Error> {
        let names = names(links);
        let read = |message: Message<'_>| {
            let (Header { index, .. }, _) = Header::read(message)?;
            read(message, index, names.get(&index)?)
        };
        self.ask(Header::default().request(RTM_GETQDISC), Intent::List, read).map_err(Operation::List.of("qdiscs"))
    }

    /// Adds a queueing discipline. At the root, it replaces the one that the kernel added itself.
    ///
    /// # Errors
    /// The kernel's refusal: [`Error::is_exists`] if there is one,
    /// [`Cause::Missing`](crate::Cause::Missing) for a kind that the kernel does not have.
    pub fn add_qdisc(&self, qdisc: &Qdisc) -> Result<(), Error> {
        let add = || {
            let header = Header::of(self.index(&qdisc.link)?, qdisc.parent, qdisc.handle);
            let request = header.request(RTM_NEWQDISC).with_text(TCA_KIND, word(&qdisc.kind));
            self.tell(options(request, &qdisc.kind), Intent::Create)
        };
        add().map_err(added(format_args!("qdisc {qdisc}"), word(&qdisc.kind)))
    }

    /// Deletes a queueing discipline, with its classes and filters.
    ///
    /// # Errors
    /// The kernel's refusal: [`Error::is_not_found`] when it is gone, with or without its link.
    pub fn delete_qdisc(&self, qdisc: &Qdisc) -> Result<(), Error> {
        let delete = || {
            let header = Header::of(self.index(&qdisc.link)?, qdisc.parent, qdisc.handle);
            self.tell(header.request(RTM_DELQDISC), Intent::Existing)
        };
        delete().map_err(Operation::Delete.of(format_args!("qdisc {qdisc}")))
    }
}

fn word(kind: &QdiscKind) -> &str {
    match kind {
        QdiscKind::Htb { .. } => "htb",
        QdiscKind::Sfq { .. } => "sfq",
        QdiscKind::Ingress => "ingress",
        QdiscKind::Noqueue => "noqueue",
        QdiscKind::Other(word) => word,
    }
}

fn options(request: Request, kind: &QdiscKind) -> Request {
    match kind {
        // struct tc_htb_glob: version 3; the quantum is a tenth of the rate in bytes per second.
        QdiscKind::Htb { default } => request.nest(TCA_OPTIONS, |options| {
            options.with(TCA_HTB_INIT, &[3, 10, u32::from(*default), 0, 0].map(u32::to_ne_bytes).concat())
        }),
        // struct tc_sfq_qopt, without an attribute header.
        QdiscKind::Sfq { perturb } => request.with(TCA_OPTIONS, &[0, *perturb, 0, 0, 0].map(u32::to_ne_bytes).concat()),
        QdiscKind::Ingress | QdiscKind::Noqueue | QdiscKind::Other(_) => request,
    }
}

fn read(message: Message<'_>, index: u32, link: &InterfaceName) -> Option<Qdisc> {
    let (header, attributes) = Header::read(message).filter(|(header, _)| header.index == index)?;
    let options = attribute(attributes, TCA_OPTIONS).unwrap_or_default();
    let word = attribute(attributes, TCA_KIND).and_then(text)?;
    let number = |bytes: &[u8], at: usize| bytes.get(at..).and_then(number32);
    let kind = match word {
        "htb" => {
            let default = number(attribute(options, TCA_HTB_INIT)?, 8)?;
            QdiscKind::Htb { default: u16::try_from(default).ok()? }
        }
        "sfq" => QdiscKind::Sfq { perturb: number(options, 4)? },
        "ingress" => QdiscKind::Ingress,
        "noqueue" => QdiscKind::Noqueue,
        _ => QdiscKind::Other(word.to_owned()),
    };
    let [parent, handle] = [header.parent, header.handle].map(TrafficHandle::from);
    Some(Qdisc { link: link.clone(), parent, handle, kind })
}
