//! What containers ask of a network that OVN makes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use vnet_ovn::{ColumnValue, OvnGuest};
use vnet_plan::{AddressWish, ContainerAddressError, container_addresses};
use vnet_types::{IpNet, MacAddr, Uuid};

use super::attach::is_race;
use super::change::changes;
use super::network::OvnNetwork;
use crate::error::Error;

impl OvnNetwork {
    /// Makes the network, unless another host has made it meanwhile.
    pub(crate) fn make(&mut self) -> Result<(), Error> {
        let plan = self.plan()?;
        if plan.is_there {
            return Ok(());
        }
        match self.carry_out(&plan) {
            Err(Error::Ovn(failure)) if is_race(&failure) => Ok(()),
            made => made.map(drop),
        }
    }

    /// Chooses the addresses of a container: those that it asks for, its reservation, or the lowest
    /// free ones. `others` are the guests on all hosts.
    pub(crate) fn addresses_beside(
        &self,
        others: &[OvnGuest],
        wish: &AddressWish,
    ) -> Result<Vec<IpNet>, ContainerAddressError> {
        let of = |guest: &OvnGuest| guest.addresses.iter().map(|ip| (*ip, Some(guest.mac))).collect::<Vec<_>>();
        let mut leased: BTreeMap<IpAddr, Option<MacAddr>> = others.iter().flat_map(of).collect();
        leased.extend(self.network.ovn_name_servers().iter().map(|net| (net.addr(), None)));
        container_addresses(&self.network, &[], &leased, wish)
    }

    /// The addresses with the prefixes of their subnets.
    pub(crate) fn in_subnets(&self, addresses: &[IpAddr]) -> Vec<IpNet> {
        let subnets = || self.network.ips.iter().filter_map(vnet_xml::network::Ip::net);
        let prefix = |ip: &IpAddr| subnets().find(|net| net.contains(ip)).map(|net| net.prefix_len());
        addresses.iter().filter_map(|ip| IpNet::new(*ip, prefix(ip)?).ok()).collect()
    }

    /// The guests that the rows tell of. `None` where the network has no rows.
    pub(crate) fn guests(&mut self) -> Result<Option<Vec<OvnGuest>>, Error> {
        Ok(self.read_guests()?.map(|there| there.guests))
    }

    /// What is not as `guest` was made in the row of its port, in words. Its references to options
    /// of DHCP are not looked at: another host may have changed these.
    pub(crate) fn differences(&mut self, guest: &OvnGuest) -> Result<Vec<String>, Error> {
        let observed = self.read()?;
        if observed.rows.is_empty() {
            return Err(Error::NotRunning(self.name.clone()));
        }
        let guests = observed.guests();
        let Some(seen) = guests.iter().find(|it| it.id == guest.id) else {
            return Ok(vec![format!("OVN's northbound database has no port `{}`", guest.id)]);
        };
        let mut words = Vec::new();
        if (&seen.container, &seen.chassis) != (&guest.container, &guest.chassis) {
            let of = |guest: &OvnGuest| {
                let [container, host] = [&guest.container, &guest.chassis].map(|it| it.as_deref().unwrap_or("nobody"));
                format!("`{container}` on host `{host}`")
            };
            words.push(format!("port `{}` of OVN is that of {}, and not of {}", guest.id, of(seen), of(guest)));
        }
        let has_all = guest.addresses.iter().all(|ip| seen.addresses.contains(ip));
        if seen.mac != guest.mac || !has_all {
            words.push(format!("port `{}` of OVN does not have the addresses of the container", guest.id));
        }
        let (wanted, name) = (self.rows(&guests)?, ColumnValue::Text(guest.id.to_string()));
        let is_its = |row: &Uuid| wanted.get(row).is_some_and(|row| row.columns.get("name") == Some(&name));
        for mut change in changes(&observed, &wanted) {
            change.columns.retain(|column, _| !column.starts_with("dhcp"));
            if is_its(&change.row) && !change.columns.is_empty() {
                words.push(format!("not as it was made: {change}"));
            }
        }
        Ok(words)
    }
}
