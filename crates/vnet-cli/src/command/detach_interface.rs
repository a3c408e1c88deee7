//! `vnet detach-interface DOMAIN TYPE`, as virsh has it.

use anyhow::{Context, bail};
use vnet_types::MacAddr;

use super::detach::detach;
use super::words::{OfGuest, fill};
use crate::directories::Directories;
use crate::failure::{self, readable};
use crate::output::{Answer, FormatOption};

/// Detach an interface of a guest, as for `virsh detach-interface`
#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "virsh's options")]
pub(crate) struct Args {
    /// The guest's name, and network, bridge, direct or hostdev
    #[arg(value_name = "DOMAIN TYPE", num_args = 0..=2)]
    words: Vec<String>,
    #[arg(long, value_name = "DOMAIN", hide = true)]
    domain: Option<String>,
    #[arg(long = "type", value_name = "TYPE", hide = true)]
    kind: Option<String>,
    /// The guest's MAC address; needed if it has several interfaces
    #[arg(long, value_name = "MAC")]
    mac: Option<MacAddr>,
    #[command(flatten)]
    of_guest: OfGuest,
    #[command(flatten)]
    format: FormatOption,
}

impl Args {
    /// Detaches and reports.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let [domain, _] = fill(&self.words, [&self.domain, &self.kind])?;
        let domain = domain.context("the guest's name is missing")?;
        self.of_guest.live_only("take the `<interface>` out of the guest's definition")?;
        let driver = directories.driver()?;
        let ports = readable(driver.ports()?).into_iter().map(|status| status.port);
        let ports: Vec<_> = ports
            .filter(|port| port.guest.as_ref() == Some(&domain) && self.mac.is_none_or(|mac| port.mac == mac))
            .collect();
        match &ports[..] {
            [port] => detach(&driver, std::slice::from_ref(&port.dev), self.format.format),
            [] => {
                let message = format!("guest `{domain}` has no such interface attached");
                Err(failure::advised(message, format!("`vnet ports --guest {domain}` shows all")))
            }
            _ => bail!("guest `{domain}` has {} interfaces attached: choose one by --mac", ports.len()),
        }
    }
}
