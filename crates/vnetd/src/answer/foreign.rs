//! Procedures that libvirt's network driver does not have.

use vnet_rpc::{ErrorCode, ErrorDomain};

use super::functions::PARTS;
use crate::refusal::{self, Refusal};

/// A call of another driver.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Foreign {
    /// The function of libvirt's C library.
    function: &'static str,
    /// The part of libvirt that lacks it.
    part: ErrorDomain,
    /// Whether it changes something.
    writes: bool,
}

/// Authentication by SASL, which nobody is asked for.
const SASL: std::ops::RangeInclusive<i32> = 67..=69;

/// The call of another driver with this number. Clients try another way when a procedure is not
/// known at all, by the wording.
pub(crate) fn foreign(number: i32) -> Result<Foreign, Refusal> {
    if SASL.contains(&number) {
        return Err(refusal::of(ErrorCode::AuthFailed, ErrorDomain::Rpc, "authentication failed"));
    }
    let found = PARTS.iter().find_map(|(part, reads, writes)| {
        let named = |calls: &[(i32, &'static str)]| Some(calls.iter().find(|(known, _)| *known == number)?.1);
        let of = |function, writes| Foreign { function, part: *part, writes };
        named(reads).map(|function| of(function, false)).or_else(|| Some(of(named(writes)?, true)))
    });
    found.ok_or_else(|| refusal::protocol(format!("unknown procedure: {number}")))
}

impl Foreign {
    /// The refusal of the call on a connection.
    pub(crate) fn refused(self, is_open: bool, is_read_only: bool) -> Refusal {
        let Self { function, part, writes } = self;
        if !is_open {
            let is_of_guests = matches!(part, ErrorDomain::Domain | ErrorDomain::Snapshot | ErrorDomain::Checkpoint);
            let what = if is_of_guests { "hypervisor " } else { "" };
            return refusal::internal(format!("{what}connection not open"));
        }
        match writes && is_read_only {
            true => refusal::of(ErrorCode::OperationDenied, part, format!("read only access prevents {function}")),
            false => refusal::of(ErrorCode::NoSupport, part, function),
        }
    }
}
