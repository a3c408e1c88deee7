//! Processes that go to the background when they are ready, and write their process number to a
//! file.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vnet_plan::Process;

use super::{Kind, LinuxHost};
use crate::{Error, Fact};

/// How long a process may take to write its number, or to end.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a program may take until it is in the background.
const LIMIT: Duration = Duration::from_secs(5);
/// How many bytes of a program's output are kept.
const MOST_OUTPUT: u64 = 1 << 16;
/// Folders of administrators' programs, which are often not in `PATH`.
const ADMINISTRATORS: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

impl Kind for Process {
    fn look(&self, _: &LinuxHost, fact: Option<Fact>) -> Result<Option<Self>, Error> {
        // When the configuration is unknown, the process number may not be written yet.
        let is_lost = fact.is_none() && self.restart_on.is_empty();
        let found = identify(self, fact)?.map(|(pid, _)| pid.as_raw());
        let found = found.or_else(|| if is_lost { find_running(self).map(|(pid, _)| pid) } else { None });
        Ok(found.map(|pid| Self { stopped: is_stopped(pid), ..self.clone() }))
    }

    fn create(&self, host: &LinuxHost) -> Result<Option<Fact>, Error> {
        start(self, host).map(Some)
    }

    /// Tells the process to reload its files and to go on when that is enough, otherwise restarts
    /// it.
    fn update(&self, to: &Self, host: &LinuxHost, fact: Option<Fact>) -> Result<Option<Fact>, Error> {
        if self.args == to.args
            && self.restart_on == to.restart_on
            && let Some((pid, start_time)) = identify(self, fact)?
            && kill(pid, Signal::SIGHUP).is_ok()
            && kill(pid, if to.stopped { Signal::SIGSTOP } else { Signal::SIGCONT }).is_ok()
        {
            return Ok(Some(Fact::Process { pid: pid.as_raw(), start_time }));
        }
        stop(self, fact)?;
        start(to, host).map(Some)
    }

    fn delete(&self, _: &LinuxHost, fact: Option<Fact>) -> Result<(), Error> {
        stop(self, fact)
    }
}

/// Runs a program until it is in the background, and in a scope of its own where systemd runs.
fn start(process: &Process, host: &LinuxHost) -> Result<Fact, Error> {
    let begun = host.begun.borrow_mut().remove(&process.pid_file);
    settle(process, host, begun.map_or_else(|| run(process), Ok)?)
}

/// Waits until a program is in the background, and puts it into its scope.
pub(super) fn settle(process: &Process, host: &LinuxHost, begun: Begun) -> Result<Fact, Error> {
    let command = format!("{} {}", process.program, process.args.join(" "));
    // It may be on its way to the background, or there.
    let ended = |error| stop(process, None).and(Err(error));
    match begun.wait().map_err(Error::file("run", Path::new(&process.program))) {
        Ok((Some(status), _)) if status.success() => {}
        Ok((Some(status), stderr)) => return Err(Error::Program { command, status: status.to_string(), stderr }),
        Ok((None, _)) => return ended(Error::Slow { command, seconds: LIMIT.as_secs() }),
        Err(error) => return ended(error),
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        match identify(process, None) {
            Ok(Some((pid, start_time))) => {
                let (pid, folder) = (pid.as_raw(), process.pid_file.parent().unwrap_or(&process.pid_file));
                host.put_in_scope(folder, &process.program, pid);
                return Ok(Fact::Process { pid, start_time });
            }
            Ok(None) | Err(_) if Instant::now() < deadline => thread::sleep(Duration::from_millis(2)),
            Ok(None) => return ended(Error::Vanished { command, pid_file: process.pid_file.clone() }),
            Err(error) => return ended(error),
        }
    }
}

/// Begins to start a program. A failure shows when it is started.
pub(super) fn begin(process: &Process, host: &LinuxHost) {
    if let Ok(begun) = run(process) {
        host.begun.borrow_mut().insert(process.pid_file.clone(), begun);
    }
}

/// A program on its way to the background.
pub(super) struct Begun {
    child: Child,
    said: File,
    deadline: Instant,
}

