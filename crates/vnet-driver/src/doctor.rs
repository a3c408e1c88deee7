//! Why a guest has no network: checks from the definition to the outside, each with what was read
//! and with what mends it.
//!
//! The checks are a table, in an order in which a cause comes before what follows from it. Nothing
//! on the host is changed: a guest that is made up for a moment, to ask for an address, goes with
//! the process. What cannot be known is said to be unknown, with the reason.

mod address;
mod ask;
mod beyond;
mod bridge;
mod definition;
pub(crate) mod frame;
mod guest;
mod limits;
mod meddling;
mod names;
mod outside;
mod ovn;
mod patient;
mod port;
mod rules;
pub(crate) mod scratch;
mod service;
mod sockets;
mod suspects;
mod symptom;
mod traffic;

use std::cell::OnceCell;

use vnet_host::LinuxHost;
use vnet_netlink::Netlink;
use vnet_types::{InterfaceName, Inventory};

use self::outside::Targets;
use self::patient::Patient;
pub(crate) use self::patient::is_called;
use self::sockets::Listening;
pub use self::symptom::{Health, Mend, Symptom};
use crate::driver::Driver;
use crate::error::Error;
use crate::ovn::Sight;

/// Whom and what to examine.
#[derive(Clone, Debug, Default)]
pub struct Complaint {
    /// A network, by name or UUID, of vnet or of libvirt; all when `None`. Alone it may also be the
    /// name, the MAC address or the device of a guest.
    pub network: Option<String>,
    /// A guest, by name, MAC address or device.
    pub guest: Option<String>,
    /// Only read: send no packets, and make up no guest for a moment.
    pub quiet: bool,
}

/// The results of all checks, in an order in which a cause comes before what follows from it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Diagnosis {
    /// The networks that were examined.
    pub networks: Vec<String>,
    /// The results.
    pub symptoms: Vec<Symptom>,
}

