//! Turns bandwidth into traffic control (libvirt formatnetwork "Quality of service", tc-htb(8)).
//!
//! Traffic to a guest leaves through the host's end of its tap and is shaped there. Traffic from a
//! guest arrives there and can only be policed, which drops what exceeds the rate. If the kernel
//! has no policer, this traffic is redirected through an ifb, a device that exists only to shape
//! what passes. A macvtap is the guest's own end, so there the directions are reversed.

mod floor;

use vnet_types::{
    Class, Features, Filter, FilterAction, FilterMatch, InterfaceName, Inventory, Link, LinkKind, MacAddr, Qdisc,
    QdiscKind, TrafficHandle, fnv1a,
};
use vnet_xml::{Bandwidth, Network, Rate};

use super::LowerError;
use crate::Resource;

pub(super) use floor::FLOORS;
pub use floor::{Floor, FloorError, floor, free_class};

pub(super) const ROOT: TrafficHandle = TrafficHandle::qdisc(1);
const WHOLE: TrafficHandle = TrafficHandle::new(1, 1);
/// The class of guests without a floor.
pub(super) const REST: TrafficHandle = TrafficHandle::new(1, 2);
const INGRESS: TrafficHandle = TrafficHandle::qdisc(0xffff);
/// The seconds after which sfq hashes the flows anew.
const PERTURB: u32 = 10;
/// The number of the first u32 filter, and the priority that the kernel gives by default.
pub(super) const FIRST: u32 = 0x8000_0800;
const UNSAID: u16 = 0xc000;

/// The end of a guest's interface that a device of the host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The host's end, for a tap: its outgoing packets go to the guest.
    Host,
    /// The guest's end, for a macvtap: its outgoing packets come from the guest.
    Guest,
}

/// Refuses a limit that would let guests' packets out untranslated.
///
/// With br_netfilter, connection tracking sees a guest's packet when it enters the bridge. The
/// redirect to the ifb drops the tracked connection from the packet, and when the packet comes
/// back, br_netfilter skips the hook that would track it again. Then the packet is not translated.
/// A policer does not change a packet that passes.
///
/// # Errors
/// [`LowerError::NoPolicer`].
pub(super) fn check(network: &Network, inventory: &Inventory) -> Result<(), LowerError> {
    let rate = network.bandwidth.as_ref().and_then(|bandwidth| bandwidth.outbound.as_ref());
    let needs_detour = limit(rate).is_some() && !inventory.features.police;
    if needs_detour && inventory.bridge_netfilter { Err(LowerError::NoPolicer) } else { Ok(()) }
}

/// The limits for all guests of a network together, on its bridge.
pub fn network(bridge: &InterfaceName, bandwidth: &Bandwidth, features: &Features) -> Vec<Resource> {
    let mut all = Vec::new();
    if let Some((rate, average)) = limit(bandwidth.inbound.as_ref()) {
        let ceil = rate.peak.map_or(average, bytes);
        let whole = class(bridge, ROOT, WHOLE, average, ceil, quantum(rate));
        let rest = Class {
            burst: rate.burst.map(burst),
            remainder: true,
            ..class(bridge, WHOLE, REST, average, ceil, quantum(rate))
        };
        all.push(root(bridge, REST));
        all.extend([whole, rest].map(Resource::Class));
        all.extend(leaf(bridge, REST, features));
        all.extend(mark(bridge, features));
    }
    all.extend(receive(bridge, bandwidth.outbound.as_ref(), features));
    all
}

/// The limits for one guest, on the device of the host that is an end of its interface.
pub fn interface(device: &InterfaceName, end: End, bandwidth: &Bandwidth, features: &Features) -> Vec<Resource> {
    let (leaves, arrives) = match end {
        End::Host => (&bandwidth.inbound, &bandwidth.outbound),
        End::Guest => (&bandwidth.outbound, &bandwidth.inbound),
    };
    let mut all = transmit(device, leaves.as_ref(), features);
    all.extend(receive(device, arrives.as_ref(), features));
    all
}

