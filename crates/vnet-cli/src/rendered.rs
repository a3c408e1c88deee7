//! The output of `vnet render`.

use std::path::PathBuf;

use serde::Serialize;
use vnet_driver::Rendering;

/// The part to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum What {
    /// The rules, as `nft -f` loads them; with `--format json` as `nft -j -f` does
    Nft,
    /// dnsmasq's configuration
    Dnsmasq,
    /// The files that dnsmasq reads again: reservations, and names of addresses
    Hosts,
    /// The arguments of passt for a guest's interface, as `passt args` prints them
    Passt,
}

/// A file that would be installed.
#[derive(Serialize)]
pub(crate) struct Rendered {
    /// `None` for rules, which are not in a file.
    path: Option<PathBuf>,
    text: String,
}

impl What {
    /// The requested files of a rendering, without empty ones.
    pub(crate) fn of(self, Rendering { rules, dnsmasq, hosts, .. }: Rendering) -> Vec<Rendered> {
        let rules = rules.map(|rules| Rendered { path: None, text: rules.to_string() });
        let files = match self {
            Self::Nft | Self::Passt => Vec::new(),
            Self::Dnsmasq => dnsmasq.into_iter().collect(),
            Self::Hosts => hosts,
        };
        let files =
            files.into_iter().map(|file| Rendered { path: Some(file.path), text: file.contents.unwrap_or_default() });
        let all = rules.filter(|_| self == Self::Nft).into_iter().chain(files);
        all.filter(|rendered| !rendered.text.is_empty()).collect()
    }
}

/// All files as one text. Several files have their paths as comments.
pub(crate) fn text(files: &[Rendered]) -> String {
    let titled = |file: &Rendered| match &file.path {
        Some(path) if files.len() > 1 => format!("# {}\n{}", path.display(), file.text),
        _ => file.text.clone(),
    };
    files.iter().map(titled).collect()
}