/// Runs a program that goes to the background. Its output goes to a file in memory of limited size,
/// because a pipe would stay open as long as the background process.
pub(super) fn run(process: &Process) -> Result<Begun, Error> {
    let program = executable(&process.program)?;
    let run = || -> io::Result<Begun> {
        let said = File::from(memfd_create("output", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?);
        said.set_len(MOST_OUTPUT)?;
        fcntl(&said, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK))?;
        let mut command = Command::new(&program);
        command.args(&process.args).stdin(Stdio::null()).env("LC_ALL", "C").envs(&process.env);
        let child = command.stdout(said.try_clone()?).stderr(said.try_clone()?).spawn()?;
        Ok(Begun { child, said, deadline: Instant::now() + LIMIT })
    };
    run().map_err(Error::file("run", &program))
}

impl Begun {
    /// Waits until it is in the background: returns its status and what it said. `None` when it
    /// takes too long; then it is ended.
    fn wait(mut self) -> io::Result<(Option<ExitStatus>, String)> {
        let status = loop {
            match self.child.try_wait()? {
                None if Instant::now() > self.deadline => {
                    self.child.kill()?;
                    self.child.wait()?;
                    break None;
                }
                None => thread::sleep(Duration::from_micros(500)),
                ended => break ended,
            }
        };
        let mut text = Vec::new();
        self.said.rewind()?;
        self.said.read_to_end(&mut text)?;
        // The rest of the file is zeros.
        text.truncate(text.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
        Ok((status, String::from_utf8_lossy(&text).trim().to_owned()))
    }
}

/// Tells a process to end, and does not wait. The one that was lost is looked for when it is ended.
pub(super) fn tell_to_end(process: &Process, fact: Option<Fact>) {
    if let Ok(Some((pid, _))) = identify(process, fact) {
        let _ = kill(pid, Signal::SIGTERM);
    }
}

/// Ends the process if it is the one that was started. When a crash lost its number, ends every
/// process with its command line, which names our files.
fn stop(process: &Process, fact: Option<Fact>) -> Result<(), Error> {
    match fact {
        Some(Fact::Process { pid, start_time: started }) => end(pid, started),
        // Another process of it may be on its way to the background.
        _ => std::iter::from_fn(|| find_running(process)).try_for_each(|(pid, start_time)| end(pid, start_time)),
    }
}

/// Sends SIGTERM, then SIGKILL. A process that ends loses its command line before its sockets, so
/// it counts as gone only when its number is free or reused.
pub(super) fn end(pid: i32, started: u64) -> Result<(), Error> {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        if start_time(pid)? != Some(started) {
            return Ok(());
        }
        match kill(Pid::from_raw(pid), signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => return Err(Error::file("end", Path::new(&format!("/proc/{pid}")))(errno.into())),
        }
        // A process that is stopped gets the signal when it goes on.
        let _ = kill(Pid::from_raw(pid), Signal::SIGCONT);
        let deadline = Instant::now() + PATIENCE;
        while start_time(pid)? == Some(started) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
    }
    if start_time(pid)? == Some(started) { Err(Error::Immortal { pid }) } else { Ok(()) }
}

/// The process, if it runs: by the number and start time of the one that was started. When these
/// are lost, by the number in its pid file if it has the right command line, because numbers are
/// reused.
///
/// A file that cannot be read is an error. A process that is taken for gone would be replaced, and
/// ended by the rollback.
fn identify(process: &Process, fact: Option<Fact>) -> Result<Option<(Pid, u64)>, Error> {
    let (pid, known) = match fact {
        Some(Fact::Process { pid, start_time }) => (pid, Some(start_time)),
        _ => {
            let text = read(&process.pid_file)?;
            let number = text.and_then(|text| String::from_utf8(text).ok()?.trim().parse().ok());
            let Some(pid) = number else { return Ok(None) };
            let line = read(Path::new(&format!("/proc/{pid}/cmdline")))?.unwrap_or_default();
            if !is_command_line_of(process, &line.split(|byte| *byte == 0).collect::<Vec<_>>()) {
                return Ok(None);
            }
            (pid, None)
        }
    };
    let started = start_time(pid)?.filter(|started| known.is_none_or(|known| known == *started));
    Ok(started.map(|started| (Pid::from_raw(pid), started)))
}

