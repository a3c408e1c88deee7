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
    is_for_root(error).then_some(
        "run it as root, or in a namespace of your own (`unshare --user --map-root-user --net --mount`); \
         `vnet try` needs no privilege",
    )
}

/// Is it that somebody else may do this?
pub(crate) fn is_for_root(error: &anyhow::Error) -> bool {
    error.chain().any(is_denied)
}

fn is_denied(cause: &(dyn Error + 'static)) -> bool {
    if let Some(error) = cause.downcast_ref::<io::Error>() {
        return error.kind() == io::ErrorKind::PermissionDenied;
    }
    if let Some(refused) = cause.downcast_ref::<vnet_netlink::Refused>() {
        return refused.is_permission_denied();
    }
    // A step's cause is boxed, and a netlink error is shown as if it were the host's own.
    let boxed = cause.downcast_ref::<Box<vnet_host::Error>>().map(AsRef::as_ref);
    match boxed.or_else(|| cause.downcast_ref()) {
        Some(vnet_host::Error::Netlink(error)) => error.is_permission_denied(),
        _ => false,
    }
}
