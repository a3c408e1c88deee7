//! Errors, told to people: what, why, and what to do.

use std::error::Error;
use std::fmt::Write;
use std::io;

use crate::output::{note, plain};

/// Prints an error with its causes on stderr.
pub(crate) fn report(error: &anyhow::Error) {
    // Nothing can be said where stderr cannot be written; the exit code still tells.
    let _ = note(text(error));
}

fn text(error: &anyhow::Error) -> String {
    let (bold, red, reset) = ("\x1b[1m", "\x1b[1;91m", "\x1b[0m");
    let mut text = format!("{red}error{reset}{bold}: {}{reset}\n", plain(&error.to_string()));
    let mut last = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !last.contains(&cause) {
            let _ = writeln!(text, "  because {}", plain(&cause));
        }
        last = cause;
    }
    if let Some(help) = help(error) {
        let _ = writeln!(text, "{bold}help{reset}: {help}");
    }
    text
}

fn help(error: &anyhow::Error) -> Option<&'static str> {
    let is_denied = |cause: &(dyn Error + 'static)| {
        let io = cause.downcast_ref::<io::Error>().map(|error| error.kind() == io::ErrorKind::PermissionDenied);
        let netlink = cause.downcast_ref::<vnet_netlink::Error>().map(vnet_netlink::Error::is_permission_denied);
        let netfilter = cause.downcast_ref::<vnet_netlink::Refused>().map(vnet_netlink::Refused::is_permission_denied);
        [io, netlink, netfilter].contains(&Some(true))
    };
    error.chain().any(is_denied).then_some(
        "run it as root, or in a namespace of your own (`unshare --user --map-root-user --net --mount`); \
         `vnet try` needs no privilege",
    )
}
