//! The table of procedures: numbers, names, who may call them, arguments and results.

use crate::values::{NetworkRef, PortRef, RemoteLease, TypedParameter};
use crate::xdr::{Xdr, XdrError};
use vnet_types::Uuid;

/// What a connection must be before a procedure may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallAccess {
    /// Any, not even open.
    Unopened,
    /// Open, read-only too.
    Read,
    /// Open for writing.
    Write,
}

/// Declares [`Procedure`] and [`Call`].
macro_rules! procedures {
    ($($(#[$doc:meta])* $number:literal $name:ident $wire:ident $api:ident $access:ident
       { $($field:ident: $type:ty),* } -> $reply:ident;)*) => {
        /// A procedure that a network driver answers with more than an error.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Procedure {
            $($(#[$doc])* $name = $number,)*
        }

        impl Procedure {
            /// All of them, by number.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name in the protocol, such as `NETWORK_CREATE`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($wire),)* }
            }

            /// The function of libvirt's C library that calls it, such as `virNetworkCreate`.
            pub fn function(self) -> &'static str {
                match self { $(Self::$name => stringify!($api),)* }
            }

            /// Who may call it.
            pub fn access(self) -> CallAccess {
                match self { $(Self::$name => CallAccess::$access,)* }
            }

            fn decode_reply(self, bytes: &mut &[u8]) -> Result<Reply, XdrError> {
                match self { $(Self::$name => Reply::$reply(bytes),)* }
            }
        }

        /// A call: a procedure with its arguments.
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        #[expect(missing_docs, reason = "arguments have libvirt's names")]
        pub enum Call {
            $($(#[$doc])* $name { $($field: $type),* },)*
        }

        impl Call {
            /// The procedure.
            pub fn procedure(&self) -> Procedure {
                match self { $(Self::$name { .. } => Procedure::$name,)* }
            }

            /// The payload of its frame.
            pub fn to_payload(&self) -> Vec<u8> {
                let mut bytes = Vec::new();
                match self { $(Self::$name { $($field),* } => { $($field.encode(&mut bytes);)* })* }
                bytes
            }

            /// Reads the payload of a frame. Bytes after the last argument are left alone.
            ///
            /// # Errors
            /// [`XdrError`] when the payload does not begin with the arguments of the procedure.
            pub fn from_payload(procedure: Procedure, mut payload: &[u8]) -> Result<Self, XdrError> {
                let bytes = &mut payload;
                let _ = &bytes;
                Ok(match procedure { $(Procedure::$name => Self::$name { $($field: <$type>::decode(bytes)?),* },)* })
            }
        }
    };
}

procedures! {
    /// Opens the connection.
    1 ConnectOpen CONNECT_OPEN virConnectOpen Unopened { uri: Option<String>, flags: u32 } -> nothing;
    /// Closes the connection.
    2 ConnectClose CONNECT_CLOSE virConnectClose Unopened {} -> nothing;
    /// The name of the driver.
    3 ConnectGetType CONNECT_GET_TYPE virConnectGetType Read {} -> text;
    /// The names of networks that do not run.
    36 ConnectListDefinedNetworks CONNECT_LIST_DEFINED_NETWORKS virConnectListDefinedNetworks Read
        { maxnames: i32 } -> texts;
    /// The names of networks that run.
    38 ConnectListNetworks CONNECT_LIST_NETWORKS virConnectListNetworks Read { maxnames: i32 } -> texts;
    /// Starts a network.
    39 NetworkCreate NETWORK_CREATE virNetworkCreate Write { network: NetworkRef } -> nothing;
    /// Starts a network by a definition that is not kept.
    40 NetworkCreateXml NETWORK_CREATE_XML virNetworkCreateXML Write { xml: String } -> network;
    /// Keeps a definition.
    41 NetworkDefineXml NETWORK_DEFINE_XML virNetworkDefineXML Write { xml: String } -> network;
    /// Stops a network.
    42 NetworkDestroy NETWORK_DESTROY virNetworkDestroy Write { network: NetworkRef } -> nothing;
    /// The definition of a network.
    43 NetworkGetXmlDesc NETWORK_GET_XML_DESC virNetworkGetXMLDesc Read { network: NetworkRef, flags: u32 } -> text;
    /// Whether a network starts at boot.
    44 NetworkGetAutostart NETWORK_GET_AUTOSTART virNetworkGetAutostart Read { network: NetworkRef } -> int;
    /// The name of a network's bridge.
    45 NetworkGetBridgeName NETWORK_GET_BRIDGE_NAME virNetworkGetBridgeName Read { network: NetworkRef } -> text;
    /// Finds a network by name.
    46 NetworkLookupByName NETWORK_LOOKUP_BY_NAME virNetworkLookupByName Read { name: String } -> network;
    /// Finds a network by UUID.
    47 NetworkLookupByUuid NETWORK_LOOKUP_BY_UUID virNetworkLookupByUUID Read { uuid: Uuid } -> network;
    /// Says whether a network starts at boot.
    48 NetworkSetAutostart NETWORK_SET_AUTOSTART virNetworkSetAutostart Write
        { network: NetworkRef, autostart: i32 } -> nothing;
    /// Keeps a definition no longer.
    49 NetworkUndefine NETWORK_UNDEFINE virNetworkUndefine Write { network: NetworkRef } -> nothing;
    /// The number of networks that do not run.
    50 ConnectNumOfDefinedNetworks CONNECT_NUM_OF_DEFINED_NETWORKS virConnectNumOfDefinedNetworks Read {} -> int;
    /// The number of networks that run.
    52 ConnectNumOfNetworks CONNECT_NUM_OF_NETWORKS virConnectNumOfNetworks Read {} -> int;
    /// Whether the server has a feature.
    60 ConnectSupportsFeature CONNECT_SUPPORTS_FEATURE virConnectSupportsFeature Unopened { feature: i32 } -> int;
    /// The ways to authenticate.
    66 AuthList AUTH_LIST virConnectOpen Unopened {} -> ints;
    /// Authenticates by polkit.
    70 AuthPolkit AUTH_POLKIT virConnectOpen Unopened {} -> int;
    /// The URI of the connection.
    110 ConnectGetUri CONNECT_GET_URI virConnectGetURI Read {} -> text;
    /// Whether nobody can listen on the connection.
    149 ConnectIsSecure CONNECT_IS_SECURE virConnectIsSecure Read {} -> int;
    /// Whether a network runs.
    152 NetworkIsActive NETWORK_IS_ACTIVE virNetworkIsActive Read { network: NetworkRef } -> int;
    /// Whether the definition of a network is kept.
    153 NetworkIsPersistent NETWORK_IS_PERSISTENT virNetworkIsPersistent Read { network: NetworkRef } -> int;
    /// The version of libvirt that the server behaves like.
    157 ConnectGetLibVersion CONNECT_GET_LIB_VERSION virConnectGetLibVersion Read {} -> hyper;
    /// The networks that pass a filter.
    283 ConnectListAllNetworks CONNECT_LIST_ALL_NETWORKS virConnectListAllNetworks Read
        { need_results: i32, flags: u32 } -> networks;
    /// Changes a part of a network.
    291 NetworkUpdate NETWORK_UPDATE virNetworkUpdate Write
        { network: NetworkRef, command: u32, section: u32, parent_index: i32, xml: String, flags: u32 } -> nothing;
    /// Asks for events.
    313 ConnectNetworkEventRegisterAny CONNECT_NETWORK_EVENT_REGISTER_ANY virConnectNetworkEventRegisterAny Read
        { event_id: i32, network: Option<NetworkRef> } -> int;
    /// Asks for events no longer.
    314 ConnectNetworkEventDeregisterAny CONNECT_NETWORK_EVENT_DEREGISTER_ANY virConnectNetworkEventDeregisterAny Read
        { callback_id: i32 } -> nothing;
    /// The leases of a network.
    341 NetworkGetDhcpLeases NETWORK_GET_DHCP_LEASES virNetworkGetDHCPLeases Read
        { network: NetworkRef, mac: Option<String>, need_results: i32, flags: u32 } -> leases;
    /// Asks to be told when the connection closes.
    360 ConnectRegisterCloseCallback CONNECT_REGISTER_CLOSE_CALLBACK virConnectRegisterCloseCallback Read {} -> nothing;
    /// Asks for that no longer.
    361 ConnectUnregisterCloseCallback CONNECT_UNREGISTER_CLOSE_CALLBACK virConnectUnregisterCloseCallback Read
        {} -> nothing;
    /// The ports of a network.
    404 NetworkListAllPorts NETWORK_LIST_ALL_PORTS virNetworkListAllPorts Read
        { network: NetworkRef, need_results: i32, flags: u32 } -> ports;
    /// Finds a port by UUID.
    405 NetworkPortLookupByUuid NETWORK_PORT_LOOKUP_BY_UUID virNetworkPortLookupByUUID Read
        { network: NetworkRef, uuid: Uuid } -> port;
    /// Makes a port.
    406 NetworkPortCreateXml NETWORK_PORT_CREATE_XML virNetworkPortCreateXML Write
        { network: NetworkRef, xml: String, flags: u32 } -> port;
    /// The bandwidth of a port.
    407 NetworkPortGetParameters NETWORK_PORT_GET_PARAMETERS virNetworkPortGetParameters Read
        { port: PortRef, nparams: i32, flags: u32 } -> parameters;
    /// Changes the bandwidth of a port.
    408 NetworkPortSetParameters NETWORK_PORT_SET_PARAMETERS virNetworkPortSetParameters Write
        { port: PortRef, parameters: Vec<TypedParameter>, flags: u32 } -> nothing;
    /// The definition of a port.
    409 NetworkPortGetXmlDesc NETWORK_PORT_GET_XML_DESC virNetworkPortGetXMLDesc Read { port: PortRef, flags: u32 } -> text;
    /// Removes a port.
    410 NetworkPortDelete NETWORK_PORT_DELETE virNetworkPortDelete Write { port: PortRef, flags: u32 } -> nothing;
    /// Says for whom the caller acts.
    419 ConnectSetIdentity CONNECT_SET_IDENTITY virConnectSetIdentity Read
        { parameters: Vec<TypedParameter>, flags: u32 } -> nothing;
    /// Keeps a definition, with flags.
    432 NetworkDefineXmlFlags NETWORK_DEFINE_XML_FLAGS virNetworkDefineXMLFlags Write { xml: String, flags: u32 } -> network;
    /// Starts a network by a definition that is not kept, with flags.
    437 NetworkCreateXmlFlags NETWORK_CREATE_XML_FLAGS virNetworkCreateXMLFlags Write { xml: String, flags: u32 } -> network;
    /// Changes the title, description or metadata of a network.
    444 NetworkSetMetadata NETWORK_SET_METADATA virNetworkSetMetadata Write
        { network: NetworkRef, kind: i32, metadata: Option<String>, key: Option<String>, uri: Option<String>, flags: u32 }
        -> nothing;
    /// The title, description or metadata of a network.
    445 NetworkGetMetadata NETWORK_GET_METADATA virNetworkGetMetadata Read
        { network: NetworkRef, kind: i32, uri: Option<String>, flags: u32 } -> text;
}

impl Procedure {
    /// The procedure with this number.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|procedure| procedure.number() == number)
    }

    /// Its number.
    pub fn number(self) -> i32 {
        self as i32
    }
}

/// Declares [`Reply`].
macro_rules! replies {
    ($($(#[$doc:meta])* $name:ident $read:ident { $($field:ident: $type:ty),* };)*) => {
        /// What a call returns. Many procedures return the same.
        #[derive(Clone, Debug, PartialEq)]
        #[expect(missing_docs, reason = "the variants say what their fields are")]
        pub enum Reply {
            $($(#[$doc])* $name { $($field: $type),* },)*
        }

        impl Reply {
            $(fn $read(bytes: &mut &[u8]) -> Result<Self, XdrError> {
                let _ = &bytes;
                Ok(Self::$name { $($field: <$type>::decode(bytes)?),* })
            })*

            /// The payload of its frame.
            pub fn to_payload(&self) -> Vec<u8> {
                let mut bytes = Vec::new();
                match self { $(Self::$name { $($field),* } => { $($field.encode(&mut bytes);)* })* }
                bytes
            }
        }
    };
}

replies! {
    /// Nothing but success.
    Nothing nothing {};
    /// A number or truth value.
    Int int { value: i32 };
    /// A large number.
    Hyper hyper { value: u64 };
    /// Some numbers.
    Ints ints { values: Vec<i32> };
    /// A text.
    Text text { text: String };
    /// Some names.
    Texts texts { texts: Vec<String> };
    /// A network.
    Network network { network: NetworkRef };
    /// Networks, and how many there are.
    Networks networks { networks: Vec<NetworkRef>, count: u32 };
    /// Leases, and how many there are.
    Leases leases { leases: Vec<RemoteLease>, count: u32 };
    /// A port.
    Port port { port: PortRef };
    /// Ports, and how many there are.
    Ports ports { ports: Vec<PortRef>, count: u32 };
    /// Parameters. libvirt's own count is always 0.
    Parameters parameters { parameters: Vec<TypedParameter>, count: i32 };
}

impl Reply {
    /// Reads the payload of a frame. Bytes after the last value are left alone.
    ///
    /// # Errors
    /// [`XdrError`] when the payload does not begin with what the procedure returns.
    pub fn from_payload(procedure: Procedure, mut payload: &[u8]) -> Result<Self, XdrError> {
        procedure.decode_reply(&mut payload)
    }
}
