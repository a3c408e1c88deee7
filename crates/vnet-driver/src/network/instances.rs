//! inotify instances, which dnsmasq needs to notice changes of `/etc/resolv.conf`. Their number is
//! limited, and a dnsmasq that gets none does not start.

use std::fs;
use std::os::fd::OwnedFd;

use rustix::fs::inotify;
use rustix::io::Errno;

use super::prepare::Prepared;
use crate::error::Error;

/// The limits on the instances of a user, in all user namespaces and in this one.
const LIMITS: [&str; 2] = ["fs.inotify.max_user_instances", "user.max_inotify_instances"];

impl Prepared {
    /// An instance for its dnsmasq, if that needs one. Whoever starts several networks takes one
    /// for each before the first dnsmasq starts, and gives them back then.
    pub(super) fn take_instance(&self) -> Result<Option<OwnedFd>, Error> {
        let config = self.lowered.intent.as_ref().and_then(|intent| intent.dnsmasq.as_ref());
        if !config.is_some_and(|config| config.watches_resolv_conf()) {
            return Ok(None);
        }
        match inotify::init(inotify::CreateFlags::CLOEXEC) {
            Ok(instance) => Ok(Some(instance)),
            // Not if this process has too many open files: dnsmasq is another.
            Err(Errno::MFILE) if fs::File::open("/proc/self/limits").is_ok() => {
                let limits = LIMITS.map(|name| (limit(name), name));
                let (limit, sysctl) = limits.into_iter().min().unwrap_or_default();
                Err(Error::NoInotify { network: self.lowered.name.clone(), sysctl, limit })
            }
            // dnsmasq says what it cannot do.
            Err(_) => Ok(None),
        }
    }
}

fn limit(sysctl: &str) -> u32 {
    let file = format!("/proc/sys/{}", sysctl.replace('.', "/"));
    fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(u32::MAX)
}
