//! `vnet render nft|dnsmasq|hosts FILE`: what would be installed.

use std::path::PathBuf;

use serde::Serialize;
use vnet_firewall::Ruleset;
use vnet_firewall::json::Json;
use vnet_plan::{Choices, Files, HostState, NetworkRules, Resource, dnsmasq, preview};
use vnet_types::Inventory;

use crate::command::passt;
use crate::definition;
use crate::directories::Directories;
use crate::document::Document;
use crate::output::{Answer, Format, FormatOption, note, plain, print_exact, print_json};

/// Print what would be installed for a network: nft rules, dnsmasq's configuration or its hosts files
///
/// The host is not looked at: where the definition leaves the bridge's name open, it is the first that its template
/// gives.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to print
    what: What,
    /// The definition; `-` is stdin
    file: PathBuf,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// The rules, as `nft -f` loads them; with `--format json` as `nft -j -f` does
    Nft,
    /// dnsmasq's configuration
    Dnsmasq,
    /// The files that dnsmasq reads again: reservations, and names of addresses
    Hosts,
    /// The arguments of passt for a guest's interface, as `passt args`
    Passt,
}

#[derive(Serialize)]
struct Report {
    network: String,
    files: Vec<Rendered>,
}

#[derive(Serialize)]
struct Rendered {
    /// `None` for rules, which are in no file.
    path: Option<PathBuf>,
    text: String,
}

impl Args {
    /// Renders and prints.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        if self.what == What::Passt {
            return passt::args::Args::of(self.file.clone(), self.format).run(directories);
        }
        let checked = definition::read(Document::read(&self.file)?, |_| Ok(None), Format::Human)?;
        let Some(network) = checked.sound_network() else { return Ok(Answer::No) };
        let nowhere = Inventory { ipv6: true, ..Inventory::default() };
        let directory = directories.store()?.directory(&definition::network_name(&network.name)?);
        let choices = Choices { directory: directory.clone(), random: [0; 3], bridge: None, mac: None };
        let lowered = match preview(network, &nowhere, &choices) {
            Ok(lowered) => lowered,
            Err(error) => return definition::refuse(error),
        };
        if self.what == What::Nft && self.format.format == Format::Json {
            let objects = rules(&lowered.desired).map(|ruleset| ruleset.json().objects).unwrap_or_default();
            print_json(&Json { objects })?;
            return Ok(Answer::Yes);
        }
        let mut files = self.rendered(&lowered.desired, &Files::new(&directory));
        if let Some(bridge) = lowered.bridge.as_ref().filter(|_| files.is_empty() && self.what == What::Dnsmasq)
            && !network.ips.is_empty()
        {
            note(format!("dnsmasq has nothing to do for network `{}` and is not started\n", plain(&network.name)))?;
            let conf = dnsmasq(network, bridge, &directory)?.conf;
            files.push(Rendered { path: Some(Files::new(&directory).conf), text: conf });
        }
        if files.is_empty() {
            note(format!("nothing would be installed for network `{}`\n", plain(&network.name)))?;
        }
        match self.format.format {
            Format::Json => print_json(&Report { network: network.name.clone(), files })?,
            Format::Human => print_exact(&text(&files))?,
        }
        Ok(Answer::Yes)
    }
}

impl Args {
    fn rendered(&self, desired: &HostState, files: &Files) -> Vec<Rendered> {
        let wanted = match self.what {
            What::Nft => vec![],
            What::Dnsmasq => vec![&files.conf],
            What::Hosts => vec![&files.hosts, &files.addn_hosts],
            What::Passt => vec![],
        };
        let found = desired.iter().filter_map(|resource| match resource {
            Resource::File(file) if wanted.contains(&&file.path) => {
                Some(Rendered { path: Some(file.path.clone()), text: file.contents.clone()? })
            }
            _ => None,
        });
        let rules = rules(desired).filter(|_| self.what == What::Nft);
        let rules = rules.map(|ruleset| Rendered { path: None, text: ruleset.to_string() });
        rules.into_iter().chain(found).filter(|rendered| !rendered.text.is_empty()).collect()
    }
}

/// The network's rules; `None` for a network that has none of its own.
fn rules(desired: &HostState) -> Option<&Ruleset> {
    desired.iter().find_map(|resource| match resource {
        Resource::Ruleset(NetworkRules { ruleset, .. }) => Some(ruleset),
        _ => None,
    })
}

/// One text of all; several have their paths as comments.
fn text(files: &[Rendered]) -> String {
    match files {
        [one] => one.text.clone(),
        several => several
            .iter()
            .map(|file| match &file.path {
                Some(path) => format!("# {}\n{}", path.display(), file.text),
                None => file.text.clone(),
            })
            .collect(),
    }
}
