//! `vnet list`: lists networks.

use serde::Serialize;
use vnet_driver::State;

use crate::directories::Directories;
use crate::failure::{apart, tell_unread, warn};
use crate::network::{NetworkJson, tell_unread_parts, tell_unused, yes_no};
use crate::output::{Answer, Format, FormatOption, note, plain, print, print_json};
use crate::style::{BOLD, WARNING};
use crate::table::table;

/// List the networks that run; with --all, also those that are only defined
#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "virsh's options")]
pub(crate) struct Args {
    /// Also list networks that are defined and do not run
    #[arg(long)]
    all: bool,
    /// Only list networks that are defined and do not run
    #[arg(long)]
    inactive: bool,
    /// Only list networks whose definitions are kept
    #[arg(long)]
    persistent: bool,
    /// Only list networks whose definitions are not kept
    #[arg(long)]
    transient: bool,
    /// Only list networks that start at boot
    #[arg(long)]
    autostart: bool,
    /// Only list networks that do not start at boot
    #[arg(long)]
    no_autostart: bool,
    /// Only print names, one on each line
    #[arg(long, conflicts_with_all = ["uuid", "table"])]
    name: bool,
    /// Only print UUIDs, one on each line
    #[arg(long, conflicts_with = "table")]
    uuid: bool,
    /// Print a table, as is the default
    #[arg(long, hide = true)]
    table: bool,
    /// Print the titles too
    #[arg(long)]
    title: bool,
    /// Exit with code 1 when a network is drifted or interrupted, or could not be read entirely
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report {
    networks: Vec<NetworkJson>,
    /// Files among the kept definitions that nothing reads.
    unused_files: Vec<String>,
}

impl Args {
    /// Lists them.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let driver = directories.driver()?;
        let (mut all, unread) = apart(driver.all()?);
        for error in driver.look_on_ovn(&mut all) {
            warn(error);
        }
        let all = all.iter().map(NetworkJson::of);
        let networks: Vec<NetworkJson> = all.filter(|network| self.is_asked(network)).collect();
        let reading = tell_unread(unread, networks.is_empty())?;
        let lines = |text: fn(&NetworkJson) -> Option<&str>| {
            networks.iter().filter_map(text).map(|text| format!("{}\n", plain(text))).collect::<String>()
        };
        let is_well =
            |network: &NetworkJson| !matches!(network.state, Some(State::Unsure | State::Drifted | State::Interrupted));
        let answer = Answer::when(!self.exit_code || networks.iter().all(is_well)).unless_failed(reading);
        match self.format.format {
            Format::Json => {
                let unused_files = driver.unused_files()?.iter().map(|file| file.display().to_string()).collect();
                return print_json(&Report { networks, unused_files }).map(|()| answer);
            }
            Format::Human if self.name => print(lines(|network| Some(&network.network)))?,
            Format::Human if self.uuid => print(lines(|network| network.uuid.as_deref()))?,
            Format::Human if self.title => {
                let header = ["Name", "State", "Autostart", "Persistent", "Bridge", "Guests", "Title"];
                let row = |network: &NetworkJson| {
                    let [name, state, autostart, persistent, bridge, guests] = row(network);
                    [name, state, autostart, persistent, bridge, guests, network.title.clone().unwrap_or_default()]
                };
                print(table(header, &networks.iter().map(row).collect::<Vec<_>>()))?;
            }
            Format::Human => {
                let header = ["Name", "State", "Autostart", "Persistent", "Bridge", "Guests"];
                print(table(header, &networks.iter().map(row).collect::<Vec<_>>()))?;
            }
        }
        if networks.is_empty() {
            directories.tell_of_root();
        }
        if !self.name && !self.uuid {
            for news in networks.iter().filter_map(NetworkJson::news) {
                note(format!("{WARNING}warning{WARNING:#}{BOLD}: {news}{BOLD:#}\n"));
            }
            tell_unread_parts(&networks.iter().flat_map(|network| &network.unread).copied().collect());
            tell_unused(&driver)?;
        }
        Ok(answer)
    }

    fn is_asked(&self, network: &NetworkJson) -> bool {
        let active = self.all || network.active != self.inactive;
        // Both of a pair are as good as none.
        let one = |yes: bool, no: bool, is: bool| yes == no || yes == is;
        active
            && one(self.persistent, self.transient, network.persistent)
            && one(self.autostart, self.no_autostart, network.autostart)
    }
}

fn row(network: &NetworkJson) -> [String; 6] {
    [
        network.network.clone(),
        network.state().to_owned(),
        yes_no(network.autostart).to_owned(),
        yes_no(network.persistent).to_owned(),
        network.bridge.clone().unwrap_or_else(|| "-".to_owned()),
        network.connections.to_string(),
    ]
}
