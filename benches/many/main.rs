//! What many networks and guests cost, beside an older build in the same run: `cargo xtask bench`.
//!
//! Each build has hosts of its own, with different numbers of networks: processes in namespaces,
//! which do one piece of work after the other and take turns. The numbers are medians.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on says where")]
#![allow(clippy::print_stdout, reason = "a program for people")]

mod host;
mod library;
mod rows;

use std::fs::OpenOptions;
use std::io::Write;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [serve] if serve == host::SERVE => host::serve(),
        [file, before, now] => {
            let text = rows::report(before, now);
            print!("{text}");
            OpenOptions::new().append(true).open(file).unwrap().write_all(text.as_bytes()).unwrap();
        }
        _ => panic!("usage: many RESULTS.md VNET-BEFORE VNET-NOW"),
    }
}
