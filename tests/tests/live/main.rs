//! A network is changed while guests run: what becomes of their packets, what a killed change lets
//! through, and whether the result is that of a fresh start.
#![allow(clippy::unwrap_used, reason = "a test")]

mod begun;
mod chains;
mod closed;
mod definitions;
#[allow(dead_code, reason = "others use all of it")]
#[path = "../stack/guest.rs"]
mod guest;
mod matrix;
mod seen;
mod stream;
