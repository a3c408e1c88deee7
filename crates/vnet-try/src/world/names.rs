//! The name servers of the imagined host and of the outside.

use std::collections::BTreeSet;
use std::net::{IpAddr, UdpSocket};
use std::thread;

use vnet_lab::{Namespace, dns};
use vnet_types::{Address, Family, InterfaceName, IpNet};
use vnet_xml::Network;

use super::World;
use crate::error::Result;

impl World {
    /// Answers DNS questions where the networks forward theirs to, and where the host asks:
    /// outside, or on the host for a server that is the host itself. The answer to a question for
    /// an address is the address of the server. A server in a network that is tried would be a
    /// guest; such guests do not exist.
    pub(crate) fn serve_names(&mut self, networks: &[Network]) -> Result<()> {
        let lo: InterfaceName = "lo".parse().expect("a name");
        let subnets: Vec<IpNet> = networks.iter().flat_map(|it| &it.ips).filter_map(|ip| ip.net()).collect();
        let forwarders = networks.iter().filter_map(|network| network.dns.as_ref()).flat_map(|dns| &dns.forwarders);
        let forwarders: BTreeSet<IpAddr> = forwarders.filter_map(|forwarder| forwarder.addr).collect();
        let forwarders = forwarders.into_iter().filter(|server| !subnets.iter().any(|net| net.contains(server)));
        for server in forwarders.collect::<Vec<_>>() {
            if server.is_loopback() {
                serve(&self.host, server)?;
            } else {
                let address = Address { net: IpNet::from(server), broadcast: None };
                self.outside.netlink().add_address(&lo, &address)?;
                serve(&self.outside, server)?;
            }
            self.name_servers.push(server);
        }
        serve(&self.outside, self.name_server())?;
        self.name_servers.push(self.name_server());
        Ok(())
    }

    /// The address of the host's name server.
    pub(crate) fn name_server(&self) -> IpAddr {
        self.uplinks[0].outside(Family::Ipv4)
    }

    /// Whether a name server answers at an address.
    pub(crate) fn has_name_server(&self, at: IpAddr) -> bool {
        self.name_servers.contains(&at)
    }
}

fn serve(namespace: &Namespace, server: IpAddr) -> Result<()> {
    let bind = || UdpSocket::bind((server, 53)).map_err(vnet_lab::Error::doing(format!("serve DNS at {server}")));
    let socket = namespace.run(bind)?;
    thread::spawn(move || {
        let mut question = [0; 1500];
        loop {
            if let Ok((length, peer)) = socket.recv_from(&mut question)
                && let Some(answer) = dns::answer(&question[..length], server)
            {
                let _ = socket.send_to(&answer, peer);
            }
        }
    });
    Ok(())
}
