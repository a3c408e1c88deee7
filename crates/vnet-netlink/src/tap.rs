//! Taps and macvtaps: the files that carry a guest's frames (Documentation/networking/tuntap.rst).

use std::fmt;
use std::fs::OpenOptions;
use std::num::NonZeroU16;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use nix::errno::Errno;
use nix::libc::{IFF_MULTI_QUEUE, IFF_NO_PI, IFF_TAP, IFF_VNET_HDR, c_int};
use vnet_types::{InterfaceName, LinkKind, NameError, TapOptions};

use crate::{Cause, Error, Netlink, Operation, Refused, ioctl};

const DEVICE: &str = "/dev/net/tun";
/// Flag of [`ioctl::set_interface`]: do not open an existing tap.
const IFF_TUN_EXCL: c_int = 0x8000;

/// An open tap or macvtap.
///
/// Each queue is a file to read frames from and write frames to. A tap that is not
/// [persistent](Tap::persist) is gone when the last one is closed.
///
/// ```no_run
/// use std::num::NonZeroU16;
/// use vnet_netlink::Tap;
/// use vnet_types::TapOptions;
///
/// let tap = Tap::create(&"vnet%d".parse()?, &TapOptions::default(), NonZeroU16::MIN)?;
/// println!("the guest's frames pass by {}", tap.name());
/// let [queue] = tap.into_queues().try_into().expect("one was asked for");
/// # let _: std::os::fd::OwnedFd = queue;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Tap {
    name: InterfaceName,
    queues: Vec<OwnedFd>,
}

/// The name of a tap to create: a complete name, or a template with `%d`, which the kernel replaces
/// by the first free number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapName(String);

/// A text that is not a [`TapName`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TapNameError {
    /// The text.
    pub text: String,
    /// Why it is not a name, if it has no `%d`.
    pub name: Option<NameError>,
}

impl Tap {
    /// Creates a tap in the network namespace of this thread, and opens it.
    ///
    /// With more than one queue it is a multi-queue tap, even if the options do not say so.
    ///
    /// # Errors
    /// [`Error::is_exists`] for a name that is taken. [`Cause::TunDevice`] if `/dev/net/tun` cannot
    /// be opened; [`Cause::UnmappedUser`] and [`Cause::UnmappedGroup`] for an owner who does not
    /// exist in this user namespace.
    pub fn create(name: &TapName, options: &TapOptions, queues: NonZeroU16) -> Result<Self, Error> {
        let named = || format!("tap {name}");
        let options = TapOptions { multi_queue: options.multi_queue || queues.get() > 1, ..*options };
        let first = open(Path::new(DEVICE)).map_err(|errno| tun_device(errno, Operation::Add, named()))?;
        let refused = |errno| Operation::Add.of(named())(Refused::from_errno(errno as i32));
        // With EXCL the kernel answers EBUSY.
        let exists = |errno| if errno == Errno::EBUSY { Errno::EEXIST } else { errno };
        ioctl::set_interface(first.as_fd(), &name.0, flags(&options) | IFF_TUN_EXCL)
            .map_err(|errno| refused(exists(errno)))?;
        let (actual, _) = ioctl::interface(first.as_fd()).map_err(refused)?;
        if let Some(user) = options.owner {
            ioctl::set_owner(first.as_fd(), user)
                .map_err(|errno| refused(errno).because(errno == Errno::EINVAL, Cause::UnmappedUser(user)))?;
        }
        if let Some(group) = options.group {
            ioctl::set_group(first.as_fd(), group)
                .map_err(|errno| refused(errno).because(errno == Errno::EINVAL, Cause::UnmappedGroup(group)))?;
        }
        let name = actual.parse().map_err(|_| refused(Errno::EILSEQ))?;
        let mut tap = Self { name, queues: vec![first] };
        for _ in 1..queues.get() {
            tap.queues.push(queue(&tap.name, &options, Operation::Add)?);
        }
        Ok(tap)
    }

    /// Opens an existing tap in the network namespace of this thread. The user or group that owns
    /// it needs no capability.
    ///
    /// # Errors
    /// [`Error::is_not_found`]; [`Cause::NotATap`]; [`Cause::SingleQueue`] and
    /// [`Cause::MultiQueue`] if the number of queues does not fit the tap; [`Cause::Busy`] if
    /// another program has the queues; [`Error::is_permission_denied`] if the caller does not own
    /// the tap.
    pub fn open(name: &InterfaceName, queues: NonZeroU16) -> Result<Self, Error> {
        let refused = |errno: Errno| Operation::Open.of(format_args!("tap {name}"))(Refused::from_errno(errno as i32));
        let look = || -> Result<(u32, TapOptions), Error> {
            match Netlink::open()?.link(name)? {
                Some(known) => match known.link.kind {
                    LinkKind::Tap(options) => Ok((known.index, options)),
                    _ => Err(refused(Errno::EINVAL).because(true, Cause::NotATap)),
                },
                None => Err(refused(Errno::ENODEV)),
            }
        };
        let (index, options) = look()?;
        if queues.get() > 1 && !options.multi_queue {
            return Err(refused(Errno::EINVAL).because(true, Cause::SingleQueue));
        }
        let opened = (0..queues.get()).map(|_| queue(name, &options, Operation::Open)).collect::<Result<_, _>>()?;
        // If the tap was deleted meanwhile, opening has created another one, which closing deletes.
        if look()?.0 != index {
            return Err(refused(Errno::ENODEV));
        }
        Ok(Self { name: name.clone(), queues: opened })
    }

