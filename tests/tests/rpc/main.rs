//! vnetd with libvirt's own clients, and with what they said to libvirt's server.

#![allow(clippy::unwrap_used, clippy::result_large_err, reason = "a test")]

mod definitions;
mod hostile;
mod kills;
mod lab;
mod polkit;
mod program;
mod recording;
mod replay;
mod storm;
mod virsh;
mod words;
