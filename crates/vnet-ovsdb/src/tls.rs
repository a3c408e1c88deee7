//! TLS over TCP, as the programs of Open vSwitch use it: each side shows a certificate that the
//! other's CA has signed, and names count for nothing.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use crate::stream::{Now, left};
use crate::{TlsFailure, TlsFiles, Unusable};

pub(crate) struct Tls {
    connection: ClientConnection,
    stream: TcpStream,
}

impl Tls {
    pub(crate) fn connect(
        tcp: impl FnOnce() -> io::Result<TcpStream>,
        peer: IpAddr,
        files: &TlsFiles,
        deadline: Instant,
    ) -> Result<Self, Unusable> {
        if !has_instructions() {
            return Err(TlsFailure::Processor.into());
        }
        let config = configuration(files)?;
        let unknown = |error: Error| TlsFailure::Other(error.to_string());
        let connection = ClientConnection::new(config.into(), ServerName::IpAddress(peer.into())).map_err(unknown)?;
        let mut tls = Self { connection, stream: tcp()? };
        tls.agree(deadline).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => TlsFailure::Ended.into(),
            _ => failure(&error).map_or(Unusable::Connect(error), |why| name_ca(why, files).into()),
        })?;
        Ok(tls)
    }

    fn agree(&mut self, deadline: Instant) -> io::Result<()> {
        while self.connection.is_handshaking() {
            self.flush(deadline)?;
            if self.connection.is_handshaking() {
                self.receive(deadline)?;
            }
        }
        self.flush(deadline)
    }

    pub(crate) fn read(&mut self, bytes: &mut [u8], deadline: Instant) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return result,
            }
            self.flush(deadline)?;
            self.receive(deadline)?;
        }
    }

    pub(crate) fn read_now(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return result,
            }
            let count = self.connection.read_tls(&mut Now(&self.stream))?;
            self.take(count)?;
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8], deadline: Instant) -> io::Result<usize> {
        let count = self.connection.writer().write(bytes)?;
        self.flush(deadline)?;
        Ok(count)
    }

    fn receive(&mut self, deadline: Instant) -> io::Result<()> {
        self.stream.set_read_timeout(Some(left(deadline)?))?;
        match self.connection.read_tls(&mut self.stream) {
            Ok(count) => self.take(count),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Takes what was read. The peer is told of what is wrong with it.
    fn take(&mut self, count: usize) -> io::Result<()> {
        let taken = self.connection.process_new_packets();
        if let Err(error) = taken {
            self.end();
            return Err(io::Error::new(ErrorKind::InvalidData, error));
        }
        if count == 0 && self.connection.is_handshaking() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    fn flush(&mut self, deadline: Instant) -> io::Result<()> {
        while self.connection.wants_write() {
            self.stream.set_write_timeout(Some(left(deadline)?))?;
            match self.connection.write_tls(&mut self.stream) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Sends what there is left to say, as far as it can be sent without waiting.
    fn end(&mut self) {
        if self.stream.set_nonblocking(true).is_ok() {
            let _ = self.connection.write_tls(&mut self.stream);
        }
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        self.connection.send_close_notify();
        self.end();
    }
}

/// What an error of a connection says of TLS; `None` where it is about something else.
pub(crate) fn failure(error: &io::Error) -> Option<TlsFailure> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    Some(match error {
        Error::AlertReceived(alert) => TlsFailure::Refused(format!("{alert:?}")),
        Error::InvalidCertificate(why) => match why {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                TlsFailure::Untrusted { ca_cert: Default::default() }
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => TlsFailure::OutOfTime(why.to_string()),
            _ => TlsFailure::Certificate(why.to_string()),
        },
        _ => TlsFailure::Other(error.to_string()),
    })
}

fn name_ca(mut failure: TlsFailure, files: &TlsFiles) -> TlsFailure {
    if let TlsFailure::Untrusted { ca_cert } = &mut failure {
        ca_cert.clone_from(&files.ca_cert);
    }
    failure
}

fn configuration(files: &TlsFiles) -> Result<ClientConfig, TlsFailure> {
    let provider = Arc::new(rustls_graviola::default_provider());
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&files.ca_cert)? {
        roots.add(certificate).map_err(|error| invalid(&files.ca_cert, error))?;
    }
    let bytes = read(&files.private_key)?;
    let key = PrivateKeyDer::from_pem_slice(&bytes)
        .map_err(|error| invalid(&files.private_key, format!("a private key without a passphrase, in PEM: {error}")))?;
    let verifier = SignedByCa { roots, algorithms: provider.signature_verification_algorithms };
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsFailure::Other(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(certificates(&files.certificate)?, key)
        .map_err(|error| match error {
            Error::InconsistentKeys(_) => {
                TlsFailure::OtherKey { private_key: files.private_key.clone(), certificate: files.certificate.clone() }
            }
            Error::InvalidCertificate(why) => invalid(&files.certificate, why),
            error => invalid(&files.private_key, error),
        })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFailure> {
    let bytes = read(path)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match all {
        Ok(all) if all.is_empty() => Err(invalid(path, "it has no certificate in PEM")),
        all => all.map_err(|error| invalid(path, error)),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsFailure> {
    fs::read(path).map_err(|source| TlsFailure::File { path: path.to_owned(), source })
}

fn invalid(path: &Path, why: impl ToString) -> TlsFailure {
    TlsFailure::Content { path: path.to_owned(), why: why.to_string() }
}

/// Whether this processor has what the library for cryptography takes for granted. It ends the
/// process otherwise.
fn has_instructions() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("aes")
        && is_x86_feature_detected!("pclmulqdq")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("adx")
        && is_x86_feature_detected!("ssse3")
        && is_x86_feature_detected!("avx2");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("neon")
        && std::arch::is_aarch64_feature_detected!("aes")
        && std::arch::is_aarch64_feature_detected!("pmull")
        && std::arch::is_aarch64_feature_detected!("sha2");
}

/// Accepts a server whose certificate a CA of these has signed. The name is not compared: what
/// `ovs-pki` writes there is not that of a host, and no program of Open vSwitch looks.
#[derive(Debug)]
struct SignedByCa {
    roots: RootCertStore,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for SignedByCa {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = ParsedCertificate::try_from(certificate)?;
        let algorithms = self.algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&certificate, &self.roots, intermediates, now, algorithms)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
