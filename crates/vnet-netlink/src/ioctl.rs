//! The system calls for which netlink has no message: those of taps (`linux/if_tun.h`), of network
//! cards (ethtool, `linux/ethtool.h`), and one that does not wait for others. This file has all
//! `unsafe` code of the crate.
#![allow(unsafe_code, reason = "ioctl(2) takes pointers whose type only its number tells")]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::libc::{self, c_char, c_int, c_ulong, ifreq};
use nix::{ioctl_read_bad, ioctl_write_int_bad, ioctl_write_ptr_bad, request_code_read, request_code_write};
use vnet_types::InterfaceName;

const INT: usize = size_of::<c_int>();

// The header declares an int as their argument. In fact TUNSETIFF and TUNGETIFF take a pointer to a
// struct ifreq, and the others take the number itself in place of a pointer.
ioctl_write_ptr_bad!(tunsetiff, request_code_write!(b'T', 202, INT), ifreq);
ioctl_write_int_bad!(tunsetpersist, request_code_write!(b'T', 203, INT));
ioctl_write_int_bad!(tunsetowner, request_code_write!(b'T', 204, INT));
ioctl_write_int_bad!(tunsetgroup, request_code_write!(b'T', 206, INT));
ioctl_read_bad!(tungetiff, request_code_read!(b'T', 210, INT), ifreq);
ioctl_write_ptr_bad!(tunsetvnethdrsz, request_code_write!(b'T', 216, INT), c_int);
ioctl_write_ptr_bad!(siocethtool, libc::SIOCETHTOOL as c_ulong, ifreq);
ioctl_read_bad!(siocgifname, libc::SIOCGIFNAME as c_ulong, ifreq);

/// `struct ethtool_coalesce`: the number of the command, and 22 numbers.
pub(crate) type Coalesce = [u32; 23];

/// Turns an open `/dev/net/tun` into a queue of a tap, or sets the frame format of an open macvtap.
/// For a new tap the name may be a template.
pub(crate) fn set_interface(file: BorrowedFd<'_>, name: &str, flags: c_int) -> Result<(), Errno> {
    let mut request = request(name)?;
    request.ifr_ifru.ifru_flags =
        flags.to_ne_bytes().first_chunk().copied().map(i16::from_ne_bytes).unwrap_or_default();
    // SAFETY: the request outlives the call, and is of the type that TUNSETIFF reads.
    unsafe { tunsetiff(file.as_raw_fd(), &raw const request) }.map(drop)
}

/// The name and the flags of the tap whose queue the file is.
pub(crate) fn interface(file: BorrowedFd<'_>) -> Result<(String, c_int), Errno> {
    let mut request = request("")?;
    // SAFETY: the request outlives the call, and is of the type that TUNGETIFF writes.
    unsafe { tungetiff(file.as_raw_fd(), &raw mut request) }?;
    let name = request.ifr_name.iter().map(|byte| byte.to_ne_bytes()[0]).take_while(|byte| *byte != 0).collect();
    let name = String::from_utf8(name).map_err(|_| Errno::EILSEQ)?;
    // SAFETY: every bit pattern is a number, and TUNGETIFF has written this one.
    Ok((name, c_int::from(unsafe { request.ifr_ifru.ifru_flags })))
}

/// Sets whether a tap stays when its last queue is closed.
pub(crate) fn set_persistent(file: BorrowedFd<'_>, persistent: bool) -> Result<(), Errno> {
    // SAFETY: takes a number.
    unsafe { tunsetpersist(file.as_raw_fd(), c_int::from(persistent)) }.map(drop)
}

/// Sets the user who may open a tap.
pub(crate) fn set_owner(file: BorrowedFd<'_>, user: u32) -> Result<(), Errno> {
    // SAFETY: takes a number, the bits of an unsigned one.
    unsafe { tunsetowner(file.as_raw_fd(), user.cast_signed()) }.map(drop)
}

/// Sets the group that may open a tap.
pub(crate) fn set_group(file: BorrowedFd<'_>, group: u32) -> Result<(), Errno> {
    // SAFETY: takes a number, the bits of an unsigned one.
    unsafe { tunsetgroup(file.as_raw_fd(), group.cast_signed()) }.map(drop)
}

/// Sets the length of the header in front of frames.
pub(crate) fn set_header_length(file: BorrowedFd<'_>, length: c_int) -> Result<(), Errno> {
    // SAFETY: the number outlives the call, which reads it.
    unsafe { tunsetvnethdrsz(file.as_raw_fd(), &raw const length) }.map(drop)
}

/// Reads or sets the interrupt coalescing of a link, depending on the command in the first number.
pub(crate) fn coalesce(socket: impl AsFd, link: &InterfaceName, settings: &mut Coalesce) -> Result<(), Errno> {
    let mut request = request(link.as_str())?;
    request.ifr_ifru.ifru_data = std::ptr::from_mut(settings).cast();
    // SAFETY: both outlive the call, and the settings have the length that their command needs.
    unsafe { siocethtool(socket.as_fd().as_raw_fd(), &raw const request) }.map(drop)
}

/// Looks up the link with an index, without the kernel's lock on links.
pub(crate) fn find(socket: impl AsFd, index: u32) -> Result<(), Errno> {
    let mut request = request("")?;
    request.ifr_ifru.ifru_ifindex = index.cast_signed();
    // SAFETY: the request outlives the call, which reads its index and writes its name.
    unsafe { siocgifname(socket.as_fd().as_raw_fd(), &raw mut request) }.map(drop)
}

fn request(name: &str) -> Result<ifreq, Errno> {
    // SAFETY: it consists of numbers, and of pointers that may be null.
    let mut request: ifreq = unsafe { std::mem::zeroed() };
    if name.len() >= request.ifr_name.len() {
        return Err(Errno::ENAMETOOLONG);
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = c_char::from_ne_bytes([from]);
    }
    Ok(request)
}
