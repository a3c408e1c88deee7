//! Definitions that differ from a first one in one thing each, and what a change from one to the
//! other does to guests that run.

use std::fs;
use std::path::Path;
use std::process::Command;

use vnet_tests::run;

/// What a change does to packets on a way that both definitions allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Effect {
    /// No packet is lost.
    Nothing,
    /// Packets may be lost for a moment.
    Pause,
    /// The definition does not allow them any more.
    Cut,
}

/// A definition, by what differs from one to the other.
#[derive(Clone, Copy)]
pub(crate) struct Definition {
    /// What differs, in words.
    pub(crate) change: &'static str,
    pub(crate) forward: &'static str,
    /// The attributes of `<bridge>`.
    pub(crate) bridge: &'static str,
    pub(crate) mac: &'static str,
    /// Before the addresses.
    pub(crate) more: &'static str,
    pub(crate) dhcp: &'static str,
    /// Behind the first address.
    pub(crate) ips: &'static str,
    /// The effect of the change to it on packets among guests, between guests and the host, and
    /// between guests and the outside.
    pub(crate) effects: [Effect; 3],
}

const NOTHING: [Effect; 3] = [Effect::Nothing; 3];
/// What is on its way when translation begins or ends may be lost.
const UNTRANSLATED: [Effect; 3] = [Effect::Nothing, Effect::Nothing, Effect::Pause];
/// What waits in the queue of a limit is lost with it.
const UNLIMITED: [Effect; 3] = [Effect::Nothing, Effect::Pause, Effect::Pause];
const SHUT: [Effect; 3] = [Effect::Nothing, Effect::Nothing, Effect::Cut];

pub(crate) const NAT: Definition = Definition {
    change: "nothing",
    forward: "<forward mode='nat'/>",
    bridge: "name='lab0' stp='off'",
    mac: "<mac address='52:54:00:00:00:f1'/>",
    more: "",
    dhcp: "<range start='10.9.0.100' end='10.9.0.200'/>",
    ips: "",
    effects: NOTHING,
};

/// Those that differ in their `<forward>`.
pub(crate) const FORWARDS: [Definition; 6] = [
    NAT,
    Definition { change: "isolated: no `<forward>`", forward: "", effects: SHUT, ..NAT },
    Definition { change: "`<forward mode='route'>`", forward: "<forward mode='route'/>", effects: UNTRANSLATED, ..NAT },
    Definition { change: "`<forward mode='open'>`", forward: "<forward mode='open'/>", effects: UNTRANSLATED, ..NAT },
    Definition {
        change: "`<forward dev>`, of another way out",
        forward: "<forward mode='nat' dev='lo'/>",
        effects: SHUT,
        ..NAT
    },
    Definition {
        change: "`<nat><port>`",
        forward: "<forward mode='nat'><nat><port start='2000' end='3000'/></nat></forward>",
        ..NAT
    },
];

/// What is in the metadata of vnet.
macro_rules! egress {
    ($inner:literal) => {
        concat!(
            "<metadata><vnet:network xmlns:vnet='https://github.com/vnet-rs/vnet/network/1.0'>",
            $inner,
            "</vnet:network></metadata>"
        )
    };
}

