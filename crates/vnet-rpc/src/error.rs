//! libvirt's errors: numbers, and the texts that its clients print.

use crate::values::RemoteError;

/// Declares [`ErrorCode`].
macro_rules! codes {
    ($($(#[$doc:meta])* $number:literal $name:ident $before:literal $after:literal;)*) => {
        /// What is wrong, by libvirt's numbers. Each code has its words around the detail.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$doc])* $name = $number,)*
        }

        impl ErrorCode {
            /// All of them, by number.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The words before and after the detail.
            fn words(self) -> (&'static str, &'static str) {
                match self { $(Self::$name => ($before, $after),)* }
            }
        }
    };
}

codes! {
    /// The server or a program that it runs has failed.
    1 InternalError "internal error: " "";
    /// The driver lacks the procedure.
    3 NoSupport "this function is not supported by the connection driver: " "";
    /// No driver serves the URI.
    5 NoConnect "no connection driver available for " "";
    /// An argument has a wrong value.
    8 InvalidArg "invalid argument: " "";
    /// The operation has failed.
    9 OperationFailed "operation failed: " "";
    /// The definition has no name.
    21 NoName "missing name information" "";
    /// The definition says what cannot be.
    27 XmlError "XML error: " "";
    /// The connection is read-only.
    29 OperationDenied "operation forbidden: " "";
    /// The document is not well-formed.
    35 XmlDetail "" "";
    /// A system call has failed.
    38 SystemError "" "";
    /// The protocol was not kept.
    39 Rpc "" "";
    /// There is no such network.
    43 NoNetwork "Network not found: " "";
    /// A text is not a MAC address.
    44 InvalidMac "invalid MAC address: " "";
    /// polkit has refused.
    45 AuthFailed "authentication failed: " "";
    /// The state does not allow the operation.
    55 OperationInvalid "Requested operation is not valid: " "";
    /// The host cannot do what the definition asks.
    67 ConfigUnsupported "unsupported configuration: " "";
    /// An argument is not known.
    74 ArgumentUnsupported "argument unsupported: " "";
    /// The person has dismissed polkit's question.
    79 AuthCancelled "authentication cancelled: " "";
    /// A number is too large.
    82 Overflow "numerical overflow: " "";
    /// Such a change cannot be made.
    84 OperationUnsupported "Operation not supported: " "";
    /// polkit asks a person, and nobody is there to answer.
    94 AuthUnavailable "authentication unavailable: " "";
    /// The document does not match the schema.
    92 XmlInvalidSchema "XML document failed to validate against schema: " "";
    /// A port has this UUID already.
    106 NetworkPortExist "network port " " exists already";
    /// There is no such port.
    107 NoNetworkPort "network port not found: " "";
    /// The network has no such metadata.
    111 NoNetworkMetadata "metadata not found: " "";
}

/// The part of libvirt that an error comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorDomain {
    /// No part.
    None = 0,
    /// The reader of documents.
    Xml = 5,
    /// The protocol.
    Rpc = 7,
    /// The storage driver.
    Storage = 18,
    /// The network driver.
    Network = 19,
    /// The public API, for what the driver lacks.
    Domain = 20,
    /// The driver of the host's devices.
    NodeDevice = 22,
    /// The driver of the host's interfaces.
    Interface = 26,
    /// The driver of secrets.
    Secret = 30,
    /// The driver of packet filters.
    NwFilter = 33,
    /// What takes snapshots of guests.
    Snapshot = 35,
    /// The reader of URIs.
    Uri = 45,
    /// What speaks D-Bus.
    Dbus = 47,
    /// What asks polkit.
    Polkit = 60,
    /// What takes checkpoints of guests.
    Checkpoint = 69,
}

/// The level of an error; 1 is a warning.
const LEVEL_ERROR: i32 = 2;

impl RemoteError {
    /// The error with this detail, as libvirt words it.
    pub fn new(code: ErrorCode, domain: ErrorDomain, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let (before, after) = code.words();
        let format = match (code, before) {
            (ErrorCode::NoName, _) => before.to_owned(),
            (_, "") => "%s".to_owned(),
            _ => format!("{before}%1$s{after}"),
        };
        Self {
            code: code as i32,
            domain: domain as i32,
            message: Some(format!("{before}{detail}{after}")),
            level: LEVEL_ERROR,
            guest: None,
            str1: Some(format),
            str2: (!matches!(code, ErrorCode::NoName)).then_some(detail),
            str3: None,
            int1: -1,
            int2: -1,
            network: None,
        }
    }

    /// The error for an argument of one of libvirt's functions. The message is the whole text.
    pub fn invalid_argument(message: impl Into<String>, function: &str, argument: &str) -> Self {
        Self {
            message: Some(message.into()),
            str1: Some(function.to_owned()),
            str2: Some(argument.to_owned()),
            int1: 0,
            int2: 0,
            ..Self::new(ErrorCode::InvalidArg, ErrorDomain::Network, "")
        }
    }

    /// The error of a system call: `what: ` and the system's words.
    pub fn system(errno: i32, domain: ErrorDomain, detail: impl Into<String>) -> Self {
        Self { int1: errno, ..Self::new(ErrorCode::SystemError, domain, detail) }
    }
}
