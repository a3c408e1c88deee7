//! Installs, reads and removes the rules of this host over netlink.

mod flowtables;
mod known;
mod libvirt;
mod several;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vnet_netlink::{Netfilter, Netlink, Refused};
use vnet_types::InterfaceName;

use crate::kernel::{Intact, pause};
use crate::shared::Share;
use crate::{
    Around, Batch, EncodeError, Explanation, Foreign, Judgement, Ledger, Meddling, Networks, Packet, Policy, Ruleset,
    Table,
};

/// How often to retry when others change the host's rules at the same time.
const ATTEMPTS: usize = 64;

/// The packet filter of the network namespace of the thread that opened it.
///
/// It needs `CAP_NET_ADMIN` there: root has it, and any user in a user namespace of their own. Use
/// one for many changes: closing its sockets soon after deleting rules waits about 10 ms for the
/// kernel.
///
/// ```no_run
/// use vnet_firewall::{Access, Firewall, Policy, Subnet};
///
/// let mut policy = Policy::new("sandbox", "tap0".parse()?);
/// policy.subnets = vec![Subnet { net: "10.0.0.0/24".parse()?, access: Access::Routed }];
///
/// let firewall = Firewall::open()?;
/// let table = firewall.apply(&policy)?;
/// for (chain, rule, counts) in table.counts("sandbox") {
///     println!("{chain}: {counts}: {rule}");
/// }
/// firewall.remove("sandbox")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Firewall {
    netlink: Netlink,
    netfilter: Netfilter,
    /// The shared parts that this firewall has left intact.
    intact: Mutex<Option<Intact>>,
    /// The network that was read last and was as expected.
    last: Mutex<Option<(String, Table)>>,
    /// What is known of all networks.
    ledger: Mutex<Option<Arc<Ledger>>>,
}

/// Why rules could not be installed, read or removed. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel refuses a socket.
    #[error("cannot open a socket for nf_tables")]
    Open(#[source] Refused),
    /// The interfaces cannot be looked up.
    #[error(transparent)]
    Links(#[from] vnet_netlink::Error),
    /// The rules cannot be read.
    #[error("the kernel refused to show the rules")]
    Read(#[source] Refused),
    /// The rules cannot be encoded for what is there.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The kernel refused the transaction.
    #[error("the kernel refused {subject}")]
    Refused {
        /// The rule, chain, map or element, in the words of nft(8).
        subject: String,
        /// Its reason.
        source: Refused,
    },
    /// libvirt has no rules for the network where rules of ours can be among them.
    #[error(
        "libvirt has no rules for `{0}` in nf_tables, so that forwarded ports cannot be let through them: somebody has \
         removed them, or they are those of iptables-legacy"
    )]
    NoRulesOfLibvirt(InterfaceName),
    /// Others changed the host's rules at every attempt.
    #[error("other programs keep changing the rules of the host: gave up after {ATTEMPTS} attempts")]
    Busy,
}

impl Firewall {
    /// Opens sockets to the kernel.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::Links`]. Opening needs no privilege.
    pub fn open() -> Result<Self, Error> {
        let netfilter = Netfilter::open().map_err(Error::Open)?;
        let netlink = Netlink::open()?;
        Ok(Self { netlink, netfilter, intact: Mutex::default(), last: Mutex::default(), ledger: Mutex::default() })
    }

    /// Gives a network the rules of a policy, in one transaction, and returns the table as the
    /// kernel has it. Rules that are right already stay, with their counters.
    ///
    /// # Errors
    /// [`Error`]: nothing has changed then.
    pub fn apply(&self, policy: &Policy) -> Result<Table, Error> {
        let rules = Ruleset::compile(policy);
        self.replace(None, Some(&rules))?;
        self.read_near(&rules)
    }

    /// Reads the rules of all networks.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Busy`].
    pub fn read(&self) -> Result<Table, Error> {
        let links = self.netlink.links()?;
        let names: BTreeMap<u32, InterfaceName> =
            links.into_iter().map(|known| (known.index, known.link.name)).collect();
        self.read_among(|index| names.get(&index).cloned())
    }

    /// The same for a caller that has just listed the interfaces: `name_of` returns the name of the
    /// one with an index.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Busy`].
    pub fn read_among(&self, name_of: impl Fn(u32) -> Option<InterfaceName>) -> Result<Table, Error> {
        self.still(|| Table::read(|request| self.netfilter.find(request), &name_of).map_err(Error::Read))
    }

