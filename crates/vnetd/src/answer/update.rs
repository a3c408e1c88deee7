//! Changes a part of a network.

use vnet_driver::{Driver, Error, Update};
use vnet_rpc::{ErrorCode, NetworkRef, Reply};
use vnet_xml::network::{Command, Section, UpdateError, UpdateRefusal};

use super::known::{find, reference};
use super::only_flags;
use crate::news::{Deed, News};
use crate::refusal::{self, Refusal, judge};

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

/// libvirt's words for a change of an SRV record.
const NO_SRV_CHANGE: &str = "DNS SRV records cannot be modified, only added or deleted";

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
    let name = &known.name;
    // The text is read first, whatever is to be done with it.
    refusal::readable(text)?;
    if let Some(error) = refusal::not_well_formed(text) {
        return Err(error);
    }
    let Some((_, word, section)) = SECTIONS.iter().find(|(number, ..)| *number == section) else {
        return Err(unsupported("can't update unrecognized section of network".to_owned()));
    };
    let section = section.ok_or_else(|| unsupported(format!("can't update '{word}' section of network '{name}'")))?;
    let chosen = COMMANDS.iter().find(|(number, _)| *number == command).map(|(_, command)| *command);
    // Before what is in an element, libvirt looks at its name; in this section not even at that.
    if section == Section::DnsSrv && chosen == Some(Command::Modify) {
        return Err(unsupported(NO_SRV_CHANGE.to_owned()));
    }
    // An element that cannot be understood is refused first, whatever is to be done with it.
    let mut update = Update::new(section, chosen.unwrap_or(Command::AddLast), text.as_bytes());
    update.parent_index = usize::try_from(parent).ok();
    (update.live, update.config) = (flags & LIVE != 0, flags & CONFIG != 0);
    let is_added = matches!(chosen, Some(Command::AddLast | Command::AddFirst));
    let is_partial = match section {
        Section::DnsHost | Section::DnsSrv | Section::DnsTxt => !is_added,
        _ => chosen == Some(Command::Delete),
    };
    let not_modified = not_modified(section).filter(|_| chosen == Some(Command::Modify));
    // libvirt reads the whole element before it looks for the one to change.
    let judged = || {
        let change = judge::Change { section, is_read: not_modified.is_none(), is_partial, parent, text };
        let definition = driver.xml(name).ok()?;
        let judge = |change| judge::change(name.as_str(), &definition, &change);
        // What was replaced is read again as a whole.
        let is_replaced = chosen == Some(Command::Modify);
        judge(change).or_else(|| judge(judge::Change { is_partial: false, ..change }).filter(|_| is_replaced))
    };
    let in_words = |error: Error| match &error {
        Error::NotRunning(_) => refusal::invalid("network is not running"),
        Error::Update(UpdateError::Element(refused)) => {
            let own = || not_modified.map(|words| unsupported(words.to_owned()));
            refusal::document(text, refused, |_| judged().or_else(own))
        }
        Error::Update(UpdateError::Refused { reason, .. }) => {
            judged().unwrap_or_else(|| refused(reason, (section, word), name.as_str(), &update, text.trim(), &error))
        }
        Error::Element(_) => judged().unwrap_or_else(|| refusal::other(error)),
        _ => refusal::other(error),
    };
    if chosen.is_none() {
        let definition = driver.xml(name).map_err(refusal::other)?;
        let definition = definition.parse().map_err(|refused| refusal::document(&definition, &refused, |_| None))?;
        update.edit(&definition).map_err(in_words)?;
        return Err(unsupported(format!("unrecognized network update command code {command}")));
    }
    news.change(|| {
        driver.update(name, &update).map_err(in_words)?;
        Ok((Reply::Nothing {}, Deed::Quiet(reference(&known))))
    })
}

/// What libvirt says of a change in sections without one, before it looks into the element.
fn not_modified(section: Section) -> Option<&'static str> {
    match section {
        Section::IpDhcpRange => Some("dhcp ranges cannot be modified, only added or deleted"),
        Section::ForwardInterface => Some("forward interface entries cannot be modified, only added or deleted"),
        _ => None,
    }
}

/// The MAC address, name and address of a host, as libvirt writes them.
fn host_of(text: &str) -> [&str; 3] {
    [("mac", "unknown"), ("name", "(null)"), ("ip", "unknown")]
        .map(|(name, absent)| refusal::attribute(text, name).unwrap_or(absent))
}

