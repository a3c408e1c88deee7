//! Reads a program's output through a terminal. passt of 2025 does not flush its output when it
//! ends, so a pipe gets nothing or only the first 4096 bytes.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};

/// The time that the program may run.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most that is read.
const LONGEST: usize = 1 << 16;

/// Runs a program until it ends and returns what it writes to both outputs. If the host has no
/// terminals, it gets a pipe.
///
/// # Errors
/// [`io::Error`] if it does not run or does not end in time.
pub(super) fn output(mut command: Command) -> io::Result<String> {
    let (ours, its): (OwnedFd, OwnedFd) = match terminal() {
        Ok(pair) => pair,
        Err(_) => {
            let (ours, its) = io::pipe()?;
            (ours.into(), its.into())
        }
    };
    let mut child = command.stdin(Stdio::null()).stdout(its.try_clone()?).stderr(its).spawn()?;
    // This closes our copies of the program's end of the terminal; otherwise reading would not end
    // with the program.
    drop(command);
    let said = read(ours);
    if said.is_err() {
        child.kill()?;
    }
    child.wait()?;
    said
}

/// Our end of a new terminal, and the program's end.
fn terminal() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let ours = openpt(flags)?;
    unlockpt(&ours)?;
    let its = ioctl_tiocgptpeer(&ours, flags)?;
    Ok((ours, its))
}

/// Reads until the program has closed its end.
fn read(ours: OwnedFd) -> io::Result<String> {
    let deadline = Instant::now() + PATIENCE;
    let mut file = File::from(ours);
    let mut said = Vec::new();
    let mut part = [0; 4096];
    while said.len() < LONGEST {
        let left = Timespec::try_from(deadline.saturating_duration_since(Instant::now()));
        let left = left.map_err(io::Error::other)?;
        if poll(&mut [PollFd::new(&file, PollFlags::IN)], Some(&left))? == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match file.read(&mut part) {
            Ok(0) => break,
            Ok(length) => said.extend_from_slice(&part[..length]),
            // The last program has closed the terminal.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(String::from_utf8_lossy(&said).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_finds_a_terminal_and_is_heard_in_full() {
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "test -t 1 && echo terminal; i=0; while [ $i -lt 999 ]; do echo line $i; i=$((i+1)); done >&2",
        ]);
        let said = output(command).unwrap();
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!((lines[0], lines.len(), lines[999]), ("terminal", 1000, "line 998"));
    }
}