    /// Reads the rules of one network, of which these are expected, and everything else that
    /// belongs to it, such as an element that somebody has added to a set. It lists the whole
    /// table, unless the [`ledger`](Self::ledger) shows that nobody has.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Busy`].
    pub fn read_all_of(&self, expected: &Ruleset) -> Result<Option<Ruleset>, Error> {
        let near = self.read_near(expected)?;
        let found = near.ruleset(&expected.network);
        if found.is_none() && !near.has(&expected.network) {
            // Whoever adds the network next need not read again.
            *self.intact() = near.intact().map(Intact::whole);
        }
        let is_known = |ledger: &Ledger| ledger.is_about(&near) && ledger.has(expected);
        let is_expected = found.as_ref() == Some(expected) && self.ledger().as_deref().is_some_and(is_known);
        if found.is_none() || is_expected {
            *self.last() = is_expected.then(|| (expected.network.clone(), near));
            return Ok(found);
        }
        let table = self.read()?;
        let listed = table.ruleset(&expected.network);
        self.learn(&table, listed.as_ref());
        Ok(listed)
    }

    /// The same for a caller that has listed the whole table.
    pub fn find_in(&self, networks: &Networks, network: &str) -> Option<Ruleset> {
        let found = networks.ruleset(network);
        self.learn(networks.table(), found.as_ref());
        found
    }

