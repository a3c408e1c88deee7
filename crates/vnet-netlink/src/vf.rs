//! Virtual functions of a network card, through the physical one (`linux/if_link.h`, `IFLA_VF_*`).

use vnet_types::{InterfaceName, MacAddr};

use crate::link::{RTM_SETLINK, header};
use crate::message::Request;
use crate::{Error, Intent, Netlink, Operation};

const IFLA_VFINFO_LIST: u16 = 22;
const IFLA_VF_INFO: u16 = 1;
const IFLA_VF_MAC: u16 = 1;
const IFLA_VF_VLAN: u16 = 2;

/// What a virtual function is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VfSettings {
    /// Its number among those of its card, from 0.
    pub number: u32,
    /// Its MAC address, which the guest cannot change; `None` leaves it as it is.
    pub mac: Option<MacAddr>,
    /// The VLAN that the card puts it into: 1 to 4094, or 0 for none; `None` leaves it as it is.
    pub vlan: Option<u16>,
}

impl Netlink {
    /// Gives a virtual function a MAC address and a VLAN, through the card that it is of.
    ///
    /// # Errors
    /// The kernel's refusal: `EOPNOTSUPP` where the card has no virtual functions, `EINVAL` where it has fewer.
    pub fn set_vf(&self, card: &InterfaceName, settings: &VfSettings) -> Result<(), Error> {
        let set = || self.tell(request(self.index(card)?, settings), Intent::Existing);
        set().map_err(Operation::Change.of(format_args!("virtual function {} of {card}", settings.number)))
    }
}

fn request(card: u32, settings: &VfSettings) -> Request {
    let number = settings.number.to_ne_bytes();
    Request::new(RTM_SETLINK, &header(0, card)).nest(IFLA_VFINFO_LIST, |list| {
        list.nest(IFLA_VF_INFO, |mut info| {
            if let Some(mac) = settings.mac {
                // struct ifla_vf_mac has room for addresses of 32 bytes.
                info = info.with(IFLA_VF_MAC, &[&number[..], &mac.0, &[0; 26]].concat());
            }
            if let Some(vlan) = settings.vlan {
                let (vlan, priority) = (u32::from(vlan).to_ne_bytes(), 0u32.to_ne_bytes());
                info = info.with(IFLA_VF_VLAN, &[number, vlan, priority].concat());
            }
            info
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{attribute, attributes};

    /// As a little-endian kernel reads them: `struct ifla_vf_mac`, `struct ifla_vf_vlan`.
    #[test]
    #[cfg(target_endian = "little")]
    fn bytes() {
        let settings = VfSettings { number: 3, mac: Some(MacAddr([0x52, 0x54, 0, 1, 2, 3])), vlan: Some(258) };
        let bytes = request(7, &settings).finish(0);
        assert_eq!(bytes.len(), u32::from_ne_bytes(bytes[..4].try_into().unwrap()) as usize);
        assert_eq!((bytes[4], &bytes[16..32]), (19, &[0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..]));
        let list = attribute(&bytes[32..], IFLA_VFINFO_LIST).unwrap();
        let info = attribute(list, IFLA_VF_INFO).unwrap();
        let mac = [&[3, 0, 0, 0, 0x52, 0x54, 0, 1, 2, 3][..], &[0; 26]].concat();
        let expected = [(IFLA_VF_MAC, &mac[..]), (IFLA_VF_VLAN, &[3, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0][..])];
        assert_eq!(attributes(info).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_is_left_open_is_not_sent() {
        let bytes = request(7, &VfSettings { number: 0, mac: None, vlan: Some(0) }).finish(0);
        let info = attribute(attribute(&bytes[32..], IFLA_VFINFO_LIST).unwrap(), IFLA_VF_INFO).unwrap();
        assert_eq!(attributes(info).map(|(kind, _)| kind).collect::<Vec<_>>(), [IFLA_VF_VLAN]);
    }
}
