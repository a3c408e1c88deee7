//! The plugin's own keys, and what the runtime adds to them.

use std::net::IpAddr;

use serde_json::{Map, Value};
use vnet_types::{MacAddr, NetworkName};
use vnet_xml::{Bandwidth, Network, Rate};

use super::environment::{address, mac};
use super::{Failure, Head};

/// What the container gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    /// An interface.
    Veth,
    /// An interface and a tap, for a virtual machine of KubeVirt.
    Kubevirt,
}

/// The plugin's keys.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) network: NetworkName,
    pub(crate) definition: Option<Network>,
    pub(crate) starts: bool,
    pub(crate) device: Device,
    pub(crate) port_group: Option<String>,
    pub(crate) isolated: Option<bool>,
    pub(crate) mtu: Option<u32>,
    pub(crate) bandwidth: Option<Bandwidth>,
    pub(crate) has_addresses: bool,
    pub(crate) default_route: Option<bool>,
    pub(crate) owner: u32,
    pub(crate) group: u32,
    pub(crate) multi_queue: bool,
    pub(crate) dns: Option<Value>,
    pub(crate) mac: Option<MacAddr>,
    pub(crate) ips: Vec<IpAddr>,
    pub(crate) aliases: Vec<String>,
    /// Whether `portmap` or its like is to let ports of the host lead to the container.
    pub(crate) has_host_ports: bool,
}

/// The keys of this plugin.
const OWN: [&str; 14] = [
    "addresses",
    "bandwidth",
    "defaultRoute",
    "definition",
    "device",
    "group",
    "isolated",
    "mtu",
    "network",
    "owner",
    "portgroup",
    "queues",
    "start",
    "type",
];

/// The keys of the protocol and of runtimes.
const STANDARD: [&str; 14] = [
    "args",
    "capabilities",
    "cniVersion",
    "cniVersions",
    "disableCheck",
    "disableGC",
    "dns",
    "ipMasq",
    "ipam",
    "loadOnlyInlinedPlugins",
    "name",
    "plugins",
    "prevResult",
    "runtimeConfig",
];

/// KubeVirt's virt-launcher runs as this user and group.
const VIRT_LAUNCHER: u32 = 107;

impl Settings {
    /// Reads the keys. All problems are reported at once.
    pub(crate) fn read(head: &Head) -> Result<Self, Failure> {
        let unknown = head.keys.iter().filter(|(key, _)| !is_known(key));
        let unknown =
            unknown.map(|(key, value)| format!("/{key} is not a key of vnet-cni: {key}={value}{}", hint(key)));
        if let Some(failure) = Failure::of(2, &unknown.collect::<Vec<_>>()) {
            return Err(failure);
        }
        let mut read = Reader { head, problems: Vec::new() };
        let settings = read.settings();
        match Failure::of(7, &read.problems) {
            Some(failure) => Err(failure),
            None => settings.ok_or_else(|| Failure::new(7, "/network names no network")),
        }
    }

    /// The network and its definition, for verbs that have to succeed whatever became of the other
    /// keys since ADD.
    pub(crate) fn network(head: &Head) -> Result<(NetworkName, Option<Network>), Failure> {
        let text = |key: &str| head.key(key).and_then(Value::as_str);
        let name = text("network").unwrap_or(&head.name);
        let network = name.parse().or_else(|_| head.name.parse());
        let network = network.map_err(|error| Failure::new(7, format!("`{name}` is not a network: {error}")))?;
        Ok((network, text("definition").and_then(|definition| definition.parse().ok())))
    }
}

fn is_known(key: &str) -> bool {
    OWN.contains(&key) || STANDARD.contains(&key) || key.starts_with("cni.dev/")
}

/// The key that was probably meant: one that differs by two letters at most.
fn hint(key: &str) -> String {
    let nearest = OWN.iter().map(|own| (distance(key, own), own)).min();
    nearest.filter(|(distance, _)| *distance <= 2).map(|(_, own)| format!(" (`{own}`?)")).unwrap_or_default()
}

/// How many letters have to be put in, taken out or replaced.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.bytes().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in other.bytes().enumerate() {
            let replaced = corner + usize::from(a != b);
            corner = row[j + 1];
            row[j + 1] = replaced.min(corner + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

/// Reads keys and keeps what is wrong with them.
struct Reader<'a> {
    head: &'a Head,
    problems: Vec<String>,
}

