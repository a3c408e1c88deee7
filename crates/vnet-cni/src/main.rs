//! The CNI plugin: reads a request from the environment and standard input, makes one call of the
//! driver, and prints the answer (<https://www.cni.dev/docs/spec/>).

mod protocol;
mod verb;

use std::io::{Read, Write};
use std::process::ExitCode;

use protocol::{Environment, Failure, Head, Verb, versions_in_words};

/// So many bytes of standard input are read. A request has a few thousand.
const MOST_INPUT: u64 = 1 << 20;

fn main() -> ExitCode {
    vnet_driver::delete_links_for_another();
    let variable = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    if variable("CNI_COMMAND").is_none() {
        let _ = writeln!(
            std::io::stderr(),
            "vnet-cni {}: a CNI plugin for libvirt networks\nCNI protocol versions supported: {}",
            env!("CARGO_PKG_VERSION"),
            versions_in_words()
        );
        return ExitCode::SUCCESS;
    }
    let mut version = None;
    match answer(variable, &mut version) {
        Ok(text) => say(&text, ExitCode::SUCCESS),
        Err(failure) => say(&failure.print(version), ExitCode::FAILURE),
    }
}

/// The answer to the request. `version` is known as soon as the input was read, for errors.
fn answer(
    variable: impl Fn(&str) -> Option<String>,
    version: &mut Option<protocol::Version>,
) -> Result<String, Failure> {
    let verb = Verb::read(&variable)?;
    let mut input = Vec::new();
    let read = std::io::stdin().take(MOST_INPUT + 1).read_to_end(&mut input);
    if verb == Verb::Version {
        // It needs no input, so input that cannot be read is no error.
        return Ok(protocol::versions(&input));
    }
    // An error of the environment is told in the version of the input, where that can be read.
    let environment = Environment::read(verb, &variable).inspect_err(|_| {
        *version = Head::read(&input).ok().map(|head| head.version);
    })?;
    read.map_err(|error| Failure::new(5, format!("standard input cannot be read: {error}")))?;
    if input.len() as u64 > MOST_INPUT {
        return Err(Failure::new(6, format!("standard input has more than {MOST_INPUT} bytes")));
    }
    let head = Head::read(&input)?;
    *version = Some(head.version);
    head.allows(verb)?;
    verb::run(&environment, &head)
}

fn say(text: &str, code: ExitCode) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}
