//! Classes of an htb.

use vnet_types::{Class, InterfaceName, TrafficHandle};

use super::rate::{self, SPEC, ticks};
use super::{Header, TCA_KIND, TCA_OPTIONS, added};
use crate::message::{Message, Request, attribute, number32, text};
use crate::{Error, Intent, Netlink, Operation, Refused};

const RTM_NEWTCLASS: u16 = 40;
const RTM_DELTCLASS: u16 = 41;
const RTM_GETTCLASS: u16 = 42;
const TCA_HTB_PARMS: u16 = 1;
const TCA_HTB_RATE64: u16 = 6;
const TCA_HTB_CEIL64: u16 = 7;
/// The burst that `tc` sets by default: one packet.
const DEFAULT_BURST: u32 = 1600;

impl Netlink {
    /// Lists the classes of a link's htb. The kernel keeps bursts in ticks of 64 ns, so a burst
    /// differs by some bytes from what was set; see [`Netlink::class`]. `remainder` is always
    /// false: the kernel does not keep it.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn classes(&self, link: &InterfaceName) -> Result<Vec<Class>, Error> {
        let list = || -> Result<Vec<Class>, Refused> {
            let index = self.index(link)?;
            let request = Header { index, ..Header::default() }.request(RTM_GETTCLASS);
            self.ask(request, Intent::List, |message| read(message, link))
        };
        list().map_err(Operation::List.of(format_args!("classes of {link}")))
    }

    /// Reads the class with the parent and number of `expected`. If only the kernel's rounding
    /// differs, it equals `expected`.
    ///
    /// # Errors
    /// The kernel's refusal, except that a missing link is not an error.
    pub fn class(&self, expected: &Class) -> Result<Option<Class>, Error> {
        let all = match self.classes(&expected.link) {
            Err(error) if error.is_not_found() => return Ok(None),
            all => all?,
        };
        let same = |class: &Class| (class.parent, class.handle) == (expected.parent, expected.handle);
        let found = all.into_iter().find(same).map(|class| Class { remainder: expected.remainder, ..class });
        Ok(found.map(|class| if class == kept(expected) { expected.clone() } else { class }))
    }

    /// Adds a class.
    ///
    /// # Errors
    /// The kernel's refusal: [`Error::is_exists`]; `EINVAL` if its parent does not exist.
    pub fn add_class(&self, class: &Class) -> Result<(), Error> {
        self.set_class(class, Intent::Create).map_err(added(format_args!("class {class}"), "htb"))
    }

    /// Changes the rates of a class.
    ///
    /// # Errors
    /// The kernel's refusal: [`Error::is_not_found`] when it is gone.
    pub fn change_class(&self, class: &Class) -> Result<(), Error> {
        self.set_class(class, Intent::Existing).map_err(Operation::Change.of(format_args!("class {class}")))
    }

    /// Deletes a class. No class may be below it, and no filter may lead to it.
    ///
    /// # Errors
    /// The kernel's refusal: [`Error::is_not_found`] when it is gone, with or without its link.
    pub fn delete_class(&self, class: &Class) -> Result<(), Error> {
        let delete = || {
            let header = Header::of(self.index(&class.link)?, class.parent, class.handle);
            self.tell(header.request(RTM_DELTCLASS), Intent::Existing)
        };
        delete().map_err(Operation::Delete.of(format_args!("class {class}")))
    }

    fn set_class(&self, class: &Class, intent: Intent) -> Result<(), Refused> {
        let header = Header::of(self.index(&class.link)?, class.parent, class.handle);
        self.tell(options(header.request(RTM_NEWTCLASS).with_text(TCA_KIND, "htb"), class), intent)
    }
}

fn options(request: Request, class: &Class) -> Request {
    // struct tc_htb_opt
    let burst = class.burst.unwrap_or(DEFAULT_BURST);
    let numbers = [ticks(class.rate, burst), ticks(class.ceil, DEFAULT_BURST), class.quantum, 0, 0];
    let numbers = numbers.map(u32::to_ne_bytes).concat();
    let parameters = [&rate::spec(class.rate, 0), &rate::spec(class.ceil, 0), &numbers[..]].concat();
    request.nest(TCA_OPTIONS, |options| {
        let options = options.with(TCA_HTB_PARMS, &parameters);
        let options = rate::with_rate64(options, TCA_HTB_RATE64, class.rate);
        rate::with_rate64(options, TCA_HTB_CEIL64, class.ceil)
    })
}

fn read(message: Message<'_>, link: &InterfaceName) -> Option<Class> {
    let (header, attributes) = Header::read(message)?;
    attribute(attributes, TCA_KIND).and_then(text).filter(|kind| *kind == "htb")?;
    let options = attribute(attributes, TCA_OPTIONS)?;
    let parameters = attribute(options, TCA_HTB_PARMS)?;
    let [rate_spec, ceil_spec] = [parameters.get(..SPEC)?, parameters.get(SPEC..2 * SPEC)?];
    let number = |at: usize| parameters.get(2 * SPEC + 4 * at..).and_then(number32);
    let rate = rate::read(rate_spec, options, TCA_HTB_RATE64)?;
    let handle = TrafficHandle::from(header.handle);
    // For a top class the kernel reports the root as parent, not the qdisc.
    let parent = match TrafficHandle::from(header.parent) {
        TrafficHandle::ROOT => TrafficHandle::qdisc(handle.major),
        class => class,
    };
    Some(Class {
        link: link.clone(),
        parent,
        handle,
        rate,
        ceil: rate::read(ceil_spec, options, TCA_HTB_CEIL64)?,
        burst: burst(rate, number(0)?),
        quantum: number(2)?,
        remainder: false,
    })
}

/// A class as the kernel would report it.
fn kept(class: &Class) -> Class {
    Class { burst: burst(class.rate, ticks(class.rate, class.burst.unwrap_or(DEFAULT_BURST))), ..class.clone() }
}

/// The burst for this many ticks; `None` for the default of `tc`.
fn burst(rate: u64, length: u32) -> Option<u32> {
    (length != ticks(rate, DEFAULT_BURST)).then(|| rate::bytes(rate, length))
}
