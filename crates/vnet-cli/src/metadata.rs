//! What networks say about themselves: shown, set, removed or edited.

use anyhow::Context;
use serde::Serialize;
use vnet_driver::{Driver, Error, Impact, NetworkName};
use vnet_xml::network::MetadataPart;

use crate::directories::Directories;
use crate::editor::EditedText;
use crate::failure;
use crate::notes::noted;
use crate::output::{Answer, Format, FormatOption, done, note, print, print_exact, print_json};

/// Which definition is meant.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct ImpactOption {
    /// Of the network as it runs
    #[arg(long)]
    live: bool,
    /// Of the kept definition
    #[arg(long)]
    config: bool,
    /// As it runs, or as it is kept if it does not run; this is the default
    #[arg(long, conflicts_with_all = ["live", "config"])]
    current: bool,
}

/// What to do with a part of the metadata.
pub(crate) enum Act {
    Show,
    /// Shows it; says that there is none, as virsh does, and that is no failure.
    ShowIfAny,
    /// Sets it; without a text, removes it.
    Set(Option<String>),
    Edit,
}

/// A part of the metadata of a network.
pub(crate) struct Subject<'a> {
    /// The network's name or UUID.
    pub(crate) network: &'a str,
    pub(crate) part: MetadataPart,
    /// The prefix that the namespace of an element gets.
    pub(crate) key: Option<&'a str>,
    pub(crate) impact: ImpactOption,
    pub(crate) format: FormatOption,
}

/// A result. `docs/json.md` describes the shape.
#[derive(Serialize)]
struct Report<'a> {
    network: &'a str,
    part: &'static str,
    namespace: Option<&'a str>,
    text: Option<&'a str>,
    /// Whether the network that runs was changed.
    live: bool,
    /// Whether the kept definition was changed.
    config: bool,
}

impl Subject<'_> {
    /// Does it, and reports.
    pub(crate) fn run(&self, act: Act, directories: &Directories) -> anyhow::Result<Answer> {
        let driver = directories.driver()?;
        let name = match driver.lookup(self.network) {
            Ok(name) => name,
            Err(error) => return failure::answer(error),
        };
        match act {
            Act::Show | Act::ShowIfAny => match self.text(&driver, &name) {
                Ok(text) => {
                    self.print(&name, Some(&text), Impact::default(), || print_exact(&format!("{text}\n")))?;
                    Ok(Answer::Yes)
                }
                Err(Error::NoMetadata { .. }) if matches!(act, Act::ShowIfAny) => {
                    let none = format!("No {} for network: {name}\n", self.part);
                    self.print(&name, None, Impact::default(), || print(none)).map(|()| Answer::Yes)
                }
                Err(error) => failure::answer(error),
            },
            Act::Set(text) => self.set(&driver, &name, text.as_deref()),
            Act::Edit => self.edit(&driver, &name),
        }
    }

    fn text(&self, driver: &Driver, name: &NetworkName) -> Result<String, Error> {
        driver.metadata(name, &self.part, self.impact())
    }

    fn impact(&self) -> Impact {
        Impact { live: self.impact.live, config: self.impact.config }
    }

    fn edit(&self, driver: &Driver, name: &NetworkName) -> anyhow::Result<Answer> {
        let before = match self.text(driver, name) {
            Ok(text) => text,
            Err(Error::NoMetadata { .. }) => String::new(),
            Err(error) => return failure::answer(error),
        };
        let edited = EditedText::new(&format!("{name}.{}", word_and_namespace(&self.part).0), before.as_bytes())?;
        let text = String::from_utf8(edited.edit()?).context("the text is not UTF-8")?;
        // Editors end the last line.
        let text = text.trim_end_matches('\n');
        if text == before.trim_end_matches('\n') {
            self.print(name, Some(&before), Impact::default(), || {
                print(format!("the {} of network {name} is not changed\n", self.part))
            })?;
            return Ok(Answer::Yes);
        }
        let answer = self.set(driver, name, Some(text));
        if !matches!(answer, Ok(Answer::Yes)) {
            let file = edited.stay();
            note(noted(format!("the edited text is in {}", file.display())));
        }
        answer
    }

    fn set(&self, driver: &Driver, name: &NetworkName, text: Option<&str>) -> anyhow::Result<Answer> {
        let text = text.filter(|text| !text.is_empty());
        let has =
            |live: bool| text.is_none() && driver.metadata(name, &self.part, Impact { live, config: !live }).is_ok();
        let (had_live, had_config) = (has(true), has(false));
        let changed = match driver.set_metadata(name, &self.part, text, self.key, self.impact()) {
            Ok(changed) => changed,
            Err(error) => return failure::answer(error),
        };
        if text.is_none() && !(changed.live && had_live || changed.config && had_config) {
            let told = format!("network {name} has no {}: nothing to remove\n", self.part);
            self.print(name, None, Impact::default(), || print(told))?;
            return Ok(Answer::Yes);
        }
        let how = match (changed.live, changed.config) {
            (true, true) => "as it runs and as it is kept",
            (true, false) => "as it runs",
            _ => "as it is kept",
        };
        let what = if text.is_some() { "set" } else { "removed" };
        let told = format!("the {} of network {name} is {what}, {how}", self.part);
        if self.format.format == Format::Human && !changed.config && driver.is_persistent(name).unwrap_or(false) {
            note(noted("the kept definition is as before: --config changes it too"));
        }
        Ok(done(&told, || self.print(name, text, changed, || print(format!("{told}\n")))))
    }

    fn print(
        &self,
        name: &NetworkName,
        text: Option<&str>,
        changed: Impact,
        human: impl FnOnce() -> std::io::Result<()>,
    ) -> anyhow::Result<()> {
        let (part, namespace) = word_and_namespace(&self.part);
        let Impact { live, config, .. } = changed;
        match self.format.format {
            Format::Json => print_json(&Report { network: name.as_str(), part, namespace, text, live, config }),
            Format::Human => Ok(human()?),
        }
    }
}

/// libvirt's word for a part, and the URI of the namespace of an element.
pub(crate) fn word_and_namespace(part: &MetadataPart) -> (&'static str, Option<&str>) {
    match part {
        MetadataPart::Title => ("title", None),
        MetadataPart::Description => ("description", None),
        MetadataPart::Element(namespace) => ("element", Some(namespace)),
    }
}
