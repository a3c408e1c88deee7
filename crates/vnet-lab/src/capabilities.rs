//! A thread without capabilities (capabilities(7)).
#![allow(unsafe_code)]

use nix::errno::Errno;
use nix::libc;

/// Runs a closure in a thread without any capability, like that of an ordinary user.
///
/// # Panics
/// When the closure panics.
pub fn without_capabilities<T: Send>(inside: impl FnOnce() -> T + Send) -> T {
    let give_up = || {
        // `struct __user_cap_header_struct` of version 3 for this thread, and three empty sets of
        // 64 bits.
        let (header, none) = ([0x2008_0522_u32, 0], [0_u32; 6]);
        // SAFETY: capset(2) reads the two values, which have the sizes that it expects.
        let result = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) };
        Errno::result(result).expect("anybody may give up capabilities");
        inside()
    };
    let ended = std::thread::scope(|scope| scope.spawn(give_up).join());
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
