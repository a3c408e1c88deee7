//! The composite values of the protocol.

use vnet_types::Uuid;

use crate::xdr::{ListElement, Xdr, XdrError};

/// Declares structs whose fields stand on the wire in the order of the text.
macro_rules! structs {
    ($($(#[$doc:meta])* $name:ident $(limit $limit:literal)? { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl Xdr for $name {
            fn encode(&self, bytes: &mut Vec<u8>) {
                $(self.$field.encode(bytes);)*
            }

            fn decode(bytes: &mut &[u8]) -> Result<Self, XdrError> {
                Ok(Self { $($field: Xdr::decode(bytes)?,)* })
            }
        }

        $(impl ListElement for $name {
            const LIMIT: usize = $limit;
        })?
    )*};
}

structs! {
    /// A network. In calls the UUID decides, whatever the name.
    NetworkRef limit 16_384 {
        /// Its name.
        name: String,
        /// Its UUID.
        uuid: Uuid,
    }

    /// A port of a network.
    PortRef limit 16_384 {
        /// The network.
        network: NetworkRef,
        /// The UUID of the port.
        uuid: Uuid,
    }

    /// A guest, as an error names it.
    GuestRef {
        /// Its name.
        name: String,
        /// Its UUID.
        uuid: Uuid,
        /// Its number while it runs.
        id: i32,
    }

    /// A lease that a network's DHCP server has given.
    RemoteLease limit 65_536 {
        /// The network's bridge.
        interface: String,
        /// When it expires, in seconds since 1970; 0: never.
        expiry: i64,
        /// The family of the address: 0 for IPv4, 1 for IPv6.
        family: i32,
        /// The client's MAC address.
        mac: Option<String>,
        /// The IAID of a DHCPv6 client.
        iaid: Option<String>,
        /// The address.
        ip: String,
        /// The prefix length of the subnet.
        prefix: u32,
        /// The client's name, if it told one.
        hostname: Option<String>,
        /// The client's identifier (DHCP) or DUID (DHCPv6).
        client_id: Option<String>,
    }

    /// Why a call failed.
    RemoteError {
        /// libvirt's number for what is wrong.
        code: i32,
        /// libvirt's number for the part that says so.
        domain: i32,
        /// The whole text. Clients print this alone.
        message: Option<String>,
        /// 2: an error.
        level: i32,
        /// The guest concerned. libvirt's daemons leave it out.
        guest: Option<GuestRef>,
        /// The format of the message.
        str1: Option<String>,
        /// What was put into the format.
        str2: Option<String>,
        /// A second detail.
        str3: Option<String>,
        /// A number, such as an `errno`; -1: none.
        int1: i32,
        /// A second number.
        int2: i32,
        /// The network concerned. libvirt's daemons leave it out.
        network: Option<NetworkRef>,
    }

    /// A parameter with its type.
    TypedParameter limit 20 {
        /// Its name, such as `inbound.average`.
        field: String,
        /// Its value.
        value: TypedValue,
    }
}

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum TypedValue {
    /// `int`.
    Int(i32),
    /// `unsigned int`.
    UInt(u32),
    /// `long long`.
    LLong(i64),
    /// `unsigned long long`.
    ULLong(u64),
    /// `double`.
    Double(f64),
    /// A truth value. Any number but 0 is true.
    Boolean(i32),
    /// A text.
    String(String),
}

impl Xdr for TypedValue {
    fn encode(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Int(value) => tagged(1, value, bytes),
            Self::UInt(value) => tagged(2, value, bytes),
            Self::LLong(value) => tagged(3, value, bytes),
            Self::ULLong(value) => tagged(4, value, bytes),
            Self::Double(value) => tagged(5, value, bytes),
            Self::Boolean(value) => tagged(6, value, bytes),
            Self::String(value) => tagged(7, value, bytes),
        }
    }

    fn decode(bytes: &mut &[u8]) -> Result<Self, XdrError> {
        Ok(match i32::decode(bytes)? {
            1 => Self::Int(Xdr::decode(bytes)?),
            2 => Self::UInt(Xdr::decode(bytes)?),
            3 => Self::LLong(Xdr::decode(bytes)?),
            4 => Self::ULLong(Xdr::decode(bytes)?),
            5 => Self::Double(Xdr::decode(bytes)?),
            6 => Self::Boolean(Xdr::decode(bytes)?),
            7 => Self::String(Xdr::decode(bytes)?),
            other => return Err(XdrError::ParameterType(other)),
        })
    }
}

fn tagged(tag: i32, value: &impl Xdr, bytes: &mut Vec<u8>) {
    tag.encode(bytes);
    value.encode(bytes);
}
