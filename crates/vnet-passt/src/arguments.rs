//! The command line: libvirt's arguments (`qemu_passt.c`), then the options that libvirt does not
//! have.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::Path;

use vnet_types::{Family, InterfaceName, Listener, PortSet};

use crate::options::{Mapping, Options, Process, Resolvers, Verbosity};
use crate::{Connection, Error, Feature, GuestAddress, Lifetime, Passt, PortForward, Protocol};

impl Passt {
    /// The arguments, without the program.
    ///
    /// # Errors
    /// [`Error`] for what passt does not accept.
    pub fn arguments(&self) -> Result<Vec<OsString>, Error> {
        let mut list = Arguments::default();
        if self.connection == Connection::VhostUser {
            list.flag("--vhost-user");
        }
        if self.lifetime == Lifetime::OneGuest {
            list.flag("--one-off");
        }
        list.path("--socket", socket(&self.socket)?)?;
        list.paths("--pid", self.pid_file.as_deref())?;
        list.texts("--mtu", self.mtu.map(mtu).transpose()?);
        list.texts("--interface", self.interface.as_ref().map(InterfaceName::as_str));
        list.paths("--log-file", self.log_file.as_deref())?;
        list.texts("--hostname", self.hostname.as_deref().map(|own| name("--hostname", own)).transpose()?);
        list.texts("--fqdn", self.fqdn.as_deref().map(|own| name("--fqdn", own)).transpose()?);
        self.guest_addresses(&mut list)?;
        self.port_forwards(&mut list)?;
        self.options.add_to(&mut list)?;
        self.check_families()?;
        Ok(list.0)
    }

    fn guest_addresses(&self, list: &mut Arguments) -> Result<(), Error> {
        one_of_each("--address", self.addresses.iter().map(|address| address.ip))?;
        for GuestAddress { ip, prefix } in self.addresses.iter().copied() {
            list.text("--address", ip.to_string());
            match (ip, prefix) {
                (_, None) | (IpAddr::V6(_), Some(64)) => {}
                (IpAddr::V4(_), Some(prefix @ 1..=32)) => list.text("--netmask", prefix.to_string()),
                (_, Some(prefix)) => return Err(Error::Prefix { ip, prefix }),
            }
        }
        Ok(())
    }

    fn port_forwards(&self, list: &mut Arguments) -> Result<(), Error> {
        let mut bound: Vec<(Protocol, Listener<'_>, PortSet)> = Vec::new();
        for PortForward { protocol, ports } in &self.forwards {
            let (option, feature) = match protocol {
                Protocol::Tcp => ("--tcp-ports", Feature::Tcp),
                Protocol::Udp => ("--udp-ports", Feature::Udp),
            };
            if self.options.without.contains(&feature) {
                return Err(Error::Protocol(*protocol));
            }
            let (listener, excluded) = (ports.listener(), ports.excluded());
            for range in ports.forwarded() {
                let open = PortSet::from(range.ports()).difference(&excluded);
                let near = bound.iter().filter(|(other, at, _)| other == protocol && at.clashes(listener));
                let mut common = near.flat_map(|(_, _, set)| set.intersection(&open).ports().next());
                if let Some(port) = common.next() {
                    return Err(Error::Overlap { protocol: *protocol, port });
                }
                bound.push((*protocol, listener, open));
            }
            list.text(option, ports.to_string());
        }
        Ok(())
    }

    fn check_families(&self) -> Result<(), Error> {
        let Some(only) = self.options.only else { return Ok(()) };
        let guest = self.addresses.iter().map(|address| address.ip);
        let host = self.forwards.iter().filter_map(|forward| forward.ports.address);
        let mut others = guest.chain(host).chain(self.options.gateways.iter().copied());
        others.find(|ip| Family::of(*ip) != only).map_or(Ok(()), |ip| Err(Error::Family { ip, only }))
    }
}

impl Options {
    fn add_to(&self, list: &mut Arguments) -> Result<(), Error> {
        if self.process == Process::Foreground {
            list.flag("--foreground");
        }
        match self.verbosity {
            Verbosity::Normal => {}
            Verbosity::Quiet => list.flag("--quiet"),
            Verbosity::Debug => list.flag("--debug"),
            Verbosity::Trace => list.flag("--trace"),
        }
        list.texts("--log-size", self.log_size.map(|size| size.to_string()));
        list.texts(
            "--runas",
            self.run_as.map(|user| match user.gid {
                Some(gid) => format!("{}:{gid}", user.uid),
                None => user.uid.to_string(),
            }),
        );
        list.paths("--pcap", self.pcap.as_deref())?;
        list.texts("--mac-addr", self.mac.map(|mac| mac.to_string()));
        list.addresses("--gateway", &self.gateways)?;
        list.addresses("--outbound", &self.outbound)?;
        list.texts("--outbound-if4", self.outbound_ipv4.as_ref().map(InterfaceName::as_str));
        list.texts("--outbound-if6", self.outbound_ipv6.as_ref().map(InterfaceName::as_str));
        self.names(list)?;
        list.mapping("--map-host-loopback", &self.map_host_loopback)?;
        list.mapping("--map-guest-addr", &self.map_guest_addr)?;
        match self.only {
            None => {}
            Some(Family::Ipv4) => list.flag("--ipv4-only"),
            Some(Family::Ipv6) => list.flag("--ipv6-only"),
        }
        self.without.iter().for_each(|feature| list.flag(feature.option()));
        Ok(())
    }

