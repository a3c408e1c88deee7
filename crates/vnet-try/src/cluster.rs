//! Networks that OVN makes, on hosts of a laboratory: the driver starts them and attaches guests
//! there as it does on real ones. What these hosts and their outside are not is in the definitions
//! that it gets.

use std::path::Path;
use std::time::Instant;

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
/// The host that the gateway moves to.
const OTHER: &str = HOSTS[0];
const FOLDER: &str = "/run/ovn-lab";
/// The northbound database in that folder.
const NORTHBOUND: &str = "unix:/run/ovn-lab/nb/db.sock";
/// The bridge of guests on each host.
const BRIDGE: &str = "br-int";

/// The number of the host that the guest with this number is on.
pub(crate) fn host_of(guest: usize) -> usize {
    guest % HOSTS.len()
}

/// A definition as the laboratory needs it: with its database and its hosts. Where several can be
/// the gateway, so can both here.
pub(crate) fn placed(mut network: Network) -> Network {
    if let Some(engine) = &mut network.extensions.ovn {
        NORTHBOUND.clone_into(&mut engine.northbound);
        engine.tls = None;
        if let Some(outside) = &mut engine.outside {
            OvnLab::OUTSIDE.clone_into(&mut outside.network);
            outside.vlan = None;
            let is_group = outside.gateways.iter().any(|it| it.as_group().is_some());
            let hosts: &[&str] = if is_group || outside.gateways.len() > 1 { &[GATEWAY, OTHER] } else { &[GATEWAY] };
            outside.gateways = hosts.iter().map(|host| OvnGateway::new(*host, Some(1))).collect();
        }
    }
    network
}

/// The same with one host that can be the gateway. Of two that can, none would be for as long as
/// this computer has too much to do for their hellos.
fn with_gateway(network: &Network, host: &str) -> Network {
    let mut network = network.clone();
    if let Some(outside) = network.extensions.ovn.as_mut().and_then(|engine| engine.outside.as_mut()) {
        outside.gateways = vec![OvnGateway::new(host, Some(1))];
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
        let network = &with_gateway(network, GATEWAY);
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

    /// Moves the gateway of a network, as people do: by applying a definition. Returns the host
    /// that has it then. `None` when it does not move before the deadline.
    pub(crate) fn move_gateway(&self, network: &Network, deadline: Instant) -> Result<Option<&'static str>> {
        let network = with_gateway(network, OTHER);
        let (host, driver) = self.host(0)?;
        let uuid = host.namespace.run(|| {
            driver.apply(&network)?;
            Ok::<_, Failed>(driver.status_on_ovn(&network)?.uuid)
        })?;
        let programs = Programs::installed();
        let of_network = format!("external_ids:vnet-network={uuid}");
        let find = ["--bare", "--columns=name", "find", "Logical_Router_Port", "gateway_chassis!=[]", &of_network];
        let northbound = format!("--db={NORTHBOUND}");
        let port = programs.run("ovn-nbctl", &[&[&*northbound], &find[..]].concat())?;
        let southbound = format!("--db={}", self.0.central.southbound.remote());
        let ask = |table: &str, column: &str, is: String| {
            let column = format!("--columns={column}");
            let found = programs.run("ovn-sbctl", &[&*southbound, "--bare", &column, "find", table, &is])?;
            Ok::<_, Failed>(found.trim().to_owned())
        };
        let wanted = ask("Chassis", "_uuid", format!("name={OTHER}"))?;
        while ask("Port_Binding", "chassis", format!("logical_port=cr-{}", port.trim()))? != wanted {
            if Instant::now() > deadline {
                return Ok(None);
            }
        }
        Ok(Some(OTHER))
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
