//! Errors of the driver.

mod causes;
mod help;

use std::io;
use std::path::PathBuf;

use vnet_netlink::Capability;
use vnet_plan::{AttachError, LowerError};
use vnet_types::{Family, InterfaceName, NameError, NetworkName, Uuid};
use vnet_validate::Finding;
use vnet_xml::Severity;
use vnet_xml::network::{MetadataError, MetadataPart};

use crate::folders::RuntimeFolderError;
use crate::libvirt::LibvirtHookError;
use crate::network::ElementReport;

/// Why a call failed. Nothing has changed on the host then, unless the error says so.
///
/// `Debug` prints the text with all causes and the help, so a `main` that returns it prints a
/// readable message.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not a definition.
    #[error("the definition cannot be read")]
    Text(#[from] vnet_xml::Refused),
    /// The definition has an error, alone or on this host.
    #[error("the definition is refused: {}", in_words(.findings))]
    Refused {
        /// All findings, including warnings.
        findings: Vec<Finding>,
    },
    /// The network runs already.
    #[error("network `{0}` runs already")]
    AlreadyRuns(NetworkName),
    /// dnsmasq needs an inotify instance for the network, and the user has none left.
    #[error("the dnsmasq of network `{network}` needs an inotify instance, and all {limit} are in use")]
    NoInotify {
        /// The network.
        network: NetworkName,
        /// The limit's name.
        sysctl: &'static str,
        /// The limit.
        limit: u32,
    },
    /// No network of this name runs.
    #[error("network `{0}` does not run")]
    NotRunning(NetworkName),
    /// A definition of a network of this name is kept.
    #[error("network `{0}` is defined already")]
    AlreadyDefined(NetworkName),
    /// No definition of a network of this name is kept.
    #[error("network `{0}` is not defined: no definition of it is kept")]
    NotDefined(NetworkName),
    /// No network that runs or is defined has this name or UUID.
    #[error("no network has the name or UUID `{0}`")]
    NoNetwork(String),
    /// No attached guest has this name, MAC address or device.
    #[error("no guest that is attached is called `{0}`")]
    NoGuest(String),
    /// Ports that were to be removed lead nowhere.
    #[error("network `{network}` has no forward of {protocol} port {ports} with this address and device")]
    NotForwarded {
        /// `tcp` or `udp`.
        protocol: &'static str,
        /// The ports.
        ports: String,
        /// The network.
        network: String,
    },
    /// A packet cannot be sent in the name of a guest.
    #[error("no packet can be sent in the guest's name: {0}")]
    NotSent(String),
    /// A network of this name has another UUID.
    #[error("network `{name}` has the UUID {uuid} already")]
    NameTaken {
        /// The name.
        name: NetworkName,
        /// The UUID of the network that has it.
        uuid: Uuid,
    },
    /// Another network has the same UUID.
    #[error("network `{name}` has the UUID {uuid} already")]
    UuidTaken {
        /// The network that has it.
        name: NetworkName,
        /// The UUID.
        uuid: Uuid,
    },
    /// Another network has a bridge of the same name.
    #[error("the bridge `{bridge}` is that of network `{name}` already")]
    BridgeTaken {
        /// The bridge.
        bridge: InterfaceName,
        /// The network that has it.
        name: NetworkName,
    },
    /// A kept file defines a network of another name.
    #[error("`{}` defines a network `{inside}`, but is the file of network `{name}`", path.display())]
    OtherName {
        /// The file.
        path: PathBuf,
        /// The network whose definition it should be.
        name: NetworkName,
        /// The name in it.
        inside: String,
    },
    /// A changed definition has another name.
    #[error("the name of network `{name}` cannot be changed to `{inside}`")]
    Renamed {
        /// The network.
        name: NetworkName,
        /// The name in the changed definition.
        inside: String,
    },
    /// The kept definition is no longer as it was read.
    #[error("the kept definition of network `{0}` was changed by somebody else meanwhile")]
    ChangedMeanwhile(NetworkName),
    /// libvirt's network driver runs, and would interfere.
    #[error("{program} (process {pid}) runs, and would take down what vnet takes over")]
    LibvirtRuns {
        /// The daemon: `libvirtd` or `virtnetworkd`.
        program: String,
        /// The process number.
        pid: i32,
    },
    /// Another definition of the network is kept.
    #[error("`{}` keeps another definition of network `{name}`", file.display())]
    KeptDiffers {
        /// The network.
        name: NetworkName,
        /// The kept definition.
        file: PathBuf,
    },
    /// libvirt's rules for the network are those of iptables-legacy.
    #[error("libvirt's rules for network `{0}` are those of iptables-legacy, which vnet cannot change")]
    LegacyRules(NetworkName),
    /// libvirt runs no network of this name.
    #[error("libvirt does not run a network `{0}`, so there is nothing to take over")]
    NotOfLibvirt(NetworkName),
    /// The port is attached already.
    #[error("port `{0}` is attached already")]
    AlreadyAttached(InterfaceName),
    /// No port of this name is attached.
    #[error("port `{0}` is not attached")]
    NotAttached(InterfaceName),
    /// A network has no port with this UUID.
    #[error("network `{network}` has no port with the UUID {uuid}")]
    NoPortOf {
        /// The network.
        network: NetworkName,
        /// The UUID.
        uuid: Uuid,
    },
    /// A port of the network has this UUID already.
    #[error("network `{network}` has a port with the UUID {uuid} already")]
    PortExists {
        /// The network.
        network: NetworkName,
        /// The UUID.
        uuid: Uuid,
    },
    /// No network and no port of this name has a receipt.
    #[error("no network or port `{0}` has a receipt")]
    Unknown(String),
    /// The interface does not name an attached port.
    #[error("`<target dev>` names no attached port")]
    NoPort,
    /// The guest's passt runs already.
    #[error("guest `{guest}` has a passt already (process {pid})")]
    PasstRuns {
        /// The guest's name.
        guest: String,
        /// The process number.
        pid: i32,
    },
    /// The interface has no passt backend.
    #[error("the interface is not on passt")]
    NotPasst,
    /// A privilege is missing.
    #[error("{capability} is missing")]
    Denied {
        /// The privilege.
        capability: Capability,
        /// The action that needs it.
        source: Box<vnet_host::Error>,
    },
    /// The text is not a valid network name.
    #[error("`{text}` cannot be the name of a network")]
    NetworkName {
        /// The text.
        text: String,
        /// The cause.
        source: NameError,
    },
    /// The text is not a valid name of a guest behind passt.
    #[error("`{text}` cannot be the name of a guest")]
    GuestName {
        /// The text.
        text: String,
        /// The cause.
        source: NameError,
    },
    /// The desired state of the network cannot be computed.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// The desired state of the interface cannot be computed.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// A network was changed, but its ports could not be read, so they were not.
    #[error("network `{network}` is changed, and its ports stay as they were")]
    PortsStay {
        /// The network.
        network: NetworkName,
        /// The cause.
        source: Box<Error>,
    },
    /// The network was changed, but one of its ports could not be.
    #[error("port `{dev}` of network `{network}` stays as it was")]
    PortStays {
        /// The port.
        dev: InterfaceName,
        /// Its network.
        network: NetworkName,
        /// The cause.
        source: Box<Error>,
    },
    /// The kernel does not tell what changes.
    #[error("the kernel does not tell what changes")]
    Watch(#[source] io::Error),
    /// A hook refused, or could not be asked.
    #[error(transparent)]
    Hook(Box<crate::HookFailure>),
    /// OVN, its database or this host as its chassis.
    #[error(transparent)]
    Ovn(Box<crate::OvnFailure>),
    /// An element cannot be added, replaced or deleted.
    #[error(transparent)]
    Update(#[from] vnet_xml::network::UpdateError),
    /// The network would be invalid because of an element.
    #[error("the element is refused: {}", in_words(&.0.findings))]
    Element(Box<ElementReport>),
    /// A network has no such title, description or element of metadata.
    #[error("network `{network}` has no {part}")]
    NoMetadata {
        /// The network.
        network: NetworkName,
        /// What it lacks.
        part: MetadataPart,
    },
    /// A title, a description or an element of metadata cannot be set.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// One of several interfaces of a guest cannot be attached. None of them is.
    #[error("interface {} of the guest cannot be attached{}", index + 1, but(left))]
    OneOfSeveral {
        /// Its number, from 0.
        index: usize,
        /// Ports that were attached and could not be detached again.
        left: Vec<InterfaceName>,
        /// The cause.
        source: Box<Error>,
    },
    /// A call failed, and so did undoing what it had done before.
    #[error("what was done before a failure could not be undone ({undo:?})")]
    NotUndone {
        /// Why it could not be undone.
        undo: Box<Error>,
        /// The first failure.
        source: Box<Error>,
    },
    /// The folder of this user's state is not known.
    #[error(transparent)]
    RuntimeFolder(RuntimeFolderError),
    /// A folder cannot be used.
    #[error("the folder `{}` cannot be used", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file in the state folder cannot be read.
    #[error("`{}` cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The last change of a network is not confirmed.
    #[error("the last change of network `{0}` is not confirmed")]
    Unconfirmed(NetworkName),
    /// No change of a network waits for a confirmation.
    #[error("no change of network `{0}` waits for a confirmation")]
    Confirmed(NetworkName),
    /// The record of a change that waits for a confirmation could not be read or written.
    #[error("the record `{}` of a change that waits for a confirmation cannot be used", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file in the state folder has unexpected content.
    #[error("`{}` is not {what}", path.display())]
    Kept {
        /// The file.
        path: PathBuf,
        /// The expected content: "a network".
        what: &'static str,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Wishes for a new network contradict each other, or something is missing.
    #[error("{0}")]
    Wish(String),
    /// No subnet for a new network is free.
    #[error("no {family} subnet is free on this host: each private one is in use, reserved, or somebody answers in it")]
    NoFreeSubnet {
        /// The family.
        family: Family,
    },
    /// A container gets no address.
    #[error(transparent)]
    ContainerAddress(#[from] vnet_plan::ContainerAddressError),
    /// The container's network namespace does not exist.
    #[error("there is no network namespace `{}`", .0.display())]
    NoContainer(PathBuf),
    /// The file is not a network namespace, or is that of the host.
    #[error("`{}` is {what}", path.display())]
    NotAContainer {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// The container has an interface of this name already.
    #[error("the container has an interface `{0}` already")]
    InterfaceExists(InterfaceName),
    /// libvirt runs the network.
    #[error("libvirt runs network `{0}`, vnet only adds to it")]
    OfLibvirt(NetworkName),
    /// libvirt's hook could not be installed, removed or answered.
    #[error(transparent)]
    LibvirtHook(#[from] LibvirtHookError),
    /// The rules cannot be read.
    #[error(transparent)]
    Firewall(#[from] vnet_firewall::Error),
    /// The host could not do what was asked.
    #[error(transparent)]
    Host(Box<vnet_host::Error>),
}

fn but(left: &[InterfaceName]) -> String {
    let names: Vec<String> = left.iter().map(|dev| format!("`{dev}`")).collect();
    if names.is_empty() { String::new() } else { format!("; still attached: {}", names.join(", ")) }
}

fn in_words(findings: &[Finding]) -> String {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    let words = errors.map(|finding| format!("{} ({} at {})", finding.message, finding.code, finding.path));
    words.collect::<Vec<_>>().join("; ")
}
