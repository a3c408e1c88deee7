//! Why passt does not run.

use std::io;
use std::path::{Path, PathBuf};

use super::Problem;

/// Why passt does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// passt cannot be told so.
    #[error(transparent)]
    Arguments(#[from] crate::Error),
    /// The program is in no folder of `PATH`.
    #[error("passt is not installed: {install}")]
    NotInstalled {
        /// What to do, on this system.
        install: &'static str,
    },
    /// This passt is older than an option.
    #[error("{} ({version}) has no {option}, which came with {since}", .program.display())]
    Unsupported {
        /// The program.
        program: PathBuf,
        /// Its version, in its own words.
        version: String,
        /// The option.
        option: String,
        /// The first version that has it.
        since: &'static str,
    },
    /// Without a file for its number, passt would not be found again.
    #[error("passt needs a file for its process id: without it, it would not be found again")]
    NoPidFile,
    /// A path that depends on the working directory.
    #[error("{} has to be an absolute path", .0.display())]
    NotAbsolute(PathBuf),
    /// A folder that somebody else owns or may write to, or a link.
    #[error("{} is not a folder of user {user} alone: somebody else could put another socket there", .folder.display())]
    NotPrivate {
        /// The folder.
        folder: PathBuf,
        /// The user that passt runs as.
        user: u32,
    },
    /// A link, a device or a folder in the place of a file that passt writes.
    #[error("{} is not an ordinary file: passt would write somewhere else", .path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// Somebody listens on the socket.
    #[error("another program listens on {} already", .socket.display())]
    InUse {
        /// The socket.
        socket: PathBuf,
    },
    /// What this host has, or has not, is in the way.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Host(Vec<Problem>),
    /// passt ended with an error, in its own words.
    #[error("passt did not start ({status}): {}", complaint(.stderr))]
    Refused {
        /// How it ended.
        status: String,
        /// What it said. Nothing in the foreground, where it has our standard error.
        stderr: String,
    },
    /// passt did not go to the background.
    #[error("passt did not go to the background within 5 s, and was ended")]
    Slow,
    /// passt started and does not listen.
    #[error("passt does not listen on {}", .socket.display())]
    NotReady {
        /// The socket.
        socket: PathBuf,
    },
    /// It did not end although it was killed.
    #[error("process {pid} does not end")]
    Immortal {
        /// Its number.
        pid: i32,
    },
    /// A file, a folder or a program that cannot be used.
    #[error("{} cannot be used", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// All that passt said, without the list of its options that follows one that it does not take.
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
