//! Changes of the definitions that libvirt keeps, by virsh.

use std::io::Write;
use std::process::{Command, Stdio};

use vnet_types::NetworkName;
use vnet_xml::Network;

use super::hook_file::LibvirtHookError;
use crate::error::Error;

/// Standard input as a file. `/dev/stdin` is not there on every host.
const STDIN: &str = "/proc/self/fd/0";

/// The definition that libvirt keeps of a network.
///
/// # Errors
/// [`LibvirtHookError::Virsh`]; [`Error::Text`].
pub(crate) fn kept_by_libvirt(name: &NetworkName) -> Result<Network, Error> {
    Ok(virsh(&["net-dumpxml", "--inactive", name.as_str()], "")?.parse()?)
}

/// Makes libvirt keep a definition. The network runs on as it is.
///
/// # Errors
/// [`LibvirtHookError::Virsh`].
pub(crate) fn keep_in_libvirt(network: &Network) -> Result<(), Error> {
    virsh(&["net-define", STDIN], &network.inactive().to_string()).map(drop)
}

fn virsh(arguments: &[&str], input: &str) -> Result<String, Error> {
    let failed = |message: String| LibvirtHookError::Virsh { arguments: arguments.join(" "), message };
    let mut command = Command::new("virsh");
    command.args(["--quiet", "--connect", "network:///system"]).args(arguments).env("LC_ALL", "C");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut run = || {
        let mut child = command.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        child.wait_with_output()
    };
    let output = run().map_err(|error| failed(error.to_string()))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()).into()),
    }
}