    /// Opens a macvtap by its device node, `/dev/tapN`, where N is its index.
    ///
    /// # Errors
    /// [`Cause::NoDeviceNode`] if it does not exist, as in a container;
    /// [`Error::is_permission_denied`] if the caller may not use it.
    pub fn open_macvtap(name: &InterfaceName, vnet_hdr: bool, queues: NonZeroU16) -> Result<Self, Error> {
        let refused =
            |errno: Errno| Operation::Open.of(format_args!("macvtap {name}"))(Refused::from_errno(errno as i32));
        let known = Netlink::open()?.link(name)?.ok_or_else(|| refused(Errno::ENODEV))?;
        if !matches!(known.link.kind, LinkKind::Macvtap(_)) {
            return Err(refused(Errno::EINVAL).because(true, Cause::NotATap));
        }
        let options = TapOptions { multi_queue: queues.get() > 1, vnet_hdr, ..TapOptions::default() };
        let node = Self::device_node(known.index);
        let queue = |_| {
            let file = open(&node)
                .map_err(|errno| refused(errno).because(errno == Errno::ENOENT, Cause::NoDeviceNode(node.clone())))?;
            ioctl::set_interface(file.as_fd(), "", flags(&options)).map_err(refused)?;
            Ok(file)
        };
        let queues = (0..queues.get()).map(queue).collect::<Result<_, Error>>()?;
        Ok(Self { name: name.clone(), queues })
    }

    /// The file of the macvtap with this index.
    pub fn device_node(index: u32) -> PathBuf {
        PathBuf::from(format!("/dev/tap{index}"))
    }

    /// Its name.
    pub fn name(&self) -> &InterfaceName {
        &self.name
    }

    /// The files, one for each queue.
    pub fn queues(&self) -> &[OwnedFd] {
        &self.queues
    }

    /// Gives the files to the caller.
    pub fn into_queues(self) -> Vec<OwnedFd> {
        self.queues
    }

    /// Sets whether a tap stays when its last queue is closed, until [`Netlink::delete_link`].
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn persist(&self, persistent: bool) -> Result<(), Error> {
        self.first(|file| ioctl::set_persistent(file, persistent))
    }

    /// Sets the length of the header in front of each frame, in bytes, on every queue of a tap with
    /// `vnet_hdr`. The default is 10; virtio 1.0 uses 12.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn set_header_length(&self, length: u16) -> Result<(), Error> {
        self.first(|file| ioctl::set_header_length(file, c_int::from(length)))
    }

    fn first(&self, call: impl Fn(std::os::fd::BorrowedFd<'_>) -> Result<(), Errno>) -> Result<(), Error> {
        let changed = self.queues.iter().try_for_each(|queue| call(queue.as_fd()));
        let refused = |errno| Refused::from_errno(errno as i32);
        changed.map_err(refused).map_err(Operation::Change.of(format_args!("tap {}", self.name)))
    }
}

fn queue(name: &InterfaceName, options: &TapOptions, operation: Operation) -> Result<OwnedFd, Error> {
    let named = || format!("tap {name}");
    let file = open(Path::new(DEVICE)).map_err(|errno| tun_device(errno, operation, named()))?;
    ioctl::set_interface(file.as_fd(), name.as_str(), flags(options)).map_err(|errno| {
        let mismatch = if options.multi_queue { Cause::SingleQueue } else { Cause::MultiQueue };
        let error = operation.of(named())(Refused::from_errno(errno as i32));
        error
            .because(errno == Errno::EBUSY, Cause::Busy)
            .because(errno == Errno::EINVAL, mismatch)
            .because(errno == Errno::E2BIG, Cause::TooManyQueues)
    })?;
    Ok(file)
}

fn open(path: &Path) -> Result<OwnedFd, Errno> {
    let file = OpenOptions::new().read(true).write(true).open(path).map(OwnedFd::from);
    file.map_err(|error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))
}

fn tun_device(errno: Errno, operation: Operation, object: String) -> Error {
    operation.of(object)(Refused::from_errno(errno as i32)).because(true, Cause::TunDevice)
}

fn flags(options: &TapOptions) -> c_int {
    let queues = if options.multi_queue { IFF_MULTI_QUEUE } else { 0 };
    let header = if options.vnet_hdr { IFF_VNET_HDR } else { 0 };
    IFF_TAP | IFF_NO_PI | queues | header
}

impl From<&InterfaceName> for TapName {
    fn from(name: &InterfaceName) -> Self {
        Self(name.as_str().to_owned())
    }
}

impl FromStr for TapName {
    type Err = TapNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = |name| TapNameError { text: text.to_owned(), name };
        let Some((before, after)) = text.split_once("%d") else {
            return text.parse::<InterfaceName>().map(|name| Self::from(&name)).map_err(|error| bad(Some(error)));
        };
        // With a digit in place of `%d` it must be a valid name, and the template itself must fit
        // as well.
        let example = format!("{before}0{after}");
        if before.is_empty() || text.len() > InterfaceName::MAX_LEN || example.parse::<InterfaceName>().is_err() {
            return Err(bad(None));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for TapName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for TapNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(error) => error.fmt(f),
            None => write!(f, "`{}` is no template such as vnet%d for the name of a tap", self.text),
        }
    }
}

impl std::error::Error for TapNameError {}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("vnet0", true)]
    #[case("vnet%d", true)]
    #[case("guest-%d-lan", true)]
    #[case("%d", false)]
    #[case("vnet%", false)]
    #[case("vnet%s", false)]
    #[case("vnet%d%d", false)]
    #[case("fourteen-cha%d", true)]
    #[case("fourteen-char-%d", false)]
    #[case("", false)]
    fn names(#[case] text: &str, #[case] ok: bool) {
        assert_eq!(text.parse::<TapName>().is_ok_and(|name| name.to_string() == text), ok);
    }
}
