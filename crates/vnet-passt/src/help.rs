//! What to do about what passt does not accept.

use crate::Error;

impl Error {
    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Path { option, .. } => format!("give {option} a path without NUL"),
            Self::SocketTooLong { .. } => "choose a folder with a shorter path".to_owned(),
            Self::Mtu(_) => "choose one from 68 to 65535, or 0 to announce none".to_owned(),
            Self::Name { option, .. } => format!("give {option} a name of letters, digits, hyphens and dots"),
            Self::SecondAddress { second, .. } => format!("leave out {second}"),
            Self::Prefix { ip, .. } => {
                format!("choose a prefix from 1 to {}", if ip.is_ipv4() { "32" } else { "128" })
            }
            Self::Family { ip, .. } => format!("leave out {ip}, or turn its family on"),
            Self::Protocol(protocol) => format!("turn {protocol} on, or leave its ports out"),
            Self::Overlap { port, .. } => format!("forward port {port} once"),
            Self::EmptyList(option) => format!("give {option} a value, or leave it out"),
        }
    }
}