/// Each differs from [`NAT`] in one thing.
pub(crate) const OTHERS: [Definition; 26] = [
    Definition {
        change: "`<bridge stp='on'>`",
        bridge: "name='lab0' stp='on' delay='2'",
        effects: [Effect::Pause; 3],
        ..NAT
    },
    Definition {
        change: "`<bridge macTableManager='libvirt'>`",
        bridge: "name='lab0' stp='off' macTableManager='libvirt'",
        effects: [Effect::Pause; 3],
        ..NAT
    },
    Definition { change: "`<bridge name>`", bridge: "name='lab1' stp='off'", ..NAT },
    Definition {
        change: "`<bridge name>` and a limit for what guests send",
        bridge: "name='lab2' stp='off'",
        more: "<bandwidth><outbound average='800'/></bandwidth>",
        effects: UNLIMITED,
        ..NAT
    },
    Definition { change: "`<bridge name='any%d'>`", bridge: "name='any%d' stp='off'", ..NAT },
    Definition { change: "no `<bridge name>`", bridge: "stp='off'", ..NAT },
    Definition {
        change: "`<mac>`",
        mac: "<mac address='52:54:00:00:00:f2'/>",
        effects: [Effect::Nothing, Effect::Pause, Effect::Pause],
        ..NAT
    },
    Definition { change: "no `<mac>`", mac: "", effects: [Effect::Nothing, Effect::Pause, Effect::Pause], ..NAT },
    Definition { change: "`<mtu size='1400'>`", more: "<mtu size='1400'/>", ..NAT },
    Definition { change: "`<mtu size='1500'>`", more: "<mtu size='1500'/>", ..NAT },
    Definition { change: "`<mtu size='9000'>`", more: "<mtu size='9000'/>", ..NAT },
    Definition { change: "`<domain>`", more: "<domain name='lab.example'/>", ..NAT },
    Definition {
        change: "`<dns><host>`",
        more: "<dns><host ip='10.9.0.5'><hostname>five</hostname></host></dns>",
        ..NAT
    },
    Definition {
        change: "`<bandwidth><inbound>`",
        more: "<bandwidth><inbound average='1000' peak='2000'/></bandwidth>",
        effects: UNLIMITED,
        ..NAT
    },
    Definition {
        change: "`<bandwidth>`, both directions",
        more: "<bandwidth><inbound average='900'/><outbound average='800'/></bandwidth>",
        effects: UNLIMITED,
        ..NAT
    },
    Definition {
        change: "`<port isolated='yes'>`",
        more: "<port isolated='yes'/>",
        effects: [Effect::Cut, Effect::Nothing, Effect::Nothing],
        ..NAT
    },
    Definition { change: "`<dhcp><range>`", dhcp: "<range start='10.9.0.50' end='10.9.0.200'/>", ..NAT },
    Definition {
        change: "`<dhcp><host>`",
        dhcp: "<range start='10.9.0.100' end='10.9.0.200'/>
               <host mac='52:54:00:00:00:0a' name='a' ip='10.9.0.11'/>",
        ..NAT
    },
    Definition {
        change: "`<vnet:portForward>`",
        more: "<metadata><vnet:network xmlns:vnet='https://github.com/vnet-rs/vnet/network/1.0'>
               <vnet:portForward proto='tcp' guest='10.9.0.12'><vnet:range start='2222' end='2230' to='22'/></vnet:portForward>
               </vnet:network></metadata>",
        ..NAT
    },
    Definition { change: "`<vnet:egress preset='any'>`", more: egress!("<vnet:egress preset='any'/>"), ..NAT },
    Definition {
        change: "`<vnet:egress preset='none'>`",
        more: egress!("<vnet:egress preset='none'/>"),
        effects: [Effect::Nothing, Effect::Cut, Effect::Cut],
        ..NAT
    },
    Definition {
        change: "`<vnet:egress preset='internet-only'>` and `<vnet:allow>` for the outside",
        more: egress!("<vnet:egress preset='internet-only'><vnet:allow address='198.51.100.0/24'/></vnet:egress>"),
        effects: [Effect::Nothing, Effect::Cut, Effect::Nothing],
        ..NAT
    },
    Definition { change: "another `<ip>`, IPv4", ips: "<ip address='10.9.4.1' prefix='28'/>", ..NAT },
    Definition { change: "another `<ip>`, IPv6", ips: "<ip family='ipv6' address='fd00:9::1' prefix='64'/>", ..NAT },
    Definition { change: "`<route>`", ips: "<route address='10.77.0.0' prefix='16' gateway='10.9.0.9'/>", ..NAT },
    Definition {
        change: "`<dnsmasq:option>` and `<route metric>`",
        ips: "<route address='10.77.0.0' prefix='16' gateway='10.9.0.8' metric='9'/>
              <dnsmasq:options><dnsmasq:option value='dhcp-option=42,10.9.0.1'/></dnsmasq:options>",
        ..NAT
    },
];

impl Definition {
    /// The document.
    pub(crate) fn text(&self) -> String {
        let Self { forward, bridge, mac, more, dhcp, ips, .. } = self;
        format!(
            "<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'><name>lab</name>
             <uuid>5e3b1c5a-0000-4000-8000-000000000001</uuid>{forward}
             <bridge {bridge}/>{mac}{more}<ip address='10.9.0.1' prefix='24'><dhcp>{dhcp}</dhcp></ip>{ips}</network>"
        )
    }

    /// Whether it needs a kernel that filters VLANs in bridges.
    pub(crate) fn filters_vlans(&self) -> bool {
        self.bridge.contains("macTableManager")
    }
}

/// All that this kernel can do.
pub(crate) fn all() -> Vec<Definition> {
    // Without a policer, a limit to what guests send is refused where these are on.
    for switch in ["bridge-nf-call-iptables", "bridge-nf-call-ip6tables"] {
        let _ = fs::write(Path::new("/proc/sys/net/bridge").join(switch), "0");
    }
    let can = filters_vlans();
    FORWARDS.into_iter().chain(OTHERS).filter(|definition| can || !definition.filters_vlans()).collect()
}

/// Whether the kernel can filter VLANs in bridges.
fn filters_vlans() -> bool {
    let add = ["link", "add", "probe", "type", "bridge", "vlan_filtering", "1"];
    let can = Command::new("ip").args(add).output().unwrap().status.success();
    if can {
        run("ip", &["link", "delete", "probe"]);
    }
    can
}
