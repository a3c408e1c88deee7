//! `vnet gc`: removes what processes that have ended have left.

use serde::Serialize;

use crate::changes::{ChangeJson, brief, changes};
use crate::directories::Directories;
use crate::failure;
use crate::output::{Answer, Format, FormatOption, done, print, print_json};

/// Remove the networks and ports of programs that were killed
///
/// A virtual machine monitor that uses vnet as a library removes its networks and ports when it
/// ends. If it was killed, this command removes them; start, attach, list and ports do so too. A
/// network with guests of others stays. Ports in Open vSwitch that no receipt tells of go when
/// their devices are gone; those of a receipt stay until `vnet detach` or `vnet apply`. Ports of
/// OVN that an attach left when it was killed go, too. Exit code 1 when something could not be
/// removed. Networks that have rules and no receipt are listed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Also remove the rules of networks that have no receipt in this state folder; networks of
    /// another state folder lose their rules
    #[arg(long)]
    rules: bool,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report {
    networks: Vec<String>,
    ports: Vec<String>,
    /// Ports of Open vSwitch whose devices are gone.
    switch_ports: Vec<String>,
    /// Ports that a killed attach has left in OVN's northbound database.
    ovn_ports: Vec<String>,
    /// Networks of OVN whose name server here had no more guests.
    name_servers: Vec<String>,
    /// Networks that have rules and no receipt. With `--rules` the rules are removed.
    rules: Vec<String>,
    changes: Vec<ChangeJson>,
}

impl Args {
    /// Removes them and reports.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let driver = directories.driver()?;
        let gone = driver.gc()?;
        // Without the privilege to read the rules, nothing can be removed.
        let rules = if self.rules { driver.remove_orphans()? } else { driver.orphans().unwrap_or_default() };
        let is_all = gone.errors.is_empty();
        let printed = || match self.format.format {
            Format::Json => print_json(&Report {
                rules: rules.iter().map(ToString::to_string).collect(),
                networks: gone.networks.iter().map(ToString::to_string).collect(),
                ports: gone.ports.iter().map(ToString::to_string).collect(),
                ovn_ports: gone.ovn_ports.iter().map(|(_, port)| port.to_string()).collect(),
                name_servers: gone.name_servers.iter().map(ToString::to_string).collect(),
                switch_ports: gone.switch_ports.iter().map(ToString::to_string).collect(),
                changes: changes(&gone.changes),
            }),
            Format::Human
                if [&gone.networks, &gone.name_servers, &rules].iter().all(|it| it.is_empty())
                    && [gone.ports.len(), gone.switch_ports.len(), gone.ovn_ports.len()] == [0; 3] =>
            {
                Ok(print(if is_all { "nothing is left of programs that have ended\n" } else { "" })?)
            }
            Format::Human => {
                let ports = gone.ports.iter().map(|port| format!("port {port} taken away\n"));
                let switched = gone.switch_ports.iter();
                let switched =
                    switched.map(|port| format!("port {port} of Open vSwitch removed: its device is gone\n"));
                let servers = gone.name_servers.iter();
                let servers = servers.map(|network| {
                    format!("name server of network {network} removed: it has no guests here, or does not run\n")
                });
                let on_ovn = gone.ovn_ports.iter();
                let on_ovn = on_ovn
                    .map(|(network, port)| format!("port {port} of {network} on OVN removed: it is not attached\n"));
                let ports = ports.chain(switched).chain(on_ovn).chain(servers);
                let networks = gone.networks.iter().map(|network| format!("network {network} taken away\n"));
                let rules = rules.iter().map(|network| match self.rules {
                    true => format!("rules of network {network} removed\n"),
                    false => format!("network {network} has rules and no receipt: `vnet gc --rules` removes them\n"),
                });
                Ok(print(brief(&gone.changes) + &ports.chain(networks).chain(rules).collect::<String>())?)
            }
        };
        gone.errors.into_iter().for_each(|error| failure::report(&error.into()));
        done("what programs that have ended have left is taken away", printed);
        Ok(Answer::when(is_all))
    }
}
