//! The UUIDs and names of rows. They follow from the network, so that every host says the same.

use vnet_types::{MacAddr, Uuid};

/// The UUID of the row with a role in a network, by FNV-1a of 128 bits, as RFC 9562 has it for
/// UUIDs of one's own making.
pub(crate) fn row_of(network: Uuid, role: &str) -> Uuid {
    let bytes = network.0.iter().copied().chain(role.bytes());
    let add = |hash: u128, byte: u8| (hash ^ u128::from(byte)).wrapping_mul((1 << 88) + 0x13b);
    let mut uuid = bytes.fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, add).to_be_bytes();
    uuid[6] = uuid[6] & 0x0f | 0x80;
    uuid[8] = uuid[8] & 0x3f | 0x80;
    Uuid(uuid)
}

/// A name that is unique in the whole database, and that a match can refer to.
pub(crate) fn name_of(network: Uuid, role: &str) -> String {
    format!("vnet_{}_{role}", network.to_string().replace('-', "_"))
}

/// The name of a port of the router: `inside` leads to the guests, `outside` to everything else.
pub fn port_name(network: Uuid, side: &str) -> String {
    name_of(network, side)
}

/// The MAC address of a port of the router, in the range of QEMU and libvirt.
pub(crate) fn mac_of(network: Uuid, role: &str) -> MacAddr {
    let hash = row_of(network, role).0;
    MacAddr::from_random([hash[13], hash[14], hash[15]])
}