impl Reader<'_> {
    fn settings(&mut self) -> Option<Settings> {
        let network = self.text("network").unwrap_or_else(|| self.head.name.clone());
        let name: Result<NetworkName, _> = network.parse();
        let name = name.map_err(|error| self.problem("network", format!("`{network}` is not a network: {error}")));
        let definition = self.definition(&network);
        let starts = self.word("start", &["needed", "never"]) != Some(1);
        let device = match self.word("device", &["veth", "kubevirt"]) {
            Some(1) => Device::Kubevirt,
            _ => Device::Veth,
        };
        let has_addresses = self.word("addresses", &["static", "none"]) != Some(1);
        if self.head.key("ipam").is_some_and(|ipam| ipam.as_object().is_none_or(|ipam| !ipam.is_empty())) {
            self.problem("ipam", "addresses come from the network's `<dhcp>`; leave `ipam` out".to_owned());
        }
        let queues = self.number("queues").unwrap_or(1);
        if !(1..=256).contains(&queues) {
            self.problem("queues", format!("a tap has from 1 to 256 queues, not {queues}"));
        }
        // As for CNI's own plugins, 0 leaves the choice.
        let mtu = self.number("mtu").filter(|mtu| *mtu != 0);
        if let Some(mtu) = mtu.filter(|mtu| !(68..=65535).contains(mtu)) {
            self.problem("mtu", format!("an interface has an MTU from 68 to 65535, not {mtu}"));
        }
        if self.head.key("runtimeConfig").is_some_and(|it| it.get("deviceID").is_some()) {
            self.problem("runtimeConfig/deviceID", "devices of a pool cannot be given to containers".to_owned());
        }
        let (owner, group) = (self.number("owner"), self.number("group"));
        Some(Settings {
            network: name.ok()?,
            definition,
            starts,
            device,
            port_group: self.text("portgroup"),
            isolated: self.flag("isolated"),
            mtu,
            bandwidth: self.bandwidth(),
            has_addresses,
            default_route: self.flag("defaultRoute"),
            owner: owner.unwrap_or(VIRT_LAUNCHER),
            group: group.unwrap_or(VIRT_LAUNCHER),
            multi_queue: queues > 1,
            dns: self.head.key("dns").filter(|dns| dns.as_object().is_some_and(|dns| !dns.is_empty())).cloned(),
            mac: self.mac(),
            ips: self.ips(),
            aliases: self.aliases(),
            has_host_ports: self
                .asked("portMappings")
                .is_some_and(|(_, ports)| ports.as_array().is_some_and(|ports| !ports.is_empty())),
        })
    }

    fn problem(&mut self, path: &str, what: String) {
        self.problems.push(format!("/{path}: {what}"));
    }

    fn text(&mut self, key: &str) -> Option<String> {
        let value = self.head.key(key)?;
        let text = value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        if text.is_none() {
            self.problem(key, format!("{value} is not a text"));
        }
        text
    }

    /// The place of a word in a list.
    fn word(&mut self, key: &str, words: &[&str]) -> Option<usize> {
        let value = self.head.key(key)?;
        let place = words.iter().position(|word| value.as_str() == Some(word));
        if place.is_none() {
            self.problem(key, format!("{value} is none of these: {}", words.join(", ")));
        }
        place
    }

    fn flag(&mut self, key: &str) -> Option<bool> {
        let value = self.head.key(key)?;
        if value.as_bool().is_none() {
            self.problem(key, format!("{value} is neither true nor false"));
        }
        value.as_bool()
    }

    fn number(&mut self, key: &str) -> Option<u32> {
        let value = self.head.key(key)?;
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        if number.is_none() {
            self.problem(key, format!("{value} is not a number"));
        }
        number
    }

    fn definition(&mut self, network: &str) -> Option<Network> {
        let text = self.text("definition")?;
        match text.parse::<Network>() {
            Ok(definition) if definition.name == network => Some(definition),
            Ok(other) => {
                self.problem("definition", format!("it defines network `{}`, and not `{network}`", other.name));
                None
            }
            Err(refused) => {
                self.problem("definition", format!("{refused:?}"));
                None
            }
        }
    }

    /// The capability wins over the key of the configuration.
    fn bandwidth(&mut self) -> Option<Bandwidth> {
        if let Some(asked) = self.head.key("runtimeConfig").and_then(|it| it.get("bandwidth")).cloned() {
            return self.of_capability(&asked);
        }
        let value = self.head.key("bandwidth")?.clone();
        let mut bandwidth = Bandwidth::default();
        for (direction, limits) in value.as_object().into_iter().flatten() {
            let path = format!("bandwidth/{direction}");
            match direction.as_str() {
                "inbound" => bandwidth.inbound = self.rate(&path, limits),
                "outbound" => bandwidth.outbound = self.rate(&path, limits),
                _ => self.problem(&path, "it is neither `inbound` nor `outbound`".to_owned()),
            }
        }
        if !value.is_object() {
            self.problem("bandwidth", format!("{value} is not an object with `inbound` and `outbound`"));
        }
        Some(bandwidth)
    }

    fn rate(&mut self, path: &str, limits: &Value) -> Option<Rate> {
        let mut rate = Rate::default();
        let empty = Map::new();
        for (key, value) in limits.as_object().unwrap_or(&empty) {
            let field = match key.as_str() {
                "average" => &mut rate.average,
                "peak" => &mut rate.peak,
                "burst" => &mut rate.burst,
                "floor" => &mut rate.floor,
                _ => {
                    self.problem(&format!("{path}/{key}"), "it is none of average, peak, burst, floor".to_owned());
                    continue;
                }
            };
            *field = value.as_u64();
            if field.is_none() {
                self.problem(&format!("{path}/{key}"), format!("{value} is not a number"));
            }
        }
        if rate.average.is_none() && rate.floor.is_none() {
            self.problem(path, "`average` is missing".to_owned());
        }
        Some(rate)
    }

    /// Bits and bits per second become libvirt's kilobytes per second and kibibytes. `ingress` is
    /// what the container receives.
    fn of_capability(&mut self, asked: &Value) -> Option<Bandwidth> {
        let number = |key: &str| asked.get(key).and_then(Value::as_u64).filter(|number| *number > 0);
        let rate = |rate: Option<u64>, burst: Option<u64>| {
            let mut limits = Rate::default();
            limits.average = Some((rate? / 8000).max(1));
            // Runtimes say "no limit of the burst" by a number beyond all sense.
            limits.burst = burst.map(|burst| (burst / 8192).max(1)).filter(|burst| *burst < 1 << 22);
            Some(limits)
        };
        let mut bandwidth = Bandwidth::default();
        bandwidth.inbound = rate(number("ingressRate"), number("ingressBurst"));
        bandwidth.outbound = rate(number("egressRate"), number("egressBurst"));
        (bandwidth.inbound.is_some() || bandwidth.outbound.is_some()).then_some(bandwidth)
    }

    /// What the runtime gives for a capability, or what `args` has for it.
    fn asked(&self, key: &str) -> Option<(String, Value)> {
        let of = |outer: &[&str]| {
            let value = outer.iter().try_fold(self.head.key(outer[0])?, |value, name| match *name {
                name if name == outer[0] => Some(value),
                name => value.get(name),
            })?;
            let value = value.get(key).filter(|value| !value.is_null())?;
            Some((format!("{}/{key}", outer.join("/")), value.clone()))
        };
        of(&["runtimeConfig"]).or_else(|| of(&["args", "cni"]))
    }

    fn mac(&mut self) -> Option<MacAddr> {
        let (path, value) = self.asked("mac").filter(|(_, value)| value.as_str() != Some(""))?;
        let read = value.as_str().and_then(mac);
        if read.is_none() {
            self.problem(&path, format!("{value} is not the MAC address of an interface"));
        }
        read
    }

    /// An address may be there twice, with or without its prefix.
    fn ips(&mut self) -> Vec<IpAddr> {
        let Some((path, value)) = self.asked("ips") else { return Vec::new() };
        let mut ips = Vec::new();
        for (number, entry) in value.as_array().into_iter().flatten().enumerate() {
            match entry.as_str().and_then(address) {
                Some(ip) if ips.contains(&ip) => {}
                Some(ip) => ips.push(ip),
                None => self.problem(&format!("{path}/{number}"), format!("{entry} is not an address")),
            }
        }
        if !value.is_array() {
            self.problem(&path, format!("{value} is not a list of addresses"));
        }
        ips
    }

    /// A list, or podman's lists by network.
    fn aliases(&mut self) -> Vec<String> {
        let Some((_, value)) = self.asked("aliases") else { return Vec::new() };
        let list = value.as_array().or_else(|| value.get(&self.head.name)?.as_array());
        list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }
}
