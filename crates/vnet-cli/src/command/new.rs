//! `vnet new MODE NAME`: a definition from nothing.

use std::net::IpAddr;

use serde::Serialize;
use vnet_driver::{Driver, Error, HostWish, InterfaceName, NetworkName, NetworkOutcome, SubnetWish, Wishes};
use vnet_types::{AddressRange, IpNet};
use vnet_xml::network::ForwardMode;

use crate::changes::brief;
use crate::diagnostic::Checked;
use crate::diagnostic::human::human;
use crate::diagnostic::json::{DiagnosticJson, diagnostics};
use crate::directories::Directories;
use crate::document::Document;
use crate::failure;
use crate::notes;
use crate::output::{Answer, Format, FormatOption, done, note, print, print_exact, print_json};

/// Make a definition with a subnet that nothing on this host uses
///
/// Prints the definition; --define keeps it, --start starts the network. The subnet is in no
/// address and route of this host, in no network that is kept here, in libvirt or by a container
/// engine, in no pool of Docker and podman as long as there is another, and nobody answers in it.
/// The same name gets the same subnet again.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How guests reach beyond the network
    mode: Mode,
    /// The network's name
    name: NetworkName,
    /// The IPv4 subnet: auto, none, or CIDR; with an address in it, that is the host's [default:
    /// auto]
    #[arg(long, value_name = "SUBNET", value_parser = ipv4)]
    subnet: Option<SubnetWish>,
    /// The IPv6 subnet: none, CIDR, or auto for a unique local one [default: none]
    #[arg(long, value_name = "SUBNET", value_parser = ipv6)]
    ipv6: Option<SubnetWish>,
    /// The addresses that DHCP gives out, START-END, or none [default: the whole IPv4 subnet]
    #[arg(long, value_name = "RANGE", value_parser = dhcp)]
    dhcp: Vec<DhcpWish>,
    /// The DNS domain of the guests
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// The only device that traffic may use; with `bridge`, the device of the host that guests
    /// share
    #[arg(long, value_name = "DEV", visible_alias = "dev")]
    forward_dev: Option<InterfaceName>,
    /// Reserve an address for a guest
    #[arg(long, value_name = "MAC=ADDRESS[,NAME]", value_parser = host)]
    host: Vec<HostWish>,
    /// Do not ask on the links of this host whether somebody answers in the subnet
    #[arg(long)]
    no_probe: bool,
    /// Keep the definition; it must be a new one
    #[arg(long)]
    define: bool,
    /// Start the network
    #[arg(long)]
    start: bool,
    #[command(flatten)]
    format: FormatOption,
}

/// How guests reach beyond their network.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Mode {
    /// Out through the host, under its address
    Nat,
    /// In and out through the host, with their own addresses
    Route,
    /// Each other and the host only
    Isolated,
    /// As the host routes; no firewall rules
    Open,
    /// As if they were on a device of the host
    Bridge,
}

impl From<Mode> for ForwardMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Nat => Self::Nat,
            Mode::Route => Self::Route,
            Mode::Isolated => Self::None,
            Mode::Open => Self::Open,
            Mode::Bridge => Self::Bridge,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum DhcpWish {
    None,
    Range(AddressRange),
}

#[derive(Serialize)]
struct Report {
    network: String,
    xml: String,
    /// The host's addresses in it.
    addresses: Vec<IpNet>,
    /// Subnets that looked free.
    answered: Vec<Answered>,
    /// Files that could not be read.
    unread: Vec<String>,
    defined: bool,
    started: bool,
    bridge: Option<String>,
    diagnostics: Vec<DiagnosticJson>,
}

#[derive(Serialize)]
struct Answered {
    subnet: IpNet,
    address: IpAddr,
}

