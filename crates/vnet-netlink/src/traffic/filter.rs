//! Filters: u32 selectors, and firewall marks.

use nix::libc::{ETH_P_ALL, ETH_P_IP};
use vnet_types::{Filter, FilterAction, FilterMatch, InterfaceName, MacAddr, TrafficHandle};

use super::rate::{self, SPEC, ticks};
use super::{Header, TCA_KIND, TCA_OPTIONS, added};
use crate::message::{Message, Request, attribute, number32, text};
use crate::{Error, Intent, Netlink, Operation, Refused};

const RTM_NEWTFILTER: u16 = 44;
const RTM_DELTFILTER: u16 = 45;
const RTM_GETTFILTER: u16 = 46;
/// Both kinds of filter have the number of the class in this attribute.
const CLASSID: u16 = 1;
const TCA_U32_SEL: u16 = 5;
const TCA_U32_POLICE: u16 = 6;
const TCA_U32_ACT: u16 = 7;
const TCA_POLICE_TBF: u16 = 1;
const TCA_POLICE_RATE: u16 = 2;
const TCA_POLICE_RATE64: u16 = 8;
const TCA_ACT_KIND: u16 = 1;
const TCA_ACT_OPTIONS: u16 = 2;
const TCA_MIRRED_PARMS: u16 = 2;
const TCA_EGRESS_REDIR: u32 = 1;
const TCA_CSUM_PARMS: u16 = 1;
/// The checksums of IPv4's header and of UDP.
const CSUM_IPV4_UDP: u32 = 1 | 16;
const TC_U32_TERMINAL: u8 = 1;
const TC_ACT_OK: u32 = 0;
const TC_ACT_SHOT: u32 = 2;
const TC_ACT_STOLEN: u32 = 4;
/// The size of the largest policed packet, in bytes, and the number of its low bits that a table of
/// 256 entries ignores.
const POLICED: u32 = 64 * 1024;
const POLICED_LOG: u8 = 9;
/// The offset of the keys in `struct tc_u32_sel`.
const KEYS: usize = 16;

impl Netlink {
    /// Reads the filter with the place and number of `expected`. If only the kernel's rounding
    /// differs, it equals `expected`. `None` also for a filter that this crate does not understand.
    ///
    /// # Errors
    /// The kernel's refusal, except that a missing link or qdisc is not an error.
    pub fn filter(&self, expected: &Filter) -> Result<Option<Filter>, Error> {
        let name_of = |index| self.name(index).ok();
        let look = || -> Result<Vec<Filter>, Refused> {
            let index = self.index(&expected.link)?;
            let header = Header { index, parent: expected.parent.number(), ..Header::default() };
            let found = self.ask(header.request(RTM_GETTFILTER), Intent::List, |it| Some(it.0.to_vec()))?;
            Ok(found.iter().filter_map(|bytes| read(Message(bytes), expected, name_of)).collect())
        };
        match look() {
            Ok(found) => Ok(found.into_iter().next()),
            // EINVAL: the qdisc does not exist.
            Err(refused) if refused.is_not_found() || refused.errno == nix::libc::EINVAL => Ok(None),
            Err(refused) => Err(Operation::List.of(format_args!("filters of {}", expected.link))(refused)),
        }
    }

    /// Adds a filter.
    ///
    /// # Errors
    /// The kernel's refusal: [`Error::is_exists`]; `EINVAL` if its qdisc does not exist;
    /// [`Cause::Missing`](crate::Cause::Missing) if the kernel does not support such filters.
    pub fn add_filter(&self, filter: &Filter) -> Result<(), Error> {
        let add = || {
            let request = header(self.index(&filter.link)?, filter).request(RTM_NEWTFILTER);
            let request = request.with_text(TCA_KIND, word(&filter.matches));
            let target = match &filter.action {
                FilterAction::Redirect(to) => Some(self.index(to)?),
                FilterAction::Class(_) | FilterAction::Police { .. } | FilterAction::Checksum => None,
            };
            self.tell(options(request, filter, target), Intent::Create)
        };
        let needed = match &filter.action {
            FilterAction::Class(_) => word(&filter.matches),
            FilterAction::Police { .. } => "police",
            FilterAction::Redirect(_) => "mirred",
            FilterAction::Checksum => "csum",
        };
        add().map_err(added(format_args!("filter {filter}"), needed))
    }

