//! Observes promises about traffic: how much of it passes, and for how long none does.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use vnet_lab::probe::PORT;
use vnet_lab::{Flow, flow, flow_back, outage};
use vnet_types::Family;

use super::see::without_address;
use super::{PATIENCE, Party, Seen, beside, side_by_side};
use crate::error::{Failed, Result};
use crate::promise::Side;
use crate::promises::limits::{Direction, Limit};
use crate::report::Verdict;

impl Party<'_> {
    /// Sends more than is allowed between a guest and a side, and looks what arrives.
    pub(super) fn see_limit(&self, guest: usize, limit: &Limit, with: Option<Side>) -> Result<Seen> {
        let open = |why: &str| Ok(Seen(Verdict::Open, format!("{why}: this was not measured")));
        let Some(with) = with else { return open("nobody in the network may send or take more") };
        if !limit.is_measurable() {
            return open("too much for this host to send");
        }
        let Some((theirs, others)) = self.ends(guest, with) else {
            return Ok(without_address(&self.guests[guest].name));
        };
        let (inside, other) = (&self.stations[guest].namespace, self.namespace_of(with));
        let (bytes, time) = (limit.offer(), limit.time());
        let flow = match (limit.direction, with) {
            (Direction::Out, _) => flow(inside, other, others, bytes, time)?,
            (Direction::In, Side::Outside) => flow_back(other, others, inside, bytes, time)?,
            (Direction::In, _) => flow(other, inside, theirs, bytes, time)?,
        };
        Ok(judged(limit, flow))
    }

    /// The addresses of a guest and of a side, in one family.
    fn ends(&self, guest: usize, with: Side) -> Option<(IpAddr, IpAddr)> {
        let families = || self.subnets.iter().map(|net| Family::of(net.addr()));
        match with {
            Side::Host => self.subnets.iter().find_map(|net| {
                let own = self.address(guest, Family::of(net.addr()))?;
                Some((own, net.addr()))
            }),
            Side::Outside => families().find_map(|family| {
                self.network?.way_out(family)?;
                Some((self.address(guest, family)?, self.uplink.outside(family)))
            }),
            Side::Guest(other) => {
                families().find_map(|family| Some((self.address(guest, family)?, self.address(other, family)?)))
            }
        }
    }

    /// Moves the gateway to another host while guests of each host ask the outside, and tells for
    /// how long they got no answer.
    pub(super) fn see_move(&self, family: Family) -> Result<Seen> {
        let (Some(cluster), Some(network)) = (&self.world.cluster, self.network) else {
            return Ok(Seen(Verdict::Open, "the host is the gateway".to_owned()));
        };
        if self.address(0, family).is_none() {
            return Ok(without_address(&self.guests[0].name));
        }
        let outside = SocketAddr::new(self.uplink.outside(family), PORT);
        let witnesses: Vec<usize> = self.witnesses(family).collect();
        let has_moved = AtomicBool::new(false);
        let ask = |guest: &usize| {
            let asked = self.stations[*guest].namespace.run(|| outage(outside, &has_moved, PATIENCE));
            Ok((*guest, asked.map_err(Failed::doing(format!("cannot ask {outside}")))?))
        };
        let (outages, moved) = beside(
            || side_by_side(&witnesses, ask),
            || {
                let moved = cluster.move_gateway(network, Instant::now() + PATIENCE);
                has_moved.store(true, Ordering::Release);
                moved
            },
        );
        let (outages, moved) = (outages?, moved?);
        let words = outages.iter().map(|(guest, outage)| match outage {
            Some(outage) => format!("{} had no answer for {} ms", self.guests[*guest].name, outage.as_millis()),
            None => format!("{} has no answer any more", self.guests[*guest].name),
        });
        let words = words.collect::<Vec<_>>().join(", ");
        let holds = moved.is_some() && outages.iter().all(|(_, outage)| outage.is_some());
        let place = moved.map_or_else(|| "it stayed where it was".to_owned(), |host| format!("moved to {host}"));
        Ok(Seen(Verdict::when(holds), format!("{place}: {words}")))
    }
}

fn judged(limit: &Limit, flow: Flow) -> Seen {
    let (kilobytes, milliseconds) = (flow.sent.div_ceil(1000), limit.time().as_millis());
    let seen = format!("{} of {kilobytes} kB arrived in {milliseconds} ms", flow.arrived.div_ceil(1000));
    match flow.arrived {
        0 => Seen(Verdict::Broken, format!("{kilobytes} kB were sent, and nothing arrived")),
        // Nothing would have been held back.
        _ if limit.allows(flow.sent) => Seen(Verdict::Open, format!("{seen}: this host sends no faster")),
        arrived => Seen(Verdict::when(limit.allows(arrived)), seen),
    }
}
