//! Why passt does not run.

use std::io;
use std::path::{Path, PathBuf};

use super::Problem;

/// Why passt does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// passt does not accept the settings.
    #[error(transparent)]
    Arguments(#[from] crate::Error),
    /// The program is in no folder of `PATH`.
    #[error("passt is not installed: {install}")]
    NotInstalled {
        /// How to install it on this system.
        install: &'static str,
    },
    /// The installed passt does not have an option.
    #[error("{} ({version}) has no {option}, which came with {since}", .program.display())]
    Unsupported {
        /// The program.
        program: PathBuf,
        /// Its version, in its own words.
        version: String,
        /// The option.
        option: String,
        /// The first version that has the option.
        since: &'static str,
    },
    /// The process id file is missing, without which passt could not be found again.
    #[error("passt needs a file for its process id: without it, it would not be found again")]
    NoPidFile,
    /// The path is not absolute.
    #[error("{} has to be an absolute path", .0.display())]
    NotAbsolute(PathBuf),
    /// The folder is a link, or somebody else owns it or can write to it.
    #[error("{} is not a folder of user {user} alone: somebody else could put another socket there", .folder.display())]
    NotPrivate {
        /// The folder.
        folder: PathBuf,
        /// The user that passt runs as.
        user: u32,
    },
    /// The path of a file that passt writes is a link, a device or a folder.
    #[error("{} is not an ordinary file: passt would write somewhere else", .path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// Another program listens on the socket.
    #[error("another program listens on {} already", .socket.display())]
    InUse {
        /// The socket.
        socket: PathBuf,
    },
    /// Something on this host prevents it.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Host(Vec<Problem>),
    /// passt ended with an error; this has its own words.
    #[error("passt did not start ({status}): {}", complaint(.stderr))]
    Refused {
        /// Its exit status.
        status: String,
        /// Its error output. Empty for passt in the foreground, which writes to our standard error.
        stderr: String,
    },
    /// passt did not go to the background in time.
    #[error("passt did not go to the background within 5 s, and was ended")]
    Slow,
    /// passt started but does not listen.
    #[error("passt does not listen on {}", .socket.display())]
    NotReady {
        /// The socket.
        socket: PathBuf,
    },
    /// The process did not end although it was killed.
    #[error("process {pid} does not end")]
    Immortal {
        /// Its number.
        pid: i32,
    },
    /// A file, a folder or a program cannot be used.
    #[error("{} cannot be used", .path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The output of passt, without the list of options that it prints after an unknown option.
fn complaint(stderr: &str) -> String {
    let lines = stderr.lines().map(str::trim_end).take_while(|line| !line.starts_with("Usage:"));
    let lines = lines.collect::<Vec<_>>().join("; ");
    if lines.is_empty() { "it said nothing".to_owned() } else { lines }
}

impl Error {
    pub(super) fn file(path: &Path, source: io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }
}
