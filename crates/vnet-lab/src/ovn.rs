//! A cluster of OVN: its databases, and hosts, each with its own network, Open vSwitch and
//! ovn-controller. Between them are a network for the tunnels, and a physical one.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use vnet_types::{Address, BridgeOptions, InterfaceName, IpNet, Ipv4Net, Link, LinkKind, MacAddr};

use crate::program::Daemon;
use crate::{Error, Namespace, OpenVSwitch, OvsdbServer, Programs, ping};

/// How long the hosts may take to know each other.
const SOON: Duration = Duration::from_secs(20);
/// How long a host may take to answer, before it is asked again.
const MOMENT: Duration = Duration::from_millis(500);
/// What OVN's service tells the server of its northbound database.
const OF_NORTHBOUND: [&str; 4] = [
    "--remote=db:OVN_Northbound,NB_Global,connections",
    "--private-key=db:OVN_Northbound,SSL,private_key",
    "--certificate=db:OVN_Northbound,SSL,certificate",
    "--ca-cert=db:OVN_Northbound,SSL,ca_cert",
];
/// The folder in which programs look for Open vSwitch of their host.
const OF_SWITCH: &str = "/run/openvswitch";
/// Each host's bridge of guests.
const INTEGRATION: &str = "br-int";
/// Each host's bridge for tunnels, with its card in it.
const TUNNELS: [&str; 2] = ["br-phy", "e0"];
/// Each host's bridge that leads to the physical network, with its card in it.
const PHYSICAL: [&str; 2] = ["br-ex", "e1"];
/// The `datapath_type` of a bridge whose frames go through ovs-vswitchd.
const USERSPACE: &str = "netdev";
/// The one of a bridge whose frames the kernel carries: a namespace has one datapath.
const KERNEL: &str = "system";

/// The databases of OVN and ovn-northd.
#[derive(Debug)]
pub struct OvnCentral {
    /// The northbound database.
    pub northbound: OvsdbServer,
    /// The southbound database.
    pub southbound: OvsdbServer,
    /// ovn-northd, which leads from the one to the other.
    pub northd: Daemon,
}

/// A host of a cluster: a chassis of OVN.
#[derive(Debug)]
pub struct OvnHost {
    /// Its `system-id`.
    pub name: String,
    /// Its network. Programs in it find its Open vSwitch in `/run/openvswitch`.
    pub namespace: Namespace,
    /// The folder of its Open vSwitch.
    pub folder: PathBuf,
    /// Its ovn-controller. `None` when it was killed.
    pub controller: Option<Daemon>,
    /// Its Open vSwitch. `None` when it was killed.
    pub switch: Option<OpenVSwitch>,
}

/// A cluster. It ends with this value.
#[derive(Debug)]
pub struct OvnLab {
    /// The hosts, in the order of their names.
    pub hosts: Vec<OvnHost>,
    /// The databases.
    pub central: OvnCentral,
    /// The network between the hosts, with the bridge [`OvnLab::OUTSIDE`].
    pub wires: Namespace,
}

