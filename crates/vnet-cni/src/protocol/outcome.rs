//! The result of ADD.

use std::net::IpAddr;

use serde_json::{Map, Value, json};
use vnet_types::{InterfaceName, IpNet, MacAddr};

use super::{Failure, Previous, Version};

/// An interface of a result.
#[derive(Clone, Debug)]
pub(crate) struct Interface {
    pub(crate) name: InterfaceName,
    pub(crate) mac: Option<MacAddr>,
    pub(crate) mtu: Option<u32>,
    /// The container's namespace; `None` for an interface of the host.
    pub(crate) sandbox: Option<String>,
}

/// The result of ADD.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) interfaces: Vec<Interface>,
    /// The addresses of the last interface, each with its gateway.
    pub(crate) ips: Vec<(IpNet, IpAddr)>,
    /// Whether default routes lead to the gateways.
    pub(crate) default_route: bool,
    pub(crate) nameservers: Vec<IpAddr>,
    pub(crate) domain: Option<String>,
    /// What the configuration says in the place of the last two.
    pub(crate) dns: Option<Value>,
}

impl Outcome {
    /// Prints it in a version, after what the plugins before have made.
    pub(crate) fn print(&self, version: Version, previous: Option<&Previous>) -> Result<String, Failure> {
        let mut all = Map::new();
        all.insert("cniVersion".to_owned(), version.text().into());
        if version < Version::V030 {
            self.by_family(&mut all)?;
        } else {
            self.by_interface(&mut all, version, previous);
        }
        let dns = previous.and_then(|previous| previous.key("dns")).filter(|dns| dns != &&json!({})).cloned();
        all.insert("dns".to_owned(), dns.unwrap_or_else(|| self.dns()));
        Ok(format!("{:#}\n", Value::Object(all)))
    }

    fn by_interface(&self, all: &mut Map<String, Value>, version: Version, previous: Option<&Previous>) {
        let list = |key| previous.map(|previous| previous.list(key)).unwrap_or_default();
        let mut interfaces = list("interfaces");
        interfaces.extend(self.interfaces.iter().map(|it| interface(it, version)));
        let last = interfaces.len() - 1;
        let mut ips = list("ips");
        ips.extend(self.ips.iter().map(|(net, gateway)| {
            let mut ip = json!({ "address": net.to_string(), "gateway": gateway.to_string(), "interface": last });
            if version < Version::V100 {
                ip["version"] = if net.addr().is_ipv4() { "4" } else { "6" }.into();
            }
            ip
        }));
        let mut routes = list("routes");
        routes.extend(self.routes().map(|(destination, gateway)| json!({ "dst": destination, "gw": gateway })));
        for (key, list) in [("interfaces", interfaces), ("ips", ips), ("routes", routes)] {
            all.insert(key.to_owned(), list.into());
        }
    }

    /// The shape before 0.3.0, which cannot tell of an interface without addresses.
    fn by_family(&self, all: &mut Map<String, Value>) -> Result<(), Failure> {
        if self.ips.is_empty() {
            return Err(Failure::new(7, "a result before version 0.3.0 needs an address, and the container has none"));
        }
        for (net, gateway) in &self.ips {
            let (key, is_ipv4) = if net.addr().is_ipv4() { ("ip4", true) } else { ("ip6", false) };
            let of_family = self.routes().filter(|(_, gateway)| gateway.is_ipv4() == is_ipv4);
            let routes: Vec<Value> = of_family.map(|(to, gateway)| json!({ "dst": to, "gw": gateway })).collect();
            let ip = json!({ "ip": net.to_string(), "gateway": gateway.to_string(), "routes": routes });
            all.insert(key.to_owned(), ip);
        }
        Ok(())
    }

    fn routes(&self) -> impl Iterator<Item = (&'static str, IpAddr)> {
        let gateways = self.ips.iter().filter(|_| self.default_route).map(|(_, gateway)| *gateway);
        gateways.map(|gateway| (if gateway.is_ipv4() { "0.0.0.0/0" } else { "::/0" }, gateway))
    }

    fn dns(&self) -> Value {
        if let Some(dns) = &self.dns {
            return dns.clone();
        }
        let mut dns = Map::new();
        if !self.nameservers.is_empty() {
            dns.insert("nameservers".to_owned(), json!(self.nameservers));
        }
        if let Some(domain) = &self.domain {
            dns.insert("domain".to_owned(), domain.clone().into());
            dns.insert("search".to_owned(), json!([domain]));
        }
        dns.into()
    }
}

fn interface(it: &Interface, version: Version) -> Value {
    let mut all = json!({ "name": it.name.as_str() });
    if let Some(mac) = it.mac {
        all["mac"] = mac.to_string().into();
    }
    if let Some(sandbox) = &it.sandbox {
        all["sandbox"] = sandbox.clone().into();
    }
    if let Some(mtu) = it.mtu.filter(|_| version >= Version::V110) {
        all["mtu"] = mtu.into();
    }
    all
}
