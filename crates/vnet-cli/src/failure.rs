//! Errors for people: what failed, why, and what to do.

use std::error::Error;
use std::fmt::Write;
use std::io;

use crate::output::{Answer, note, plain};
use crate::style::{BOLD, ERROR, WARNING};

/// Prints an error with its causes on stderr.
pub(crate) fn report(error: &anyhow::Error) {
    note(text(error));
}

/// Reports who holds the lock that this process waits for.
pub(crate) fn waiting(holder: Option<u32>) {
    let holder = holder.map_or("another process".to_owned(), |pid| format!("process {pid}"));
    note(format!("{WARNING}note{WARNING:#}{BOLD}: waiting for {holder}, which changes networks or ports{BOLD:#}\n"));
}

/// Reports the failure of a hook that could not refuse.
pub(crate) fn ignored_hook(failure: &vnet_driver::HookFailure) {
    let cause = failure.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    let text = format!("{failure}{cause}");
    note(format!("{WARNING}warning{WARNING:#}{BOLD}: {}{BOLD:#}\n", plain(&text)));
}

/// Answers no, with the reason.
pub(crate) fn refuse(reason: impl Into<anyhow::Error>) -> anyhow::Result<Answer> {
    report(&reason.into());
    Ok(Answer::No)
}

/// Answers no when the network or port does not exist or exists already, with the command that
/// helps. Otherwise reports the error.
pub(crate) fn answer(error: vnet_driver::Error) -> anyhow::Result<Answer> {
    use vnet_driver::Error::{
        AlreadyAttached, AlreadyRuns, BridgeTaken, NameTaken, NoNetwork, NoPort, NotAttached, NotDefined, NotRunning,
        OtherName, Unknown, UuidTaken,
    };
    let reason = match &error {
        AlreadyRuns(name) => {
            format!("network `{name}` runs already; `vnet apply {name}` repairs it, `vnet stop {name}` ends it")
        }
        NotDefined(name) => {
            format!(
                "network `{name}` is transient: no definition of it is kept; `vnet define --from-running {name}` keeps it"
            )
        }
        NoNetwork(given) => format!("no network has the name or UUID `{given}`; `vnet list --all` shows all"),
        NameTaken { .. } | UuidTaken { .. } | BridgeTaken { .. } | OtherName { .. } => return refuse(error),
        NotRunning(name) => format!("network `{name}` does not run; `vnet list` shows those that do"),
        AlreadyAttached(dev) => {
            format!("port `{dev}` is attached already; `vnet apply` changes it, `vnet detach {dev}` ends it")
        }
        NotAttached(dev) => format!("port `{dev}` is not attached; `vnet ports` shows those that are"),
        Unknown(name) => {
            format!("no network or port `{name}` has a receipt; `vnet list` and `vnet ports` show all")
        }
        NoPort => "`<target dev>` names no attached port; `vnet attach` attaches the interface".to_owned(),
        _ => return Err(error.into()),
    };
    refuse(anyhow::anyhow!(reason))
}

/// Does something for each of several networks. One that fails does not hold back the others.
/// Answers no when one was refused.
///
/// # Errors
/// The last error that is no refusal, after all others were reported.
pub(crate) fn each<T>(
    all: impl IntoIterator<Item = T>,
    mut act: impl FnMut(T) -> Result<(), vnet_driver::Error>,
) -> anyhow::Result<Answer> {
    let (mut result, mut failed) = (Answer::Yes, None);
    for one in all {
        match act(one).map_err(answer) {
            Ok(()) => {}
            Err(Ok(_)) => result = Answer::No,
            Err(Err(error)) => {
                if let Some(before) = failed.replace(error) {
                    report(&before);
                }
            }
        }
    }
    failed.map_or(Ok(result), Err)
}

/// The entries that could be read. The others are reported with their errors.
pub(crate) fn readable<T>(listed: Vec<vnet_driver::Listed<T>>) -> impl Iterator<Item = T> {
    listed.into_iter().filter_map(|listed| listed.map_err(|unreadable| report(&unreadable.into())).ok())
}

fn text(error: &anyhow::Error) -> String {
    // The help is about the missing privilege.
    let causes = error.chain().filter(|cause| !is_denial(*cause)).map(ToString::to_string);
    let mut text = String::new();
    let mut last = String::new();
    for (at, cause) in causes.enumerate() {
        if at == 0 {
            let _ = writeln!(text, "{ERROR}error{ERROR:#}{BOLD}: {}{BOLD:#}", plain(&cause));
        } else if !last.contains(&cause) {
            let _ = writeln!(text, "  because {}", plain(&cause));
        }
        last = cause;
    }
    if let Some(help) = help(error) {
        let _ = writeln!(text, "{BOLD}help{BOLD:#}: {help}");
    }
    text
}

fn help(error: &anyhow::Error) -> Option<&'static str> {
    // A trial names what is missing itself; it needs no privilege.
    let is_trial = error.chain().any(|cause| cause.is::<vnet_try::Error>());
    if !error.chain().any(is_denied) || is_trial {
        return None;
    }
    Some(if nix::unistd::geteuid().is_root() {
        "root has not every privilege here; a container gets it by `--cap-add NET_ADMIN`, and a namespace of your own \
         has it (`unshare --user --map-root-user --net --mount`)"
    } else {
        "run it as root, or in a namespace of your own (`unshare --user --map-root-user --net --mount`); \
         `vnet try` needs no privilege"
    })
}

/// Whether a privilege is missing.
fn is_denied(cause: &(dyn Error + 'static)) -> bool {
    if let Some(error) = cause.downcast_ref::<io::Error>() {
        return error.kind() == io::ErrorKind::PermissionDenied;
    }
    if let Some(refused) = cause.downcast_ref::<vnet_netlink::Refused>() {
        return refused.is_permission_denied();
    }
    is_denial(cause)
}

fn is_denial(cause: &(dyn Error + 'static)) -> bool {
    let boxed = cause.downcast_ref::<Box<vnet_driver::Error>>().map(AsRef::as_ref);
    matches!(boxed.or_else(|| cause.downcast_ref()), Some(vnet_driver::Error::Denied { .. }))
}