    /// Reads the rules of one network, of which these are expected. The cost does not grow with the
    /// number of other networks; see [`Table::read_near`].
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Busy`].
    pub fn read_near(&self, expected: &Ruleset) -> Result<Table, Error> {
        self.still(|| self.near(&[expected], false, &self.links()))
    }

    /// Changes the rules of a network to others, or removes them, in one transaction. It starts
    /// from the installed rules, even where `from` differs. It retries if others change rules
    /// meanwhile.
    ///
    /// # Errors
    /// [`Error`]: nothing has changed then.
    pub fn replace(&self, from: Option<&Ruleset>, to: Option<&Ruleset>) -> Result<(), Error> {
        let known = self.intact().take();
        if let (None, Some(to), Some(known)) = (from, to, known)
            && known.has_parts_of(to)
            && self.add(&[to], known)?
        {
            return Ok(());
        }
        let expected: Vec<&Ruleset> = from.into_iter().chain(to).collect();
        let leaves = to.is_none_or(|to| {
            let kept = Share::of(to);
            from.is_some_and(|from| Share::of(from).iter().any(|share| !kept.contains(share)))
        });
        let mut near = true;
        let mut paused = None;
        // A network that was just read is not read again: the transaction is for the generation of
        // then.
        let is_it = |name: &str| expected.len() == 2 && expected.iter().all(|ruleset| ruleset.network == name);
        let mut last = self.last().take().filter(|(name, _)| !leaves && is_it(name)).map(|(_, table)| table);
        for _ in 0..ATTEMPTS {
            let links = self.links();
            let mut installed = match last.take() {
                Some(last) => last,
                None if near => self.near(&expected, leaves, &links)?,
                None => self.read()?,
            };
            // If an installed network differs from what was expected, a listing of the whole table
            // shows what else it has.
            let is_known = |network: &str| from.is_some_and(|from| installed.ruleset(network).as_ref() == Some(from));
            let mut networks = expected.iter().map(|ruleset| ruleset.network.as_str());
            if near && networks.any(|network| installed.has(network) && !is_known(network)) {
                installed = self.read()?;
            }
            if paused.is_none()
                && !installed.limits_guests()
                && let Some(batch) = to.and_then(|to| pause(&installed, to, &|name| links.index(name)))
            {
                let socket = Netfilter::open().map_err(Error::Open)?;
                match socket.commit(&batch.bytes) {
                    Err(source) if source.is_outdated() => continue,
                    Ok(()) => self.carry_over(&installed, &batch, &[], &[]),
                    // A kernel that is too old for it does without.
                    Err(_) => {}
                }
                paused = Some(socket);
                continue;
            }
            let batch = Batch::new(&installed, from, to, |name| links.index(name))?;
            match self.commit(&batch) {
                Err(Error::Refused { source, .. }) if source.is_outdated() => {}
                // Only a listing of the whole table shows an unexpected conflict.
                Err(Error::Refused { .. }) if near => near = false,
                Ok(()) => {
                    self.carry_over(&installed, &batch, from.as_slice(), to.as_slice());
                    let shares = to.map_or(Vec::new(), Share::of);
                    *self.intact() = installed.intact().map(|intact| intact.after(&batch, to.is_none(), shares));
                    return Ok(());
                }
                refused => return refused,
            }
        }
        Err(Error::Busy)
    }

    fn last(&self) -> MutexGuard<'_, Option<(String, Table)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn intact(&self) -> MutexGuard<'_, Option<Intact>> {
        self.intact.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes the rules of a network with any policy. A network without rules is not an error.
    ///
    /// # Errors
    /// [`Error`]: nothing has changed then.
    pub fn remove(&self, network: &str) -> Result<(), Error> {
        match self.read()?.ruleset(network) {
            Some(installed) => self.replace(Some(&installed), None),
            // A table that is switched off shows no rules.
            None => self.replace(Some(&Ruleset::nothing(network)), None),
        }
    }

    /// Reads the rules of others, to judge packets.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn judge<'a>(&self, packets: impl Iterator<Item = &'a Packet>) -> Result<Vec<Judgement>, Error> {
        let (links, foreign) = (self.links(), self.foreign()?);
        Ok(packets.map(|packet| foreign.judge(packet, |name| links.index(name))).collect())
    }

    /// What the rules of others do with packets before and after they are filtered.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn meddle<'a>(&self, packets: impl Iterator<Item = (Around, &'a Packet)>) -> Result<Vec<Vec<Meddling>>, Error> {
        let (links, foreign) = (self.links(), self.foreign()?);
        Ok(packets.map(|(at, packet)| foreign.meddle(at, packet, |name| links.index(name))).collect())
    }

    /// Explains what the rules of everybody do with a packet, ours among them.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn explain(&self, packet: &Packet) -> Result<Explanation, Error> {
        let links = self.links();
        Ok(self.all(&links)?.explain(packet, |name| links.index(name)))
    }

    /// The same for a packet that was given its destination, as [`ExplainedEnd::Led`] says.
    ///
    /// [`ExplainedEnd::Led`]: crate::ExplainedEnd::Led
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn explain_led(&self, packet: &Packet) -> Result<Explanation, Error> {
        let links = self.links();
        Ok(self.all(&links)?.explain_led(packet, |name| links.index(name)))
    }

    /// Reads the rules of everybody.
    fn all(&self, links: &Links<'_>) -> Result<Foreign, Error> {
        let all = Foreign::read_all(|request| self.netfilter.find(request), |index| links.name(index));
        all.map_err(Error::Read)
    }

    /// Reads the rules of others.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn foreign(&self) -> Result<Foreign, Error> {
        let links = self.links();
        Foreign::read(|request| self.netfilter.find(request), |index| links.name(index)).map_err(Error::Read)
    }

    fn commit(&self, batch: &Batch) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        self.netfilter.commit(&batch.bytes).map_err(|source| {
            let subject = source.sequence.and_then(|sequence| batch.describe(sequence));
            Error::Refused { subject: subject.unwrap_or("the transaction").to_owned(), source }
        })
    }

    fn near(&self, expected: &[&Ruleset], leaving: bool, links: &Links<'_>) -> Result<Table, Error> {
        let ask = |requests: &[Vec<u8>]| self.netfilter.find_all(requests);
        let index_of = |name: &InterfaceName| links.index(name);
        let name_of = |index| links.name(index);
        let table = match leaving {
            true => Table::read_leaving(expected, ask, index_of, name_of),
            false => Table::read_near(expected, ask, index_of, name_of),
        };
        table.map_err(Error::Read)
    }

    /// Reads again until nothing changes meanwhile.
    fn still(&self, read: impl Fn() -> Result<Table, Error>) -> Result<Table, Error> {
        for _ in 0..ATTEMPTS {
            let table = read()?;
            let now = self.netfilter.find(&Table::generation_request()).map_err(Error::Read)?;
            if table.is_of(&now) {
                return Ok(table);
            }
        }
        Err(Error::Busy)
    }

    fn links(&self) -> Links<'_> {
        Links { netlink: &self.netlink, known: RefCell::default() }
    }
}

/// The interfaces that rules name, each looked up once.
struct Links<'a> {
    netlink: &'a Netlink,
    known: RefCell<BTreeMap<InterfaceName, Option<u32>>>,
}

impl Links<'_> {
    fn index(&self, name: &InterfaceName) -> Option<u32> {
        if let Some(index) = self.known.borrow().get(name) {
            return *index;
        }
        let index = self.netlink.link(name).ok()?.map(|known| known.index);
        self.known.borrow_mut().insert(name.clone(), index);
        index
    }

    fn name(&self, index: u32) -> Option<InterfaceName> {
        let known = self.known.borrow().iter().find(|(_, known)| **known == Some(index)).map(|(name, _)| name.clone());
        if known.is_some() {
            return known;
        }
        let name = self.netlink.link_name(index).ok()??;
        self.known.borrow_mut().insert(name.clone(), Some(index));
        Some(name)
    }
}
