//! Observes ports of the host that lead to guests, from every side.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use vnet_lab::Namespace;
use vnet_lab::probe::Outcome;
use vnet_types::{EgressProtocol, Family};

use super::{PATIENCE, Party, SUSPICION, Seen};
use crate::error::Result;
use crate::promise::{Side, lead_text};
use crate::promises::egress::lets_cross;
use crate::promises::led::{Lead, leads, may_reach};
use crate::report::{Judgement, Subject, Verdict};

impl Party<'_> {
    /// Asks at a port from each of these sides.
    pub(super) fn see_led(&self, lead: &Lead, from: &[Side]) -> Result<Seen> {
        let family = Family::of(lead.to.ip());
        if !self.told[lead.guest].addresses.contains(&Some(lead.to.ip())) {
            return Ok(Seen(Verdict::Unjudged, format!("{} has not this address", self.guests[lead.guest].name)));
        }
        self.stations[lead.guest].wait_for_way(family, Instant::now() + PATIENCE)?;
        let mut words: Vec<(String, Vec<String>)> = Vec::new();
        let mut holds = true;
        for side in from {
            let outcome = self.ask_led(lead, *side, PATIENCE)?;
            holds &= is_led(outcome, lead);
            let (word, side) = (word(outcome), self.word_of(*side));
            match words.iter_mut().find(|(known, _)| *known == word) {
                Some((_, sides)) => sides.push(side),
                None => words.push((word, vec![side])),
            }
        }
        let words: Vec<_> = words.into_iter().map(|(word, sides)| format!("{word} to {}", sides.join(", "))).collect();
        Ok(Seen(Verdict::when(holds), words.join("; ")))
    }

    /// Judges whether guests of another network reach the ports that lead to this one's.
    pub(crate) fn judge_led(&self, from: &Self) -> Result<Vec<Judgement>> {
        let (Some(network), Some(other)) = (self.network, from.network) else { return Ok(Vec::new()) };
        if network.is_on_ovn() {
            // Whether networks meet is up to the physical one.
            return Ok(Vec::new());
        }
        let mut judgements = Vec::new();
        for family in [Family::Ipv4, Family::Ipv6] {
            let mut leads = leads(network, &self.guests).into_iter();
            let Some(lead) = leads.find(|lead| Family::of(lead.to.ip()) == family) else { continue };
            if from.address(0, family).is_none() {
                continue;
            }
            let allowed = may_reach(other, network, &lead)
                && lets_cross(other, lead.to.ip(), EgressProtocol::Tcp, lead.to.port());
            let patience = if allowed { PATIENCE } else { SUSPICION };
            from.stations[0].wait_for_way(family, Instant::now() + patience)?;
            let server = SocketAddr::new(self.host_address(&lead), lead.port);
            let asked = from.stations[0].namespace.run(|| lead.transport.ask(server, Instant::now() + patience))?;
            let text = lead_text(&lead, &self.guests[lead.guest].name);
            judgements.push(Judgement {
                subject: Subject::Forward,
                promise: match allowed {
                    true => format!("{text}, from {}", other.name),
                    false => format!("guests of {} have no way to where {text}", other.name),
                },
                verdict: Verdict::when(is_led(asked, &lead) == allowed),
                seen: word(asked),
            });
        }
        Ok(judgements)
    }

    fn ask_led(&self, lead: &Lead, side: Side, patience: Duration) -> Result<Outcome> {
        let server = SocketAddr::new(self.host_address(lead), lead.port);
        if let Side::Guest(guest) = side {
            self.stations[guest].wait_for_way(Family::of(server.ip()), Instant::now() + patience)?;
        }
        Ok(self.namespace_of(side).run(|| lead.transport.ask(server, Instant::now() + patience))?)
    }

    pub(super) fn namespace_of(&self, side: Side) -> &Namespace {
        match side {
            Side::Outside => &self.world.outside,
            Side::Host => &self.world.host,
            Side::Guest(guest) => &self.stations[guest].namespace,
        }
    }

    /// Where the host is asked.
    fn host_address(&self, lead: &Lead) -> IpAddr {
        let uplink = match &lead.device {
            Some(device) => self.world.uplink_by(Some(device)),
            None => self.uplink,
        };
        lead.address.unwrap_or_else(|| uplink.host(Family::of(lead.to.ip())))
    }

    fn word_of(&self, side: Side) -> String {
        match side {
            Side::Outside => "the outside".to_owned(),
            Side::Host => "the host".to_owned(),
            Side::Guest(guest) => self.guests[guest].name.clone(),
        }
    }
}

fn is_led(outcome: Outcome, lead: &Lead) -> bool {
    matches!(outcome, Outcome::SeenAs(_, port) if port == lead.to.port())
}

fn word(outcome: Outcome) -> String {
    match outcome {
        Outcome::SeenAs(_, port) => format!("port {port} answers"),
        Outcome::Refused | Outcome::Silence => outcome.to_string(),
    }
}
