//! Virtual machines for tests: Debian's kernel under qemu, with a file system in memory. They need
//! qemu and busybox, and no privilege.

mod archive;
pub(crate) mod bench;
pub(crate) mod boot;
mod folder;
pub(crate) mod guest;
mod kernel;
pub(crate) mod tests;