    fn names(&self, list: &mut Arguments) -> Result<(), Error> {
        match &self.dns {
            Resolvers::OfHost => {}
            Resolvers::None => list.text("--dns", "none"),
            Resolvers::Given(servers) if servers.is_empty() => return Err(Error::EmptyList("--dns")),
            Resolvers::Given(servers) => list.texts("--dns", servers.iter().map(IpAddr::to_string)),
        }
        list.addresses("--dns-forward", &self.dns_forward)?;
        list.addresses("--dns-host", &self.dns_host)?;
        match &self.search {
            Resolvers::OfHost => {}
            Resolvers::None => list.text("--search", "none"),
            Resolvers::Given(domains) if domains.is_empty() => return Err(Error::EmptyList("--search")),
            // The dot distinguishes a domain of that name from the keyword.
            Resolvers::Given(domains) => domains.iter().try_for_each(|domain| {
                let domain = name("--search", domain)?;
                list.text("--search", if domain == "none" { "none." } else { domain });
                Ok(())
            })?,
        }
        Ok(())
    }
}

/// A list of arguments, each option before its value.
#[derive(Default)]
struct Arguments(Vec<OsString>);

impl Arguments {
    fn flag(&mut self, option: &str) {
        self.0.push(option.into());
    }

    fn text(&mut self, option: &str, value: impl Into<OsString>) {
        self.0.extend([option.into(), value.into()]);
    }

    fn texts(&mut self, option: &str, values: impl IntoIterator<Item = impl Into<OsString>>) {
        values.into_iter().for_each(|value| self.text(option, value));
    }

    fn path(&mut self, option: &'static str, path: &Path) -> Result<(), Error> {
        let bytes = path.as_os_str().as_encoded_bytes();
        if bytes.is_empty() || bytes.contains(&0) {
            return Err(Error::Path { option, path: path.to_owned() });
        }
        self.text(option, path);
        Ok(())
    }

    fn paths(&mut self, option: &'static str, path: Option<&Path>) -> Result<(), Error> {
        path.map_or(Ok(()), |path| self.path(option, path))
    }

    fn addresses(&mut self, option: &'static str, addresses: &[IpAddr]) -> Result<(), Error> {
        one_of_each(option, addresses.iter().copied())?;
        self.texts(option, addresses.iter().map(IpAddr::to_string));
        Ok(())
    }

    fn mapping(&mut self, option: &'static str, mapping: &Mapping) -> Result<(), Error> {
        match mapping {
            Mapping::Default => Ok(()),
            Mapping::None => {
                self.text(option, "none");
                Ok(())
            }
            Mapping::At(addresses) if addresses.is_empty() => Err(Error::EmptyList(option)),
            Mapping::At(addresses) => self.addresses(option, addresses),
        }
    }
}

fn socket(path: &Path) -> Result<&Path, Error> {
    match path.as_os_str().len() {
        0..=107 => Ok(path),
        len => Err(Error::SocketTooLong { path: path.to_owned(), len }),
    }
}

fn mtu(size: u32) -> Result<String, Error> {
    match size {
        0 | 68..=65535 => Ok(size.to_string()),
        _ => Err(Error::Mtu(size)),
    }
}

fn name<'a>(option: &'static str, name: &'a str) -> Result<&'a str, Error> {
    let inner = name.strip_suffix('.').unwrap_or(name);
    let is_label = |label: &str| {
        let signs = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        signs && (1..=63).contains(&label.len())
    };
    if inner.len() <= 253 && inner.split('.').all(is_label) {
        Ok(name)
    } else {
        Err(Error::Name { option, name: name.to_owned() })
    }
}

fn one_of_each(option: &'static str, addresses: impl Iterator<Item = IpAddr>) -> Result<(), Error> {
    let mut seen: Vec<IpAddr> = Vec::new();
    for second in addresses {
        let family = Family::of(second);
        if let Some(first) = seen.iter().copied().find(|first| Family::of(*first) == family) {
            return Err(Error::SecondAddress { option, family, first, second });
        }
        seen.push(second);
    }
    Ok(())
}
