//! What to do about an error.

use std::io;

use vnet_netlink::Capability;
use vnet_xml::Severity;
use vnet_xml::network::MetadataPart;

use super::Error;

impl Error {
    /// What to do about it. `None` where the message says so itself.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Wish(_) => return None,
            Self::AlreadyRuns(name) => format!("`vnet apply {name}` repairs it, `vnet stop {name}` ends it"),
            Self::NoInotify { sysctl, limit, .. } => {
                format!("`sysctl -w {sysctl}={}` allows more", limit.saturating_mul(8))
            }
            Self::AlreadyDefined(name) => format!("`vnet edit {name}` changes it"),
            Self::NoGuest(_) => "`vnet ports` lists them".to_owned(),
            Self::NameTaken { .. } => "write that one, or leave `<uuid>` out".to_owned(),
            Self::UuidTaken { .. } => "leave `<uuid>` out, and this network gets its own".to_owned(),
            Self::BridgeTaken { .. } => "give this one another name, or leave it out".to_owned(),
            Self::OtherName { .. } => {
                "give the network the name of the file, or the file that of the network".to_owned()
            }
            Self::Renamed { name, .. } => format!(
                "leave it as it is; `vnet define` of a file with the new name and without `<uuid>` keeps another network, \
                 and `vnet undefine {name}` drops this one"
            ),
            Self::LibvirtRuns { program, .. } => {
                format!("`systemctl stop {program}` ends it, networks and guests run on; start it again afterwards")
            }
            Self::KeptDiffers { .. } => "`--replace` takes libvirt's".to_owned(),
            Self::LegacyRules(name) => {
                format!("`virsh net-destroy {name}` ends it there, `vnet start {name}` starts it")
            }
            Self::AlreadyAttached(dev) => format!("`vnet apply` changes it, `vnet detach {dev}` ends it"),
            Self::PortExists { .. } => "give each port its own, or leave it out".to_owned(),
            Self::NoPort => "`vnet attach` attaches the interface".to_owned(),
            Self::PasstRuns { guest, .. } => format!("`vnet passt stop {guest}` ends it"),
            Self::NotPasst => "`vnet attach` makes its device".to_owned(),
            Self::PortsStay { network, .. } => format!("`vnet apply {network}` brings them along"),
            Self::RuntimeFolder(_) => "give --state-dir, or set it as a login does".to_owned(),
            Self::Unconfirmed(name) => {
                format!("`vnet confirm {name}` keeps it, `vnet confirm --undo {name}` undoes it")
            }
            Self::NoFreeSubnet { .. } => "give one with --subnet, or do not ask with --no-probe".to_owned(),
            Self::Text(refused) => return refused.help(),
            Self::Refused { findings } => return of_findings(findings),
            Self::Element(report) => return of_findings(&report.findings),
            Self::NotRunning(name) => format!("`vnet start {name}` starts it, `vnet list --all` shows all"),
            Self::NotDefined(name) => {
                format!("`vnet define --from-running {name}` keeps it as it runs, `vnet define FILE` another")
            }
            Self::NoNetwork(_) => "`vnet list --all` shows all".to_owned(),
            Self::NotForwarded { network, .. } => format!("`vnet forward list {network}` shows those that it has"),
            Self::NotSent(_) => {
                "give a guest that `vnet ports` shows, with a lease of that family, and an address that it can reach"
                    .to_owned()
            }
            Self::ChangedMeanwhile(name) => {
                format!("begin anew with what is kept now: `vnet dumpxml {name} --inactive`")
            }
            Self::NotOfLibvirt(_) => "`virsh net-list` shows those that it runs; leave --take-over out".to_owned(),
            Self::NotAttached(_) => "`vnet ports` shows those that are".to_owned(),
            Self::NoPortOf { network, .. } => {
                format!("`vnet ports --format json` has the UUIDs of the ports of `{network}`")
            }
            Self::Unknown(_) => "`vnet list` and `vnet ports` show all".to_owned(),
            Self::Denied { capability: Capability::File, .. } => "run it as root, or as a user who may".to_owned(),
            Self::Denied { .. } => {
                "run it as root, or in a namespace of your own: `unshare --user --map-root-user --net --mount`"
                    .to_owned()
            }
            Self::NetworkName { .. } => "choose a name of at most 80 bytes, without `/` and line breaks".to_owned(),
            Self::GuestName { .. } => "choose a name of at most 80 bytes, without `/` and line breaks".to_owned(),
            Self::Lower(error) => return error.help(),
            Self::Attach(error) => return error.help(),
            Self::PortStays { network, source, .. } => {
                return source.help().or_else(|| Some(format!("`vnet apply {network}` tries again")));
            }
            Self::Watch(_) => "raise them: `sysctl -w fs.inotify.max_user_instances=1024`".to_owned(),
            Self::Hook(failure) => return failure.help(),
            Self::Ovn(failure) => return failure.help(),
            Self::Update(error) => return error.help(),
            Self::NoMetadata { network, part } => match part {
                MetadataPart::Title => format!("`vnet title {network} TEXT` sets it"),
                MetadataPart::Description => format!("`vnet desc {network} TEXT` sets it"),
                MetadataPart::Element(uri) => {
                    format!("`vnet metadata {network} {uri} --key KEY --set ELEMENT` sets it")
                }
            },
            Self::Metadata(error) => return error.help(),
            Self::OneOfSeveral { left, source, .. } => match left.first() {
                Some(dev) => format!("`vnet detach {dev}` detaches what is left"),
                None => return source.help(),
            },
            Self::NotUndone { .. } => {
                "`vnet status` and `vnet ports` show what is left, `vnet doctor` what mends it".to_owned()
            }
            Self::Folder { source, .. } | Self::Read { source, .. } | Self::Record { source, .. } => {
                of_file(source).to_owned()
            }
            Self::Confirmed(name) => format!("`vnet apply {name} --confirm-within 60s` makes one that does"),
            Self::Kept { path, .. } => format!("mend `{}`, or remove it", path.display()),
            Self::ContainerAddress(error) => return error.help(),
            Self::NoContainer(_) => "give the file of one: /run/netns/NAME, or /proc/PID/ns/net".to_owned(),
            Self::NotAContainer { .. } => "give the container's: /run/netns/NAME, or /proc/PID/ns/net".to_owned(),
            Self::InterfaceExists(_) => "choose another name for the container's interface".to_owned(),
            Self::OfLibvirt(name) => format!("`virsh net-destroy {name}` stops it"),
            Self::LibvirtHook(error) => return error.help(),
            Self::Firewall(error) => return error.help(),
            Self::Host(error) => return error.help(),
        })
    }
}

