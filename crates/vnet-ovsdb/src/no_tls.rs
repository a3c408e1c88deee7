//! What is left without the feature `tls`: no connection over TLS is made.

use std::io;
use std::net::{IpAddr, TcpStream};
use std::time::Instant;

use crate::{TlsFailure, TlsFiles, Unusable};

/// There is none.
pub(crate) enum Tls {}

impl Tls {
    pub(crate) fn connect(
        _: impl FnOnce() -> io::Result<TcpStream>,
        _: IpAddr,
        _: &TlsFiles,
        _: Instant,
    ) -> Result<Self, Unusable> {
        Err(TlsFailure::NotBuilt.into())
    }

    pub(crate) fn read(&mut self, _: &mut [u8], _: Instant) -> io::Result<usize> {
        match *self {}
    }

    pub(crate) fn read_now(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }

    pub(crate) fn write(&mut self, _: &[u8], _: Instant) -> io::Result<usize> {
        match *self {}
    }
}

pub(crate) fn failure(_: &io::Error) -> Option<TlsFailure> {
    None
}
