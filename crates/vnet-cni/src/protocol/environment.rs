//! The variables of a request.

use vnet_driver::Attachment;
use vnet_types::{InterfaceName, MacAddr};

use super::{Failure, Verb};

/// What the environment says, as far as the verb uses it.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    pub(crate) verb: Verb,
    container: String,
    interface: Option<InterfaceName>,
    /// The file of the container's network namespace; empty when the runtime has none any more.
    pub(crate) namespace: String,
    /// The pod, as `NAMESPACE/NAME` or `NAME`.
    pub(crate) pod: Option<String>,
    /// The pod's name alone.
    pub(crate) pod_name: Option<String>,
    pub(crate) mac: Option<MacAddr>,
    pub(crate) ips: Vec<std::net::IpAddr>,
}

impl Environment {
    pub(crate) fn read(verb: Verb, variable: impl Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let value = |name: &str| variable(name).unwrap_or_default();
        let mut read = Self {
            verb,
            container: String::new(),
            interface: None,
            namespace: String::new(),
            pod: None,
            pod_name: None,
            mac: None,
            ips: Vec::new(),
        };
        if !matches!(verb, Verb::Add | Verb::Del | Verb::Check) {
            return Ok(read);
        }
        let mut needed = vec!["CNI_CONTAINERID", "CNI_IFNAME"];
        if verb != Verb::Del {
            needed.push("CNI_NETNS");
        }
        needed.retain(|name| value(name).is_empty());
        if !needed.is_empty() {
            return Err(Failure::new(4, format!("{} needs these variables: {}", verb.word(), needed.join(", "))));
        }
        read.container = value("CNI_CONTAINERID");
        if !is_identifier(&read.container) {
            let rule = "begins with a letter or digit, and has only letters, digits, `_`, `.`, `-`";
            return Err(Failure::new(4, format!("CNI_CONTAINERID is `{}`: an id {rule}", read.container)));
        }
        let interface = value("CNI_IFNAME");
        let parsed = interface.parse().map_err(|error| format!("CNI_IFNAME is `{interface}`: {error}"));
        read.interface = Some(parsed.map_err(|why| Failure::new(4, why))?);
        read.namespace = value("CNI_NETNS");
        read.arguments(&value("CNI_ARGS"))?;
        Ok(read)
    }

    /// What identifies the container's interface.
    pub(crate) fn attachment(&self, network: &str) -> Result<Attachment, Failure> {
        let interface = self.interface.clone().ok_or_else(|| Failure::new(4, "CNI_IFNAME is missing"))?;
        Ok(Attachment { network: network.to_owned(), container: self.container.clone(), interface })
    }

    /// Reads `K=V;K=V`.
    fn arguments(&mut self, text: &str) -> Result<(), Failure> {
        let pairs: Vec<(&str, &str)> = text.split(';').filter_map(|pair| pair.split_once('=')).collect();
        let is_lenient = pairs.iter().any(|(key, value)| {
            *key == "IgnoreUnknown" && matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "t")
        });
        let mut namespace = None;
        for (key, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
            let invalid = || Failure::new(7, format!("CNI_ARGS has {key}={value}, which is not valid"));
            match *key {
                "IgnoreUnknown" | "K8S_POD_INFRA_CONTAINER_ID" | "K8S_POD_UID" => {}
                "K8S_POD_NAMESPACE" => namespace = Some((*value).to_owned()),
                "K8S_POD_NAME" => self.pod_name = Some((*value).to_owned()),
                "MAC" if self.verb == Verb::Add => self.mac = Some(mac(value).ok_or_else(invalid)?),
                "IP" if self.verb == Verb::Add => {
                    for ip in value.split(',') {
                        self.ips.push(address(ip).ok_or_else(invalid)?);
                    }
                }
                "MAC" | "IP" => {}
                _ if is_lenient || self.verb != Verb::Add => {}
                _ => {
                    let hint = "IgnoreUnknown=1 makes the plugin pass over what it does not know";
                    return Err(Failure::new(7, format!("CNI_ARGS has the unknown key {key}={value}")).with(hint));
                }
            }
        }
        self.pod = match (namespace, &self.pod_name) {
            (Some(namespace), Some(name)) => Some(format!("{namespace}/{name}")),
            (_, name) => name.clone(),
        };
        Ok(())
    }
}

/// Whether a text may be the name of a network or the id of a container.
pub(super) fn is_identifier(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    begins && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

/// A MAC address that an interface can have.
pub(super) fn mac(text: &str) -> Option<MacAddr> {
    let mac: MacAddr = text.parse().ok()?;
    Some(mac).filter(|mac| mac.0[0] & 1 == 0 && mac.0 != [0; 6])
}

/// An address, with or without the prefix of its subnet.
pub(super) fn address(text: &str) -> Option<std::net::IpAddr> {
    text.split_once('/').map_or(text, |(address, _)| address).parse().ok()
}
