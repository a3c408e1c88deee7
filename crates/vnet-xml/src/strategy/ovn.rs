//! `<vnet:ovn>`.

use proptest::prelude::*;

use super::shared::{address, word};
use crate::network::{OvnAddress, OvnEngine, OvnGateway, OvnOutside, OvnTls};

prop_compose! {
    fn outside_address()(address in address(), prefix in any::<u8>(), gateway in prop::option::of(address())) -> OvnAddress {
        OvnAddress { address, prefix, gateway }
    }
}

fn gateway() -> impl Strategy<Value = OvnGateway> {
    prop_oneof![
        (word(), any::<Option<u16>>()).prop_map(|(chassis, priority)| OvnGateway::Chassis { chassis, priority }),
        word().prop_map(|group| OvnGateway::Group { group }),
    ]
}

prop_compose! {
    fn outside()(
        (network, vlan) in (word(), any::<Option<u16>>()),
        addresses in prop::collection::vec(outside_address(), 0..3),
        gateways in prop::collection::vec(gateway(), 0..3),
    ) -> OvnOutside {
        OvnOutside { network, vlan, addresses, gateways }
    }
}

fn tls() -> impl Strategy<Value = OvnTls> {
    [word(), word(), word()].prop_map(|[key, certificate, ca]| OvnTls { key, certificate, ca })
}

pub(super) fn ovn() -> impl Strategy<Value = OvnEngine> {
    (word(), prop::option::of(tls()), prop::option::of(outside())).prop_map(|(northbound, tls, outside)| OvnEngine {
        northbound,
        tls,
        outside,
    })
}
