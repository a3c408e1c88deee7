//! Changes a part of a network.

use vnet_driver::{Driver, Error, Update};
use vnet_rpc::{ErrorCode, NetworkRef, Reply};
use vnet_xml::network::{Command, Section, UpdateError, UpdateRefusal};

use super::known::{find, reference};
use super::only_flags;
use crate::news::{Deed, News};
use crate::refusal::{self, Refusal};

/// The flags of an update: the network that runs, the definition that is kept.
const LIVE: u32 = 1;
const CONFIG: u32 = 2;

/// The commands, by libvirt's numbers.
const COMMANDS: [(u32, Command); 4] =
    [(1, Command::Modify), (2, Command::Delete), (3, Command::AddLast), (4, Command::AddFirst)];

/// The sections, by libvirt's numbers, with the words that libvirt's messages have for them. Those
/// without a value cannot be updated in libvirt.
const SECTIONS: [(u32, &str, Option<Section>); 12] = [
    (1, "bridge", None),
    (2, "domain", None),
    (3, "ip", None),
    (4, "dhcp host", Some(Section::IpDhcpHost)),
    (5, "dhcp range", Some(Section::IpDhcpRange)),
    (6, "forward", None),
    (7, "forward interface", Some(Section::ForwardInterface)),
    (8, "forward pf", None),
    (9, "portgroup", Some(Section::PortGroup)),
    (10, "dns host", Some(Section::DnsHost)),
    (11, "dns txt", Some(Section::DnsTxt)),
    (12, "dns srv", Some(Section::DnsSrv)),
];

pub(super) fn update(
    driver: &Driver,
    news: &News,
    network: &NetworkRef,
    (command, section, parent): (u32, u32, i32),
    text: &str,
    flags: u32,
) -> Result<Reply, Refusal> {
    only_flags(flags, LIVE | CONFIG, "networkUpdate")?;
    let unsupported = |what: String| refusal::network(ErrorCode::OperationUnsupported, what);
    let known = find(driver, network)?;
    let Some((_, word, section)) = SECTIONS.iter().find(|(number, ..)| *number == section) else {
        return Err(unsupported("can't update unrecognized section of network".to_owned()));
    };
    let name = &known.name;
    let section = section.ok_or_else(|| unsupported(format!("can't update '{word}' section of network '{name}'")))?;
    let chosen = COMMANDS.iter().find(|(number, _)| *number == command).map(|(_, command)| *command);
    // An element that cannot be understood is refused first, whatever is to be done with it.
    let mut update = Update::new(section, chosen.unwrap_or(Command::AddLast), text.as_bytes());
    update.parent_index = usize::try_from(parent).ok();
    (update.live, update.config) = (flags & LIVE != 0, flags & CONFIG != 0);
    let in_words = |error: Error| match &error {
        Error::NotRunning(_) => refusal::invalid("network is not running"),
        Error::Update(UpdateError::Element(refused)) => {
            let is_bare = refused.problems.iter().any(|problem| problem.code == refusal::MISSING_ATTRIBUTE);
            match section {
                Section::IpDhcpHost if is_bare => refusal::network(
                    ErrorCode::XmlError,
                    format!("Static host definition in IPv4 network '{name}' must have mac or name attribute"),
                ),
                _ => refusal::document(text, refused),
            }
        }
        Error::Update(UpdateError::Refused { reason, .. }) => refused(reason, word, name.as_str(), text.trim(), &error),
        _ => refusal::other(error),
    };
    if chosen.is_none() {
        let definition = driver.xml(name).map_err(refusal::other)?;
        let definition = definition.parse().map_err(|refused| refusal::document(&definition, &refused))?;
        update.edit(&definition).map_err(in_words)?;
        return Err(unsupported(format!("unrecognized network update command code {command}")));
    }
    news.change(|| {
        driver.update(name, &update).map_err(in_words)?;
        Ok((Reply::Nothing {}, Deed::Quiet(reference(&known))))
    })
}

fn refused(reason: &UpdateRefusal, word: &str, name: &str, text: &str, error: &Error) -> Refusal {
    match reason {
        UpdateRefusal::Exists(_) => {
            refusal::invalid(format!("there is an existing {word} entry in network '{name}' that matches \"{text}\""))
        }
        UpdateRefusal::Absent(_) => {
            refusal::invalid(format!("couldn't locate a matching {word} entry in network '{name}'"))
        }
        UpdateRefusal::NotModified(_) => {
            let what = format!("{word} entries cannot be modified, only added or deleted");
            refusal::network(ErrorCode::OperationUnsupported, what)
        }
        _ => refusal::invalid(error.to_string()),
    }
}
