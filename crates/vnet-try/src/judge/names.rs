//! Observes what guests are told of names.

use std::net::IpAddr;
use std::time::Instant;

use vnet_lab::dns::{Question, Record};
use vnet_types::Family;

use super::see::without_address;
use super::words::said;
use super::{PATIENCE, Party, Seen};
use crate::error::{Failed, Result};
use crate::report::Verdict;

impl Party<'_> {
    pub(super) fn see_name(&self, which: usize, name: &str) -> Seen {
        let given = self.told[0].lease.as_ref().and_then(|lease| lease.names[which].as_ref());
        let full = given.map(|given| given.trim_end_matches('.'));
        Seen(Verdict::when(full == Some(name.trim_end_matches('.'))), said(given, "none"))
    }

    pub(super) fn see_forwarded(&self, servers: &[IpAddr], domain: Option<&str>) -> Result<Seen> {
        let own = [self.world.name_server()];
        let asked = if servers.is_empty() { &own[..] } else { servers };
        let question = Question::address(format!("vnet-try.{}", domain.unwrap_or("example")), asked[0]);
        let seen = self.see_answer(&question, |records| {
            records.iter().any(|record| matches!(record, Record::Address(it) if asked.contains(it)))
        })?;
        let strange = asked.iter().find(|server| !self.world.has_name_server(**server));
        Ok(match (seen, strange) {
            (Seen(Verdict::Broken, seen), Some(server)) => {
                Seen(Verdict::Open, format!("{seen}; nobody is at {server} on the imagined host"))
            }
            (seen, _) => seen,
        })
    }

    /// Asks for it as [`ask_server`](Self::ask_server) says, from the first guest. Where OVN makes
    /// the network, each host has a name server: then a guest of each asks.
    pub(super) fn see_answer(&self, question: &Question, holds: impl Fn(&[Record]) -> bool + Sync) -> Result<Seen> {
        match self.server_of(0) {
            Ok(server) => self.with_each(Family::of(server), |guest, _| self.ask_server(guest, question, &holds)),
            Err(seen) => Ok(seen),
        }
    }

    /// Asks the network's name server, or the one that the guest was told.
    fn ask_server(&self, guest: usize, question: &Question, holds: impl Fn(&[Record]) -> bool) -> Result<Seen> {
        let server = match self.server_of(guest) {
            Ok(server) => server,
            Err(seen) => return Ok(seen),
        };
        let namespace = &self.stations[guest].namespace;
        let records = namespace.run(|| question.ask(server, Instant::now() + PATIENCE));
        let records = records.map_err(Failed::doing(format!("cannot ask for {question}")))?;
        let seen = match &records {
            None => "no answer".to_owned(),
            Some(records) if records.is_empty() => "no such name".to_owned(),
            Some(records) => records.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        };
        Ok(Seen(Verdict::when(holds(&records.unwrap_or_default())), seen))
    }

    /// The name server that a guest asks; what is seen instead where there is none for it.
    fn server_of(&self, guest: usize) -> std::result::Result<IpAddr, Seen> {
        let told = self.told[guest].lease.as_ref().and_then(|lease| lease.server).map(IpAddr::from);
        let Some(network) = self.network else {
            return told.ok_or_else(|| Seen(Verdict::Broken, "no server was told".to_owned()));
        };
        let on_ovn = network.is_on_ovn();
        let servers = network.ovn_name_servers().into_iter().map(|net| net.addr());
        let mut all = told.filter(|_| on_ovn).into_iter().chain(servers).chain(network.ips.iter().map(|ip| ip.address));
        let is_near = |server: &IpAddr| self.address(guest, Family::of(*server)).is_some();
        all.find(is_near).ok_or_else(|| without_address(&self.guests[guest].name))
    }
}
