//! libvirt's list of leases, which its helper of dnsmasq keeps as JSON, as dnsmasq's own file.

use serde::Deserialize;
use vnet_dnsmasq::Lease;

/// An entry of the list (`virLeaseNew` in libvirt's `virlease.c`).
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Entry {
    ip_address: String,
    #[serde(default)]
    mac_address: Option<String>,
    #[serde(default)]
    hostname: Option<String>,
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    iaid: Option<String>,
    #[serde(default)]
    server_duid: Option<String>,
    /// Seconds since 1970; 0: never.
    #[serde(default)]
    expiry_time: u64,
}

/// dnsmasq's lease file with the leases of libvirt's list. Entries that dnsmasq could not have
/// written are left out.
///
/// # Errors
/// When the text is not a list of leases.
pub(super) fn converted(json: &str) -> Result<String, serde_json::Error> {
    if json.trim().is_empty() {
        return Ok(String::new());
    }
    let entries: Vec<Entry> = serde_json::from_str(json)?;
    let (v6, v4): (Vec<&Entry>, Vec<&Entry>) = entries.iter().partition(|entry| entry.ip_address.contains(':'));
    let duid = v6.iter().find_map(|entry| entry.server_duid.as_ref()).map(|duid| format!("duid {duid}\n"));
    let lines = |entries: Vec<&Entry>| entries.into_iter().filter_map(line).collect::<String>();
    Ok(lines(v4) + &duid.map(|duid| duid + &lines(v6)).unwrap_or_default())
}

fn line(entry: &Entry) -> Option<String> {
    let client = if entry.ip_address.contains(':') { entry.iaid.as_ref() } else { entry.mac_address.as_ref() }?;
    let known = |text: &Option<String>| text.clone().filter(|text| !text.is_empty()).unwrap_or_else(|| "*".to_owned());
    let (expiry, ip) = (entry.expiry_time, &entry.ip_address);
    let line = format!("{expiry} {client} {ip} {} {}", known(&entry.hostname), known(&entry.client_id));
    let lease: Lease = line.parse().ok()?;
    Some(format!("{lease}\n"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn both_families() {
        let json = r#"[
            {"iaid": "7", "ip-address": "2001:db8::10", "mac-address": "52:54:00:00:00:02", "hostname": "b",
             "client-id": "00:03:00:01:52:54:00:00:00:02", "server-duid": "00:01:00:01:aa", "expiry-time": 1763690000},
            {"ip-address": "192.168.122.10", "mac-address": "52:54:00:00:00:01", "hostname": "a",
             "client-id": "ff:01", "expiry-time": 1763690000},
            {"ip-address": "192.168.122.11", "mac-address": "52:54:00:00:00:03", "expiry-time": 0},
            {"ip-address": "not an address", "mac-address": "52:54:00:00:00:03", "expiry-time": 0}
        ]"#;
        let expected = "1763690000 52:54:00:00:00:01 192.168.122.10 a ff:01\n\
                        0 52:54:00:00:00:03 192.168.122.11 * *\n\
                        duid 00:01:00:01:aa\n\
                        1763690000 7 2001:db8::10 b 00:03:00:01:52:54:00:00:00:02\n";
        let converted = converted(json).unwrap();
        assert_eq!(converted, expected);
        assert_eq!(vnet_dnsmasq::parse_leases(&converted).len(), 3);
    }

    #[test]
    fn no_leases() {
        assert_eq!(converted("").unwrap(), "");
        assert_eq!(converted("[]").unwrap(), "");
        assert!(converted("{").is_err());
    }
}
