//! Networks that OVN makes, on hosts of a laboratory: the driver starts them and attaches guests
//! there as it does on real ones. What these hosts and their outside are not is in the definitions
//! that it gets.

use std::path::Path;

use vnet_driver::{Driver, Error, Imagined};
use vnet_lab::{OvnHost, OvnLab, Programs};
use vnet_validate::Finding;
use vnet_xml::Network;
use vnet_xml::network::OvnGateway;

use crate::error::{Failed, Result};
use crate::start::Started;

/// The hosts, by their `system-id`.
const HOSTS: [&str; 2] = ["host1", "host2"];
/// The host that is the gateway. The first guest is on the other one, so its way out leads through
/// a tunnel.
const GATEWAY: &str = HOSTS[1];
const FOLDER: &str = "/run/ovn-lab";
/// The northbound database in that folder.
const NORTHBOUND: &str = "unix:/run/ovn-lab/nb/db.sock";
/// The bridge of guests on each host.
const BRIDGE: &str = "br-int";

/// The number of the host that the guest with this number is on.
pub(crate) fn host_of(guest: usize) -> usize {
    guest % HOSTS.len()
}

/// A definition as the laboratory needs it: with its database and its gateway.
pub(crate) fn placed(mut network: Network) -> Network {
    if let Some(engine) = &mut network.extensions.ovn {
        NORTHBOUND.clone_into(&mut engine.northbound);
        engine.tls = None;
        if let Some(outside) = &mut engine.outside {
            OvnLab::OUTSIDE.clone_into(&mut outside.network);
            outside.vlan = None;
            outside.gateways = vec![OvnGateway::new(GATEWAY, Some(1))];
        }
    }
    network
}

/// The hosts of a cluster.
#[derive(Debug)]
pub(crate) struct Cluster(pub(crate) OvnLab);

impl Cluster {
    /// Starts the hosts and OVN's databases. `/run` has to be an empty folder of this process.
    pub(crate) fn new() -> Result<Self> {
        let started = OvnLab::start(&Programs::installed(), Path::new(FOLDER), &HOSTS);
        started.map(Self).map_err(Failed::doing("OVN cannot be tried here"))
    }

    /// The host that the guest with this number is on, with its driver.
    pub(crate) fn host(&self, guest: usize) -> Result<(&OvnHost, Driver)> {
        let host = &self.0.hosts[host_of(guest)];
        let folder = |name: &str| format!("/run/{}/{name}", host.name);
        let imagined = Imagined { zones: true, offers_at_once: true, features: None, seed: Some([0x76; 16]) };
        let driver = Driver::open(folder("vnet"))?.with_definitions(folder("definitions"));
        Ok((host, driver.imagined(imagined)))
    }

    /// Starts a network from one host, and tells all of them of it.
    pub(crate) fn start(&self, network: &Network) -> Result<Started> {
        for guest in 0..HOSTS.len() {
            let (host, driver) = self.host(guest)?;
            let started = host.namespace.run(|| {
                let refused = if guest == 0 { begin(&driver, network)? } else { None };
                if refused.is_none() {
                    driver.define(network)?;
                }
                Ok::<_, Failed>(refused)
            });
            let started = started.map_err(Failed::doing(format!("network `{}` does not start on OVN", network.name)));
            if let Some(findings) = started? {
                return Ok(Started::Refused(findings));
            }
        }
        Ok(Started::On(BRIDGE.parse().expect("a name")))
    }
}

/// Starts a network, and returns what it was refused for.
fn begin(driver: &Driver, network: &Network) -> Result<Option<Vec<Finding>>> {
    match driver.start(network) {
        Ok(outcome) if outcome.ovn.as_ref().is_some_and(|it| it.in_force) => Ok(None),
        Ok(_) => {
            // This computer may have too much to do for a wait that is meant for a real cluster.
            let wait = ["--timeout=30", "--wait=hv", "sync"];
            let database = format!("--db={NORTHBOUND}");
            Programs::installed().run("ovn-nbctl", &[&[&*database], &wait[..]].concat())?;
            Ok(None)
        }
        Err(Error::Refused { findings }) => Ok(Some(findings)),
        Err(error) => Err(error.into()),
    }
}