/// What to do about the first error.
fn of_findings(findings: &[vnet_validate::Finding]) -> Option<String> {
    findings.iter().find(|finding| finding.severity == Severity::Error)?.help.clone()
}

/// What to do about a file that cannot be used.
fn of_file(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "run it as root, or as a user who may",
        io::ErrorKind::NotFound => "see that it and the folder above it exist",
        _ => "see that its file system is sound and has space: `df`, `dmesg | tail`",
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use vnet_xml::network::{Command, Section};

    use super::*;

    fn name() -> vnet_types::NetworkName {
        "lab".parse().unwrap()
    }

    /// Adding what the network has already.
    fn repetition() -> Error {
        let text = b"<network><name>lab</name><ip address='192.168.1.1' prefix='24'><dhcp>\
                     <host mac='52:54:00:00:00:01' ip='192.168.1.9'/></dhcp></ip></network>";
        let network = vnet_xml::Network::parse(text).into_result().unwrap();
        let host = b"<host mac='52:54:00:00:00:01' ip='192.168.1.9'/>";
        network.update(Section::IpDhcpHost, Command::AddLast, None, host).unwrap_err().into()
    }

    #[rstest]
    #[case::own(Error::NotRunning(name()), Some("`vnet start lab` starts it, `vnet list --all` shows all"))]
    #[case::in_the_message(Error::Wish("the subnet is missing: give one".to_owned()), None)]
    #[case::repetition(repetition(), Some("leave it as it is, or delete it first"))]
    #[case::of_its_cause(
        Error::Host(Box::new(vnet_host::Error::Immortal { pid: 7 })),
        Some("see in /proc/7/wchan what it waits for; a reboot ends it")
    )]
    fn an_error_says_what_to_do(#[case] error: Error, #[case] help: Option<&str>) {
        assert_eq!(error.help().as_deref(), help);
    }
}