impl Args {
    /// Makes it and reports.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let driver = directories.driver()?;
        let draft = match driver.draft(&self.wishes()) {
            Err(error @ Error::NoFreeSubnet { .. }) => return failure::refuse(error),
            draft => draft?,
        };
        let xml = draft.network.inactive().to_string();
        let mut checked = Checked::of_network(Document::new(format!("{}.xml", self.name), xml.clone().into_bytes()));
        checked.hear(&draft.findings);
        if self.format.format == Format::Human {
            note(notes::of_draft(&draft) + &human(&checked));
        }
        let mut report = Report {
            network: self.name.to_string(),
            xml,
            addresses: draft.network.ips.iter().filter_map(|ip| ip.net()).collect(),
            answered: draft
                .answered
                .iter()
                .map(|(subnet, address)| Answered { subnet: *subnet, address: *address })
                .collect(),
            unread: draft.unread.iter().map(|path| path.display().to_string()).collect(),
            defined: false,
            started: false,
            bridge: None,
            diagnostics: diagnostics(&checked),
        };
        let mut answer = Answer::Yes;
        let mut lines = String::new();
        match checked.sound_network() {
            None => answer = Answer::No,
            Some(network) => {
                let mut network = network.clone();
                if self.define {
                    match driver.define_new(&network) {
                        Ok(kept) => {
                            network = kept.network;
                            report.defined = true;
                            lines += &format!("network {} defined{}\n", self.name, on(&report.addresses));
                        }
                        Err(error) => answer = failure::answer(error)?,
                    }
                }
                if self.start && answer == Answer::Yes {
                    match self.started(&driver, &network, &mut report) {
                        Ok(line) => lines += &line,
                        Err(error) => answer = failure::answer(error)?,
                    }
                }
            }
        }
        let is_text = !self.define && !self.start;
        let shown = || match self.format.format {
            Format::Json => print_json(&report),
            // What was refused is no definition for a pipe.
            Format::Human if is_text && answer == Answer::No => Ok(()),
            Format::Human if is_text => Ok(print_exact(&report.xml)?),
            Format::Human => Ok(print(&lines)?),
        };
        if report.defined || report.started {
            done("the network is made", shown);
        } else {
            shown()?;
        }
        Ok(answer)
    }

    fn wishes(&self) -> Wishes {
        let mut wishes = Wishes::new(self.name.clone(), self.mode.into());
        wishes.ipv4 = self.subnet.unwrap_or(wishes.ipv4);
        wishes.ipv6 = self.ipv6.unwrap_or(wishes.ipv6);
        let range = |wish: &DhcpWish| match wish {
            DhcpWish::None => None,
            DhcpWish::Range(range) => Some(*range),
        };
        wishes.dhcp = (!self.dhcp.is_empty()).then(|| self.dhcp.iter().filter_map(range).collect());
        wishes.domain.clone_from(&self.domain);
        wishes.device.clone_from(&self.forward_dev);
        wishes.hosts.clone_from(&self.host);
        wishes.probe = !self.no_probe;
        wishes
    }

    fn started(&self, driver: &Driver, network: &vnet_driver::Network, report: &mut Report) -> Result<String, Error> {
        let NetworkOutcome { name, bridge, changes, notes, obstacles, .. } = driver.start(network)?;
        if self.format.format == Format::Human {
            note(notes::notes(&notes) + &notes::obstacles(&obstacles, vnet_xml::Severity::Warning));
        }
        report.started = true;
        report.bridge = bridge.as_ref().map(ToString::to_string);
        let device = bridge.map(|bridge| format!(" on {bridge}")).unwrap_or_default();
        Ok(format!("{}network {name} started{device}{}\n", brief(&changes), on(&report.addresses)))
    }
}

/// The host's addresses, as the end of a sentence.
fn on(addresses: &[IpNet]) -> String {
    let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    if shown.is_empty() { String::new() } else { format!(" with {}", shown.join(", ")) }
}

fn ipv4(text: &str) -> Result<SubnetWish, String> {
    subnet(text, IpNet::V4(Default::default()), "10.20.0.0/24")
}

fn ipv6(text: &str) -> Result<SubnetWish, String> {
    subnet(text, IpNet::V6(Default::default()), "fd00:20::/64")
}

fn subnet(text: &str, like: IpNet, example: &str) -> Result<SubnetWish, String> {
    match text {
        "auto" => Ok(SubnetWish::Free),
        "none" => Ok(SubnetWish::None),
        cidr => {
            let net = cidr.parse::<IpNet>().ok().filter(|net| net.addr().is_ipv4() == like.addr().is_ipv4());
            net.map(SubnetWish::Given).ok_or_else(|| format!("write auto, none, or a subnet such as {example}"))
        }
    }
}

fn dhcp(text: &str) -> Result<DhcpWish, String> {
    if text == "none" { Ok(DhcpWish::None) } else { text.parse().map(DhcpWish::Range) }
}

/// `MAC=ADDRESS[,NAME]`
fn host(text: &str) -> Result<HostWish, String> {
    let form = "write MAC=ADDRESS or MAC=ADDRESS,NAME";
    let (mac, rest) = text.split_once('=').ok_or(form)?;
    let (address, name) = rest.split_once(',').map_or((rest, None), |(address, name)| (address, Some(name)));
    let mac = mac.parse().map_err(|error| format!("`{mac}` is not a MAC address: {error}"))?;
    let ip = address.parse().map_err(|_| format!("`{address}` is not an address"))?;
    let mut host = HostWish::new(mac, ip);
    host.name = name.map(str::to_owned);
    Ok(host)
}
