//! The registers of a rule, byte by byte, and the expressions that compare them.

use crate::kernel::attribute::u32_of;
use crate::kernel::expression::{Expression, Value, read_data};

/// Bytes, each known or not.
pub(super) type Registers = [Option<u8>; 64];

fn start(register: u32) -> usize {
    // Four registers of 16 bytes, then the same memory as 16 of 4 (`enum nft_registers`).
    let at = match register {
        0 => 0,
        1..=4 => (register - 1) * 16,
        _ => register.saturating_sub(8) * 4,
    };
    usize::try_from(at).unwrap_or(0).min(64)
}

pub(super) fn take(registers: &Registers, register: u32, len: usize) -> &[Option<u8>] {
    let from = start(register);
    &registers[from..(from + len).min(64)]
}

pub(super) fn store(registers: &mut Registers, register: u32, value: Option<Vec<Option<u8>>>) {
    let from = start(register);
    match value {
        // A shorter value is padded with zeros to the next register.
        Some(value) => {
            let len = value.len().next_multiple_of(4);
            let filled = value.into_iter().chain([Some(0); 3]).take(len);
            registers[from..].iter_mut().zip(filled).for_each(|(to, byte)| *to = byte);
        }
        None => registers[from..(from + 16).min(64)].fill(None),
    }
}

pub(super) fn compare(expression: &Expression, registers: &Registers) -> Option<bool> {
    let expected = expression.bytes(3)?;
    let actual = take(registers, expression.u32(1)?, expected.len());
    let operator = expression.u32(2).unwrap_or(0);
    let differs =
        actual.iter().zip(expected).any(|(actual, expected)| actual.is_some_and(|actual| actual != *expected));
    match (operator, actual.iter().copied().collect::<Option<Vec<u8>>>()) {
        // One different byte is enough.
        (0 | 1, None) if differs => Some(operator == 1),
        (_, None) => None,
        (0, Some(actual)) => Some(actual == expected),
        (1, Some(actual)) => Some(actual != expected),
        (2, Some(actual)) => Some(actual.as_slice() < expected),
        (3, Some(actual)) => Some(actual.as_slice() <= expected),
        (4, Some(actual)) => Some(actual.as_slice() > expected),
        (5, Some(actual)) => Some(actual.as_slice() >= expected),
        _ => None,
    }
}

pub(super) fn range(expression: &Expression, registers: &Registers) -> Option<bool> {
    let bound = |number| match raw(expression, number).and_then(read_data)? {
        Value::Bytes(bytes) => Some(bytes),
        _ => None,
    };
    let (first, last) = (bound(3)?, bound(4)?);
    let actual = take(registers, u32_of(raw(expression, 1)?)?, first.len());
    let actual = actual.iter().copied().collect::<Option<Vec<u8>>>()?;
    // The operator for "in the range" is 0, which the kernel does not show.
    Some((first..=last).contains(&actual) != raw(expression, 2).is_some())
}

/// An attribute of an expression that vnet never makes.
pub(super) fn raw(expression: &Expression, number: u16) -> Option<&[u8]> {
    expression.bytes(number)
}
