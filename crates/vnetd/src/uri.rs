//! The URIs that clients open.

use vnet_rpc::{ErrorCode, ErrorDomain};

use crate::refusal::{self, Refusal};

/// Whose networks a server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The system's.
    System,
    /// An ordinary user's.
    Session,
}

impl Whose {
    fn path(self) -> &'static str {
        match self {
            Self::System => "/system",
            Self::Session => "/session",
        }
    }

    /// The URI of a connection.
    pub(crate) fn uri(self) -> String {
        format!("network://{}", self.path())
    }

    /// Checks the URI that a client opens. The scheme `qemu` is taken as `network`: some clients
    /// know no other.
    pub(crate) fn open(self, uri: Option<&str>) -> Result<(), Refusal> {
        let not_open = || refusal::of(ErrorCode::InternalError, ErrorDomain::Rpc, "connection not open");
        let uri = uri.ok_or_else(not_open)?;
        let nobody = |uri: &str| refusal::of(ErrorCode::NoConnect, ErrorDomain::None, uri);
        if uri.is_empty() {
            return Err(nobody("<null>"));
        }
        if uri.contains(char::is_whitespace) {
            let what = format!("Unable to parse URI {uri}");
            return Err(refusal::of(ErrorCode::InternalError, ErrorDomain::Uri, what));
        }
        let Some((scheme, rest)) = uri.split_once(':') else {
            return Err(nobody(&format!("URI '{uri}' does not include a driver name")));
        };
        // A client strips the parameters that it understands.
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        // Another host is not asked.
        let path = rest.strip_prefix("//").unwrap_or(rest);
        // Nor is another user.
        let path = path.split_once('@').filter(|(user, _)| !user.contains('/')).map_or(path, |(_, path)| path);
        let is_local = path.len() == rest.len() || path.starts_with('/');
        let path = Some(path).filter(|_| is_local && ["network", "qemu"].contains(&scheme));
        match path.ok_or_else(|| nobody(uri))? {
            path if path == self.path() => Ok(()),
            _ if !uri.starts_with("network") => Err(nobody(uri)),
            other => {
                let what = format!("unexpected network URI path '{other}', try {}", self.uri());
                Err(refusal::of(ErrorCode::InternalError, ErrorDomain::None, what))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_its_own_path() {
        let refused = |uri| Whose::System.open(uri).map_err(|error| error.message.unwrap_or_default()).err();
        assert_eq!(refused(Some("network:///system")), None);
        assert_eq!(refused(Some("network:///system?no_such=1")), None);
        assert_eq!(refused(Some("network:/system")), None);
        assert_eq!(refused(Some("network:///system#x")), None);
        assert_eq!(refused(Some("network://user@/system")), None);
        assert_eq!(refused(Some("qemu:///system")), None);
        let blank = "internal error: Unable to parse URI not a uri";
        assert_eq!(refused(Some("not a uri")).as_deref(), Some(blank));
        let other = "no connection driver available for network://host/system";
        assert_eq!(refused(Some("network://host/system")).as_deref(), Some(other));
        let bare = "no connection driver available for URI '/system' does not include a driver name";
        assert_eq!(refused(Some("/system")).as_deref(), Some(bare));
        let path = "internal error: unexpected network URI path '/session', try network:///system";
        assert_eq!(refused(Some("network:///session")).as_deref(), Some(path));
        let nobody = "no connection driver available for test:///default";
        assert_eq!(refused(Some("test:///default")).as_deref(), Some(nobody));
        assert_eq!(refused(Some("")).as_deref(), Some("no connection driver available for <null>"));
        assert_eq!(refused(None).as_deref(), Some("internal error: connection not open"));
        assert_eq!(Whose::Session.open(Some("network:///session")), Ok(()));
    }
}
