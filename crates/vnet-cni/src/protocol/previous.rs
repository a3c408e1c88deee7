//! `prevResult`: what the plugins before have made, or, for CHECK, all plugins together.

use std::path::PathBuf;

use serde_json::{Map, Value};
use vnet_driver::{Expectation, ExpectedMtu};

use super::{Failure, Head};

/// A result that the runtime hands over.
#[derive(Clone, Debug)]
pub(crate) struct Previous(Map<String, Value>);

impl Previous {
    /// `None` when the runtime hands over nothing.
    pub(crate) fn read(head: &Head) -> Result<Option<Self>, Failure> {
        match head.key("prevResult") {
            None => Ok(None),
            Some(Value::Object(result)) if result.is_empty() => Ok(None),
            Some(Value::Object(result)) => Ok(Some(Self(result.clone()))),
            Some(other) => Err(Failure::new(7, format!("/prevResult is {other}, not a result"))),
        }
    }

    pub(crate) fn list(&self, key: &str) -> Vec<Value> {
        self.0.get(key).and_then(Value::as_array).cloned().unwrap_or_default()
    }

    pub(crate) fn key(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// What it says of an interface in the container. `None` when it does not have it.
    pub(crate) fn expectation(&self, interface: &str, namespace: &str) -> Option<Expectation> {
        let interfaces = self.list("interfaces");
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let is_it = |it: &Value| text(it, "name").as_deref() == Some(interface) && text(it, "sandbox").is_some();
        let number = interfaces.iter().position(is_it)?;
        let of_it = |ip: &&Value| ip.get("interface").and_then(Value::as_u64) == u64::try_from(number).ok();
        let (ips, routes) = (self.list("ips"), self.list("routes"));
        let addresses = ips.iter().filter(of_it).filter_map(|ip| text(ip, "address")?.parse().ok());
        let route = |route: &Value| {
            Some((text(route, "dst")?.parse().ok()?, text(route, "gw").and_then(|gateway| gateway.parse().ok())))
        };
        let mtu = interfaces[number].get("mtu").and_then(Value::as_u64).and_then(|mtu| mtu.try_into().ok());
        Some(Expectation {
            namespace: PathBuf::from(namespace),
            mac: text(&interfaces[number], "mac").and_then(|mac| mac.parse().ok()),
            addresses: addresses.collect(),
            routes: routes.iter().filter_map(route).collect(),
            mtu: mtu.map_or(ExpectedMtu::AsMade, ExpectedMtu::Said),
        })
    }
}
