//! What networks, network ports and guests' interfaces have in common.

use std::net::IpAddr;

use proptest::prelude::*;
use vnet_types::Uuid;

use crate::{Bandwidth, NativeMode, Rate, VirtualPort, VirtualPortType, Vlan};

pub(super) fn word() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9<>&'\" é\t\n\r-]{0,12}[a-z]"
}

pub(super) fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![any::<[u8; 4]>().prop_map(IpAddr::from), any::<[u16; 8]>().prop_map(IpAddr::from)]
}

fn rate() -> impl Strategy<Value = Option<Rate>> {
    let some = || prop::option::of(1u64..);
    let rate = (1u64.., some(), some()).prop_map(|(average, peak, burst)| {
        let mut rate = Rate::average(average);
        (rate.peak, rate.burst) = (peak, burst);
        rate
    });
    prop::option::of(rate)
}

prop_compose! {
    pub(super) fn bandwidth()(inbound in rate(), outbound in rate()) -> Option<Bandwidth> {
        let mut bandwidth = Bandwidth::default();
        (bandwidth.inbound, bandwidth.outbound) = (inbound, outbound);
        (bandwidth != Bandwidth::default()).then_some(bandwidth)
    }
}

prop_compose! {
    pub(super) fn vlan()(trunk in any::<bool>(), ids in prop::collection::btree_set(0u16..4096, 1..4), native in any::<bool>()) -> Vlan {
        let mut vlan = Vlan::trunk(ids);
        vlan.trunk = trunk || vlan.tags.len() > 1;
        vlan.tags[0].native_mode = native.then_some(NativeMode::Untagged);
        vlan
    }
}

prop_compose! {
    pub(super) fn virtual_port()(
        (manager, version, instance, interface) in any::<(Option<u8>, Option<u8>, Option<[u8; 16]>, Option<[u8; 16]>)>(),
        (type_id, profile) in (prop::option::of(0u32..1 << 24), prop::option::of("[ -~]{1,39}")),
        kind in prop_oneof![Just(VirtualPortType::Qbg), Just(VirtualPortType::Qbh), Just(VirtualPortType::OpenVSwitch), Just(VirtualPortType::Midonet)],
    ) -> VirtualPort {
        let mut port = VirtualPort::new(kind);
        if kind == VirtualPortType::Qbg {
            (port.manager_id, port.type_id, port.type_id_version) = (manager, type_id, version);
            port.instance_id = instance.map(Uuid);
        }
        if matches!(kind, VirtualPortType::OpenVSwitch | VirtualPortType::Midonet) {
            port.interface_id = interface.map(Uuid);
        }
        if matches!(kind, VirtualPortType::OpenVSwitch | VirtualPortType::Qbh) {
            port.profile_id = profile;
        }
        port
    }
}