/// The name of a device's ifb: `ifb-` and the device's name, or, if that is too long, a hash of it.
pub fn ifb(device: &InterfaceName) -> InterfaceName {
    let short = format!("ifb-{device}");
    let long = || format!("ifb-{:011x}", fnv1a(device.as_str().bytes()) >> 20);
    short.parse().unwrap_or_else(|_| long().parse().expect("15 letters and digits"))
}

/// Shapes the outgoing traffic of a device.
fn transmit(device: &InterfaceName, rate: Option<&Rate>, features: &Features) -> Vec<Resource> {
    let Some((rate, average)) = limit(rate) else { return Vec::new() };
    let ceil = rate.peak.map_or(average, bytes);
    let class = Class { burst: rate.burst.map(burst), ..class(device, ROOT, WHOLE, average, ceil, quantum(rate)) };
    let mut all = vec![root(device, WHOLE), Resource::Class(class)];
    all.extend(leaf(device, WHOLE, features));
    all.extend(mark(device, features));
    all
}

/// Limits the incoming traffic of a device. As with libvirt, its `peak` has no effect.
fn receive(device: &InterfaceName, rate: Option<&Rate>, features: &Features) -> Vec<Resource> {
    let Some((rate, average)) = limit(rate) else { return Vec::new() };
    let link = device.clone();
    let qdisc = Qdisc { link, parent: TrafficHandle::INGRESS, handle: INGRESS, kind: QdiscKind::Ingress };
    let (detour, action) = if features.police {
        let burst = burst(rate.burst.or(rate.average).unwrap_or_default());
        (Vec::new(), FilterAction::Police { rate: average, burst })
    } else {
        let ifb = ifb(device);
        let mut rate = *rate;
        rate.peak = None;
        let kind = LinkKind::Other("ifb".to_owned());
        // The MAC address is derived from the name, so that the ifb can be recognised again.
        let [a, b, c, d, e, ..] = fnv1a(ifb.as_str().bytes()).to_be_bytes();
        let mac = Some(MacAddr([2, a, b, c, d, e]));
        let mut detour = vec![Resource::Link(Link { name: ifb.clone(), kind, mac, mtu: None, up: true })];
        detour.extend(transmit(&ifb, Some(&rate), features));
        (detour, FilterAction::Redirect(ifb))
    };
    let (link, matches) = (device.clone(), FilterMatch::All);
    let filter = Filter { link, parent: INGRESS, priority: UNSAID, handle: FIRST, matches, action };
    let mut all = detour;
    all.extend([Resource::Qdisc(qdisc), Resource::Filter(filter)]);
    all
}

/// The rate and its average in bytes per second, if it limits anything.
fn limit(rate: Option<&Rate>) -> Option<(&Rate, u64)> {
    rate.and_then(|rate| Some((rate, bytes(rate.average.filter(|average| *average != 0)?))))
}

pub(super) fn root(device: &InterfaceName, default: TrafficHandle) -> Resource {
    let kind = QdiscKind::Htb { default: default.minor };
    Resource::Qdisc(Qdisc { link: device.clone(), parent: TrafficHandle::ROOT, handle: ROOT, kind })
}

fn class(
    device: &InterfaceName,
    parent: TrafficHandle,
    handle: TrafficHandle,
    rate: u64,
    ceil: u64,
    quantum: u32,
) -> Class {
    Class { link: device.clone(), parent, handle, rate, ceil, burst: None, quantum, remainder: false }
}

/// Serves the flows of a class in turn, if the kernel supports it. The leaf of 1:1 has the number
/// 2, like that of 1:2.
fn leaf(device: &InterfaceName, class: TrafficHandle, features: &Features) -> Option<Resource> {
    let handle = TrafficHandle::qdisc(class.minor.max(2));
    let kind = QdiscKind::Sfq { perturb: PERTURB };
    features.sfq.then(|| Resource::Qdisc(Qdisc { link: device.clone(), parent: class, handle, kind }))
}

