//! Networks that OVN makes: the databases, the hosts, the gateway, and the ports of guests.

use vnet_types::InterfaceName;

use super::patient::{Keeper, Patient};
use super::symptom::{Mend, Symptom};
use crate::error::Error;
use crate::ovn::{Controller, Northern, OvnFailure, OvnPort, Sight, Southern, gateway_port};

const NORTHBOUND: &str = "northbound";
const NORTHD: &str = "northd";
const CHASSIS: &str = "chassis";
const GATEWAY: &str = "gateway";
const BINDING: &str = "binding";

/// What keeps guests on OVN from their network.
enum OvnFault<'a> {
    /// The northbound database cannot be asked.
    NoNorthbound(&'a Error),
    /// ovn-northd has not taken these changes over.
    NorthdLate { asked: i64, taken: i64 },
    /// This host's Open vSwitch does not answer, or says nothing of OVN.
    NoChassis(&'a OvnFailure),
    /// The southbound database cannot be asked.
    NoSouthbound(&'a str),
    /// The ovn-controller of this host has ended.
    ControllerEnded,
    /// This host is not among those of the southbound database.
    NotRegistered(&'a str),
    /// None of the hosts that can be the gateway is there.
    NoGatewayHost(Vec<&'a str>),
    /// A host that can be the gateway does not reach the physical network.
    NoMapping { chassis: &'a str, network: &'a str },
    /// No host is the gateway.
    NoGateway,
    /// The host of the gateway does not answer this one.
    GatewaySilent { chassis: &'a str, network: &'a str },
    /// ovn-northd does not know a port.
    UnknownPort(&'a OvnPort),
    /// The host of a port is gone.
    HostGone { port: &'a OvnPort, chassis: &'a str },
    /// The host of a port has not connected it.
    NotBound { port: &'a OvnPort, chassis: &'a str },
    /// A port of this host has no row.
    NoRow(&'a InterfaceName),
}

impl OvnFault<'_> {
    fn check(&self) -> &'static str {
        match self {
            Self::NoNorthbound(_) => NORTHBOUND,
            Self::NorthdLate { .. } => NORTHD,
            Self::NoChassis(_) | Self::NoSouthbound(_) | Self::ControllerEnded | Self::NotRegistered(_) => CHASSIS,
            Self::NoGatewayHost(_) | Self::NoMapping { .. } | Self::NoGateway | Self::GatewaySilent { .. } => GATEWAY,
            Self::UnknownPort(_) | Self::HostGone { .. } | Self::NotBound { .. } | Self::NoRow(_) => BINDING,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::NoNorthbound(error) => {
                format!("OVN's northbound database cannot be asked: {}", Error::causes(*error))
            }
            Self::NorthdLate { asked, taken } => {
                format!("ovn-northd has taken over {taken} of {asked} changes: it has ended, or is cut off")
            }
            Self::NoChassis(failure) => Error::causes(*failure),
            Self::NoSouthbound(why) => format!("OVN's southbound database cannot be asked from this host: {why}"),
            Self::ControllerEnded => "the ovn-controller of this host has ended: ports stay as they are".to_owned(),
            Self::NotRegistered(name) => format!("OVN knows no host `{name}`, which is this one"),
            Self::NoGatewayHost(names) => format!("no host that can be the gateway is there: {}", names.join(", ")),
            Self::NoMapping { chassis, network } => {
                format!("`{chassis}` can be the gateway, and does not reach the physical network `{network}`")
            }
            Self::NoGateway => "no host is the gateway: guests reach nothing outside".to_owned(),
            Self::GatewaySilent { chassis, .. } => format!(
                "`{chassis}` is the gateway, and does not answer this host by BFD: it is down or cut off, and no other \
                 host has taken over"
            ),
            Self::UnknownPort(port) => format!("ovn-northd does not know the port of {}", whose(port)),
            Self::HostGone { port, chassis } => {
                format!("the host `{chassis}` of {} is gone from OVN", whose(port))
            }
            Self::NotBound { port, chassis } => {
                format!("`{chassis}` has not connected the port of {}", whose(port))
            }
            Self::NoRow(dev) => format!("port `{dev}` of this host is gone from OVN's northbound database"),
        }
    }

    /// Where the same can be read.
    fn evidence(&self) -> String {
        match self {
            Self::NoNorthbound(_) => "`ovn-nbctl --db=REMOTE show`".to_owned(),
            Self::NorthdLate { .. } => "`ovn-nbctl get NB_Global . nb_cfg sb_cfg`".to_owned(),
            Self::NoChassis(_) => "`ovs-vsctl get open . external_ids`".to_owned(),
            Self::ControllerEnded => "`/var/run/ovn/ovn-controller.*.ctl`".to_owned(),
            Self::NoSouthbound(_) | Self::NotRegistered(_) | Self::NoGatewayHost(_) | Self::NoMapping { .. } => {
                "`ovn-sbctl list Chassis`".to_owned()
            }
            Self::NoGateway => "`ovn-sbctl find Port_Binding type=chassisredirect`".to_owned(),
            Self::GatewaySilent { .. } => "`ovs-vsctl --columns=name,bfd_status list Interface`".to_owned(),
            Self::UnknownPort(port) | Self::HostGone { port, .. } | Self::NotBound { port, .. } => {
                format!("`ovn-sbctl find Port_Binding logical_port={}`", port.id)
            }
            Self::NoRow(_) => "`ovn-nbctl show`".to_owned(),
        }
    }

    fn help(&self) -> String {
        match self {
            Self::NoNorthbound(error) => error.help().unwrap_or_else(|| "check the servers of `northbound`".to_owned()),
            Self::NorthdLate { .. } | Self::UnknownPort(_) => {
                "start ovn-northd where it belongs (Debian: `systemctl start ovn-central`), and read its log".to_owned()
            }
            Self::NoChassis(failure) => failure.help().unwrap_or_else(|| "see ovn-controller(8)".to_owned()),
            Self::NoSouthbound(_) => "check `external_ids:ovn-remote` of this host's Open vSwitch".to_owned(),
            Self::ControllerEnded | Self::NotRegistered(_) => {
                "start ovn-controller here (Debian: `systemctl start ovn-host`), and read its log; no other host may have \
                 this `system-id` or `ovn-encap-ip`"
                    .to_owned()
            }
            Self::NoGatewayHost(_) => {
                "start ovn-controller on one of them, or name others as `<vnet:gateway>`; `ovn-sbctl show` lists those \
                 that are there"
                    .to_owned()
            }
            Self::NoMapping { chassis, network } => format!(
                "on `{chassis}`: `ovs-vsctl set open . external_ids:ovn-bridge-mappings={network}:BRIDGE`, beside those \
                 that are there"
            ),
            Self::NoGateway => {
                "start ovn-controller on a host that can be the gateway; of two hosts alone none takes over: take the one \
                 that is gone out of `<vnet:gateway>` or its group"
                    .to_owned()
            }
            Self::GatewaySilent { chassis, network } => format!(
                "bring `{chassis}` back, with Open vSwitch and ovn-controller; or take it out of `<vnet:gateway>` or its \
                 group, and `vnet apply {network}`. Another host takes over by itself where a third one is a \
                 `<vnet:gateway>`, too, or has a guest of the network"
            ),
            Self::HostGone { chassis, .. } => format!(
                "start ovn-controller on `{chassis}`; if the host is gone for good, attach the guest on another one: it \
                 keeps its address"
            ),
            Self::NotBound { chassis, port } => format!(
                "on `{chassis}`: see that ovn-controller runs, and that `ovs-vsctl find interface \
                 external_ids:iface-id={}` finds its port",
                port.id
            ),
            Self::NoRow(dev) => format!("`vnet detach {dev}`, and attach the guest again"),
        }
    }

    fn symptom(self) -> Symptom {
        Symptom::problem(self.check(), self.words()).read(self.evidence()).help(self.help())
    }
}

/// A port, as people know it.
fn whose(port: &OvnPort) -> String {
    match &port.guest {
        Some(guest) => format!("guest `{guest}`"),
        None => port.mac.to_string(),
    }
}

fn or_ok(faults: Vec<OvnFault<'_>>, check: &'static str, well: String) -> Vec<Symptom> {
    if faults.is_empty() {
        return vec![Symptom::ok(check, well)];
    }
    faults.into_iter().map(OvnFault::symptom).collect()
}

/// Whether the northbound database answers, and has the network as it is defined.
pub(super) fn northbound(patient: &Patient, sight: &Sight) -> Vec<Symptom> {
    let status = match &sight.northbound {
        Err(error) => return vec![OvnFault::NoNorthbound(error).symptom()],
        Ok(there) => &there.status,
    };
    let name = &patient.name;
    let symptom = match (status.state, status.drift.len()) {
        (None, _) => {
            let finding = "it is defined and not started on OVN";
            let Keeper::Vnet { name, .. } = &patient.keeper else { return Vec::new() };
            match patient.is_meant || !patient.ports.is_empty() {
                true => Symptom::problem(NORTHBOUND, finding).mend(Some(Mend::Start(name.clone()))),
                false => Symptom::ok(NORTHBOUND, finding),
            }
        }
        (Some(_), 0) => Symptom::ok(NORTHBOUND, format!("{} has it as it is kept here", status.northbound)),
        (Some(_), rows) => {
            let finding =
                format!("{rows} of its rows are not as it is kept here: the rows were changed, or the definition");
            Symptom::unknown(NORTHBOUND, finding).suspect().command(format!("vnet apply {name}"))
        }
    };
    vec![symptom.read(format!("`vnet diff {name}`"))]
}

/// Whether ovn-northd takes changes over.
pub(super) fn northd(_: &Patient, sight: &Sight) -> Vec<Symptom> {
    let Ok(there) = &sight.northbound else { return Vec::new() };
    let (asked, taken) = (there.asked, there.taken);
    let late = (taken < asked).then_some(OvnFault::NorthdLate { asked, taken });
    or_ok(late.into_iter().collect(), NORTHD, "ovn-northd has taken over all changes".to_owned())
}

/// Whether this host is a chassis, and its ovn-controller runs. A host without guests need not be
/// one.
pub(super) fn chassis(patient: &Patient, sight: &Sight) -> Vec<Symptom> {
    let (name, southern) = match &sight.here {
        Err(failure) if patient.ports.is_empty() => {
            let symptom = Symptom::ok(CHASSIS, "this host has no guests of it, and is no chassis of OVN");
            return vec![symptom.read(Error::causes(failure))];
        }
        Err(failure) => return vec![OvnFault::NoChassis(failure).symptom()],
        Ok((name, southern)) => (name, southern),
    };
    let faults = match southern {
        Err(why) => vec![OvnFault::NoSouthbound(why)],
        _ if sight.controller == Controller::Ended => vec![OvnFault::ControllerEnded],
        Ok(southern) if !southern.chassis.contains_key(name) => vec![OvnFault::NotRegistered(name)],
        Ok(_) => Vec::new(),
    };
    let mut symptoms = or_ok(faults, CHASSIS, format!("this host is the chassis `{name}`"));
    symptoms.extend(southern.iter().filter_map(late));
    symptoms
}

/// Hosts that have not carried out what they were told, which may be under way.
fn late(southern: &Southern) -> Option<Symptom> {
    let late = southern.chassis.iter().filter(|(_, it)| it.done < southern.told);
    let names: Vec<&str> = late.map(|(name, _)| name.as_str()).collect();
    let finding = format!("these hosts have not carried out the last changes: {}", names.join(", "));
    (!names.is_empty()).then(|| {
        let symptom = Symptom::unknown(CHASSIS, finding).suspect().read("`ovn-sbctl list Chassis_Private`");
        symptom.help(
            "see that ovn-controller runs there; `ovn-sbctl chassis-del NAME` removes a host that is gone for good",
        )
    })
}

/// Whether a host is the gateway, and reaches the physical network.
pub(super) fn gateway(patient: &Patient, sight: &Sight) -> Vec<Symptom> {
    let engine = patient.definition.as_ref().and_then(|it| it.extensions.ovn.as_ref());
    let (Some(outside), Some((north, south))) = (engine.and_then(|it| it.outside.as_ref()), both(sight)) else {
        return Vec::new();
    };
    if north.status.state.is_none() {
        return Vec::new();
    }
    let there: Vec<_> =
        north.gateways.iter().filter_map(|name| Some((name.as_str(), south.chassis.get(name)?))).collect();
    if there.is_empty() {
        return vec![OvnFault::NoGatewayHost(north.gateways.iter().map(String::as_str).collect()).symptom()];
    }
    let network = outside.network.as_str();
    let unmapped = there.iter().filter(|(_, seen)| !seen.reaches.iter().any(|it| it == network));
    let mut faults: Vec<_> = unmapped.map(|&(chassis, _)| OvnFault::NoMapping { chassis, network }).collect();
    let host = south.bound.get(&gateway_port(north.status.uuid)).and_then(Option::as_deref);
    match host {
        None => faults.push(OvnFault::NoGateway),
        Some(chassis) if sight.gateway_is_silent => {
            faults.push(OvnFault::GatewaySilent { chassis, network: patient.name.as_str() });
        }
        Some(_) => {}
    }
    or_ok(faults, GATEWAY, format!("`{}` is the gateway, and reaches `{network}`", host.unwrap_or_default()))
}

/// Whether OVN has connected the ports of guests.
pub(super) fn bindings(patient: &Patient, sight: &Sight) -> Vec<Symptom> {
    let Ok(north) = &sight.northbound else { return Vec::new() };
    if north.status.state.is_none() {
        return Vec::new();
    }
    let is_meant = |port: &&OvnPort| !patient.has_guest || patient.ports.iter().any(|own| own.mac == port.mac);
    let ports: Vec<&OvnPort> = north.status.ports.iter().filter(is_meant).collect();
    let has_row = |mac| north.status.ports.iter().any(|port| port.mac == mac);
    let lost = patient.ports.iter().filter(|own| !has_row(own.mac)).map(|own| OvnFault::NoRow(&own.dev));
    let southern = both(sight).map(|(_, southern)| southern);
    let down = ports.iter().copied().filter_map(|port| fault_of(port, southern?));
    or_ok(lost.chain(down).collect(), BINDING, format!("all {} ports of guests are connected", ports.len()))
}

fn fault_of<'a>(port: &'a OvnPort, southern: &Southern) -> Option<OvnFault<'a>> {
    let chassis = port.chassis.as_deref().unwrap_or("any host");
    match southern.bound.get(&port.id.to_string()) {
        None => Some(OvnFault::UnknownPort(port)),
        Some(_) if port.chassis.is_some() && !southern.chassis.contains_key(chassis) => {
            Some(OvnFault::HostGone { port, chassis })
        }
        Some(None) => Some(OvnFault::NotBound { port, chassis }),
        Some(Some(_)) => None,
    }
}

fn both(sight: &Sight) -> Option<(&Northern, &Southern)> {
    let (_, southern) = sight.here.as_ref().ok()?;
    Some((sight.northbound.as_ref().ok()?, southern.as_ref().ok()?))
}
