//! `<backend>`: the program that moves a guest's packets.

use std::fmt;

use crate::element::Element;
use crate::grammar::Grammar;
use crate::value::{text, word};
use crate::write::Writer;

/// `<backend>`: the program that moves the guest's packets, and the files that it uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct Backend {
    /// `type`; the hypervisor itself if absent.
    pub kind: Option<BackendType>,
    /// `tap`: the device file of taps; `/dev/net/tun` if absent.
    pub tap: Option<String>,
    /// `vhost`: the device file of vhost-net; `/dev/vhost-net` if absent.
    pub vhost: Option<String>,
    /// `logFile`: the log file of passt.
    pub log_file: Option<String>,
    /// `hostname`: the host name that passt offers by DHCP; since libvirt 11.8.
    pub hostname: Option<String>,
    /// `fqdn`: the full name that passt offers by DHCP; since libvirt 11.8.
    pub fqdn: Option<String>,
}

/// `<backend type>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum BackendType {
    /// `passt`: <https://passt.top>, since libvirt 9.0.
    Passt,
}

impl Backend {
    /// passt, with its defaults.
    pub fn passt() -> Self {
        Self { kind: Some(BackendType::Passt), ..Self::default() }
    }
}

pub(super) static GRAMMAR: Grammar =
    Grammar::new(&["type", "tap", "vhost", "logFile", "upstream", "hostname", "fqdn"], &[]);

/// Reads `<backend>`; `None` if it sets nothing.
pub(super) fn backend(element: &Element<'_>) -> Option<Backend> {
    element.expect(&GRAMMAR);
    let backend = Backend {
        kind: element
            .filled("type", |text| word(text, &[("passt", Some(BackendType::Passt)), ("default", None)]))
            .flatten(),
        tap: element.filled("tap", path),
        vhost: element.filled("vhost", path),
        log_file: element.filled("logFile", text),
        hostname: element.filled("hostname", text),
        fqdn: element.filled("fqdn", text),
    };
    (backend != Backend::default()).then_some(backend)
}

/// A path without repeated slashes, except two slashes at the start, which mean something on some
/// systems.
fn path(text: &str) -> Result<String, String> {
    let (start, rest) = text.split_at(text.len() - text.trim_start_matches('/').len());
    let parts = rest.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
    let start = if start.len() == 2 { "//" } else { &start[..start.len().min(1)] };
    Ok(format!("{start}{parts}"))
}

impl Backend {
    /// Writes `vhost` for virtio models only, which alone use it.
    pub(super) fn write(&self, writer: &mut Writer<'_>, virtio: bool) -> fmt::Result {
        let shown = Self { vhost: self.vhost.clone().filter(|_| virtio), ..self.clone() };
        if shown == Self::default() {
            return Ok(());
        }
        let tag = writer.tag("backend")?.optional("type", shown.kind.map(|BackendType::Passt| "passt"))?;
        let tag =
            tag.optional("tap", shown.tap)?.optional("vhost", shown.vhost)?.optional("logFile", shown.log_file)?;
        tag.optional("hostname", shown.hostname)?.optional("fqdn", shown.fqdn)?.empty()
    }
}
