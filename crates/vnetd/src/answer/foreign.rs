//! Procedures that libvirt's network driver does not have.

use vnet_rpc::{ErrorCode, ErrorDomain};

use crate::refusal::{self, Refusal};

/// Calls of clients that ask any driver, by number: the function of libvirt's C library, and the
/// part of libvirt that lacks it.
const KNOWN: &[(i32, &str, ErrorDomain)] = &[
    (4, "virConnectGetVersion", ErrorDomain::Domain),
    (5, "virConnectGetMaxVcpus", ErrorDomain::Domain),
    (6, "virNodeGetInfo", ErrorDomain::Domain),
    (7, "virConnectGetCapabilities", ErrorDomain::Domain),
    (51, "virConnectNumOfDomains", ErrorDomain::Domain),
    (59, "virConnectGetHostname", ErrorDomain::Domain),
    (71, "virConnectNumOfStoragePools", ErrorDomain::Storage),
    (111, "virNodeNumOfDevices", ErrorDomain::NodeDevice),
    (126, "virConnectNumOfInterfaces", ErrorDomain::Interface),
    (178, "virConnectNumOfNWFilters", ErrorDomain::NwFilter),
    (203, "virConnectGetSysinfo", ErrorDomain::Domain),
    (273, "virConnectListAllDomains", ErrorDomain::Domain),
    (281, "virConnectListAllStoragePools", ErrorDomain::Storage),
    (284, "virConnectListAllInterfaces", ErrorDomain::Interface),
    (285, "virConnectListAllNodeDevices", ErrorDomain::NodeDevice),
    (286, "virConnectListAllNWFilters", ErrorDomain::NwFilter),
    (342, "virConnectGetDomainCapabilities", ErrorDomain::Domain),
];

/// Authentication by SASL, which nobody is asked for.
const SASL: std::ops::RangeInclusive<i32> = 67..=69;

/// The refusal of a procedure. Clients try another way when one is unknown, by its wording.
pub(crate) fn foreign(number: i32) -> Refusal {
    match KNOWN.iter().find(|(known, ..)| *known == number) {
        Some((_, function, domain)) => refusal::of(ErrorCode::NoSupport, *domain, *function),
        None if SASL.contains(&number) => refusal::of(ErrorCode::AuthFailed, ErrorDomain::Rpc, "authentication failed"),
        None => refusal::protocol(format!("unknown procedure: {number}")),
    }
}
