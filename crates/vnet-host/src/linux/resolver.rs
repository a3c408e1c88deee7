//! Name servers of links in systemd-resolved, over D-Bus (org.freedesktop.resolve1(5)).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use nix::libc::{AF_INET, AF_INET6};
use vnet_plan::LinkResolver;
use vnet_types::InterfaceName;
use zbus::{ObjectPath, OwnedVariant};

use super::service::{Asked, Service, Unanswered};
use super::{Kind, LinuxHost};
use crate::{Error, Fact};

const RESOLVED: Service =
    Service { name: "org.freedesktop.resolve1", path: "/org/freedesktop/resolve1", program: "systemd-resolved" };
const MANAGER: &str = "org.freedesktop.resolve1.Manager";
const LINK: &str = "org.freedesktop.resolve1.Link";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// The socket that it listens on before it is on the bus.
const SOCKET: &str = "/run/systemd/resolve/io.systemd.Resolve";
/// How often it is looked for on the bus when it runs, and how long each time.
const LOOKS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

impl LinuxHost {
    /// Whether systemd-resolved runs for this network namespace. While the system boots, it runs
    /// before it is on the bus; that is waited for.
    ///
    /// # Errors
    /// [`Error::Resolved`] when it gives no answer.
    pub fn has_resolved(&self) -> Result<bool, Error> {
        for _ in 0..LOOKS {
            let ping =
                ask(self, "answer", async |bus| bus.call("org.freedesktop.DBus.Peer", "Ping", &()).await.map(drop))?;
            if ping.is_some() || UnixStream::connect(SOCKET).is_err() {
                return Ok(ping.is_some());
            }
            thread::sleep(PAUSE);
        }
        Ok(false)
    }
}

/// A name server: the family and the bytes of its address.
type Server = (i32, Vec<u8>);
/// A domain, and whether it does not complete short names.
type SearchDomain = (String, bool);

impl Kind for LinkResolver {
    /// A link without name servers and domains has nothing.
    fn look(&self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Self>, Error> {
        let Some(index) = index(host, &self.link)? else { return Ok(None) };
        host.found_or(self, told(host, &self.link, index))
    }

    fn create(&self, host: &LinuxHost) -> Result<Option<Fact>, Error> {
        let action = format!("take the name servers of {}", self.link);
        let ended = || Error::ResolvedEnded { action: action.clone() };
        let index =
            index(host, &self.link)?.ok_or_else(|| Error::Unexpected(vnet_plan::Key::Resolver(self.link.clone())))?;
        let servers: Vec<Server> = self.servers.iter().map(|server| bytes(*server)).collect();
        let domain = |word: &String| match word.strip_prefix('~') {
            Some(domain) => (domain.to_owned(), true),
            None => (word.clone(), false),
        };
        let domains: Vec<SearchDomain> = self.domains.iter().map(domain).collect();
        let default_route = self.default_route;
        let told = ask(host, &action, async move |bus| {
            let told = async {
                // dnsmasq signs nothing and encrypts nothing, whatever is asked of other servers.
                bus.call(MANAGER, "SetLinkDNSSEC", &(index, "no")).await?;
                bus.call(MANAGER, "SetLinkDNSOverTLS", &(index, "no")).await?;
                bus.call(MANAGER, "SetLinkDefaultRoute", &(index, default_route)).await?;
                bus.call(MANAGER, "SetLinkDomains", &(index, domains)).await?;
                bus.call(MANAGER, "SetLinkDNS", &(index, servers)).await
            };
            let told = told.await;
            if told.is_err() {
                // The error of the first call is told.
                let _ = bus.call(MANAGER, "RevertLink", &index).await;
            }
            told.map(drop)
        })?;
        told.map(|()| None).ok_or_else(ended)
    }

    fn update(&self, to: &Self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Fact>, Error> {
        to.create(host)
    }

    fn delete(&self, host: &LinuxHost, _: Option<Fact>) -> Result<(), Error> {
        let Some(index) = index(host, &self.link)? else { return Ok(()) };
        let action = format!("forget the name servers of {}", self.link);
        ask(host, &action, async move |bus| bus.call(MANAGER, "RevertLink", &index).await.map(drop)).map(drop)
    }
}

/// What systemd-resolved has for a link.
fn told(host: &LinuxHost, link: &InterfaceName, index: i32) -> Result<Option<LinkResolver>, Error> {
    let found = ask(host, &format!("tell the name servers of {link}"), async move |bus| {
        let link = bus.call(MANAGER, "GetLink", &index).await?;
        let link: ObjectPath<'_> = link.deserialize()?;
        let servers: Vec<Server> = property(bus, &link, "DNS").await?;
        let domains: Vec<SearchDomain> = property(bus, &link, "Domains").await?;
        let default_route: bool = property(bus, &link, "DefaultRoute").await?;
        Ok((servers, domains, default_route))
    })?;
    let word = |(domain, routes): SearchDomain| {
        let domain = domain.to_ascii_lowercase();
        if routes { format!("~{domain}") } else { domain }
    };
    let of_link = |(servers, domains, default_route): (Vec<Server>, Vec<SearchDomain>, bool)| LinkResolver {
        link: link.clone(),
        servers: servers.iter().filter_map(|(_, bytes)| address(bytes)).collect(),
        domains: domains.into_iter().map(word).collect(),
        default_route,
    };
    Ok(found.map(of_link).filter(|found| !found.servers.is_empty() || !found.domains.is_empty()))
}

async fn property<T>(bus: &Asked<'_>, link: &ObjectPath<'_>, name: &str) -> zbus::Result<T>
where
    T: TryFrom<OwnedVariant>,
    T::Error: Into<zbus::Error>,
{
    let value = bus.call_at(link.as_str(), PROPERTIES, "Get", &(LINK, name)).await?;
    let value: OwnedVariant = value.deserialize()?;
    value.try_into().map_err(Into::into)
}

fn index(host: &LinuxHost, link: &InterfaceName) -> Result<Option<i32>, Error> {
    let known = host.link(link)?;
    Ok(known.map(|known| i32::try_from(known.index).expect("the kernel's indexes are positive numbers of an int")))
}

fn bytes(address: IpAddr) -> Server {
    match address {
        IpAddr::V4(address) => (AF_INET, address.octets().to_vec()),
        IpAddr::V6(address) => (AF_INET6, address.octets().to_vec()),
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).ok().map(|bytes| Ipv4Addr::from(bytes).into());
    <[u8; 16]>::try_from(bytes).ok().map(|bytes| Ipv6Addr::from(bytes).into()).or_else(v4)
}

/// Asks systemd-resolved, if it runs for this network namespace.
fn ask<T: Send + 'static>(
    host: &LinuxHost,
    action: &str,
    question: impl AsyncFnOnce(&Asked<'_>) -> zbus::Result<T> + Send + 'static,
) -> Result<Option<T>, Error> {
    RESOLVED.ask(host, question).map_err(|unanswered| match unanswered {
        Unanswered::Hangs => Error::ResolvedHangs { action: action.to_owned(), seconds: host.patience.as_secs() },
        Unanswered::Refused(error) => Error::Resolved { action: action.to_owned(), source: Box::new(error) },
    })
}
