//! How much a guest gets and sends.
//!
//! A limit of OVN holds on each host for itself, which is the host with the guest. It is a meter:
//! what is more is dropped, so there is no `peak`, and no rate is reserved.

use vnet_xml::Rate;

use crate::lower::Context;
use crate::matching::{OvnMatch, Way};
use crate::{NorthboundTable, OvnGuest};

/// One kilobyte in kilobits; of the burst, one kibibyte is the same, as libvirt has it.
const KILOBITS: u64 = 8;
/// The most that the database takes.
const MOST: u64 = u32::MAX as u64;
const PRIORITY: i64 = 1000;

pub(crate) fn limits(context: &mut Context<'_>, guest: &OvnGuest) {
    let Some(bandwidth) = &guest.bandwidth else { return };
    let port = guest.id.to_string();
    for (word, way, direction, rate) in
        [("inbound", Way::Out, "to-lport", bandwidth.inbound), ("outbound", Way::In, "from-lport", bandwidth.outbound)]
    {
        let Some((average, burst)) = rate.and_then(amounts) else { continue };
        let row = context.row(NorthboundTable::Qos).text("direction", direction).number("priority", PRIORITY);
        let row = row.text("match", OvnMatch::port(way, &port));
        let amounts = [("rate", Some(average)), ("burst", burst)];
        let amounts = amounts.into_iter().filter_map(|(key, amount)| Some((key, amount?)));
        context.add_to("switch", "qos_rules", &format!("{word} {port}"), row.amounts("bandwidth", amounts));
    }
}

/// The rate and the burst in kilobits.
fn amounts(rate: Rate) -> Option<(i64, Option<i64>)> {
    let kilobits = |amount: u64| i64::try_from(amount.saturating_mul(KILOBITS).min(MOST)).ok();
    Some((kilobits(rate.average.filter(|it| *it > 0)?)?, rate.burst.filter(|it| *it > 0).and_then(kilobits)))
}