/// What a check looks at.
#[derive(Clone, Copy)]
enum Of {
    Host(fn(&Scene<'_>) -> Result<Vec<Symptom>, Error>),
    /// A network, whether it runs or not.
    Network(fn(&Scene<'_>, &Patient) -> Result<Vec<Symptom>, Error>),
    /// A network that OVN makes.
    Ovn(fn(&Patient, &Sight) -> Vec<Symptom>),
    /// A network with a bridge that is there.
    Bridge(fn(&Scene<'_>, &Patient, &InterfaceName) -> Result<Vec<Symptom>, Error>),
}

/// The checks: the name, what it is about, and how it is made. What comes first may be the cause of
/// what comes later.
const CHECKS: &[(&str, &str, Of)] = &[
    ("privilege", "whether everything can be read", Of::Host(definition::privilege)),
    ("definition", "the kept definition is usable, runs, and runs as it is kept", Of::Network(definition::check)),
    ("northbound", "OVN's northbound database answers, and has the network as it is defined", Of::Ovn(ovn::northbound)),
    ("northd", "ovn-northd takes changes over", Of::Ovn(ovn::northd)),
    ("chassis", "this host is a chassis of OVN, and its ovn-controller runs", Of::Ovn(ovn::chassis)),
    ("gateway", "a host is the gateway, and reaches the physical network", Of::Ovn(ovn::gateway)),
    ("binding", "OVN has connected the ports of guests", Of::Ovn(ovn::bindings)),
    ("manager", "no other program manages the links", Of::Network(bridge::managers)),
    ("bridge", "the bridge is there, is up, and lets frames pass", Of::Network(bridge::check)),
    ("port", "the ports of guests are in the bridge and forward", Of::Bridge(port::check)),
    ("conflict", "nothing else on the host uses the same addresses", Of::Network(address::conflicts)),
    ("address", "the host has its addresses in the network", Of::Bridge(address::check)),
    ("way-to-guests", "packets for guests leave by the bridge", Of::Bridge(address::way_to_guests)),
    ("listening", "nobody else has the ports of dnsmasq", Of::Bridge(service::listening)),
    ("dnsmasq", "dnsmasq runs", Of::Bridge(service::dnsmasq)),
    ("own-rules", "the network's own rules are installed", Of::Bridge(rules::own)),
    ("foreign-rules", "no rule of another program drops what guests need", Of::Bridge(rules::foreign)),
    ("traffic", "traffic control takes nothing away", Of::Bridge(traffic::check)),
    ("switches", "the host answers guests by ARP", Of::Bridge(limits::switches)),
    ("ipsec", "no policy of IPsec takes what guests send", Of::Bridge(limits::ipsec)),
    ("room", "there is room for connections and leases", Of::Bridge(limits::room)),
    ("bridge-netfilter", "bridged packets do not pass the rules for routed ones", Of::Bridge(rules::bridged)),
    ("pool", "addresses are left", Of::Bridge(service::pool)),
    ("uplink", "the host has a way out", Of::Bridge(beyond::uplink)),
    ("forwarding", "the host forwards packets", Of::Bridge(beyond::forwarding)),
    ("way-out", "the kernel takes packets of guests, and has a way for them and back", Of::Bridge(beyond::ways)),
    ("frames", "what a guest sends reaches the host", Of::Bridge(service::frames)),
    ("dhcp", "a guest is offered an address", Of::Bridge(service::dhcp)),
    ("router", "a guest hears of a router for IPv6, and finds it", Of::Bridge(service::router)),
    ("dns", "dnsmasq answers a question", Of::Bridge(service::dns)),
    ("name-servers", "the host's name servers answer", Of::Network(names::check)),
    ("mtu", "what guests send fits all the way", Of::Bridge(beyond::mtu)),
    ("outside", "an answer from outside comes back to a guest", Of::Bridge(outside::check)),
    ("guest", "the guest has an address", Of::Network(guest::check)),
    ("libvirt", "libvirt's own program is there to be asked", Of::Host(definition::libvirt)),
];

/// What every check reads, each read once.
struct Scene<'a> {
    driver: &'a Driver,
    host: LinuxHost,
    netlink: Netlink,
    inventory: Inventory,
    quiet: bool,
    targets: Targets,
    listening: OnceCell<Vec<Listening>>,
}

impl Diagnosis {
    /// The names of the checks, in their order, and what each is about.
    pub const CHECKS: [(&'static str, &'static str); CHECKS.len()] = {
        let mut names = [("", ""); CHECKS.len()];
        let mut at = 0;
        while at < CHECKS.len() {
            names[at] = (CHECKS[at].0, CHECKS[at].1);
            at += 1;
        }
        names
    };

    /// The problem that comes first, from which others may follow.
    pub fn cause(&self) -> Option<&Symptom> {
        self.symptoms.iter().find(|symptom| symptom.health == Health::Problem)
    }

    /// What vnet can do about the problems itself, in order, each once.
    pub fn mends(&self) -> Vec<&Mend> {
        let mut mends: Vec<&Mend> = Vec::new();
        for mend in self.symptoms.iter().filter_map(|symptom| symptom.mend.as_ref()) {
            if !mends.contains(&mend) {
                mends.push(mend);
            }
        }
        mends
    }
}

impl Driver {
    /// Examines this host: why a guest, or the guests of a network, have no network. Nothing is
    /// changed. It takes some seconds at most: it waits for answers from dnsmasq and from outside.
    ///
    /// # Errors
    /// [`Error::NoNetwork`] when there is no such network, of vnet or of libvirt;
    /// [`Error::NoGuest`] when no guest of it is attached that is called so; [`Error::Host`] when
    /// links and receipts cannot be read.
    pub fn doctor(&self, complaint: &Complaint) -> Result<Diagnosis, Error> {
        let mut host = self.host()?;
        host.look_once();
        let (inventory, _) = self.survey(&host, None)?;
        let mut patients = self.patients(complaint, &inventory)?;
        let (driver, netlink, listening) = (self, Netlink::open()?, OnceCell::new());
        let targets = if complaint.quiet { Targets::default() } else { Targets::of(&netlink) };
        let scene = Scene { driver, host, netlink, inventory, quiet: complaint.quiet, targets, listening };
        if !scene.quiet {
            outside::try_all(&scene, &mut patients)?;
        }
        let mut symptoms = Vec::new();
        for (name, _, of) in CHECKS {
            match of {
                Of::Host(check) => symptoms.extend(made(name, check(&scene))),
                Of::Ovn(check) => {
                    for (patient, sight) in patients.iter().filter_map(|it| Some((it, it.on_ovn.as_ref()?))) {
                        symptoms.extend(patient.named(check(patient, sight)));
                    }
                }
                Of::Network(check) => {
                    for patient in patients.iter().filter(|patient| patient.on_ovn.is_none()) {
                        symptoms.extend(patient.named(made(name, check(&scene, patient))));
                    }
                }
                Of::Bridge(check) => {
                    for patient in &patients {
                        let there = patient.bridge.as_ref().filter(|_| patient.runs);
                        let Some(bridge) = there else { continue };
                        if scene.host.link(bridge)?.is_some() {
                            symptoms.extend(patient.named(made(name, check(&scene, patient, bridge))));
                        }
                    }
                }
            }
        }
        suspects::name(&mut symptoms);
        Ok(Diagnosis { networks: patients.into_iter().map(|patient| patient.name).collect(), symptoms })
    }

    /// Does what vnet can do about a problem itself.
    ///
    /// # Errors
    /// Those of [`start`](Self::start) and of [`apply`](Self::apply).
    pub fn mend(&self, mend: &Mend) -> Result<crate::NetworkOutcome, Error> {
        match mend {
            Mend::Start(network) => {
                let kept = self.kept(network)?.ok_or_else(|| Error::NotDefined(network.clone()))?;
                self.start(&kept)
            }
            // What was changed in the running network only stays.
            Mend::Repair(network) => self.repair(network),
        }
    }
}

/// A check that could not be made is unknown, with the reason.
fn made(check: &'static str, result: Result<Vec<Symptom>, Error>) -> Vec<Symptom> {
    match result {
        Ok(symptoms) => symptoms,
        Err(error) => {
            let symptom = Symptom::unknown(check, format!("this could not be checked: {error:?}"));
            let is_privilege = error.missing_capability().is_some();
            let help = || service::as_root("this process lacks the capability, as in a container");
            vec![if is_privilege { symptom.help(help()) } else { symptom }]
        }
    }
}

impl Scene<'_> {
    /// The sockets of the ports that dnsmasq needs.
    fn listening(&self) -> &[Listening] {
        self.listening.get_or_init(sockets::listening)
    }
}

impl Patient {
    /// Symptoms with the name of the network.
    fn named(&self, symptoms: Vec<Symptom>) -> impl Iterator<Item = Symptom> + '_ {
        symptoms.into_iter().map(|symptom| Symptom { network: Some(self.name.clone()), ..symptom })
    }
}
