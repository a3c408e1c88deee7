//! libvirt network XML: read with places, printed as libvirt prints it.

mod bridge_name;
pub mod network;
mod problem;
mod source;
mod spelled;

pub use bridge_name::{BridgeName, BridgeNameError, BridgeTemplate};
pub use network::Network;
pub use problem::{Code, Problem, Rule, Severity};
pub use source::{Path, SourceMap, Span};
pub use spelled::Spelled;

/// What a text holds, as far as it could be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parsed<T> {
    /// The value. `None` where the text is not well-formed or something else altogether. Where `problems` has an
    /// error, it lacks what could not be understood: good for finding more, not for use.
    pub value: Option<T>,
    /// Everything that reading found, in the order of the text.
    pub problems: Vec<Problem>,
    /// Where everything stands.
    pub source: SourceMap,
}
