//! Cables between taps: frames that this program carries.
//!
//! A tap that nobody has asked for offloads has the kernel fill in checksums, which a veth does
//! not: Open vSwitch in userspace would forward packets with half of them.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::thread;

use crate::Error;

/// Longer than any frame, even one that the kernel has not yet cut into segments.
const ROOM: usize = 1 << 17;

/// Carries frames between two taps, such as a port's and that of a guest's card, until one of them
/// is gone. A frame that a tap refuses, as while it is down, is lost.
///
/// # Errors
/// [`Error`] when no file descriptor is left.
pub fn join(one: OwnedFd, other: OwnedFd) -> Result<(), Error> {
    let (one, other) = (File::from(one), File::from(other));
    let copy = |file: &File| file.try_clone().map_err(Error::doing("copy the handle of a tap"));
    let (back, forth) = (copy(&one)?, copy(&other)?);
    thread::spawn(move || carry(one, forth));
    thread::spawn(move || carry(other, back));
    Ok(())
}

fn carry(mut from: File, mut to: File) {
    let mut frame = vec![0; ROOM];
    while let Ok(length) = from.read(&mut frame) {
        let _ = to.write(&frame[..length]);
    }
}
