//! The libvirt releases whose forms of a document differ.

use vnet_xml::Libvirt;

/// A release of libvirt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Release {
    /// Up to 12.7
    #[value(name = "11")]
    Eleven,
    /// Since 12.8: an empty `<ip …/>` is one tag, a default route needs no destination
    #[value(name = "12")]
    Twelve,
}

impl From<Release> for Libvirt {
    fn from(release: Release) -> Self {
        match release {
            Release::Eleven => Self::V11,
            Release::Twelve => Self::V12,
        }
    }
}
