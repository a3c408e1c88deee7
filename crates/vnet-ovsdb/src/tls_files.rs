//! What a client proves itself by, and what can be wrong with it.

use std::io;
use std::path::PathBuf;

/// The files that a connection over TLS takes, all in PEM. They are those of `ovs-vsctl
/// --private-key`, `--certificate` and `--ca-cert`, and there is no default, as for that program.
/// They are read anew for each connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsFiles {
    /// The client's private key, without a passphrase.
    pub private_key: PathBuf,
    /// The client's certificate. Those of authorities between it and the CA may follow in the file.
    pub certificate: PathBuf,
    /// The certificates of those who may have signed the server's.
    pub ca_cert: PathBuf,
}

impl TlsFiles {
    /// Names the files.
    pub fn new(private_key: impl Into<PathBuf>, certificate: impl Into<PathBuf>, ca_cert: impl Into<PathBuf>) -> Self {
        Self { private_key: private_key.into(), certificate: certificate.into(), ca_cert: ca_cert.into() }
    }
}

/// Why there is no connection over TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsFailure {
    /// The crate is built without it.
    #[error("this program is built without TLS")]
    NotBuilt,
    /// The processor lacks instructions that the library for cryptography takes for granted.
    #[error("this processor lacks instructions that TLS is built with here (AES, AVX2 and ADX, or those of ARMv8)")]
    Processor,
    /// No files were named.
    #[error("no private key, certificate and CA certificate are named for it")]
    NoFiles,
    /// A file cannot be read.
    #[error("cannot read `{}` ({source})", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file does not have what it should.
    #[error("cannot use `{}`: {why}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The certificate is that of another key.
    #[error("the certificate `{}` is not that of the private key `{}`", certificate.display(), private_key.display())]
    OtherKey {
        /// The private key.
        private_key: PathBuf,
        /// The certificate.
        certificate: PathBuf,
    },
    /// The server's certificate is signed by somebody else.
    #[error("its certificate is not signed by a CA of `{}`", ca_cert.display())]
    Untrusted {
        /// The file with the certificates of those who may have signed it.
        ca_cert: PathBuf,
    },
    /// The server's certificate is not valid any more, or not yet.
    #[error("its certificate is not valid now ({0})")]
    OutOfTime(String),
    /// The server's certificate is invalid for another reason.
    #[error("its certificate is invalid ({0})")]
    Certificate(String),
    /// The server refuses, in general the client's certificate.
    #[error("it refuses the connection ({0})")]
    Refused(String),
    /// The server ended the connection while TLS was agreed on.
    #[error("it ends the connection where TLS should begin")]
    Ended,
    /// Something else.
    #[error("TLS fails ({0})")]
    Other(String),
}
