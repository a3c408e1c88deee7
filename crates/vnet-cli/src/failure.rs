//! Errors for people: what failed, why, and what to do.

use std::error::Error;
use std::fmt::Write;
use std::io;
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::output::{Answer, note, plain, print_json};
use crate::style::{BOLD, ERROR, WARNING};

/// Errors of a call with `--format json`, for its document; `None` without it, and once it is
/// printed.
static TOLD: Mutex<Option<Vec<ErrorJson>>> = Mutex::new(None);

/// An error, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorJson {
    message: String,
    causes: Vec<String>,
    help: Option<String>,
}

/// An error of the program itself, with what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Advised {
    message: String,
    help: String,
}

/// An error with what to do about it.
pub(crate) fn advised(message: impl Into<String>, help: impl Into<String>) -> anyhow::Error {
    Advised { message: message.into(), help: help.into() }.into()
}

/// Errors are part of the JSON document from now on.
pub(crate) fn tell_in_json() {
    *told_so_far() = Some(Vec::new());
}

/// Prints an error with its causes on stderr, and keeps it for the JSON document.
pub(crate) fn report(error: &anyhow::Error) {
    if let Some(told) = &mut *told_so_far() {
        told.push(ErrorJson::of(error));
    }
    note(text(error));
}

/// Takes the errors for the JSON document. Those that are reported later are on stderr alone.
pub(crate) fn told() -> Vec<ErrorJson> {
    told_so_far().take().unwrap_or_default()
}

/// Prints a JSON document of the errors alone, if no document was printed.
pub(crate) fn tell_the_rest() -> anyhow::Result<()> {
    #[derive(Serialize)]
    struct Nothing {}

    let is_untold = told_so_far().as_ref().is_some_and(|told| !told.is_empty());
    if is_untold { print_json(&Nothing {}) } else { Ok(()) }
}

/// A panic elsewhere does not lose the errors.
fn told_so_far() -> MutexGuard<'static, Option<Vec<ErrorJson>>> {
    TOLD.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ErrorJson {
    fn of(error: &anyhow::Error) -> Self {
        let mut causes = causes(error);
        Self {
            message: if causes.is_empty() { error.to_string() } else { causes.remove(0) },
            causes,
            help: help(error),
        }
    }

    /// A command line that is wrong.
    fn of_usage(error: &clap::Error) -> Self {
        let text = error.to_string();
        let text = text.trim().trim_start_matches("error: ");
        let (message, rest) = text.split_once("\n\n").unwrap_or((text, ""));
        let tip = rest.lines().find_map(|line| line.trim().strip_prefix("tip: "));
        let help = tip.unwrap_or("`--help` shows what the command takes");
        Self { message: message.to_owned(), causes: Vec::new(), help: Some(help.to_owned()) }
    }
}

/// Ends a call with a command line that is wrong, or that asks for help.
pub(crate) fn end_of_usage(error: &clap::Error) -> ExitCode {
    if let (Some(told), true) = (&mut *told_so_far(), error.use_stderr()) {
        told.push(ErrorJson::of_usage(error));
    }
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { 2 } else { 0 })
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

/// Warns of what could not be asked for a list that has the rest.
pub(crate) fn warn(error: vnet_driver::Error) {
    note(format!("{WARNING}warning{WARNING:#}{BOLD}: {}{BOLD:#}\n", plain(&line(&error.into()))));
}

/// Answers no, with the reason.
pub(crate) fn refuse(reason: impl Into<anyhow::Error>) -> anyhow::Result<Answer> {
    report(&reason.into());
    Ok(Answer::No)
}

/// Answers no when the network or port does not exist or exists already. Otherwise reports the
/// error.
pub(crate) fn answer(error: vnet_driver::Error) -> anyhow::Result<Answer> {
    use vnet_driver::Error::{
        AlreadyAttached, AlreadyDefined, AlreadyRuns, BridgeTaken, ChangedMeanwhile, Metadata, NameTaken, NoMetadata,
        NoNetwork, NoPort, NotAttached, NotDefined, NotRunning, OtherName, Renamed, Unknown, UuidTaken,
    };
    if let vnet_driver::Error::Ovn(failure) = &error
        && matches!(**failure, vnet_driver::OvnFailure::ChangedMeanwhile(_) | vnet_driver::OvnFailure::Differs { .. })
    {
        return refuse(error);
    }
    match error {
        AlreadyAttached(_)
        | AlreadyDefined(_)
        | AlreadyRuns(_)
        | BridgeTaken { .. }
        | ChangedMeanwhile(_)
        | Metadata(_)
        | NameTaken { .. }
        | NoMetadata { .. }
        | NoNetwork(_)
        | NoPort
        | NotAttached(_)
        | NotDefined(_)
        | NotRunning(_)
        | OtherName { .. }
        | Renamed { .. }
        | Unknown(_)
        | UuidTaken { .. } => refuse(error),
        _ => Err(error.into()),
    }
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
    let (mut result, mut failed) = (Answer::Yes, Vec::new());
    for one in all {
        match act(one).map_err(answer) {
            Ok(()) => {}
            Err(Ok(_)) => result = Answer::No,
            Err(Err(error)) => failed.push(error),
        }
    }
    last(failed).map(|()| result)
}

