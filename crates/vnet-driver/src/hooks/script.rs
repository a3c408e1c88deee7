//! Runs one hook, with limits on its time and its output.

use std::env;
use std::fs::File;
use std::io::{self, PipeReader, Read, Seek, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::ioctl_fionbio;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

/// How many bytes at the end of its standard error are kept.
const MOST_OUTPUT: usize = 4096;
/// The variables that a hook gets, as from libvirt, with the values of this process.
const PASSED: [&str; 5] = ["PATH", "HOME", "USER", "LOGNAME", "TMPDIR"];
/// The search path when this process has none.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// The variable that tells a hook the number of the process that waits for it.
const WAITS: &str = "VNET_HOOK_OF";

/// Fails when the holder of the lock waits for the hook that this process is part of: neither would
/// ever go on.
pub(crate) fn is_not_ours(holder: Option<u32>) -> io::Result<()> {
    let waits = env::var(WAITS).ok().and_then(|number| number.parse().ok());
    match holder.filter(|holder| waits == Some(*holder)) {
        Some(holder) => Err(io::Error::other(format!(
            "process {holder} holds it and waits for the hook that calls this: a hook cannot change networks or ports"
        ))),
        None => Ok(()),
    }
}

/// Whether this process is part of a hook that vnet runs.
pub(crate) fn is_called_by_vnet() -> bool {
    env::var_os(WAITS).is_some()
}

/// What a hook did.
pub(super) struct Ran {
    /// `None` when it took too long and was ended.
    pub(super) status: Option<ExitStatus>,
    /// The end of its standard error.
    pub(super) stderr: String,
}

/// Runs a hook. Its input is a file in memory, which it need not read. Processes that it leaves in
/// the background are not waited for.
pub(super) fn run(script: &Path, arguments: [&str; 4], input: &str, limit: Duration) -> io::Result<Ran> {
    let mut document = File::from(memfd_create("hook", MemfdFlags::CLOEXEC)?);
    document.write_all(input.as_bytes())?;
    document.rewind()?;
    let (ours, its) = io::pipe()?;
    ioctl_fionbio(&ours, true)?;
    let mut command = Command::new(script);
    command.args(arguments).current_dir("/").stdin(document).stdout(Stdio::null()).stderr(its).process_group(0);
    let passed = PASSED.iter().filter_map(|name| Some((name, env::var_os(name)?)));
    command.env_clear().env("PATH", PATH).envs(passed).env("LC_ALL", "C");
    command.env(WAITS, std::process::id().to_string());
    let child = command.spawn()?;
    // This closes our copy of its end of the pipe.
    drop(command);
    Output { pipe: ours, end: Vec::new() }.follow(child, limit)
}

struct Output {
    pipe: PipeReader,
    /// The last bytes that were read.
    end: Vec<u8>,
}

impl Output {
    /// Reads until the process has ended, or ends it.
    fn follow(mut self, mut child: Child, limit: Duration) -> io::Result<Ran> {
        let deadline = Instant::now() + limit;
        let group = Pid::from_child(&child);
        let process = pidfd_open(group, PidfdFlags::empty())?;
        let mut is_open = true;
        let status = loop {
            let left = Timespec::try_from(deadline.saturating_duration_since(Instant::now()));
            let left = left.map_err(io::Error::other)?;
            let mut waiting = vec![PollFd::new(&process, PollFlags::IN)];
            if is_open {
                waiting.push(PollFd::new(&self.pipe, PollFlags::IN));
            }
            match poll(&mut waiting, Some(&left)) {
                Err(rustix::io::Errno::INTR) => continue,
                result => drop(result?),
            }
            let has_ended = !waiting[0].revents().is_empty();
            if is_open {
                is_open = self.read()?;
            }
            if has_ended {
                break Some(child.wait()?);
            }
            if Instant::now() >= deadline {
                // The group may be gone, and the process may have left it.
                let _ = kill_process_group(group, Signal::KILL);
                child.kill()?;
                child.wait()?;
                break None;
            }
        };
        Ok(Ran { status, stderr: String::from_utf8_lossy(&self.end).trim().to_owned() })
    }

    /// Reads what there is, at most one pipe full. Returns whether more may come.
    fn read(&mut self) -> io::Result<bool> {
        let mut part = [0; 1 << 16];
        match self.pipe.read(&mut part) {
            Ok(0) => Ok(false),
            Ok(length) => {
                self.end.extend_from_slice(&part[..length]);
                self.end.drain(..self.end.len().saturating_sub(MOST_OUTPUT));
                Ok(true)
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(true),
            Err(error) => Err(error),
        }
    }
}