    /// Deletes a filter.
    ///
    /// # Errors
    /// The kernel's refusal: [`Error::is_not_found`] when it is gone, with or without its link;
    /// `EINVAL` when its qdisc is.
    pub fn delete_filter(&self, filter: &Filter) -> Result<(), Error> {
        let delete = || {
            let request = header(self.index(&filter.link)?, filter).request(RTM_DELTFILTER);
            self.tell(request.with_text(TCA_KIND, word(&filter.matches)), Intent::Existing)
        };
        delete().map_err(Operation::Delete.of(format_args!("filter {filter}")))
    }
}

fn word(matches: &FilterMatch) -> &'static str {
    match matches {
        FilterMatch::All | FilterMatch::Ipv4To(_) | FilterMatch::UdpTo(_) => "u32",
        FilterMatch::Mark => "fw",
    }
}

fn header(index: u32, filter: &Filter) -> Header {
    let protocol = match filter.matches {
        FilterMatch::All | FilterMatch::Mark => ETH_P_ALL,
        FilterMatch::Ipv4To(_) | FilterMatch::UdpTo(_) => ETH_P_IP,
    };
    let [.., high, low] = protocol.to_be_bytes();
    let info = u32::from(filter.priority) << 16 | u32::from(u16::from_ne_bytes([high, low]));
    Header { index, handle: filter.handle, parent: filter.parent.number(), info }
}

fn options(request: Request, filter: &Filter, target: Option<u32>) -> Request {
    request.nest(TCA_OPTIONS, |options| {
        let options = match keys(&filter.matches) {
            Some(keys) => options.with(TCA_U32_SEL, &selector(&keys)),
            None => options,
        };
        match &filter.action {
            FilterAction::Class(class) => options.with(CLASSID, &class.number().to_ne_bytes()),
            FilterAction::Police { rate, burst } => options
                .with(CLASSID, &1u32.to_ne_bytes())
                .nest(TCA_U32_POLICE, |options| police(options, *rate, *burst)),
            FilterAction::Redirect(_) => {
                let parameters = [0, 0, TC_ACT_STOLEN, 0, 0, TCA_EGRESS_REDIR, target.unwrap_or_default()];
                action(options, "mirred", TCA_MIRRED_PARMS, &parameters)
            }
            FilterAction::Checksum => action(options, "csum", TCA_CSUM_PARMS, &[0, 0, TC_ACT_OK, 0, 0, CSUM_IPV4_UDP]),
        }
    })
}

/// The one action of a filter; its parameters begin with `struct tc_gen`.
fn action(options: Request, kind: &str, number: u16, parameters: &[u32]) -> Request {
    let parameters: Vec<u8> = parameters.iter().flat_map(|number| number.to_ne_bytes()).collect();
    options.nest(TCA_U32_ACT, |list| {
        list.nest(1, |action| {
            action.with_text(TCA_ACT_KIND, kind).nest(TCA_ACT_OPTIONS, |options| options.with(number, &parameters))
        })
    })
}

/// A key of a u32 selector: value, mask, and offset from the beginning of the IP header.
type Part = (u32, u32, i32);

/// The keys of a u32 selector; `None` for a filter of another kind.
fn keys(matches: &FilterMatch) -> Option<Vec<Part>> {
    match matches {
        FilterMatch::Mark => None,
        FilterMatch::All => Some(vec![(0, 0, 0)]),
        FilterMatch::Ipv4To(MacAddr([a, b, c, d, e, f])) => Some(vec![
            // The Ethernet header: the packet type, then the last four and the first two bytes of
            // the destination.
            (0x0800, 0xffff, -4),
            (u32::from_be_bytes([*c, *d, *e, *f]), 0xffff_ffff, -12),
            (u32::from_be_bytes([0, 0, *a, *b]), 0xffff, -16),
        ]),
        // Behind an IP header without options; DHCP servers send none.
        FilterMatch::UdpTo(port) => Some(vec![(u32::from(*port), 0xffff, 20)]),
    }
}

/// `struct tc_u32_sel` and its keys.
fn selector(keys: &[Part]) -> Vec<u8> {
    let mut bytes = vec![0; KEYS];
    (bytes[0], bytes[2]) = (TC_U32_TERMINAL, u8::try_from(keys.len()).expect("a handful"));
    for (value, mask, offset) in keys {
        bytes.extend([mask.to_be_bytes(), value.to_be_bytes(), offset.to_ne_bytes(), [0; 4]].concat());
    }
    bytes
}

