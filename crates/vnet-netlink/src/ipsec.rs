//! The policies of IPsec (`ip xfrm policy`, `linux/xfrm.h`).

use std::net::IpAddr;

use nix::libc::AF_INET;
use vnet_types::IpNet;

use crate::message::{Message, Request};
use crate::transport::Transport;
use crate::{Error, Intent, Netlink, Operation, Refused};

const XFRM_MSG_NEWPOLICY: u16 = 0x13;
const XFRM_MSG_GETPOLICY: u16 = 0x15;
/// Length of `struct xfrm_userpolicy_id`.
const HEADER: usize = 64;

/// A policy of IPsec: which packets are wrapped, or dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IpsecPolicy {
    /// Whose packets.
    pub way: IpsecWay,
    /// Their sources.
    pub source: IpNet,
    /// Their destinations.
    pub destination: IpNet,
    /// The transport protocol; 0 for any.
    pub protocol: u8,
    /// Whether it drops them.
    pub blocks: bool,
}

/// The way of packets that a policy of IPsec is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpsecWay {
    /// To this host.
    In,
    /// Out of this host, forwarded ones among them.
    Out,
    /// Forwarded by it.
    Forward,
}

impl Netlink {
    /// Lists the policies of IPsec in the network namespace of this thread. Empty where the kernel
    /// has no IPsec.
    ///
    /// # Errors
    /// The kernel's refusal: it wants `CAP_NET_ADMIN`.
    pub fn ipsec_policies() -> Result<Vec<IpsecPolicy>, Error> {
        let list = || -> Result<Vec<IpsecPolicy>, Refused> {
            let transport = match Transport::open(netlink_sys::protocols::NETLINK_XFRM) {
                Err(refused) if refused.errno == nix::libc::EPROTONOSUPPORT => return Ok(Vec::new()),
                opened => opened?,
            };
            let request = Request::new(XFRM_MSG_GETPOLICY, &[0; HEADER]).finish(Intent::List.flags());
            transport.exchange(&request, read)
        };
        list().map_err(Operation::List.of("policies of IPsec"))
    }
}

/// Reads `struct xfrm_userpolicy_info`.
fn read(message: Message<'_>) -> Option<IpsecPolicy> {
    let info = message.payload().get(..162).filter(|_| message.kind() == XFRM_MSG_NEWPOLICY)?;
    let family = i32::from(u16::from_ne_bytes([info[40], info[41]]));
    let net = |at: usize, length: u8| {
        let address = match family {
            AF_INET => IpAddr::from(<[u8; 4]>::try_from(&info[at..at + 4]).ok()?),
            _ => IpAddr::from(<[u8; 16]>::try_from(&info[at..at + 16]).ok()?),
        };
        IpNet::new(address, length).ok()
    };
    let way = match info[160] {
        0 => IpsecWay::In,
        1 => IpsecWay::Out,
        2 => IpsecWay::Forward,
        // Those of sockets.
        _ => return None,
    };
    Some(IpsecPolicy {
        way,
        destination: net(0, info[42])?,
        source: net(16, info[43])?,
        protocol: info[44],
        blocks: info[161] == 1,
    })
}
