//! Tests for features of the kernel.

use std::thread;

use nix::libc::{EINVAL, EPERM};
use nix::sched::{CloneFlags, unshare};
use vnet_types::{
    BridgeOptions, Features, Filter, FilterAction, FilterMatch, InterfaceName, Link, LinkKind, Qdisc, QdiscKind,
    TrafficHandle,
};

use crate::message::Request;
use crate::{Error, Intent, Netlink};

const RTM_NEWACTION: u16 = 48;
const TCA_ACT_TAB: u16 = 1;
const TCA_ACT_KIND: u16 = 1;

impl Netlink {
    /// Tests what not every kernel supports, in a temporary network namespace. Flowtables are not
    /// tested, and are taken to be there: `vnet_firewall::Firewall::has_flowtables` tests them.
    ///
    /// Returns `None` if the caller may not create one, which needs `CAP_SYS_ADMIN`, or change its
    /// links, which needs `CAP_NET_ADMIN`. It takes some milliseconds.
    ///
    /// # Errors
    /// The kernel's refusal of something that every kernel supports.
    pub fn features() -> Result<Option<Features>, Error> {
        let trial = || -> Result<Option<Features>, Error> {
            if unshare(CloneFlags::CLONE_NEWNET).is_err() {
                return Ok(None);
            }
            match try_all(&Netlink::open()?) {
                Err(error) if error.missing_capability().is_some() => Ok(None),
                features => features.map(Some),
            }
        };
        // The namespace ends with the thread.
        let tried = thread::scope(|scope| scope.spawn(trial).join());
        tried.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Whether the kernel can fill in checksums (`act_csum`). This requests an action without
    /// parameters. The kernel refuses it with one error if it has such actions, and with another if
    /// not, and creates nothing. `None` in a user namespace, where the kernel does not allow the
    /// request; use [`Netlink::features`] there.
    pub fn fills_checksums(&self) -> Option<bool> {
        let request = Request::new(RTM_NEWACTION, &[0; 4])
            .nest(TCA_ACT_TAB, |list| list.nest(1, |action| action.with_text(TCA_ACT_KIND, "csum")));
        match self.tell(request, Intent::Create) {
            Ok(()) => Some(true),
            Err(refused) if refused.errno == EPERM => None,
            Err(refused) => Some(refused.errno == EINVAL),
        }
    }

    /// The same by a filter on a link that is down and has no queueing discipline of its own, and
    /// gets none. A user namespace allows that to its own links, and no other link is made for it.
    ///
    /// # Errors
    /// [`Error::is_not_found`] when there is no such link; the kernel's refusal to remove what it
    /// was given.
    pub fn fills_checksums_on(&self, link: &InterfaceName) -> Result<bool, Error> {
        let (parent, handle) = (TrafficHandle::ROOT, TrafficHandle::qdisc(1));
        let queue = Qdisc { link: link.clone(), parent, handle, kind: QdiscKind::Htb { default: 1 } };
        match self.add_qdisc(&queue) {
            Err(error) if error.is_not_found() => return Err(error),
            Err(_) => return Ok(false),
            Ok(()) => {}
        }
        let fills = self.add_filter(&mending(link)).is_ok();
        self.delete_qdisc(&queue).map(|()| fills)
    }
}

/// A filter that fills in the checksums of what leaves by a link.
fn mending(link: &InterfaceName) -> Filter {
    let (parent, matches, action) = (TrafficHandle::qdisc(1), FilterMatch::UdpTo(68), FilterAction::Checksum);
    Filter { link: link.clone(), parent, priority: 2, handle: 0x8000_0800, matches, action }
}

fn try_all(netlink: &Netlink) -> Result<Features, Error> {
    let bridge: InterfaceName = "probe".parse().expect("five letters");
    let options = BridgeOptions { vlan_filtering: true, ..BridgeOptions::default() };
    let link =
        |options| Link { name: bridge.clone(), kind: LinkKind::Bridge(options), mac: None, mtu: None, up: false };
    let vlan_filtering = netlink.add_link(&link(options)).is_ok();
    if !vlan_filtering {
        netlink.add_link(&link(BridgeOptions::default()))?;
    }
    let qdisc = |parent, handle, kind| Qdisc { link: bridge.clone(), parent, handle, kind };
    let filter =
        |parent, matches, action| Filter { link: bridge.clone(), parent, priority: 1, handle: 1, matches, action };
    let (root, ingress) = (TrafficHandle::qdisc(1), TrafficHandle::qdisc(0xffff));
    let sfq = netlink.add_qdisc(&qdisc(TrafficHandle::ROOT, root, QdiscKind::Sfq { perturb: 10 }));
    if sfq.is_ok() {
        netlink.delete_qdisc(&qdisc(TrafficHandle::ROOT, root, QdiscKind::Sfq { perturb: 10 }))?;
    }
    let htb = netlink.add_qdisc(&qdisc(TrafficHandle::ROOT, root, QdiscKind::Htb { default: 1 }));
    let marked = FilterAction::Class(TrafficHandle::new(0, 1));
    let (fw, csum) = match htb {
        Ok(()) => {
            let csum = netlink.add_filter(&mending(&bridge));
            (netlink.add_filter(&filter(root, FilterMatch::Mark, marked)).is_ok(), csum.is_ok())
        }
        Err(_) => (false, false),
    };
    let police = netlink.add_qdisc(&qdisc(TrafficHandle::INGRESS, ingress, QdiscKind::Ingress)).and_then(|()| {
        let action = FilterAction::Police { rate: 1_000_000, burst: 100_000 };
        netlink.add_filter(&Filter { handle: 0x8000_0800, ..filter(ingress, FilterMatch::All, action) })
    });
    Ok(Features { vlan_filtering, police: police.is_ok(), sfq: sfq.is_ok(), fw, csum, flowtable: true })
}
