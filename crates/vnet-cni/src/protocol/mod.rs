//! The protocol as values: requests are read, results and errors are printed. Nothing here has
//! effects.

mod environment;
mod failure;
mod head;
mod json;
mod outcome;
mod previous;
mod settings;
mod version;

pub(crate) use environment::Environment;
pub(crate) use failure::Failure;
pub(crate) use head::Head;
pub(crate) use outcome::{Interface, Outcome};
pub(crate) use previous::Previous;
pub(crate) use settings::{Device, Settings};
pub(crate) use version::{Verb, Version, versions, versions_in_words};
