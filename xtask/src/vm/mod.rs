//! Virtual machines of the tests: Debian's kernel under qemu, with a file system in memory. Nothing
//! is installed for them but qemu and busybox, and no privilege is needed.

mod archive;
mod folder;
pub(crate) mod guest;
mod kernel;
pub(crate) mod tests;