/// A file about a process. `None` when there is none, as when the process has ended.
fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.raw_os_error() == Some(Errno::ESRCH as i32) => Ok(None),
        text => text.map(Some).map_err(Error::file("read", path)),
    }
}

fn is_command_line_of(process: &Process, words: &[&[u8]]) -> bool {
    process.args.iter().all(|argument| words.contains(&argument.as_bytes()))
}

fn find_running(process: &Process) -> Option<(i32, u64)> {
    find(|words| is_command_line_of(process, words))
}

/// Any process with a command line in our network namespace, with its start time. A container may
/// run another process with the same command line. The list is read twice, because it may miss a
/// process that goes to the background at that moment.
pub(super) fn find(is_it: impl Fn(&[&[u8]]) -> bool) -> Option<(i32, u64)> {
    find_where(is_it, is_here)
}

/// The process, if it runs in a network namespace of its own: by what is known of it, or else by
/// its command line.
pub(super) fn running_apart(process: &Process, fact: Option<Fact>) -> Result<Option<(i32, u64)>, Error> {
    if let Some((pid, started)) = identify(process, fact)? {
        return Ok(Some((pid.as_raw(), started)));
    }
    // A container may run another process with the same command line, among processes of its own,
    // and so may another host of a laboratory, with folders of its own.
    let is_apart = |pid: i32| !is_here(pid) && are_same(pid, "pid") && sees_folder_of(pid, process);
    Ok(if fact.is_none() { find_where(|words| is_command_line_of(process, words), is_apart) } else { None })
}

fn find_where(is_it: impl Fn(&[&[u8]]) -> bool, is_there: impl Fn(i32) -> bool) -> Option<(i32, u64)> {
    let look = || {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let mut numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        numbers.find_map(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let found = is_it(&line.split(|byte| *byte == 0).collect::<Vec<_>>()) && is_there(pid);
            found.then(|| Some((pid, start_time(pid).ok()??))).flatten()
        })
    };
    look().or_else(look)
}

fn is_here(pid: i32) -> bool {
    are_same(pid, "net")
}

/// Whether a process is in a namespace of this thread.
fn are_same(pid: i32, kind: &str) -> bool {
    let namespace = |of: String| fs::metadata(format!("/proc/{of}/ns/{kind}")).map(|it| (it.dev(), it.ino())).ok();
    let theirs = namespace(pid.to_string());
    theirs.is_some() && theirs == namespace("thread-self".to_owned())
}

/// Whether the folder that another process has under the name of ours is ours.
fn sees_folder_of(pid: i32, process: &Process) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|it| (it.dev(), it.ino())).ok();
    let folder = process.pid_file.parent().unwrap_or(&process.pid_file);
    let theirs = Path::new(&format!("/proc/{pid}/root")).join(folder.strip_prefix("/").unwrap_or(folder));
    identity(folder).is_some_and(|ours| identity(&theirs) == Some(ours))
}

/// When a process started (proc_pid_stat(5), field 22). `None` when it has ended, even if its
/// parent has not reaped it.
pub(super) fn start_time(pid: i32) -> Result<Option<u64>, Error> {
    let Some(stat) = read(Path::new(&format!("/proc/{pid}/stat")))? else { return Ok(None) };
    Ok(started(&String::from_utf8_lossy(&stat)))
}

fn started(stat: &str) -> Option<u64> {
    // The name, field 2, is in parentheses and may contain any character.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    if matches!(*fields.first()?, "Z" | "X") { None } else { fields.get(19)?.parse().ok() }
}

/// Whether a signal has stopped a process (proc_pid_stat(5), field 3).
fn is_stopped(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, fields)| fields.trim_start().starts_with('T'))
}

fn executable(program: &str) -> Result<PathBuf, Error> {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').filter(|folder| !folder.is_empty()).chain(ADMINISTRATORS);
    let found = folders.map(|folder| Path::new(folder).join(program)).find(|candidate| candidate.is_file());
    found.ok_or_else(|| Error::NoProgram {
        program: program.to_owned(),
        debian: if program == "dnsmasq" { "dnsmasq-base" } else { program }.to_owned(),
        fedora: program.to_owned(),
    })
}
