//! The outside of networks that OVN makes: one card in the physical network of their hosts.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::time::Instant;

use vnet_lab::{Namespace, OvnLab, join, probe};
use vnet_netlink::{Netlink, Tap};
use vnet_types::{Address, Family, InterfaceName, IpNet, TapOptions};
use vnet_xml::Network;

use super::route::add_route;
use super::station::wait_usable;
use super::uplink::{Uplink, beyond_ovn};
use super::{DEVICE, PATIENCE, SWITCHES, World};
use crate::attach;
use crate::cluster::Cluster;
use crate::error::{Failed, Result};

impl World {
    /// The outside of these networks. Their hosts are started later, by [`begin`](Self::begin).
    pub(crate) fn on_ovn(networks: &[&Network]) -> Result<Self> {
        let (host, outside) = (Namespace::current()?, Namespace::new()?);
        host.set(&SWITCHES)?;
        outside.set(&SWITCHES)?;
        outside.set(&[("ipv4/ip_forward", "0")])?;
        let card: InterfaceName = DEVICE.parse().expect("a name");
        let mut world = Self::of(host, outside, beyond_ovn(&card, networks)?);
        world.on_ovn = networks.iter().map(|network| network.name.clone()).collect();
        Ok(world)
    }

    /// Starts the hosts, and connects the outside with them.
    pub(crate) fn begin(&mut self, networks: &[&Network]) -> Result<()> {
        // Open vSwitch makes taps of its own.
        let near = attach::card(&self.outside).map_err(|_| Failed::NoTaps)?;
        let cluster = Cluster::new()?;
        let wires = &cluster.0.wires;
        let name: InterfaceName = "outside".parse().expect("a name");
        let far = wires.run(|| new_tap(&name))?;
        let (port, bridge) = (index(wires.netlink(), &name)?, OvnLab::OUTSIDE.parse().expect("a name"));
        wires.netlink().set_controller(port, Some(index(wires.netlink(), &bridge)?))?;
        wires.netlink().set_up(port, true)?;
        let card: InterfaceName = DEVICE.parse().expect("a name");
        join(near, far.into_queues().remove(0))?;
        self.outside.netlink().set_up(index(self.outside.netlink(), &card)?, true)?;
        self.cluster = Some(cluster);
        self.settle(&card)?;
        // A server of any address answers datagrams from another one.
        let servers: BTreeSet<IpAddr> = self.uplinks.iter().flat_map(|it| it.outside.map(|net| net.addr())).collect();
        for server in servers {
            wait_usable(&self.outside, server, Instant::now() + PATIENCE)?;
            probe::serve_at(&self.outside, server, probe::PORT)?;
        }
        if networks.iter().any(|network| network.extensions.egress.is_some()) {
            self.be_everywhere()?;
        }
        Ok(())
    }

    /// Gives the card the addresses of next routers, and the outside those beyond them.
    fn settle(&self, card: &InterfaceName) -> Result<()> {
        let lo: InterfaceName = "lo".parse().expect("a name");
        let add = |link: &InterfaceName, net: IpNet| match self
            .outside
            .netlink()
            .add_address(link, &Address { net, broadcast: None })
        {
            Err(error) if !error.is_exists() => Err(Failed::from(error)),
            _ => Ok(()),
        };
        for uplink in &self.uplinks {
            uplink.gateway.iter().try_for_each(|net| add(card, *net))?;
        }
        for uplink in &self.uplinks {
            let beyond = uplink.outside.iter().zip(uplink.gateway).filter(|(outside, next)| **outside != *next);
            beyond.into_iter().try_for_each(|(outside, _)| add(&lo, outside.addr().into()))?;
        }
        Ok(())
    }

    /// Leads the outside to an address through a gateway, unless that is its own.
    pub(super) fn lead_to(&self, uplink: &Uplink, net: IpNet) -> Result<()> {
        let gateway = uplink.host(Family::of(net.addr()));
        match gateway == net.addr() {
            true => Ok(()),
            false => add_route(self.outside.netlink(), &uplink.name, net, gateway),
        }
    }
}

fn new_tap(name: &InterfaceName) -> Result<Tap> {
    Ok(Tap::create(&name.into(), &TapOptions::default(), NonZeroU16::MIN)?)
}

fn index(of: &Netlink, link: &InterfaceName) -> Result<u32> {
    Ok(of.link(link)?.ok_or_else(|| vnet_lab::Error::Gone(link.clone()))?.index)
}
