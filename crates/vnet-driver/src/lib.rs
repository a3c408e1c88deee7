//! libvirt's network driver as a library: brings a network definition up on this host, and attaches
//! guests to it.
//!
//! A [`Driver`] is opened on a folder of state. Its calls check a definition, alone and on this
//! host; plan, start, change and stop networks; attach and detach guests' interfaces; and report
//! their state. It makes every choice that a definition leaves open, and takes its own lock.
//! Results carry findings about the definition ([`Finding`]), what the host cannot do for it
//! ([`Note`]) and rules of other firewalls that block it ([`Obstacle`]). Nothing is printed.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod containers;
mod definitions;
mod doctor;
mod draft;
mod driver;
mod error;
mod events;
mod features;
mod findings;
mod folders;
mod gc;
mod hooks;
mod imagined;
mod libvirt;
mod manager;
mod network;
mod note;
mod obstacle;
mod ovn;
mod picture;
mod port;
mod receipts;
mod remains;
mod reserved;
mod state;
mod trace;

pub use definitions::{Defined, DefinitionNews, NetworkIdentity, NetworkInfo};
pub use doctor::{Complaint, Diagnosis, Health, Mend, Symptom};
pub use draft::{Draft, HostWish, SubnetWish, Wishes};
pub use driver::Driver;
pub use error::Error;
pub use events::{Event, EventKind, Events};
pub use folders::{RuntimeFolderError, UserFolders};
pub use gc::Collected;
pub use hooks::{HookFailure, HookOperation, HookProblem};
pub use imagined::Imagined;
pub use libvirt::{
    ClientSocket, Exported, Imported, LibvirtCall, LibvirtFolders, LibvirtHookError, LibvirtHookOutcome, TakenOver,
};
pub use network::{
    AddressOfGuest, AddressSource, Attempt, Check, Checker, Counted, Edited, ElementReport, ForwardAct, ForwardUpdate,
    Impact, LeaseOfNetwork, Leases, NetworkOutcome, NetworkStatus, NetworkSummary, Rendering, RunningNetwork,
    Unconfirmed, Update, UpdateOutcome,
};
pub use note::Note;
pub use obstacle::Obstacle;
pub use ovn::{OvnAct, OvnChange, OvnFailure, OvnNetwork, OvnOutcome, OvnPlan, OvnPort, OvnStatus};
pub use picture::{PartKind, Picture, PictureConnection, PicturePart, PicturePromise, TreeLine};
pub use port::{AttachOptions, AttachedPort, Device, PasstOptions, PortOutcome, PortStatus, passt_process};
pub use port::{
    Attachment, ContainerCheck, ContainerOptions, ContainerPort, ContainersLeft, Expectation, ExpectedMtu, Gateway,
    Readiness,
};
pub use state::State;
pub use trace::{TraceAnswer, TraceEnd, TraceRequest, TraceStep};

pub use vnet_firewall::CtState;
pub use vnet_host::{Listed, Named, Unread, Unreadable, Unscoped, delete_links_for_another};
pub use vnet_netlink::Capability;
pub use vnet_plan::Change;
pub use vnet_types::{InterfaceName, KnownPort, NetworkName};
pub use vnet_validate::Finding;
pub use vnet_xml::{Definition, Interface, Network};
