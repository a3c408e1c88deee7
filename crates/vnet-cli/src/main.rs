//! `vnet`: libvirt virtual networks without the daemon.
//!
//! The exit code is 0 (done), 1 (the answer is no: invalid, refused, drifted) or 2 (the command
//! failed). Results go to stdout, diagnostics to stderr.

mod args;
mod attempts;
mod changes;
mod check;
mod command;
mod complete;
mod counted;
mod definition;
mod diagnostic;
mod directories;
mod document;
mod editor;
mod engine;
mod failure;
mod files;
mod guest;
mod help;
mod hypervisor;
mod metadata;
mod named;
mod network;
mod notes;
mod on_ovn;
mod output;
mod ovn;
mod port;
mod release;
mod rendered;
mod report;
mod rewrite;
mod status;
mod style;
mod table;
mod time;
mod try_network;
mod verbs;
mod whose;

use std::process::ExitCode;

fn main() -> ExitCode {
    vnet_driver::delete_links_for_another();
    vnet_try::inside();
    complete::answer();
    if args::asks_for_json(std::env::args_os().skip(1)) {
        failure::tell_in_json();
    }
    let code = match args::Call::read() {
        Err(error) => failure::end_of_usage(&verbs::with_right_verb(error)),
        Ok(call) => {
            output::set_verbosity(call.options.verbosity());
            match call.command.run(&call.options.directories, args::program) {
                Ok(answer) => answer.into(),
                Err(error) => {
                    failure::report(&error);
                    ExitCode::from(2)
                }
            }
        }
    };
    match failure::tell_the_rest() {
        Ok(()) => code,
        Err(error) => {
            failure::report(&error);
            ExitCode::from(2)
        }
    }
}
