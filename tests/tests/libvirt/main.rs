//! The libvirt that is installed: its networks are taken over, and what vnet writes is read by it.

#![allow(clippy::unwrap_used, reason = "a test")]

mod hook;
mod import;
mod lab;
mod net_update;
mod take_over;
