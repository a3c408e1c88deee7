//! Values of attributes, read as libvirt reads them. The error says what is expected.

use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use vnet_types::MacAddr;

use crate::Spelled;
use crate::element::Value;
use crate::suggest::did_you_mean;

pub(crate) fn text(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

/// Reads a value of a type that has its own parser.
pub(crate) fn parsed<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| {
        let error = error.to_string();
        // Removes the beginning that the report adds anyway.
        match error.strip_prefix(&format!("`{text}` is not ")) {
            Some(expected) => expected.to_owned(),
            None => format!("right here: {error}"),
        }
    })
}

/// Reads a MAC address. One of six pairs in lower case is printed as it is written, which is not
/// compared for each host of a large document.
pub(crate) fn mac(text: &str) -> Result<Spelled<MacAddr>, String> {
    let address = parsed::<MacAddr>(text)?;
    let is_usual = text.len() == "52:54:00:00:00:00".len() && !text.bytes().any(|byte| byte.is_ascii_uppercase());
    if is_usual { Ok(address.into()) } else { parsed(text) }
}

pub(crate) fn yes_no(text: &str) -> Result<bool, String> {
    switch(text, "yes", "no")
}

/// Reads yes or no in upper or lower case, as libvirt does for some attributes.
pub(crate) fn yes_no_of_any_case(text: &str) -> Result<bool, String> {
    yes_no(&text.to_ascii_lowercase())
}

pub(crate) fn on_off(text: &str) -> Result<bool, String> {
    switch(text, "on", "off")
}

/// Reads a switch. For a word such as `true` or `disabled`, the error suggests the word of the same
/// meaning, not the most similar one.
fn switch(text: &str, on: &str, off: &str) -> Result<bool, String> {
    let meant = match text.to_ascii_lowercase().as_str() {
        _ if text == on => return Ok(true),
        _ if text == off => return Ok(false),
        "yes" | "on" | "true" | "1" | "enable" | "enabled" => Some(on),
        "no" | "off" | "false" | "0" | "disable" | "disabled" => Some(off),
        other => did_you_mean(other, [on, off]),
    };
    let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
    Err(format!("one of `{on}`, `{off}`{meant}"))
}

/// The value that was certainly meant by one that cannot be read: the same without white space
/// around it, in lower case, or with the word for yes and no that is used here.
pub(crate) fn certain<T>(text: &str, read: Value<T>) -> Option<String> {
    let trimmed = text.trim();
    let lower = trimmed.to_ascii_lowercase();
    let switches = match lower.as_str() {
        "yes" | "on" | "true" | "1" | "enable" | "enabled" => ["yes", "on"],
        "no" | "off" | "false" | "0" | "disable" | "disabled" => ["no", "off"],
        _ => ["", ""],
    };
    let mut meant = [trimmed, &lower].into_iter().chain(switches).filter(|it| !it.is_empty() && *it != text);
    meant.find(|meant| read(meant).is_ok()).map(str::to_owned)
}

/// One of a few words.
pub(crate) fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        let list = words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        match did_you_mean(text, words.iter().map(|(word, _)| *word)) {
            Some(meant) => format!("one of {list}; did you mean `{meant}`?"),
            None => format!("one of {list}"),
        }
    })
}

/// A whole number as strtoul(3) reads it with base 10: white space and `+` may come first.
pub(crate) fn number<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    let digits = text.trim_start_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = plain.then(|| digits.parse::<u64>().ok()).flatten().and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| match 8 * size_of::<T>() {
        16 => "a whole number from 0 to 65535".to_owned(),
        bits => format!("a whole number of at most {bits} bits"),
    })
}

/// A whole number as strtoul(3) reads it with base 0: `0x` makes it hexadecimal, a leading 0 octal.
pub(crate) fn number_of_any_base<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    let digits = text.trim_start_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    let (digits, radix) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hexadecimal) => (hexadecimal, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (digits, 8),
        None => (digits, 10),
    };
    let plain = !digits.starts_with(['+', '-']);
    let number = plain.then(|| u64::from_str_radix(digits, radix).ok()).flatten();
    number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| {
        let bits = 8 * size_of::<T>();
        format!("a whole number of at most {bits} bits, such as `10` or `0xa`")
    })
}

pub(crate) fn ip(text: &str) -> Result<IpAddr, String> {
    vnet_types::parse_ip(text).ok_or_else(|| {
        match text.split_once('/') {
            Some((address, _)) if vnet_types::parse_ip(address).is_some() => {
                "an IP address: it stands without a prefix"
            }
            _ => "an IP address",
        }
        .to_owned()
    })
}

pub(crate) fn ipv4(text: &str) -> Result<Ipv4Addr, String> {
    match ip(text) {
        Ok(IpAddr::V4(v4)) => Ok(v4),
        _ => Err("an IPv4 address".to_owned()),
    }
}
