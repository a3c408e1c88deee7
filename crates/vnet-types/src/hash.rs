/// A hash that is the same in every release and on every machine (FNV-1a, 64 bits). It
/// distinguishes names and texts of vnet's own; it does not protect against deliberate collisions.
///
/// ```
/// assert_eq!(vnet_types::fnv1a(*b"a"), 0xaf63_dc4c_8601_ec8c);
/// ```
pub fn fnv1a(bytes: impl IntoIterator<Item = u8>) -> u64 {
    let add = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, add)
}
