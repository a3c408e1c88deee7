//! The `<network>` document.

mod model;

pub use model::*;
