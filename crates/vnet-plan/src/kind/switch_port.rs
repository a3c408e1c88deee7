//! Ports of Open vSwitch.

use serde::{Deserialize, Serialize};
use vnet_types::{InterfaceName, MacAddr, Uuid};

use super::Kind;
use crate::Key;

/// A link as the port of a bridge of Open vSwitch: rows in its database, which stay when the link
/// is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchPort {
    /// The link.
    pub link: InterfaceName,
    /// The bridge of Open vSwitch.
    pub bridge: InterfaceName,
    /// The guest's MAC address.
    pub mac: MacAddr,
    /// What identifies the interface among those of all hosts (`interfaceid`).
    pub interface_id: Uuid,
    /// The guest.
    pub guest_id: Uuid,
    /// The name of the settings that a controller has for it (`profileid`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Its VLANs; all of them where it is in none.
    #[serde(default, skip_serializing_if = "SwitchVlans::is_empty")]
    pub vlans: SwitchVlans,
    /// The limit of what is sent to the guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shaper: Option<SwitchShaper>,
    /// The limit of what the guest sends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policer: Option<SwitchPolicer>,
}

/// The VLANs of a port, in the columns of Open vSwitch (ovs-vswitchd.conf.db(5), `Port`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchVlans {
    /// The VLAN of an access port, or the native one of a trunk.
    pub tag: Option<u16>,
    /// The VLANs of a trunk, in order.
    pub trunks: Vec<u16>,
    /// How the native VLAN is carried: `native-tagged` or `native-untagged`.
    pub mode: Option<String>,
}

/// A shaper of Open vSwitch, in bits per second and bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchShaper {
    /// The rate that is always there.
    pub min_rate: u64,
    /// The rate that is never exceeded.
    pub max_rate: Option<u64>,
    /// What may be sent at once.
    pub burst: Option<u64>,
}

/// A policer of Open vSwitch, in kilobits per second and kilobits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchPolicer {
    /// More than that is dropped.
    pub rate: u64,
    /// What may be sent at once; 0 for the default of Open vSwitch.
    pub burst: u64,
}

impl SwitchVlans {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn words(&self) -> String {
        let mode = self.mode.iter().map(|mode| format!(" vlan_mode={mode}"));
        let tag = self.tag.iter().map(|tag| format!(" tag={tag}"));
        let trunks = self.trunks.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let trunks = Some(trunks).filter(|trunks| !trunks.is_empty()).map(|trunks| format!(" trunks={trunks}"));
        mode.chain(tag).chain(trunks).collect()
    }
}

impl SwitchPort {
    /// The pairs that Open vSwitch and its controllers know the interface by, as libvirt writes
    /// them.
    pub fn identity(&self) -> Vec<(&'static str, String)> {
        let mut pairs = vec![
            ("attached-mac", self.mac.to_string()),
            ("iface-id", self.interface_id.to_string()),
            ("iface-status", "active".to_owned()),
            ("vm-id", self.guest_id.to_string()),
        ];
        if let Some(profile) = &self.profile {
            pairs.extend([("ifname", self.link.to_string()), ("port-profile", profile.clone())]);
        }
        pairs
    }
}

impl Kind for SwitchPort {
    fn key(&self) -> Key {
        Key::SwitchPort(self.link.clone())
    }

    fn added(&self) -> String {
        let Self { link, bridge, vlans, .. } = self;
        let mut words = format!("ovs-vsctl add-port {bridge} {link}{} -- set Interface {link}", vlans.words());
        for (key, value) in self.identity() {
            words += &format!(" external-ids:{key}={value:?}");
        }
        if let Some(SwitchPolicer { rate, burst }) = self.policer {
            words += &format!(" ingress_policing_rate={rate} ingress_policing_burst={burst}");
        }
        if let Some(SwitchShaper { min_rate, max_rate, burst }) = self.shaper {
            let pairs = [("min-rate", Some(min_rate)), ("max-rate", max_rate), ("burst", burst)];
            let pairs = pairs.into_iter().filter_map(|(key, value)| Some(format!(" other_config:{key}={}", value?)));
            words += &format!("\novs-vsctl set Port {link} qos=@qos -- --id=@qos create QoS type=linux-htb");
            words.extend(pairs);
        }
        words
    }

    fn deleted(&self) -> String {
        format!("ovs-vsctl del-port {} {}", self.bridge, self.link)
    }

    fn changed(&self, to: &Self) -> String {
        format!("~ {}", to.added().replace('\n', "\n~ "))
    }

    fn effect_of_delete(&self) -> Option<&'static str> {
        Some("the guest reaches nobody any more")
    }
}
