//! Values of netlink attributes as nf_tables has them: numbers in the byte order of the network.

pub(super) use vnet_nlattr::{Writer, attribute, attributes};

pub(super) fn u32_of(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u32::from_be_bytes)
}

pub(super) fn u64_of(value: &[u8]) -> Option<u64> {
    value.try_into().ok().map(u64::from_be_bytes)
}

/// A string, without the NUL that ends it.
pub(super) fn text_of(value: &[u8]) -> Option<String> {
    vnet_nlattr::text(value).map(str::to_owned)
}
