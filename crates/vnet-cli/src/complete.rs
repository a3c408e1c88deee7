//! What a shell completes: names of networks and ports, and codes, as they are on this host.

use std::ffi::OsStr;

use clap::{Arg, Command};
use clap_complete::engine::{
    ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};
use vnet_driver::Driver;
use vnet_validate::RULES;

use crate::args::{Call, program};
use crate::failure::apart;

/// The variable by which a shell asks for completions; its value is the shell.
pub(crate) const ASKS: &str = "VNET_COMPLETE";

/// Answers a shell that asks for completions, and ends then.
pub(crate) fn answer() {
    if std::env::var_os(ASKS).is_some() {
        clap_complete::CompleteEnv::with_factory(|| completing(program())).var(ASKS).complete();
    }
}

/// Every argument that names something of this host knows what there is.
fn completing(command: Command) -> Command {
    let is_of_guest = ["detach", "detach-interface"].contains(&command.get_name());
    let is_passt = command.get_name() == "passt";
    command.mut_args(move |arg| with_candidates(arg, is_of_guest)).mut_subcommands(move |inner| {
        // The names of `vnet passt` are those of guests, which only it keeps.
        if is_passt { inner } else { completing(inner) }
    })
}

fn with_candidates(arg: Arg, is_of_guest: bool) -> Arg {
    let values: Vec<String> =
        arg.get_value_names().unwrap_or_default().iter().flat_map(|name| name.split('|')).map(str::to_owned).collect();
    let has = |wanted: &[&str]| values.iter().any(|value| wanted.contains(&value.as_str()));
    let (networks, ports, files) =
        (has(&["NETWORK", "NETWORK TEXT", "NAME"]) && !is_of_guest, has(&["DEV", "PORT", "GUEST"]), has(&["FILE"]));
    if has(&["CODE"]) {
        return arg.add(ArgValueCandidates::new(codes));
    }
    if !networks && !ports {
        return arg;
    }
    arg.add(ArgValueCompleter::new(move |current: &OsStr| {
        let mut all = Vec::new();
        if networks {
            all.extend(known(network_names));
        }
        if ports {
            all.extend(known(port_names));
        }
        let start = current.to_string_lossy();
        all.retain(|candidate| candidate.get_value().to_string_lossy().starts_with(&*start));
        if files {
            all.extend(PathCompleter::any().complete(current));
        }
        all
    }))
}

fn codes() -> Vec<CompletionCandidate> {
    let rules = RULES.iter();
    rules.map(|rule| CompletionCandidate::new(rule.code.to_string()).help(Some(rule.name.into()))).collect()
}

/// What is known of this host. Where nothing can be read, nothing is completed.
fn known(names: fn(&Driver) -> Result<Vec<String>, vnet_driver::Error>) -> Vec<CompletionCandidate> {
    let call = <Call as clap::Parser>::try_parse_from(["vnet", "list"]).ok();
    let names = call.and_then(|call| call.options.directories.driver().ok()).and_then(|driver| names(&driver).ok());
    names.into_iter().flatten().map(CompletionCandidate::new).collect()
}

fn network_names(driver: &Driver) -> Result<Vec<String>, vnet_driver::Error> {
    Ok(apart(driver.all()?).0.into_iter().map(|network| network.name.to_string()).collect())
}

fn port_names(driver: &Driver) -> Result<Vec<String>, vnet_driver::Error> {
    Ok(apart(driver.ports()?).0.into_iter().map(|port| port.port.dev.to_string()).collect())
}
