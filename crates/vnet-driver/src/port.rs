//! Ports, the interfaces of guests: one file for each operation.

mod apply;
mod attach;
mod attached;
mod container;
mod detach;
mod device;
mod diff;
mod follow;
mod list;
mod options;
mod outcome;
mod passt;
mod plan;
mod prepare;
mod put_back;
mod recorded;

pub use attached::AttachedPort;
pub use container::{
    Attachment, ContainerCheck, ContainerOptions, ContainerPort, ContainersLeft, Expectation, ExpectedMtu, Gateway,
    Readiness,
};
pub use device::Device;
pub(crate) use follow::Followed;
pub use list::{PortStatus, passt_process};
pub use options::{AttachOptions, PasstOptions};
pub use outcome::PortOutcome;
pub(crate) use prepare::{Prepared, RECORD};
