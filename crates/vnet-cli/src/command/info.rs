//! `vnet info NETWORK`: what is known of a network.

use crate::directories::Directories;
use crate::failure;
use crate::named::OneNetwork;
use crate::network::{NetworkJson, tell_unread_parts, yes_no};
use crate::output::{Answer, Format, FormatOption, note, plain, print, print_json};
use crate::style::{BOLD, WARNING};

/// Show a network's name, UUID, bridge, and whether it runs, is defined and starts at boot
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    network: OneNetwork,
    #[command(flatten)]
    format: FormatOption,
}

impl Args {
    /// Reads and prints.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let driver = directories.driver()?;
        let network = match self.network.find(&driver).and_then(|name| driver.info(&name)) {
            Ok(info) => NetworkJson::of(&info),
            Err(error) => return failure::answer(error),
        };
        if self.format.format == Format::Json {
            return print_json(&network).map(|()| Answer::Yes);
        }
        let mut text = String::new();
        let mut line = |name: &str, value: &str| text.push_str(&format!("{name:15} {}\n", plain(value)));
        line("Name:", &network.network);
        line("UUID:", network.uuid.as_deref().unwrap_or("-"));
        line("Active:", yes_no(network.active));
        line("Persistent:", yes_no(network.persistent));
        line("Autostart:", yes_no(network.autostart));
        network.bridge.iter().for_each(|bridge| line("Bridge:", bridge));
        network.title.iter().for_each(|title| line("Title:", title));
        if network.active {
            line("State:", network.state());
            line("Guests:", &network.connections.to_string());
        }
        print(text)?;
        tell_unread_parts(&network.unread);
        if let Some(news) = network.news() {
            note(format!("{WARNING}warning{WARNING:#}{BOLD}: {news}{BOLD:#}\n"));
        }
        Ok(Answer::Yes)
    }
}
