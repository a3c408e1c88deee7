//! What can go wrong with a database.

use std::io;

use crate::{Remote, TlsFailure, ValueError};

/// A database could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No server can be used.
    #[error("cannot use the database `{database}`: {}", in_words(.tried))]
    NoServer {
        /// The database.
        database: String,
        /// Each server that was tried, and why it cannot be used.
        tried: Vec<(Remote, Unusable)>,
    },
    /// The server did not answer in time. Whether it has done what was asked is not known.
    #[error("{remote} did not answer `{method}` within {seconds} s, so whether it is done is not known")]
    TimedOut {
        /// The server.
        remote: Remote,
        /// The call.
        method: &'static str,
        /// The time that it was given.
        seconds: u64,
    },
    /// The connection ended before the answer. Whether what was asked is done is not known.
    #[error("{remote} ended the connection before it answered `{method}`, so whether it is done is not known")]
    Ended {
        /// The server.
        remote: Remote,
        /// The call.
        method: &'static str,
        /// The cause, where the connection did not just end.
        source: Option<io::Error>,
    },
    /// A connection with monitors has ended, and what changed meanwhile is not known.
    #[error("the connection that rows were watched over has ended")]
    MonitorsLost,
    /// What the server sent is not OVSDB.
    #[error("{remote} does not speak OVSDB: {what}")]
    Protocol {
        /// The server.
        remote: Remote,
        /// What is wrong.
        what: String,
    },
    /// The server sent more than is read.
    #[error("{remote} sends a message of more than {limit} bytes, which is not read")]
    TooLong {
        /// The server.
        remote: Remote,
        /// The limit.
        limit: usize,
    },
    /// The server refused a call.
    #[error("{remote} refuses `{method}`: {message}")]
    Call {
        /// The server.
        remote: Remote,
        /// The call.
        method: &'static str,
        /// The server's words.
        message: String,
    },
    /// The server refused a transaction, and nothing of it is done.
    #[error("{refusal}{}{}", at(.operation), with(.details))]
    Refused {
        /// The position of the operation that failed, or `None` where all of them together did.
        operation: Option<usize>,
        /// The reason.
        refusal: Refusal,
        /// The server's words.
        details: String,
    },
}

/// Why a server cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unusable {
    /// It cannot be reached.
    #[error("cannot connect ({0})")]
    Connect(#[from] io::Error),
    /// It does not have the database.
    #[error("it does not have this database")]
    NoDatabase,
    /// It has lost the majority of its cluster.
    #[error("it has no connection to the majority of its cluster")]
    NoMajority,
    /// Another server of its cluster is the leader.
    #[error("it is not the leader of its cluster")]
    NotLeader,
    /// TLS fails.
    #[error(transparent)]
    Tls(#[from] TlsFailure),
    /// It failed when it was asked for its databases.
    #[error(transparent)]
    Failed(Box<Error>),
}

/// Why a transaction is refused (RFC 7047, sections 3.1 and 4.1.3).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A value does not fit its column, or an index has it already.
    #[error("a value breaks a rule of the database's schema")]
    ConstraintViolation,
    /// A row would refer to a row that does not exist, or be deleted while another refers to it.
    #[error("a row would refer to one that does not exist")]
    ReferentialIntegrity,
    /// What a `wait` expects is not so: somebody else has changed it.
    #[error("the database is not as the change expects it: somebody else has changed it")]
    NotAsExpected,
    /// Another client has the lock.
    #[error("another client has the lock that the change needs")]
    NotOwner,
    /// A row with this UUID exists already.
    #[error("a row with the chosen UUID exists already")]
    DuplicateUuid,
    /// Two operations use one name for a row.
    #[error("two operations give a row the same name")]
    DuplicateUuidName,
    /// An integer is out of range, or divided by zero.
    #[error("a number is out of range")]
    Range,
    /// The server cannot write or allocate.
    #[error("the server lacks resources")]
    Resources,
    /// The server does not understand an operation: it has no such table or column.
    #[error("the server does not understand the change")]
    NotUnderstood,
    /// The user of the connection may not do that.
    #[error("this client may not do that")]
    NotPermitted,
    /// Another reason, in the server's words.
    #[error("the server refuses: {0}")]
    Other(String),
}

impl Refusal {
    pub(crate) fn from_word(word: &str) -> Self {
        match word {
            "constraint violation" => Self::ConstraintViolation,
            "referential integrity violation" => Self::ReferentialIntegrity,
            "timed out" => Self::NotAsExpected,
            "not owner" => Self::NotOwner,
            "duplicate uuid" => Self::DuplicateUuid,
            "duplicate uuid-name" => Self::DuplicateUuidName,
            "range error" | "domain error" => Self::Range,
            "resources exhausted" | "I/O error" => Self::Resources,
            "syntax error" | "unknown column" | "unknown table" | "unknown database" => Self::NotUnderstood,
            "permission error" | "not allowed" => Self::NotPermitted,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl Error {
    /// Why the server refused the transaction, if it did. Nothing of it is done.
    pub fn refusal(&self) -> Option<&Refusal> {
        if let Self::Refused { refusal, .. } = self { Some(refusal) } else { None }
    }

    /// Whether a connection is of no more use after this error.
    pub(crate) fn ends_connection(&self) -> bool {
        !matches!(self, Self::Call { .. } | Self::Refused { .. })
    }

    pub(crate) fn value(remote: &Remote) -> impl Fn(ValueError) -> Self {
        let remote = remote.clone();
        move |error| Self::Protocol { remote: remote.clone(), what: error.to_string() }
    }
}

fn in_words(tried: &[(Remote, Unusable)]) -> String {
    if tried.is_empty() {
        return "no server was named".to_owned();
    }
    tried.iter().map(|(remote, why)| format!("{remote}: {why}")).collect::<Vec<_>>().join("; ")
}

fn at(operation: &Option<usize>) -> String {
    operation.map(|at| format!(" (operation {})", at + 1)).unwrap_or_default()
}

fn with(details: &str) -> String {
    if details.is_empty() { String::new() } else { format!(": {details}") }
}
