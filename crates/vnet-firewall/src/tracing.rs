//! Follows packets of this host through the rules of everybody.

use std::time::Duration;

use vnet_netlink::{KernelLink, Monitor, Netfilter, Netlink};
use vnet_types::InterfaceName;

use crate::firewall::Error;
use crate::kernel::arm;
use crate::{RuleTexts, TraceEvent, TraceFlow};

/// So many messages are told of at once.
const MOST: usize = 512;

/// A trace that is armed. The kernel removes its table with this value, or with the process.
#[derive(Debug)]
pub struct Tracing {
    /// The table belongs to this socket.
    owner: Netfilter,
    monitor: Monitor,
    links: Vec<KernelLink>,
    texts: RuleTexts,
    table: String,
}

impl Tracing {
    /// Arms a trace, in the network namespace of this thread, by a table of a name that nobody else
    /// uses.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::Links`], [`Error::Read`]; [`Error::Refused`] where the kernel is
    /// older than 5.12 and would not remove the table.
    pub fn begin(table: &str, flow: &TraceFlow) -> Result<Self, Error> {
        let (netlink, owner) = (Netlink::open()?, Netfilter::open().map_err(Error::Open)?);
        let monitor = Monitor::traces()?;
        let subject = || format!("the table {table}, which is to go with its socket (Linux 5.12)");
        owner.commit(&arm(table, flow)).map_err(|source| Error::Refused { subject: subject(), source })?;
        let links = netlink.links()?;
        let texts = RuleTexts::read(|request| owner.find(request), name_in(&links)).map_err(Error::Read)?;
        Ok(Self { owner, monitor, links, texts, table: table.to_owned() })
    }

    /// Waits for what the kernel tells next. Empty when it tells nothing in time.
    ///
    /// # Errors
    /// [`Error::Links`], [`Error::Read`] when the kernel cannot be asked.
    pub fn next_within(&mut self, wait: Duration) -> Result<Vec<TraceEvent>, Error> {
        let mut told = self.monitor.told(wait)?;
        if !told.is_empty() {
            // The rules are read once for all that has come meanwhile.
            while told.len() < MOST {
                let more = self.monitor.told(Duration::ZERO)?;
                if more.is_empty() {
                    break;
                }
                told.extend(more);
            }
            let Self { owner, links, texts, .. } = self;
            texts.read_again(|request| owner.find(request), name_in(links)).map_err(Error::Read)?;
        }
        Ok(told.iter().filter_map(|message| self.texts.event(message, &self.table)).collect())
    }
}

fn name_in(links: &[KernelLink]) -> impl Fn(u32) -> Option<InterfaceName> {
    |index| links.iter().find(|known| known.index == index).map(|known| known.link.name.clone())
}
