//! The real passt and a guest behind it, promise by promise.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod cli;
mod forwards;
mod guest;
mod host;
mod jack;
mod leases;
mod life;
mod paths;
mod port;
