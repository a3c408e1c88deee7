//! Virtual machines for tests: Debian's kernel under qemu, with a file system in memory. They need
//! qemu and busybox, and no privilege.

mod archive;
pub(crate) mod bench;
pub(crate) mod boot;
mod folder;
pub(crate) mod guest;
mod kernel;
pub(crate) mod tests;

/// The processor of the machines. Without KVM each step of it is emulated: with `erms` the kernel
/// copies and clears memory by an instruction that goes on by single bytes, `smap` ends a block of
/// code at each copy to or from a process, and `la57` has tables of pages with one level more.
const PROCESSOR: &str = "max,erms=off,smap=off,smep=off,la57=off";
