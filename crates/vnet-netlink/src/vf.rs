//! Virtual functions of a network card, managed through the card (`linux/if_link.h`, `IFLA_VF_*`).

use vnet_types::{InterfaceName, MacAddr, VfSettings};

use crate::link::{HEADER, IFLA_EXT_MASK, RTM_GETLINK, RTM_SETLINK, header};
use crate::message::{Request, attribute, attributes, number32};
use crate::{Error, Intent, Netlink, Operation};

const IFLA_VFINFO_LIST: u16 = 22;
const IFLA_VF_INFO: u16 = 1;
const IFLA_VF_MAC: u16 = 1;
const IFLA_VF_VLAN: u16 = 2;
/// Include virtual functions (`RTEXT_FILTER_VF`), without their counters
/// (`RTEXT_FILTER_SKIP_STATS`).
const WITH_FUNCTIONS: u32 = 1 | 8;

impl Netlink {
    /// Lists the settings of a card's virtual functions, in the order of their numbers. The list is
    /// empty for a card without any.
    ///
    /// # Errors
    /// The kernel's refusal: [`Error::is_not_found`] when there is no such card.
    pub fn vfs(&self, card: &InterfaceName) -> Result<Vec<VfSettings>, Error> {
        let look = || {
            let request = Request::new(RTM_GETLINK, &header(0, self.index(card)?));
            let request = request.with(IFLA_EXT_MASK, &WITH_FUNCTIONS.to_ne_bytes());
            self.ask(request, Intent::Existing, |message| Some(read(message.payload().get(HEADER..)?)))
        };
        let found = look().map_err(Operation::List.of(format_args!("virtual functions of {card}")))?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Sets the MAC address and VLAN of a virtual function, through its card.
    ///
    /// # Errors
    /// The kernel's refusal: `EOPNOTSUPP` if the card has no virtual functions, `EINVAL` if it has
    /// no function with this number.
    pub fn set_vf(&self, card: &InterfaceName, settings: &VfSettings) -> Result<(), Error> {
        let set = || self.tell(request(self.index(card)?, settings), Intent::Existing);
        set().map_err(Operation::Change.of(format_args!("virtual function {} of {card}", settings.number)))
    }
}

/// Reads the attributes of a card.
fn read(card: &[u8]) -> Vec<VfSettings> {
    let function = |info: &[u8]| {
        let mac = attribute(info, IFLA_VF_MAC)?;
        let vlan = attribute(info, IFLA_VF_VLAN).and_then(|vlan| number32(vlan.get(4..)?));
        Some(VfSettings {
            number: number32(mac)?,
            mac: mac.get(4..10).and_then(|mac| mac.try_into().ok()).map(MacAddr),
            vlan: vlan.and_then(|vlan| u16::try_from(vlan).ok()),
        })
    };
    let list = attribute(card, IFLA_VFINFO_LIST).unwrap_or_default();
    attributes(list).filter(|(kind, _)| *kind == IFLA_VF_INFO).filter_map(|(_, info)| function(info)).collect()
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

    /// The kernel reports settings in the form in which they are sent.
    #[test]
    fn settings_are_read_as_they_are_sent() {
        let mac = Some(MacAddr([0x52, 0x54, 0, 1, 2, 3]));
        let both = [VfSettings { number: 0, mac, vlan: Some(0) }, VfSettings { number: 63, mac, vlan: Some(4094) }];
        let lists = both.map(|settings| request(7, &settings).finish(0)[32..].to_vec());
        assert_eq!(lists.map(|list| read(&list)), both.map(|settings| vec![settings]));
        assert_eq!(read(&[]), [], "a card without virtual functions");
    }

    #[test]
    fn what_is_left_open_is_not_sent() {
        let bytes = request(7, &VfSettings { number: 0, mac: None, vlan: Some(0) }).finish(0);
        let info = attribute(attribute(&bytes[32..], IFLA_VFINFO_LIST).unwrap(), IFLA_VF_INFO).unwrap();
        assert_eq!(attributes(info).map(|(kind, _)| kind).collect::<Vec<_>>(), [IFLA_VF_VLAN]);
    }
}