/// libvirt's filter for packets with mark 1, if the kernel supports it. Other programs may rely on
/// it.
fn mark(device: &InterfaceName, features: &Features) -> Option<Resource> {
    let action = FilterAction::Class(TrafficHandle::new(0, 1));
    let (link, matches) = (device.clone(), FilterMatch::Mark);
    features.fw.then_some(Resource::Filter(Filter { link, parent: ROOT, priority: 1, handle: 1, matches, action }))
}

fn bytes(kilobytes: u64) -> u64 {
    kilobytes.saturating_mul(1000)
}

/// Kibibytes in bytes, up to the kernel's limit.
fn burst(kibibytes: u64) -> u32 {
    u32::try_from(kibibytes.min(u64::from(u32::MAX >> 10)) << 10).unwrap_or(u32::MAX)
}

/// libvirt's quantum for a class: the average, times 1024, divided by 8 and by 1500.
fn quantum(rate: &Rate) -> u32 {
    let packets = u128::from(rate.average.unwrap_or_default()) * 1024 / 8 / 1500;
    u32::try_from(packets).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{Change, HostState};
    use rstest::rstest;
    use vnet_xml::Rate;

    pub(crate) fn name(text: &str) -> InterfaceName {
        text.parse().expect("a name")
    }

    pub(crate) fn rate(average: u64, peak: u64, floor: u64, burst: u64) -> Option<Rate> {
        let some = |number| Some(number).filter(|number| *number != 0);
        let mut rate = Rate::average(average);
        (rate.average, rate.peak, rate.floor, rate.burst) = (some(average), some(peak), some(floor), some(burst));
        Some(rate)
    }

    fn bandwidth(inbound: Option<Rate>, outbound: Option<Rate>) -> Bandwidth {
        let mut bandwidth = Bandwidth::default();
        (bandwidth.inbound, bandwidth.outbound) = (inbound, outbound);
        bandwidth
    }

    /// The commands that create them, in the words of `tc`.
    pub(crate) fn words(resources: Vec<Resource>) -> Vec<String> {
        let state: HostState = resources.into_iter().collect();
        state.iter().map(|to| Change::Create { to: to.clone() }.to_string()).collect()
    }

    const NOTHING: Features =
        Features { vlan_filtering: false, police: false, sfq: false, fw: false, csum: false, flowtable: false };

    #[rstest]
    #[case::nothing(bandwidth(None, None), &[])]
    #[case::inbound(bandwidth(rate(1024, 0, 0, 0), None), &[
        "+ tc qdisc add dev vnet0 root handle 1: htb default 1",
        "+ tc class add dev vnet0 parent 1: classid 1:1 htb rate 1024kbps quantum 87",
        "+ tc qdisc add dev vnet0 parent 1:1 handle 2: sfq perturb 10",
        "+ tc filter add dev vnet0 parent 1: prio 1 protocol all handle 1 fw flowid :1",
    ])]
    #[case::outbound(bandwidth(None, rate(1024, 0, 0, 0)), &[
        "+ tc qdisc add dev vnet0 ingress",
        "+ tc filter add dev vnet0 parent ffff: prio 49152 protocol all u32 match u32 0 0 \
         police rate 1024kbps burst 1024kb mtu 64kb drop flowid :1",
    ])]
    #[case::everything(bandwidth(rate(1, 2, 3, 4), rate(5, 6, 0, 7)), &[
        "+ tc qdisc add dev vnet0 ingress",
        "+ tc qdisc add dev vnet0 root handle 1: htb default 1",
        "+ tc class add dev vnet0 parent 1: classid 1:1 htb rate 1kbps ceil 2kbps burst 4kb quantum 1",
        "+ tc qdisc add dev vnet0 parent 1:1 handle 2: sfq perturb 10",
        "+ tc filter add dev vnet0 parent 1: prio 1 protocol all handle 1 fw flowid :1",
        "+ tc filter add dev vnet0 parent ffff: prio 49152 protocol all u32 match u32 0 0 \
         police rate 5kbps burst 7kb mtu 64kb drop flowid :1",
    ])]
    #[case::large(bandwidth(rate(4_294_967_295, 0, 0, 0), rate(4_294_967_295, 0, 0, 0)), &[
        "+ tc qdisc add dev vnet0 ingress",
        "+ tc qdisc add dev vnet0 root handle 1: htb default 1",
        "+ tc class add dev vnet0 parent 1: classid 1:1 htb rate 4294967295kbps quantum 366503875",
        "+ tc qdisc add dev vnet0 parent 1:1 handle 2: sfq perturb 10",
        "+ tc filter add dev vnet0 parent 1: prio 1 protocol all handle 1 fw flowid :1",
        "+ tc filter add dev vnet0 parent ffff: prio 49152 protocol all u32 match u32 0 0 \
         police rate 4294967295kbps burst 4194303kb mtu 64kb drop flowid :1",
    ])]
    fn interfaces(#[case] bandwidth: Bandwidth, #[case] expected: &[&str]) {
        assert_eq!(words(interface(&name("vnet0"), End::Host, &bandwidth, &Features::ALL)), expected);
        let swapped = self::bandwidth(bandwidth.outbound, bandwidth.inbound);
        let guest = words(interface(&name("vnet0"), End::Guest, &swapped, &Features::ALL));
        assert_eq!(guest, expected);
    }

    #[test]
    fn without_police_what_arrives_takes_a_detour() {
        let all = words(interface(&name("vnet0"), End::Host, &bandwidth(None, rate(5, 6, 0, 7)), &NOTHING));
        assert_eq!(
            all,
            [
                "+ ip link add ifb-vnet0 type ifb address 02:db:e0:80:37:d1 up",
                "+ tc qdisc add dev ifb-vnet0 root handle 1: htb default 1",
                "+ tc qdisc add dev vnet0 ingress",
                "+ tc class add dev ifb-vnet0 parent 1: classid 1:1 htb rate 5kbps burst 7kb quantum 1",
                "+ tc filter add dev vnet0 parent ffff: prio 49152 protocol all u32 match u32 0 0 \
                 action mirred egress redirect dev ifb-vnet0",
            ]
        );
    }

    #[test]
    fn networks_leave_room_for_floors() {
        let all = words(network(&name("virbr0"), &bandwidth(rate(1000, 5000, 0, 5120), rate(128, 0, 0, 0)), &NOTHING));
        assert_eq!(
            all[..4],
            [
                "+ ip link add ifb-virbr0 type ifb address 02:f2:8a:17:09:ce up",
                "+ tc qdisc add dev ifb-virbr0 root handle 1: htb default 1",
                "+ tc qdisc add dev virbr0 ingress",
                "+ tc qdisc add dev virbr0 root handle 1: htb default 2",
            ]
        );
        assert!(all.contains(
            &"+ tc class add dev virbr0 parent 1: classid 1:1 htb rate 1000kbps ceil 5000kbps quantum 85".to_owned()
        ));
        assert!(all.contains(
            &"+ tc class add dev virbr0 parent 1:1 classid 1:2 htb rate 1000kbps ceil 5000kbps burst 5120kb quantum 85 \
              (less what other classes have)"
                .to_owned()
        ));
    }

    #[rstest]
    #[case("vnet0", "ifb-vnet0")]
    #[case("eleven-long", "ifb-eleven-long")]
    fn ifbs(#[case] device: &str, #[case] expected: &str) {
        assert_eq!(ifb(&name(device)), name(expected));
    }

    #[test]
    fn long_names_are_told_apart() {
        let [one, other] = ["fifteen-bytes-1", "fifteen-bytes-2"].map(|text| ifb(&name(text)));
        assert_ne!(one, other);
        assert_eq!(one.as_str().len(), 15);
    }
}
