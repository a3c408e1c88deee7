//! Forwarding entries for MAC addresses.

use vnet_types::{Fdb, FdbOrigin};

use super::{Kind, LinuxHost, gone_is_fine, vlans};
use crate::{Error, Fact};

impl Kind for Fdb {
    /// A static entry. An entry for all VLANs of the port must be there in each of them.
    fn look(&self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Self>, Error> {
        let all = host.netlink.fdb_of(&self.port)?;
        let same = all.iter().filter(|it| it.mac == self.mac && it.origin == self.origin);
        let there: Vec<Option<u16>> = same.map(|it| it.vlan).collect();
        let is_there = match self.vlan {
            Some(_) => there.contains(&self.vlan),
            None => {
                let vlans = vlans::of_port(&host.netlink, &self.port)?;
                let mut all = vlans.iter().flat_map(|vlan| vlan.first..=vlan.last);
                !there.is_empty() && all.all(|vlan| there.contains(&Some(vlan)))
            }
        };
        Ok(is_there.then(|| self.clone()))
    }

    /// Adds an entry in place of a learned one and of leftovers of the entry itself.
    fn create(&self, host: &LinuxHost) -> Result<Option<Fact>, Error> {
        match host.netlink.add_fdb(self) {
            Err(error) if error.is_exists() => {
                if self.look(host, None)?.is_none() {
                    let is_left = |it: &Self| self.vlan.is_none() && it.port == self.port && it.origin == self.origin;
                    let in_the_way = |it: &Self| it.mac == self.mac && (it.origin == FdbOrigin::Learned || is_left(it));
                    for old in host.netlink.fdb()?.into_iter().filter(in_the_way) {
                        gone_is_fine(host.netlink.delete_fdb(&old))?;
                    }
                    host.netlink.add_fdb(self)?;
                }
            }
            result => result?,
        }
        Ok(None)
    }

    fn update(&self, to: &Self, host: &LinuxHost, fact: Option<Fact>) -> Result<Option<Fact>, Error> {
        self.delete(host, fact)?;
        to.create(host)
    }

    fn delete(&self, host: &LinuxHost, _: Option<Fact>) -> Result<(), Error> {
        gone_is_fine(host.netlink.delete_fdb(self))
    }
}
