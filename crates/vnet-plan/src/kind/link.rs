//! Links.

use vnet_types::{Link, LinkKind};

use super::Kind;
use crate::Key;

impl Kind for Link {
    fn key(&self) -> Key {
        Key::Link(self.name.clone())
    }

    fn added(&self) -> String {
        format!("ip link add {} type {}{}", self.name, type_words(&self.kind), settings(self))
    }

    fn deleted(&self) -> String {
        format!("ip link del {}", self.name)
    }

    fn changed(&self, to: &Self) -> String {
        let only = |what: String, before: String| (what != before).then_some(what);
        let kind = only(type_words(&to.kind), type_words(&self.kind)).map(|kind| format!(" type {kind}"));
        let words = only(settings(to), settings(self)).unwrap_or_default();
        // The kernel cannot be asked to choose the MTU again.
        let is_mtu_left = self.mtu.is_some() && to.mtu.is_none();
        let mtu = if is_mtu_left { " mtu 1500 (or that of its smallest port)" } else { "" };
        format!("~ ip link set {}{}{words}{mtu}", to.name, kind.unwrap_or_default())
    }

    fn effect_of_delete(&self) -> Option<&'static str> {
        Some("every guest loses its link")
    }

    fn effect_of_change(&self, to: &Self) -> Option<&'static str> {
        let spans = |link: &Self| matches!(&link.kind, LinkKind::Bridge(options) if options.stp);
        Some(match () {
            () if spans(to) && !spans(self) => "frames wait until STP lets them pass, twice its delay",
            () if self.mac != to.mac => "guests stay connected and are told the host's new MAC address",
            () => "guests stay connected",
        })
    }
}

fn type_words(kind: &LinkKind) -> String {
    match kind {
        LinkKind::Bridge(options) => {
            let filtering = if options.vlan_filtering { " vlan_filtering 1" } else { "" };
            format!("bridge stp_state {} forward_delay {}{filtering}", u8::from(options.stp), options.forward_delay)
        }
        LinkKind::Tap(options) => format!("tun {options}"),
        LinkKind::Macvtap(options) => format!("macvtap mode {} link {}", options.mode, options.lower),
        LinkKind::Veth(options) => {
            format!("veth peer {} address {} netns {}", options.peer, options.peer_mac, options.namespace.display())
        }
        LinkKind::Other(kind) => kind.clone(),
    }
}

fn settings(link: &Link) -> String {
    let mac = link.mac.map(|mac| format!(" address {mac}")).unwrap_or_default();
    let mtu = link.mtu.map(|mtu| format!(" mtu {mtu}")).unwrap_or_default();
    format!("{mac}{mtu} {}", if link.up { "up" } else { "down" })
}
