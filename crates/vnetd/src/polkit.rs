//! Asks polkit whether a client may connect (polkit(8), `org.freedesktop.PolicyKit1`).

use std::collections::HashMap;
use std::io::ErrorKind;
use std::sync::mpsc;
use std::time::Duration;
use std::{fs, thread};

use vnet_rpc::{ErrorCode, ErrorDomain};
use zbus::Variant;
use zbus::connection::Builder;

use crate::peer::Peer;
use crate::refusal::{self, Refusal};

const POLKIT: &str = "org.freedesktop.PolicyKit1";
const AUTHORITY: &str = "/org/freedesktop/PolicyKit1/Authority";
const INTERFACE: &str = "org.freedesktop.PolicyKit1.Authority";
/// A person may be asked for a password.
const MAY_ASK: u32 = 1;
/// How long a person may think about it.
const PATIENCE: Duration = Duration::from_secs(120);

/// polkit's answer: allowed, allowed after a question that nobody was there to put, and details.
type Answer = (bool, bool, HashMap<String, String>);

/// Checks that a client may read, or also change, what this server has. The actions are those of
/// libvirt's own package.
pub(crate) fn check(peer: Peer, reads_only: bool) -> Result<(), Refusal> {
    let action = if reads_only { "org.libvirt.unix.monitor" } else { "org.libvirt.unix.manage" };
    let started = started(peer.pid).ok_or_else(|| refused(ErrorCode::AuthFailed, "the client is gone"))?;
    let (tell, told) = mpsc::channel();
    // zbus limits the time of a call, but not that of opening a connection. A thread that gets no
    // answer ends with the process.
    let ask = move || drop(tell.send(zbus::block_on(ask(peer, started, action))));
    thread::Builder::new().name("polkit".to_owned()).spawn(ask).map_err(refusal::system)?;
    let no_answer = |_| refused(ErrorCode::AuthFailed, "polkit does not answer");
    let (is_allowed, is_challenge, details) = match told.recv_timeout(PATIENCE).map_err(no_answer)? {
        Ok(answer) => answer,
        Err(zbus::Error::Connection(error, _)) if error.kind() == ErrorKind::NotFound => {
            let what = "Unable to get system bus connection: Could not connect: No such file or directory";
            return Err(refusal::of(ErrorCode::InternalError, ErrorDomain::Dbus, what));
        }
        Err(error) => return Err(refused(ErrorCode::AuthFailed, &format!("polkit cannot be asked: {error}"))),
    };
    match is_allowed {
        true => Ok(()),
        false if details.contains_key("polkit.dismissed") => {
            Err(refused(ErrorCode::AuthCancelled, "user cancelled authentication process"))
        }
        false if is_challenge => Err(refused(
            ErrorCode::AuthUnavailable,
            &format!("no polkit agent available to authenticate action '{action}'"),
        )),
        false => Err(refused(ErrorCode::AuthFailed, "access denied by policy")),
    }
}

async fn ask(peer: Peer, started: u64, action: &str) -> zbus::Result<Answer> {
    let pid = u32::try_from(peer.pid).unwrap_or_default();
    let uid = i32::try_from(peer.uid).unwrap_or(-1);
    let facts: HashMap<&str, Variant<'_>> =
        [("pid", pid.into()), ("start-time", started.into()), ("uid", uid.into())].into();
    let details: HashMap<&str, &str> = HashMap::new();
    let question = (("unix-process", facts), action, details, MAY_ASK, "");
    let bus = Builder::system().method_timeout(PATIENCE).build().await?;
    let answer = bus.call_method(Some(POLKIT), AUTHORITY, Some(INTERFACE), "CheckAuthorization", &question).await?;
    answer.body().deserialize()
}

/// When a process was started (proc_pid_stat(5), field 22). With it a process number cannot mean
/// another process later.
fn started(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before may have blanks and parentheses.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

fn refused(code: ErrorCode, what: &str) -> Refusal {
    refusal::of(code, ErrorDomain::Polkit, what)
}