/// Reports all errors but the last, which is returned.
pub(crate) fn last(mut errors: Vec<anyhow::Error>) -> anyhow::Result<()> {
    let last = errors.pop();
    errors.iter().for_each(report);
    last.map_or(Ok(()), Err)
}

/// Reports what failed, before the document is printed that has it.
pub(crate) fn tell(failed: &[anyhow::Error]) -> Answer {
    failed.iter().for_each(report);
    if failed.is_empty() { Answer::Yes } else { Answer::Failed }
}

/// The entries that could be read, and the errors of the others.
pub(crate) fn apart<T>(listed: Vec<vnet_driver::Listed<T>>) -> (Vec<T>, Vec<anyhow::Error>) {
    let (mut entries, mut unread) = (Vec::new(), Vec::new());
    for one in listed {
        match one {
            Ok(entry) => entries.push(entry),
            Err(error) => unread.push(error.into()),
        }
    }
    (entries, unread)
}

/// Reports what could not be read: then the answer is that the call failed, whatever is shown. When
/// nothing is left to show, that is an error: an empty table would say that there is nothing.
pub(crate) fn tell_unread(unread: Vec<anyhow::Error>, shows_nothing: bool) -> anyhow::Result<Answer> {
    if shows_nothing {
        return last(unread).map(|()| Answer::Yes);
    }
    Ok(tell(&unread))
}

/// The entries that could be read. The others are reported with their errors.
pub(crate) fn readable<T>(listed: Vec<vnet_driver::Listed<T>>) -> Vec<T> {
    let (entries, unread) = apart(listed);
    unread.iter().for_each(report);
    entries
}

/// The error with its causes and what to do about it, in one line.
pub(crate) fn line(error: &anyhow::Error) -> String {
    let help = help(error).map(|help| format!("; {help}")).unwrap_or_default();
    format!("{error:#}{help}")
}

fn text(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for (at, cause) in causes(error).iter().enumerate() {
        let _ = match at {
            0 => writeln!(text, "{ERROR}error{ERROR:#}{BOLD}: {}{BOLD:#}", plain(cause)),
            _ => writeln!(text, "  because {}", plain(cause)),
        };
    }
    if let Some(help) = help(error) {
        let _ = writeln!(text, "{BOLD}help{BOLD:#}: {help}");
    }
    text
}

/// The error and its causes, without those that the one before says too.
fn causes(error: &anyhow::Error) -> Vec<String> {
    // The help is about the missing privilege.
    let all: Vec<String> = error.chain().filter(|cause| !is_denial(*cause)).map(ToString::to_string).collect();
    let is_new = |at: usize| at == 0 || !all[at - 1].contains(&all[at]);
    (0..all.len()).filter(|at| is_new(*at)).map(|at| all[at].clone()).collect()
}

/// What to do about it; `None` where a message says so.
fn help(error: &anyhow::Error) -> Option<String> {
    // A trial needs no privilege.
    let is_trial = error.chain().any(|cause| cause.is::<vnet_try::Error>());
    if !error.chain().any(is_denied) || is_trial {
        return error.chain().find_map(help_of);
    }
    let help = if nix::unistd::geteuid().is_root() {
        "root has not every privilege here; a container gets it by `--cap-add NET_ADMIN`, and a namespace of your own \
         has it (`unshare --user --map-root-user --net --mount`)"
    } else {
        "run it as root, or in a namespace of your own (`unshare --user --map-root-user --net --mount`); \
         `vnet try` needs no privilege"
    };
    Some(help.to_owned())
}

/// What to do about an error of a library.
fn help_of(error: &(dyn Error + 'static)) -> Option<String> {
    fn of<E: Error + 'static>(error: &(dyn Error + 'static), help: impl Fn(&E) -> Option<String>) -> Option<String> {
        error.downcast_ref::<Box<E>>().map(AsRef::as_ref).or_else(|| error.downcast_ref::<E>()).and_then(help)
    }
    of(error, |error: &Advised| Some(error.help.clone()))
        .or_else(|| of(error, vnet_driver::Error::help))
        .or_else(|| of(error, vnet_try::Error::help))
        .or_else(|| of(error, vnet_passt::run::Error::help))
        .or_else(|| of(error, |error: &vnet_passt::Error| Some(error.help())))
        .or_else(|| of(error, |error: &vnet_plan::NotPasst| Some(error.help())))
        .or_else(|| of(error, vnet_plan::LowerError::help))
        .or_else(|| of(error, vnet_xml::Refused::help))
        .or_else(|| of(error, |error: &io::Error| of_file(error.kind()).map(str::to_owned)))
}

/// What to do about a file that cannot be used.
fn of_file(error: io::ErrorKind) -> Option<&'static str> {
    match error {
        io::ErrorKind::NotFound => Some("see that the path is right, and that the folder above it exists"),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some("free space on that file system"),
        io::ErrorKind::ReadOnlyFilesystem => Some("make the file system writable, or choose another folder"),
        _ => None,
    }
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
