//! Guests on taps of `vnet attach` with a stack of their own: what they get of their network, and
//! how much.
#![allow(clippy::unwrap_used, reason = "a test")]

mod bandwidth;
mod guest;
mod lease;
mod update;
