#![doc = include_str!("../README.md")]

mod answer;
mod budget;
mod connection;
mod news;
mod peer;
mod polkit;
mod queue;
mod refusal;
mod server;
mod session;
mod uri;

pub use server::{RpcServer, RpcSocket};
