//! The name servers of the imagined host and of the outside.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::thread;

use vnet_lab::{Namespace, dns};
use vnet_types::{Address, Family, InterfaceName, IpNet};
use vnet_xml::Network;
use vnet_xml::network::Forwarder;

use super::World;
use crate::error::Result;

/// The port of name servers, where a definition names none.
const DNS: u16 = 53;

impl World {
    /// Answers DNS questions where the networks forward theirs to, and where the host asks:
    /// outside, or on the host for a server that is the host itself. The hosts of a cluster have no
    /// way out of their own, so all servers are on each of them, too. The answer to a question for
    /// an address is the address of the server. A server in a network that is tried would be a
    /// guest; such guests do not exist.
    pub(crate) fn serve_names(&mut self, networks: &[Network]) -> Result<()> {
        let subnets: Vec<IpNet> = networks.iter().flat_map(|it| &it.ips).filter_map(|ip| ip.net()).collect();
        let forwarders = networks.iter().filter_map(|network| network.dns.as_ref()).flat_map(|dns| &dns.forwarders);
        let at = |it: &Forwarder| Some(SocketAddr::new(it.addr?, it.port.unwrap_or(DNS)));
        let mut servers: BTreeSet<SocketAddr> = forwarders.filter_map(at).collect();
        servers.retain(|server| !subnets.iter().any(|net| net.contains(&server.ip())));
        for server in &servers {
            match server.ip().is_loopback() {
                true => serve(&self.host, *server)?,
                false => serve_new(&self.outside, *server)?,
            }
        }
        let own = SocketAddr::new(self.name_server(), DNS);
        if servers.insert(own) {
            serve(&self.outside, own)?;
        }
        for host in self.cluster.iter().flat_map(|cluster| &cluster.0.hosts) {
            servers.iter().try_for_each(|server| serve_new(&host.namespace, *server))?;
        }
        self.name_servers = servers.into_iter().map(|server| server.ip()).collect();
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

/// Answers at an address that the namespace may not have yet.
fn serve_new(namespace: &Namespace, server: SocketAddr) -> Result<()> {
    let lo: InterfaceName = "lo".parse().expect("a name");
    if !server.ip().is_loopback() {
        let address = Address { net: IpNet::from(server.ip()), broadcast: None };
        match namespace.netlink().add_address(&lo, &address) {
            Err(error) if !error.is_exists() => return Err(error.into()),
            _ => {}
        }
    }
    serve(namespace, server)
}

fn serve(namespace: &Namespace, server: SocketAddr) -> Result<()> {
    let bind = || UdpSocket::bind(server).map_err(vnet_lab::Error::doing(format!("serve DNS at {server}")));
    let socket = namespace.run(bind)?;
    thread::spawn(move || {
        let mut question = [0; 1500];
        loop {
            if let Ok((length, peer)) = socket.recv_from(&mut question)
                && let Some(answer) = dns::answer(&question[..length], server.ip())
            {
                let _ = socket.send_to(&answer, peer);
            }
        }
    });
    Ok(())
}
