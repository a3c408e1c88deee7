//! What the host runs out of, and what stands outside of links, routes and rules: tables that are
//! full, file systems that cannot be written, policies of IPsec, switches of the bridge.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use rustix::fs::{StatVfsMountFlags, statvfs};
use vnet_netlink::{IpsecPolicy, IpsecWay, Netlink};
use vnet_types::{InterfaceName, IpNet};

use super::Scene;
use super::address::{addresses, example};
use super::beyond::{FAR, sysctl};
use super::patient::{Keeper, Patient};
use super::symptom::Symptom;
use crate::error::Error;

/// Whether the host has room for more connections, neighbours, and leases.
pub(super) fn room(scene: &Scene<'_>, patient: &Patient, _: &InterfaceName) -> Result<Vec<Symptom>, Error> {
    const NAME: &str = "room";
    let mut symptoms: Vec<Symptom> = connections().into_iter().chain(neighbours()).collect();
    if let Keeper::Vnet { name, .. } = &patient.keeper {
        let leases = scene.driver.lease_file(name);
        let serves = patient.intent.as_ref().is_some_and(|intent| intent.dnsmasq.is_some());
        let folder = leases.parent().filter(|_| serves);
        if let Some(folder) = folder.filter(|folder| !folder.exists()) {
            let finding =
                format!("the folder of the leases, `{}`, is gone: dnsmasq cannot keep leases", folder.display());
            symptoms.push(
                Symptom::problem(NAME, finding).read(format!("`ls {}`", folder.display())).mend(patient.repair()),
            );
        }
        let folders = [Some(scene.driver.directory(name)), folder.map(Path::to_path_buf)];
        symptoms.extend(folders.into_iter().flatten().filter_map(|folder| disk(&folder)));
    }
    if symptoms.is_empty() {
        let read = "`/proc/sys/net/netfilter/nf_conntrack_count`, `/proc/net/arp`, `df`";
        symptoms.push(Symptom::ok(NAME, "there is room for more connections and leases").read(read));
    }
    Ok(symptoms)
}

fn connections() -> Option<Symptom> {
    let (count, most) = (sysctl("netfilter/nf_conntrack_count")?, sysctl("netfilter/nf_conntrack_max")?);
    let symptom = full("connections", count, most)?.read("`/proc/sys/net/netfilter/nf_conntrack_count`, `…_max`");
    Some(symptom.command(format!("sysctl -w net.netfilter.nf_conntrack_max={}", u64::from(most) * 2)))
}

fn neighbours() -> Option<Symptom> {
    let known = fs::read_to_string("/proc/thread-self/net/arp").ok()?.lines().skip(1).count();
    let most = sysctl("ipv4/neigh/default/gc_thresh3")?;
    let symptom = full("neighbours", u32::try_from(known).ok()?, most)?;
    let symptom = symptom.read("`/proc/net/arp`, `/proc/sys/net/ipv4/neigh/default/gc_thresh3`");
    Some(symptom.command(format!("sysctl -w net.ipv4.neigh.default.gc_thresh3={}", u64::from(most) * 2)))
}

/// A table that is full, or nearly so.
fn full(of: &str, count: u32, most: u32) -> Option<Symptom> {
    // A maximum of 0 is none.
    (most > 0 && u64::from(count) * 100 >= u64::from(most) * 98).then(|| {
        let finding = format!("the kernel's table of {of} is full ({count} of {most}): new ones are dropped");
        Symptom::problem("room", finding)
    })
}

/// A file system that cannot be written.
fn disk(folder: &Path) -> Option<Symptom> {
    let stat = statvfs(folder).ok()?;
    let (shown, read) = (folder.display(), format!("`df {0}`, `findmnt -T {0}`", folder.display()));
    if stat.f_flag.contains(StatVfsMountFlags::RDONLY) {
        let finding = format!("the file system of `{shown}` can only be read: leases and state cannot be written");
        return Some(Symptom::problem("room", finding).read(read).help("mount it with `rw`"));
    }
    (stat.f_blocks > 0 && stat.f_bavail == 0).then(|| {
        let finding = format!("the file system of `{shown}` is full: leases and state cannot be written");
        Symptom::problem("room", finding).read(read).help("make room on it")
    })
}

