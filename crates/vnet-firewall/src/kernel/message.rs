//! Messages of the nf_tables subsystem: netlink header, family, attributes
//! (`linux/netfilter/nfnetlink.h`).

use vnet_nlattr::{MESSAGE_HEADER, Writer, write_message};

/// The table that all networks share.
pub(super) const TABLE: &str = "vnet";

pub(super) const NEW_TABLE: u8 = 0;
pub(super) const GET_TABLE: u8 = 1;
pub(super) const DELETE_TABLE: u8 = 2;
pub(super) const NEW_CHAIN: u8 = 3;
pub(super) const GET_CHAIN: u8 = 4;
pub(super) const DELETE_CHAIN: u8 = 5;
pub(super) const NEW_RULE: u8 = 6;
pub(super) const GET_RULE: u8 = 7;
pub(super) const DELETE_RULE: u8 = 8;
pub(super) const NEW_SET: u8 = 9;
pub(super) const GET_SET: u8 = 10;
pub(super) const DELETE_SET: u8 = 11;
pub(super) const NEW_ELEMENT: u8 = 12;
pub(super) const GET_ELEMENT: u8 = 13;
pub(super) const DELETE_ELEMENT: u8 = 14;
pub(super) const NEW_GENERATION: u8 = 15;
pub(super) const GET_GENERATION: u8 = 16;
pub(super) const NEW_FLOWTABLE: u8 = 22;
pub(super) const GET_FLOWTABLE: u8 = 23;
pub(super) const DELETE_FLOWTABLE: u8 = 24;

/// A table goes with the socket that has made it (`NFT_TABLE_F_OWNER`, Linux 5.12).
#[cfg(feature = "netlink")]
pub(super) const OWNER: u32 = 2;

/// The kernel creates what does not exist (`NLM_F_CREATE`).
pub(super) const CREATE: u16 = 0x400;
/// The kernel refuses what exists already (`NLM_F_EXCL`).
pub(super) const EXCLUSIVE: u16 = 0x200;
/// The rule comes after the existing ones (`NLM_F_APPEND`).
pub(super) const APPEND: u16 = 0x800;
/// The kernel deletes the table only if it is empty (`NLM_F_NONREC`).
pub(super) const NOT_RECURSIVE: u16 = 0x100;
/// The kernel lists everything (`NLM_F_DUMP`).
pub(super) const DUMP: u16 = 0x300;

/// The length of a message's header and of `struct nfgenmsg`.
pub(super) const HEADER: usize = MESSAGE_HEADER + 4;

const REQUEST: u16 = 1;
const ACK: u16 = 4;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const SUBSYSTEM: u8 = 10;
const INET: u8 = 1;

/// Appends a message of the subsystem.
pub(super) fn write(to: &mut Vec<u8>, kind: u8, flags: u16, sequence: u32, fill: impl FnOnce(&mut Writer<'_>)) {
    frame(to, u16::from_be_bytes([SUBSYSTEM, kind]), flags, sequence, [INET, 0, 0, 0], fill);
}

/// Opens a transaction. The kernel accepts it only in this generation of its rules, or in any.
pub(super) fn begin(to: &mut Vec<u8>, sequence: u32, generation: Option<u32>) {
    frame(to, BATCH_BEGIN, 0, sequence, [0, 0, 0, SUBSYSTEM], |begin| {
        if let Some(generation) = generation {
            begin.be32(1, generation);
        }
    });
}

/// Closes a transaction.
pub(super) fn end(to: &mut Vec<u8>, sequence: u32) {
    frame(to, BATCH_END, 0, sequence, [0, 0, 0, SUBSYSTEM], |_| {});
}

/// Makes the kernel acknowledge the message that starts here.
pub(super) fn acknowledge(bytes: &mut [u8], start: usize) {
    let flags = u16::from_ne_bytes([bytes[start + 6], bytes[start + 7]]) | ACK;
    bytes[start + 6..start + 8].copy_from_slice(&flags.to_ne_bytes());
}

/// The kind and the attributes of a message, if it is of this subsystem and of family `inet` or of
/// no family.
pub(super) fn read(message: &[u8]) -> Option<(u8, &[u8])> {
    let (header, attributes) = message.split_first_chunk::<HEADER>()?;
    let [subsystem, kind] = u16::from_ne_bytes([header[4], header[5]]).to_be_bytes();
    let family = if kind == NEW_GENERATION { 0 } else { INET };
    (subsystem == SUBSYSTEM && header[16] == family).then_some((kind, attributes))
}

fn frame(to: &mut Vec<u8>, kind: u16, flags: u16, sequence: u32, family: [u8; 4], fill: impl FnOnce(&mut Writer<'_>)) {
    write_message(to, kind, REQUEST | flags, sequence, &family, fill);
}
