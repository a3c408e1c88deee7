//! A real guest: qemu with a kernel, busybox and one network card, controlled through its console.
//!
//! `cargo xtask guest` makes the image. Without it, `cfg(guest_image)` marks the tests that boot
//! guests as ignored.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// The time limit for booting a guest, and for one command. Only qemu's interpreter runs it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running guest. It is killed when the value is dropped.
#[derive(Debug)]
pub struct Guest {
    /// `None` when somebody else runs it.
    machine: Option<Child>,
    commands: File,
    console: Receiver<String>,
}

impl Guest {
    /// Boots a guest. `arguments` define its network card, such as `-netdev tap,… -device
    /// virtio-net-pci,…`.
    ///
    /// # Panics
    /// With the guest's output, when it does not boot.
    pub fn boot(arguments: &[&str]) -> Self {
        Self::boot_by(Command::new("qemu-system-x86_64"), arguments)
    }

    /// Like [`Guest::boot`], through a program that drops privileges, such as setpriv(1) with its
    /// arguments and qemu's name.
    ///
    /// # Panics
    /// With the guest's output, when it does not boot.
    pub fn boot_by(mut qemu: Command, arguments: &[&str]) -> Self {
        // With erms the kernel copies memory by single bytes, each of which is emulated.
        qemu.args(["-machine", "q35", "-accel", "tcg", "-cpu", "max,erms=off,smap=off,smep=off,la57=off"]);
        qemu.args(["-m", "192"]);
        qemu.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio"]);
        qemu.arg("-kernel").arg(Self::image("vmlinuz")).arg("-initrd").arg(Self::image("guest.cpio"));
        qemu.args(["-append", Self::KERNEL]);
        qemu.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut machine = qemu.spawn().unwrap_or_else(|error| panic!("{qemu:?}: {error}"));
        let commands = machine.stdin.take().expect("it was asked for");
        let console = lines(machine.stdout.take().expect("it was asked for"));
        let mut guest = Self { machine: Some(machine), commands: File::from(OwnedFd::from(commands)), console };
        guest.answer("booting");
        guest
    }

    /// A guest with the image's kernel that another program runs, by the socket of its serial port.
    /// `boot` lets it boot.
    ///
    /// # Panics
    /// With the guest's output, when it does not boot.
    pub fn at(socket: &Path, boot: impl FnOnce()) -> Self {
        let stream = UnixStream::connect(socket).unwrap_or_else(|error| panic!("{}: {error}", socket.display()));
        let console = lines(stream.try_clone().expect("a second descriptor"));
        boot();
        let mut guest = Self { machine: None, commands: File::from(OwnedFd::from(stream)), console };
        guest.answer("booting");
        guest
    }

    /// A file of the image: `vmlinuz` or `guest.cpio`.
    pub fn image(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/vm").join(name)
    }

    /// What the kernel is told.
    pub const KERNEL: &str = "console=ttyS0 quiet panic=-1 tsc=reliable mitigations=off";

    /// Runs a shell command in the guest, and returns its output.
    ///
    /// # Panics
    /// With its output, when it fails or does not end.
    pub fn run(&mut self, line: &str) -> String {
        let (status, output) = self.try_run(line);
        assert_eq!(status, "0", "`{line}` in the guest failed:\n{output}");
        output
    }

    /// Runs a shell command in the guest until it succeeds, and returns its output: a packet may be
    /// lost, and a busy machine may be slow.
    ///
    /// # Panics
    /// With its last output, when it goes on failing.
    pub fn until(&mut self, line: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.try_run(line) {
                (status, output) if status == "0" => return output,
                (_, output) if Instant::now() > deadline => panic!("`{line}` in the guest goes on failing:\n{output}"),
                _ => {}
            }
        }
    }

    /// Whether a shell command succeeds in the guest.
    ///
    /// # Panics
    /// When it does not end.
    pub fn can(&mut self, line: &str) -> bool {
        self.try_run(line).0 == "0"
    }

    fn try_run(&mut self, line: &str) -> (String, String) {
        writeln!(self.commands, "{line}").expect("the guest's console takes it");
        self.answer(line)
    }

    /// The console's output up to `@` and an exit status.
    fn answer(&mut self, to: &str) -> (String, String) {
        let deadline = Instant::now() + PATIENCE;
        let mut output = String::new();
        loop {
            match self.console.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => match line.strip_prefix('@') {
                    Some(status) => return (status.to_owned(), output.trim().to_owned()),
                    None => output = output + &line + "\n",
                },
                Err(RecvTimeoutError::Timeout) => panic!("`{to}` took the guest more than {PATIENCE:?}:\n{output}"),
                Err(RecvTimeoutError::Disconnected) => panic!("`{to}`: qemu has ended:\n{output}"),
            }
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if let Some(machine) = &mut self.machine {
            let _ = machine.kill();
            let _ = machine.wait();
        }
    }
}

/// The lines of a console, as they come.
fn lines(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, console) = channel();
    thread::spawn(move || {
        let lines = BufReader::new(output).split(b'\n').map_while(Result::ok);
        let mut lines = lines.map(|line| String::from_utf8_lossy(&line).trim_end().to_owned());
        lines.try_for_each(|line| sender.send(line)).ok();
    });
    console
}
