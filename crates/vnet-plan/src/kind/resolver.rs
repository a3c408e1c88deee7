//! The name servers of links in systemd-resolved.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use vnet_types::InterfaceName;

use super::{Kind, marked};
use crate::Key;

/// The name servers of a link, and the names that systemd-resolved asks them for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkResolver {
    /// The link.
    pub link: InterfaceName,
    /// The addresses of the name servers.
    pub servers: Vec<IpAddr>,
    /// The domains whose names they are asked for, in the form of resolvectl(1): `~` in front of
    /// one says that it does not complete short names.
    pub domains: Vec<String>,
    /// Whether they are asked for all other names too.
    pub default_route: bool,
}

impl Kind for LinkResolver {
    fn key(&self) -> Key {
        Key::Resolver(self.link.clone())
    }

    fn added(&self) -> String {
        let Self { link, servers, domains, default_route } = self;
        let servers: String = servers.iter().map(|server| format!(" {server}")).collect();
        let domains: String = domains.iter().map(|domain| format!(" '{domain}'")).collect();
        let default = if *default_route { "yes" } else { "no" };
        format!(
            "resolvectl dns {link}{servers}\nresolvectl domain {link}{domains}\nresolvectl default-route {link} {default}"
        )
    }

    fn deleted(&self) -> String {
        format!("resolvectl revert {}", self.link)
    }

    fn changed(&self, to: &Self) -> String {
        marked('~', &to.added())
    }

    fn effect_of_delete(&self) -> Option<&'static str> {
        Some("this host no longer finds guests by name")
    }
}