impl OvnCentral {
    /// Starts them in a folder.
    ///
    /// # Errors
    /// [`Error`] when one does not start.
    pub fn start(programs: &Programs, folder: &Path) -> Result<Self, Error> {
        let server = |name: &str, options: &[&str]| {
            OvsdbServer::with_schema(programs, &folder.join(name), &format!("ovn/ovn-{name}.ovsschema"), options)
        };
        let (northbound, southbound) = thread::scope(|scope| {
            let southbound = scope.spawn(|| server("sb", &[]));
            (server("nb", &OF_NORTHBOUND), southbound.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        let (northbound, southbound) = (northbound?, southbound?);
        let mut northd = programs.daemon("ovn-northd", folder)?;
        northd.arg(format!("--unixctl={}", folder.join("northd.ctl").display()));
        northd.arg(format!("--ovnnb-db={}", northbound.remote()));
        northd.arg(format!("--ovnsb-db={}", southbound.remote()));
        Ok(Self { northd: Daemon::start(northd)?, northbound, southbound })
    }
}

impl OvnHost {
    /// Starts a host, with the nth address for its tunnels.
    fn start(
        programs: &Programs,
        namespace: Namespace,
        name: &str,
        nth: u8,
        folder: &Path,
        southbound: &str,
        datapath: &str,
    ) -> Result<Self, Error> {
        let address = of_tunnels(nth);
        let (switch, controller) = namespace.run(|| {
            let switch = OpenVSwitch::start(programs, folder)?;
            let database = format!("--db={}", switch.server.remote());
            let ids = [
                format!("external_ids:system-id={name}"),
                format!("external_ids:ovn-remote={southbound}"),
                "external_ids:ovn-encap-type=geneve".to_owned(),
                format!("external_ids:ovn-encap-ip={address}"),
                format!("external_ids:ovn-bridge-mappings={}:{}", OvnLab::OUTSIDE, PHYSICAL[0]),
            ];
            let mut words = vec![&*database, "--timeout=20", "set", "open", "."];
            words.extend(ids.iter().map(String::as_str));
            let datapath = format!("datapath_type={datapath}");
            for bridge in [INTEGRATION, TUNNELS[0], PHYSICAL[0]] {
                words.extend(["--", "add-br", bridge, "--", "set", "bridge", bridge, &datapath]);
            }
            for [bridge, card] in [TUNNELS, PHYSICAL] {
                words.extend(["--", "add-port", bridge, card]);
            }
            words.extend(["--", "set", "bridge", INTEGRATION, "fail-mode=secure"]);
            programs.run("ovs-vsctl", &words)?;
            let mut controller = programs.daemon("ovn-controller", folder)?;
            controller.arg(switch.server.remote());
            Ok::<_, Error>((switch, Daemon::start(controller)?))
        })?;
        let own = name_of(TUNNELS[0]);
        let netlink = namespace.netlink();
        let net = IpNet::V4(Ipv4Net::new_assert(address, 24));
        netlink.add_address(&own, &Address { net, broadcast: None })?;
        netlink.set_up(index(&namespace, &own)?, true)?;
        let (name, folder) = (name.to_owned(), folder.to_owned());
        Ok(Self { name, namespace, folder, controller: Some(controller), switch: Some(switch) })
    }
}

impl OvnLab {
    /// The name of the physical network, and of its bridge between the hosts.
    pub const OUTSIDE: &str = "physical";

    /// Starts a cluster of hosts with these names in a folder below `/run`, and waits until they
    /// know each other. Frames go through processes: the kernel needs no module for them.
    ///
    /// # Errors
    /// [`Error::Missing`] when a program is not installed; others when one does not start.
    pub fn start(programs: &Programs, folder: &Path, names: &[&str]) -> Result<Self, Error> {
        Self::start_with(programs, folder, names, USERSPACE)
    }

    /// The same, where the kernel carries the frames and tracks connections: each host has a
    /// datapath of its own in its namespace. The modules `openvswitch` and `geneve` are loaded.
    ///
    /// # Errors
    /// Those of [`start`](Self::start), and [`Error::Netlink`] where the kernel has no such
    /// modules.
    pub fn start_in_kernel(programs: &Programs, folder: &Path, names: &[&str]) -> Result<Self, Error> {
        Self::start_with(programs, folder, names, KERNEL)
    }

    fn start_with(programs: &Programs, folder: &Path, names: &[&str], datapath: &str) -> Result<Self, Error> {
        fs::create_dir_all(OF_SWITCH).map_err(Error::doing(format!("make {OF_SWITCH}")))?;
        let wires = Namespace::new()?;
        let bridges = [name_of("tunnels"), name_of(Self::OUTSIDE)];
        for bridge in &bridges {
            let kind = LinkKind::Bridge(BridgeOptions::default());
            wires.netlink().add_link(&Link { name: bridge.clone(), kind, mac: None, mtu: None, up: true })?;
        }
        let mut places = Vec::new();
        for (name, nth) in names.iter().zip(0..) {
            let folder = folder.join(name);
            fs::create_dir_all(&folder).map_err(Error::doing(format!("make {}", folder.display())))?;
            let namespace = Namespace::with_folder(&folder, OF_SWITCH)?;
            // Otherwise the kernel answers for the address of the bridge with the MAC address of
            // the card in it, too, and tunnels that are sent there lead nowhere.
            namespace.set(&[("ipv4/conf/all/arp_ignore", "1"), ("ipv4/ping_group_range", "0 0")])?;
            for (([_, card], bridge), kind) in [TUNNELS, PHYSICAL].into_iter().zip(&bridges).zip(0..) {
                let mac = MacAddr([0x02, 0x76, 0x6f, 0x76, kind, nth]);
                let (near, far) = (name_of(&format!("{card}x{nth}")), name_of(card));
                let near = wires.lay(&near, &namespace, &far, mac)?;
                wires.netlink().set_controller(near, Some(index(&wires, bridge)?))?;
                wires.netlink().set_up(near, true)?;
                namespace.netlink().set_up(index(&namespace, &far)?, true)?;
            }
            places.push((*name, nth, folder, namespace));
        }
        let central = OvnCentral::start(programs, folder)?;
        let southbound = central.southbound.remote();
        let hosts = thread::scope(|scope| {
            let southbound = &southbound;
            let starting: Vec<_> = places
                .into_iter()
                .map(|(name, nth, folder, namespace)| {
                    scope.spawn(move || OvnHost::start(programs, namespace, name, nth, &folder, southbound, datapath))
                })
                .collect();
            let started =
                starting.into_iter().map(|it| it.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            started.collect::<Result<Vec<_>, Error>>()
        })?;
        let lab = Self { hosts, central, wires };
        lab.settle(programs)?;
        Ok(lab)
    }

    /// Waits until each host is a chassis and has found the others.
    fn settle(&self, programs: &Programs) -> Result<(), Error> {
        let database = format!("--db={}", self.central.southbound.remote());
        let mut words = vec![&*database, "--timeout=20"];
        for (at, host) in self.hosts.iter().enumerate() {
            words.extend(if at == 0 { &["wait-until", "chassis"][..] } else { &["--", "wait-until", "chassis"] });
            words.push(&host.name);
        }
        programs.run("ovn-sbctl", &words)?;
        let deadline = Instant::now() + SOON;
        for (host, from) in self.hosts.iter().zip(0_u8..) {
            for to in (0_u8..).take(self.hosts.len()).filter(|to| *to != from) {
                let to: IpAddr = of_tunnels(to).into();
                let asks = || ping(to, Instant::now() + MOMENT).map_err(Error::doing(format!("ask for {to}")));
                while !host.namespace.run(asks)? {
                    if Instant::now() > deadline {
                        let why = std::io::Error::from(std::io::ErrorKind::HostUnreachable);
                        return Err(Error::doing(format!("reach {to} from host {}", host.name))(why));
                    }
                }
            }
        }
        Ok(())
    }
}

/// The address of a host's tunnels.
fn of_tunnels(nth: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 66, 0, nth.saturating_add(11))
}

fn index(of: &Namespace, link: &InterfaceName) -> Result<u32, Error> {
    Ok(of.netlink().link(link)?.ok_or_else(|| Error::Gone(link.clone()))?.index)
}

fn name_of(link: &str) -> InterfaceName {
    link.parse().expect("the name of a link")
}