/// Whether the bridge answers guests as a router does.
pub(super) fn switches(scene: &Scene<'_>, patient: &Patient, bridge: &InterfaceName) -> Result<Vec<Symptom>, Error> {
    const NAME: &str = "switches";
    let mut symptoms = Vec::new();
    if !addresses(patient).iter().any(|net| net.addr().is_ipv4()) {
        return Ok(symptoms);
    }
    if scene.netlink.condition(bridge)?.is_some_and(|condition| !condition.arp) {
        let symptom =
            Symptom::problem(NAME, format!("{bridge} neither asks nor answers by ARP: guests find no gateway"));
        symptoms.push(
            symptom.read(format!("`ip link show {bridge}`: NOARP")).command(format!("ip link set {bridge} arp on")),
        );
    }
    let most = |switch: &str| {
        let of = ["all", bridge.as_str()].map(|link| sysctl(&format!("ipv4/conf/{link}/{switch}")).unwrap_or(0));
        of.into_iter().max().unwrap_or(0)
    };
    let read = |switch: &str| format!("`/proc/sys/net/ipv4/conf/all/{switch}`, `…/{bridge}/{switch}`");
    if most("arp_ignore") >= 8 {
        let finding = format!("{bridge} answers no ARP: `arp_ignore` is 8, and guests find no gateway");
        let symptom = Symptom::problem(NAME, finding).read(read("arp_ignore"));
        symptoms.push(
            symptom.command(format!("sysctl -w net.ipv4.conf.all.arp_ignore=0 net/ipv4/conf/{bridge}/arp_ignore=0")),
        );
    }
    if most("proxy_arp") > 0 {
        let finding =
            format!("{bridge} answers ARP for addresses of others (`proxy_arp`): guests may take this host for them");
        symptoms.push(Symptom::unknown(NAME, finding).suspect().read(read("proxy_arp")));
    }
    if symptoms.is_empty() {
        symptoms
            .push(Symptom::ok(NAME, format!("{bridge} answers by ARP for its own addresses")).read(read("arp_ignore")));
    }
    Ok(symptoms)
}

/// Whether a policy of IPsec takes what guests send and get.
pub(super) fn ipsec(_: &Scene<'_>, patient: &Patient, _: &InterfaceName) -> Result<Vec<Symptom>, Error> {
    const NAME: &str = "ipsec";
    let (mut symptoms, read) = (Vec::new(), "`ip xfrm policy`");
    let policies = Netlink::ipsec_policies()?;
    for net in addresses(patient) {
        let far = FAR[usize::from(net.addr().is_ipv6())];
        for policy in policies.iter().filter(|policy| policy.source.addr().is_ipv4() == net.addr().is_ipv4()) {
            symptoms.extend(judged(policy, net, far).map(|symptom| symptom.read(read)));
        }
    }
    symptoms.dedup();
    if symptoms.is_empty() && !policies.is_empty() {
        symptoms.push(Symptom::ok(NAME, "no policy of IPsec is about guests").read(read));
    }
    Ok(symptoms)
}

fn judged(policy: &IpsecPolicy, net: IpNet, far: IpAddr) -> Option<Symptom> {
    const NAME: &str = "ipsec";
    let IpsecPolicy { way, source, destination, protocol, blocks, .. } = policy;
    let guest = example(net);
    let meets = |range: &IpNet| range.contains(&net.network()) || net.contains(&range.network());
    // Out of the network and into it; what this host answers counts as its guests'.
    let is_of_guests = meets(source) || meets(destination);
    let (from, to) = match way {
        IpsecWay::In => (guest, net.addr()),
        IpsecWay::Out => (net.addr(), guest),
        IpsecWay::Forward => (guest, far),
    };
    let forwarded = source.contains(&guest) && destination.contains(&far) && *way != IpsecWay::In;
    let all = *protocol == 0 && (source.contains(&from) && destination.contains(&to) || forwarded);
    let which = format!("the policy of IPsec for {source} to {destination}");
    match (blocks, all) {
        (true, true) => Some(
            Symptom::problem(NAME, format!("{which} drops what guests of {} send or get", net.trunc()))
                .help("take the policy away, or exempt the network from it"),
        ),
        _ if is_of_guests && (*blocks || *protocol == 0) => {
            let finding = format!("{which} may take what guests of {} send or get", net.trunc());
            Some(Symptom::unknown(NAME, finding).suspect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_full_before_its_last_entry() {
        assert!(full("connections", 0, 0).is_none(), "0 is no limit");
        assert!(full("connections", 9_799, 10_000).is_none());
        assert!(full("connections", 9_800, 10_000).is_some_and(|it| it.finding.contains("9800 of 10000")));
    }
}
