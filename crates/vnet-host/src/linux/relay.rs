//! Programs in network namespaces of their own. Nothing but the program holds the namespace, so it
//! goes with it, and its links go with the namespace.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use vnet_netlink::Netlink;
use vnet_plan::{Key, Relay, RelayEnd};
use vnet_types::{Link, LinkKind, VethOptions};

use super::container::{seen, set, within};
use super::{Kind, LinuxHost, gone_is_fine, process};
use crate::{Error, Fact};

/// How long the kernel may take to remove the links of a namespace that is gone.
const PATIENCE: Duration = Duration::from_secs(3);
/// Nothing is forwarded in the namespace. Some kernels begin with the settings of the host.
const SHUT: [(&str, &str); 4] = [
    ("ipv4/conf/all/forwarding", "0"),
    ("ipv4/conf/default/forwarding", "0"),
    ("ipv6/conf/all/forwarding", "0"),
    ("ipv6/conf/default/forwarding", "0"),
];

impl Kind for Relay {
    /// The relay with those of its ends that are there and up, with their addresses.
    fn look(&self, host: &LinuxHost, fact: Option<Fact>) -> Result<Option<Self>, Error> {
        let Some((pid, _)) = process::running_apart(&self.process, fact)? else { return Ok(None) };
        let path = PathBuf::from(format!("/proc/{pid}/ns/net"));
        // It may end at any time.
        let Ok(file) = File::open(&path) else { return Ok(None) };
        let inside = within(&path, &file, |netlink| {
            self.ends.iter().map(|end| seen(netlink, &end.interface)).collect::<Result<Vec<_>, Error>>()
        })?;
        let mut ends = Vec::new();
        for (end, inside) in self.ends.iter().zip(inside) {
            let outside = host.link(&end.link)?.filter(|known| known.link.up && known.link.mac == Some(end.link_mac));
            let inside = inside.filter(|inside| inside.up && inside.mac == Some(end.mac));
            let (Some(_), Some(inside)) = (outside, inside) else { continue };
            let addresses = end.addresses.iter().filter(|net| inside.addresses.contains(net)).copied().collect();
            ends.push(RelayEnd { addresses, mtu: inside.mtu.unwrap_or(end.mtu), ..end.clone() });
        }
        Ok(Some(Self { process: self.process.clone(), ends }))
    }

    fn create(&self, host: &LinuxHost) -> Result<Option<Fact>, Error> {
        wait_until_gone(host, &self.ends)?;
        let (namespace, path) = new_namespace()?;
        let begun = add_links(host, &self.ends, &path).and_then(|()| {
            within(&path, &namespace, |netlink| {
                self.ends.iter().try_for_each(|end| set_up(netlink, end))?;
                process::run(&self.process)
            })
        });
        begun.and_then(|begun| process::settle(&self.process, host, begun)).map(Some).inspect_err(|_| {
            // The first error is the one to report.
            let _ = self.delete(host, None);
        })
    }

    /// Its links go with its namespace, so all of it is made anew.
    fn update(&self, to: &Self, host: &LinuxHost, fact: Option<Fact>) -> Result<Option<Fact>, Error> {
        self.delete(host, fact)?;
        to.create(host)
    }

    /// The kernel removes the links of a namespace some time after its last process has ended, so
    /// they are deleted before.
    fn delete(&self, host: &LinuxHost, fact: Option<Fact>) -> Result<(), Error> {
        for end in &self.ends {
            if let Some(known) = host.netlink.link(&end.link)?.filter(|known| known.link.mac == Some(end.link_mac)) {
                gone_is_fine(host.netlink.delete_link(known.index))?;
            }
        }
        while let Some((pid, started)) = process::running_apart(&self.process, fact)? {
            process::end(pid, started)?;
        }
        Ok(())
    }
}

/// A network namespace in which nothing is forwarded, and a path that leads there. It is there as
/// long as the file is open.
fn new_namespace() -> Result<(File, PathBuf), Error> {
    let made = || {
        let path = Path::new("/proc/thread-self/ns/net");
        unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| Error::file("leave", path)(errno.into()))?;
        SHUT.iter().try_for_each(|(name, value)| set(&PathBuf::from("/proc/sys/net").join(name), value))?;
        File::open(path).map_err(Error::file("open", path))
    };
    let made = thread::scope(|scope| scope.spawn(made).join());
    let file = made.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    Ok((file, path))
}

/// The links of a namespace whose program was killed go a moment later.
fn wait_until_gone(host: &LinuxHost, ends: &[RelayEnd]) -> Result<(), Error> {
    let deadline = Instant::now() + PATIENCE;
    for end in ends {
        while let Some(known) = host.netlink.link(&end.link)? {
            if known.link.mac != Some(end.link_mac) || Instant::now() > deadline {
                return Err(Error::Conflict(vec![Key::Link(end.link.clone())]));
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
    Ok(())
}

fn add_links(host: &LinuxHost, ends: &[RelayEnd], namespace: &Path) -> Result<(), Error> {
    for end in ends {
        let options = VethOptions { namespace: namespace.to_owned(), peer: end.interface.clone(), peer_mac: end.mac };
        host.netlink.add_link(&Link {
            name: end.link.clone(),
            kind: LinkKind::Veth(options),
            mac: Some(end.link_mac),
            mtu: Some(end.mtu),
            up: true,
        })?;
    }
    Ok(())
}

/// Sets up an end in the namespace of this thread.
fn set_up(netlink: &Netlink, end: &RelayEnd) -> Result<(), Error> {
    let switches = PathBuf::from("/proc/sys/net/ipv6/conf").join(end.interface.as_str());
    let has_ipv6 = end.addresses.iter().any(|net| net.addr().is_ipv6());
    let ipv6 = [("disable_ipv6", if has_ipv6 { "0" } else { "1" }), ("accept_ra", "0"), ("accept_dad", "0")];
    ipv6.iter().try_for_each(|(name, value)| set(&switches.join(name), value))?;
    let known = netlink.link(&end.interface)?.ok_or_else(|| Error::Unexpected(Key::Link(end.link.clone())))?;
    for net in &end.addresses {
        netlink.add_address(&end.interface, &(*net).into())?;
    }
    // Open vSwitch may be one in userspace.
    netlink.fill_in_checksums(&end.interface, true)?;
    let up = Link { up: true, mtu: Some(end.mtu), ..known.link.clone() };
    Ok(netlink.set_link(known.index, &known.link, &up)?)
}