fn refused(
    reason: &UpdateRefusal,
    (section, word): (Section, &str),
    name: &str,
    update: &Update<'_>,
    text: &str,
    error: &Error,
) -> Refusal {
    let attribute = |name: &str| refusal::attribute(text, name).unwrap_or("(null)");
    match (reason, section) {
        (UpdateRefusal::Exists(_), Section::IpDhcpHost) => {
            let [mac, host, ip] = host_of(text);
            refusal::invalid(format!(
                "there is an existing dhcp host entry in network '{name}' that matches \"<host mac='{mac}' name='{host}' \
                 ip='{ip}'/>\""
            ))
        }
        (UpdateRefusal::Exists(_), Section::IpDhcpRange) => refusal::invalid(format!(
            "there is an existing dhcp range entry in network '{name}' that matches \"<range start='{}' end='{}'/>\"",
            attribute("start"),
            attribute("end")
        )),
        (UpdateRefusal::Exists(_), Section::ForwardInterface) => refusal::invalid(format!(
            "there is an existing interface entry in network '{name}' that matches \"<interface dev='{}'>\"",
            attribute("dev")
        )),
        (UpdateRefusal::Exists(_), Section::PortGroup) => refusal::invalid(format!(
            "there is an existing portgroup entry in network '{name}' that matches \"<portgroup name='{}'>\"",
            attribute("name")
        )),
        (UpdateRefusal::Exists(_), Section::DnsHost) => refusal::invalid(format!(
            "there is already at least one DNS HOST record with a matching field in network {name}"
        )),
        (UpdateRefusal::Exists(_), Section::DnsTxt) => refusal::invalid(format!(
            "there is already a DNS TXT record with name '{}' in network {name}",
            attribute("name")
        )),
        (UpdateRefusal::Exists(_), Section::DnsSrv) => refusal::invalid(format!(
            "there is already at least one DNS SRV record matching all specified fields in network {name}"
        )),
        (UpdateRefusal::Exists(_), _) => {
            refusal::invalid(format!("there is an existing {word} entry in network '{name}' that matches \"{text}\""))
        }
        (UpdateRefusal::Absent(_) | UpdateRefusal::NoParent(_), Section::ForwardInterface) => {
            let dev = attribute("dev");
            refusal::invalid(format!(
                "couldn't find an interface entry in network '{name}' matching <interface dev='{dev}'>"
            ))
        }
        (UpdateRefusal::Absent(_), Section::PortGroup) => {
            let group = attribute("name");
            refusal::invalid(format!(
                "couldn't find a portgroup entry in network '{name}' matching <portgroup name='{group}'>"
            ))
        }
        (UpdateRefusal::Absent(_) | UpdateRefusal::Nothing, Section::DnsSrv) => {
            refusal::invalid(format!("couldn't locate a matching DNS SRV record in network {name}"))
        }
        (UpdateRefusal::Absent(_), Section::DnsHost) => {
            refusal::invalid(format!("couldn't locate a matching DNS HOST record in network {name}"))
        }
        (UpdateRefusal::Absent(_), Section::DnsTxt) => {
            refusal::invalid(format!("couldn't locate a matching DNS TXT record in network {name}"))
        }
        (UpdateRefusal::Absent(_), Section::IpDhcpHost) if update.command == Command::Modify => {
            let [mac, host, ip] = host_of(text);
            refusal::invalid(format!(
                "couldn't locate an existing dhcp host entry with \"mac='{mac}'\" \"name='{host}'\" \"ip='{ip}'\" in \
                 network '{name}'"
            ))
        }
        (UpdateRefusal::Absent(_), _) => {
            refusal::invalid(format!("couldn't locate a matching {word} entry in network '{name}'"))
        }
        (UpdateRefusal::Ambiguous { .. }, Section::DnsHost) => {
            refusal::invalid(format!("multiple matching DNS HOST records were found in network {name}"))
        }
        (UpdateRefusal::Ambiguous { .. }, Section::DnsSrv) => refusal::invalid(format!(
            "multiple DNS SRV records matching all specified fields were found in network {name}"
        )),
        (UpdateRefusal::NoIp(index), _) => refusal::invalid(format!(
            "couldn't update dhcp host entry - no <ip> element found at index {index} in network '{name}'"
        )),
        (UpdateRefusal::NoParent(_), Section::IpDhcpHost | Section::IpDhcpRange) if update.parent_index.is_none() => {
            refusal::invalid(format!("couldn't update dhcp host entry - no <ip> element found in network '{name}'"))
        }
        (UpdateRefusal::SecondDefault(_), _) => refusal::invalid(format!(
            "a different portgroup entry in network '{name}' is already set as the default. Only one default is allowed."
        )),
        (UpdateRefusal::Nothing, Section::DnsHost) => {
            let what = format!("Missing ip and hostname in network '{name}' DNS HOST record");
            refusal::network(ErrorCode::XmlDetail, what)
        }
        (UpdateRefusal::NotModified(_), _) => {
            let other = || format!("{word} entries cannot be modified, only added or deleted");
            let what = not_modified(section).map_or_else(other, str::to_owned);
            refusal::network(ErrorCode::OperationUnsupported, what)
        }
        _ => refusal::invalid(error.to_string()),
    }
}
