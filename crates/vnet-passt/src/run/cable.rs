//! A cable from a device to passt. It sends frames as QEMU's `-netdev stream` does: in a stream,
//! each after its length (4 bytes, big endian).

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};

/// Longer than any frame, even one that the kernel has not segmented yet.
const ROOM: usize = 1 << 17;

/// Connects a guest's device to passt until this value is dropped or passt ends.
///
/// ```no_run
/// # fn tap() -> std::os::fd::OwnedFd { unimplemented!() }
/// use vnet_passt::run::Cable;
///
/// let cable = Cable::plug(tap(), "/run/user/1000/vm/passt.socket".as_ref())?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Cable(Arc<UnixStream>);

impl Cable {
    /// Connects a guest to the passt that listens on a socket. Each read of `frames` gives a frame
    /// from the guest, each write is a frame to it: use a tap without `IFF_VNET_HDR`, or a packet
    /// socket that is bound to a device.
    ///
    /// # Errors
    /// [`io::Error`] if nothing listens on the socket.
    pub fn plug(frames: OwnedFd, socket: &Path) -> io::Result<Self> {
        let stream = Arc::new(UnixStream::connect(socket)?);
        let frames = Arc::new(File::from(frames));
        let (to_guest, from_passt) = (Arc::clone(&frames), Arc::clone(&stream));
        thread::spawn(move || carry_in(&from_passt, &to_guest));
        let to_passt = Arc::clone(&stream);
        thread::spawn(move || carry_out(&frames, &to_passt));
        Ok(Self(stream))
    }
}

impl Drop for Cable {
    /// Disconnects the device.
    fn drop(&mut self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

fn carry_in(mut stream: &UnixStream, mut frames: &File) -> io::Result<()> {
    let mut frame = vec![0; ROOM];
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        let frame = frame.get_mut(..length).ok_or(io::ErrorKind::InvalidData)?;
        stream.read_exact(frame)?;
        // A frame that the guest has no room for is lost, as on a real cable.
        let _ = frames.write(frame);
    }
}

fn carry_out(mut frames: &File, mut stream: &UnixStream) -> io::Result<()> {
    let mut message = vec![0; 4 + ROOM];
    loop {
        let mut ends = [PollFd::new(frames, PollFlags::IN), PollFd::new(stream, PollFlags::empty())];
        poll(&mut ends, None)?;
        if !ends[1].revents().is_empty() {
            return Ok(());
        }
        let length = frames.read(&mut message[4..])?;
        message[..4].copy_from_slice(&u32::try_from(length).expect("a frame is short").to_be_bytes());
        // Length and frame are written in one call, so that passt does not read one without the
        // other.
        stream.write_all(&message[..4 + length])?;
    }
}