fn police(request: Request, rate: u64, burst: u32) -> Request {
    // struct tc_police
    let numbers = [0, TC_ACT_SHOT, 0, ticks(rate, burst), POLICED].map(u32::to_ne_bytes).concat();
    let parameters = [&numbers[..], &rate::spec(rate, POLICED_LOG), &[0; SPEC], &[0; 12]].concat();
    // The kernel no longer uses the table, but requires one.
    let table: Vec<u8> = (1..=256).flat_map(|cell| ticks(rate, cell << POLICED_LOG).to_ne_bytes()).collect();
    let request = request.with(TCA_POLICE_TBF, &parameters).with(TCA_POLICE_RATE, &table);
    rate::with_rate64(request, TCA_POLICE_RATE64, rate)
}

/// Reads the filter with the place and number of `expected`.
fn read(message: Message<'_>, expected: &Filter, name_of: impl Fn(u32) -> Option<InterfaceName>) -> Option<Filter> {
    let (it, attributes) = Header::read(message)?;
    let wanted = header(it.index, expected);
    let kind = attribute(attributes, TCA_KIND).and_then(text)?;
    if (it.info, it.handle) != (wanted.info, wanted.handle) || kind != word(&expected.matches) {
        return None;
    }
    let options = attribute(attributes, TCA_OPTIONS)?;
    let matches = match expected.matches {
        FilterMatch::Mark => FilterMatch::Mark,
        FilterMatch::All | FilterMatch::Ipv4To(_) | FilterMatch::UdpTo(_) => {
            read_keys(attribute(options, TCA_U32_SEL)?)?
        }
    };
    let action = match (attribute(options, TCA_U32_POLICE), attribute(options, TCA_U32_ACT)) {
        (Some(police), _) => read_police(police, &expected.action)?,
        (None, Some(actions)) => read_action(actions, name_of)?,
        (None, None) => FilterAction::Class(TrafficHandle::from(number32(attribute(options, CLASSID)?)?)),
    };
    Some(Filter { matches, action, ..expected.clone() })
}

fn read_keys(selector: &[u8]) -> Option<FilterMatch> {
    let (keys, rest) = selector.get(KEYS..)?.as_chunks::<16>();
    let parts = keys.iter().map(|key| {
        let (words, _) = key.as_chunks::<4>();
        (u32::from_be_bytes(words[1]), u32::from_be_bytes(words[0]), i32::from_ne_bytes(words[2]))
    });
    match (parts.collect::<Vec<Part>>().as_slice(), rest) {
        ([(0, 0, 0)], []) => Some(FilterMatch::All),
        ([(port, 0xffff, 20)], []) => u16::try_from(*port).ok().map(FilterMatch::UdpTo),
        ([(0x0800, 0xffff, -4), (end, u32::MAX, -12), (start, 0xffff, -16)], []) => {
            let ([_, _, a, b], [c, d, e, f]) = (start.to_be_bytes(), end.to_be_bytes());
            Some(FilterMatch::Ipv4To(MacAddr([a, b, c, d, e, f])))
        }
        _ => None,
    }
}

fn read_police(options: &[u8], expected: &FilterAction) -> Option<FilterAction> {
    let parameters = attribute(options, TCA_POLICE_TBF)?;
    let length = parameters.get(12..).and_then(number32)?;
    let rate = rate::read(parameters.get(20..)?, options, TCA_POLICE_RATE64)?;
    match expected {
        FilterAction::Police { rate: wanted, burst } if (rate, length) == (*wanted, ticks(rate, *burst)) => {
            Some(expected.clone())
        }
        _ => Some(FilterAction::Police { rate, burst: rate::bytes(rate, length) }),
    }
}

fn read_action(actions: &[u8], name_of: impl Fn(u32) -> Option<InterfaceName>) -> Option<FilterAction> {
    let action = attribute(actions, 1)?;
    let options = attribute(action, TCA_ACT_OPTIONS)?;
    let parameters = |number| attribute(options, number);
    let number = |parameters: &[u8], at: usize| parameters.get(at..).and_then(number32);
    match attribute(action, TCA_ACT_KIND).and_then(text)? {
        "mirred" => {
            let parameters = parameters(TCA_MIRRED_PARMS)?;
            (number(parameters, 20)? == TCA_EGRESS_REDIR).then_some(())?;
            Some(FilterAction::Redirect(name_of(number(parameters, 24)?)?))
        }
        "csum" => (number(parameters(TCA_CSUM_PARMS)?, 20)? == CSUM_IPV4_UDP).then_some(FilterAction::Checksum),
        _ => None,
    }
}
