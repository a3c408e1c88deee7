//! The files that dnsmasq reads: options of dnsmasq(8), as libvirt's network driver orders them.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};

use vnet_types::{AddressRange, Family, IpNet};

use crate::hosts::{addn_hosts, dhcp_host, lease_time};
use crate::quote::{in_quotes, labels, name, only, path_text, quoted};
use crate::{Boot, Config, Dhcp, Dns, Domain, Error, Field, Forwarder, PlainNames, Reach, Srv, Subnet, Txt};

/// Where the files are that the configuration refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Paths {
    /// Where dnsmasq writes its process id; nowhere where `None`.
    pub pid_file: Option<PathBuf>,
    /// Where [`Rendered::hosts`] is put.
    pub hosts: PathBuf,
    /// Where [`Rendered::addn_hosts`] is put.
    pub addn_hosts: PathBuf,
    /// Where dnsmasq keeps its leases; dnsmasq's default where `None`.
    pub leases: Option<PathBuf>,
}

/// The texts of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rendered {
    /// The configuration. A running dnsmasq does not read it again.
    pub conf: String,
    /// Who gets which address: read again on SIGHUP.
    pub hosts: String,
    /// The names of addresses: read again on SIGHUP.
    pub addn_hosts: String,
}

impl Paths {
    /// No file but the two that are read.
    pub fn new(hosts: PathBuf, addn_hosts: PathBuf) -> Self {
        Self { pid_file: None, hosts, addn_hosts, leases: None }
    }
}

impl Config {
    /// Writes the files.
    ///
    /// # Errors
    /// [`Error`] for what dnsmasq cannot be told.
    pub fn render(&self, paths: &Paths) -> Result<Rendered, Error> {
        let dhcp = ActiveDhcp::find(&self.subnets)?;
        let mut conf = Lines::default();
        conf.plain("# written by vnet, changes are lost");
        conf.plain("strict-order");
        match &self.dns {
            Some(dns) => forwarders(&mut conf, &dns.forwarders)?,
            None => conf.plain("port=0"),
        }
        self.domain.iter().try_for_each(|own| domain(&mut conf, own))?;
        if let Some(dns) = &self.dns {
            self.local_names(&mut conf, dns)?;
        }
        if let Some(pid_file) = &paths.pid_file {
            path(&mut conf, "pid-file", pid_file)?;
        }
        if let Some(leases) = &paths.leases {
            path(&mut conf, "dhcp-leasefile", leases)?;
        }
        self.listen(&mut conf)?;
        if let Some(dns) = &self.dns {
            dns.txts.iter().try_for_each(|record| txt(&mut conf, record))?;
            dns.srvs.iter().try_for_each(|record| srv(&mut conf, record))?;
        }
        tftp(&mut conf, &self.subnets)?;
        let hosts = dhcp.render(&mut conf, &paths.hosts)?;
        if self.dns.is_some() {
            path(&mut conf, "addn-hosts", &paths.addn_hosts)?;
        }
        self.mtu.filter(|size| *size != 0).iter().try_for_each(|size| mtu(&mut conf, *size))?;
        router_advertisements(&mut conf, &self.subnets, &dhcp)?;
        self.options.iter().try_for_each(|line| option(&mut conf, line))?;
        Ok(Rendered {
            conf: conf.text,
            hosts,
            addn_hosts: addn_hosts(self.dns.as_ref().map_or(&[], |dns| &dns.hosts))?,
        })
    }

    fn local_names(&self, conf: &mut Lines, dns: &Dns) -> Result<(), Error> {
        for subnet in self.subnets.iter().filter(|subnet| subnet.local_ptr) {
            conf.push(Field::Domain, format_args!("local=/{}/", reverse_zone(subnet.net)?))?;
        }
        if dns.plain_names == PlainNames::Local {
            conf.plain("domain-needed");
            conf.plain("local=//");
        }
        Ok(())
    }

    fn listen(&self, conf: &mut Lines) -> Result<(), Error> {
        // A star would be a wildcard, for which dnsmasq has no escape.
        let interface = only(Field::Interface, self.interface.as_str(), |c| c != '*')?;
        conf.plain("except-interface=lo");
        conf.plain("bind-dynamic");
        conf.push(Field::Interface, format_args!("interface={}", quoted(Field::Interface, interface)?))?;
        if self.reach == Reach::Isolated {
            conf.plain("dhcp-option=3");
            conf.plain("no-resolv");
            conf.plain("ra-param=*,0,0");
        }
        Ok(())
    }
}

/// Lines that dnsmasq reads whole.
#[derive(Default)]
pub(crate) struct Lines {
    pub(crate) text: String,
}

impl Lines {
    /// The most bytes that dnsmasq reads of a line: `MAXDNAME`, less a newline and a NUL.
    const LIMIT: usize = 1023;

    pub(crate) fn push(&mut self, field: Field, line: fmt::Arguments<'_>) -> Result<(), Error> {
        let line = line.to_string();
        if line.len() > Self::LIMIT {
            return Err(Error::TooLong { field, len: line.len() });
        }
        self.plain(&line);
        Ok(())
    }

    fn plain(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }
}

/// The subnets with DHCP: at most one of each family.
struct ActiveDhcp<'a> {
    v4: Option<(&'a Subnet, &'a Dhcp)>,
    v6: Option<(&'a Subnet, &'a Dhcp)>,
}

impl<'a> ActiveDhcp<'a> {
    fn find(subnets: &'a [Subnet]) -> Result<Self, Error> {
        let mut found = Self { v4: None, v6: None };
        for subnet in subnets {
            let Some(dhcp) = subnet.active_dhcp() else { continue };
            let family = Family::of(subnet.net.addr());
            let slot = match family {
                Family::Ipv4 => &mut found.v4,
                Family::Ipv6 => &mut found.v6,
            };
            if let Some((first, _)) = slot.replace((subnet, dhcp)) {
                return Err(Error::SecondDhcp { family, first: first.net, second: subnet.net });
            }
        }
        Ok(found)
    }

    /// Writes the options; what is returned is the hosts file.
    fn render(&self, conf: &mut Lines, hosts_path: &Path) -> Result<String, Error> {
        let mut hosts = Lines::default();
        let mut addresses = 0;
        for (subnet, dhcp) in self.v4.iter().chain(&self.v6) {
            addresses += ranges(conf, subnet.net, dhcp)?;
            if subnet.net.addr().is_ipv4() {
                conf.plain("dhcp-no-override");
                conf.plain("dhcp-authoritative");
            }
            dhcp.boot.iter().try_for_each(|file| boot(conf, file, subnet.net))?;
            dhcp.hosts.iter().try_for_each(|host| dhcp_host(&mut hosts, host, subnet.net))?;
        }
        if addresses > 0 {
            conf.plain(&format!("dhcp-lease-max={addresses}"));
        }
        if self.v4.is_some() || self.v6.is_some() {
            path(conf, "dhcp-hostsfile", hosts_path)?;
        }
        Ok(hosts.text)
    }
}

fn forwarders(conf: &mut Lines, forwarders: &[Forwarder]) -> Result<(), Error> {
    for forwarder in forwarders {
        let zone = match &forwarder.domain {
            Some(domain) => format!("/{}/", forwarder_domain(domain)?),
            None => String::new(),
        };
        let server = match (forwarder.addr, forwarder.port) {
            (Some(addr), Some(port)) => format!("{addr}#{port}"),
            (Some(addr), None) => addr.to_string(),
            (None, port) => {
                let domain = forwarder.domain.clone().ok_or(Error::EmptyForwarder)?;
                port.map_or(Ok(()), |port| Err(Error::ForwarderPort { domain, port }))?;
                "#".to_owned()
            }
        };
        conf.push(Field::ForwarderDomain, format_args!("server={zone}{server}"))?;
    }
    if forwarders.iter().any(|forwarder| forwarder.addr.is_some() && forwarder.domain.is_none()) {
        conf.plain("no-resolv");
    }
    Ok(())
}

/// Empty stands for names without a dot; a leading dot changes nothing, a leading star stands for any name that ends so.
fn forwarder_domain(domain: &str) -> Result<&str, Error> {
    let inner = domain.strip_prefix('*').unwrap_or(domain);
    let inner = inner.strip_prefix('.').unwrap_or(inner);
    if !domain.is_empty() {
        name(Field::ForwarderDomain, inner)?;
    }
    Ok(domain)
}

fn domain(conf: &mut Lines, domain: &Domain) -> Result<(), Error> {
    let own = name(Field::Domain, &domain.name)?;
    if domain.local_only {
        conf.push(Field::Domain, format_args!("local=/{own}/"))?;
    }
    conf.push(Field::Domain, format_args!("domain={own}"))?;
    conf.plain("expand-hosts");
    Ok(())
}

/// The name under which a subnet's addresses have theirs (RFC 1035 §3.5, RFC 3596 §2.5).
fn reverse_zone(net: IpNet) -> Result<String, Error> {
    let bits = if net.addr().is_ipv4() { 8 } else { 4 };
    if !net.prefix_len().is_multiple_of(bits) || net.prefix_len() == 0 || net.prefix_len() == net.max_prefix_len() {
        return Err(Error::ReverseZone { net, bits });
    }
    let labels = usize::from(net.prefix_len() / bits);
    let (labels, suffix): (Vec<String>, _) = match net {
        IpNet::V4(v4) => {
            (v4.addr().octets().map(|octet| octet.to_string()).into_iter().take(labels).collect(), "in-addr")
        }
        IpNet::V6(v6) => (nibbles(v6.addr()).map(|nibble| format!("{nibble:x}")).take(labels).collect(), "ip6"),
    };
    let zone: Vec<String> = labels.into_iter().rev().collect();
    Ok(format!("{}.{suffix}.arpa", zone.join(".")))
}

fn nibbles(address: Ipv6Addr) -> impl Iterator<Item = u8> {
    address.octets().into_iter().flat_map(|octet| [octet >> 4, octet & 0xf])
}

fn txt(conf: &mut Lines, txt: &Txt) -> Result<(), Error> {
    let own = labels(Field::TxtName, only(Field::TxtName, &txt.name, |c| c.is_ascii_graphic() && c != ',')?)?;
    let own = quoted(Field::TxtName, own)?;
    let value = quoted(Field::TxtValue, &txt.value)?;
    conf.push(Field::TxtValue, format_args!("txt-record={own},{value}"))
}

fn srv(conf: &mut Lines, srv: &Srv) -> Result<(), Error> {
    let signs = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '/');
    let service = only(Field::SrvService, &srv.service, |c| signs(c) || matches!(c, '_' | '*'))?;
    let protocol = only(Field::SrvProtocol, &srv.protocol, signs)?;
    let mut record = format!("_{service}._{protocol}");
    if let Some(domain) = &srv.domain {
        record = format!("{record}.{}", name(Field::SrvDomain, domain)?);
    }
    labels(Field::SrvService, &record)?;
    if let Some(target) = srv.target.as_deref().filter(|target| *target != ".") {
        let numbers = [srv.port.unwrap_or(1), srv.priority.unwrap_or(0), srv.weight.unwrap_or(0)];
        let said = match [srv.port, srv.priority, srv.weight].map(Option::unwrap_or_default) {
            [0, 0, 0] => 0,
            [_, 0, 0] => 1,
            [_, _, 0] => 2,
            _ => 3,
        };
        let fields: String = numbers[..said].iter().map(|number| format!(",{number}")).collect();
        record = format!("{record},{}{fields}", name(Field::SrvTarget, target)?);
    }
    conf.push(Field::SrvService, format_args!("srv-host={record}"))
}

fn tftp(conf: &mut Lines, subnets: &[Subnet]) -> Result<(), Error> {
    let roots = subnets.iter().filter_map(|subnet| subnet.tftp_root.as_deref().map(|root| (subnet.net, root)));
    for (number, (net, root)) in roots.enumerate() {
        if net.addr().is_ipv6() {
            return Err(Error::OnlyIpv4 { field: Field::TftpRoot, net });
        }
        if root.is_empty() {
            return Err(Error::Empty(Field::TftpRoot));
        }
        if number == 0 {
            conf.plain("enable-tftp");
        }
        conf.push(Field::TftpRoot, format_args!("tftp-root={}", quoted(Field::TftpRoot, root)?))?;
    }
    Ok(())
}

/// Writes the ranges and counts their addresses.
fn ranges(conf: &mut Lines, net: IpNet, dhcp: &Dhcp) -> Result<u64, Error> {
    let mask = match net {
        IpNet::V4(v4) => v4.netmask().to_string(),
        IpNet::V6(v6) => v6.prefix_len().to_string(),
    };
    let mut addresses = 0;
    for range in &dhcp.ranges {
        let (start, end) = (range.addresses.start(), range.addresses.end());
        if start.is_ipv4() != net.addr().is_ipv4() {
            return Err(Error::Family { field: Field::DhcpRange, address: start, net });
        }
        addresses += size(range.addresses)?;
        let lease = range.lease.map(lease_time).transpose()?.map_or(String::new(), |time| format!(",{time}"));
        conf.push(Field::DhcpRange, format_args!("dhcp-range={start},{end},{mask}{lease}"))?;
    }
    if dhcp.ranges.is_empty() {
        let mask = if net.addr().is_ipv4() { String::new() } else { format!(",{mask}") };
        conf.push(Field::DhcpRange, format_args!("dhcp-range={},static{mask}", net.addr()))?;
    }
    Ok(addresses)
}

fn size(range: AddressRange) -> Result<u64, Error> {
    let number = |address| match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    };
    let distance = number(range.end()) - number(range.start());
    match u16::try_from(distance) {
        Ok(distance) => Ok(u64::from(distance) + 1),
        Err(_) => Err(Error::RangeTooLarge { start: range.start(), end: range.end() }),
    }
}

fn boot(conf: &mut Lines, boot: &Boot, net: IpNet) -> Result<(), Error> {
    if net.addr().is_ipv6() {
        return Err(Error::OnlyIpv4 { field: Field::BootFile, net });
    }
    let is_tag = boot.file.starts_with("tag:") || boot.file.starts_with("net:");
    let file = match boot.file.as_str() {
        "" => return Err(Error::Empty(Field::BootFile)),
        tag if is_tag => in_quotes(Field::BootFile, tag)?.into(),
        file => quoted(Field::BootFile, file)?,
    };
    match boot.server {
        None => conf.push(Field::BootFile, format_args!("dhcp-boot={file}")),
        Some(IpAddr::V4(server)) => conf.push(Field::BootFile, format_args!("dhcp-boot={file},,{server}")),
        Some(address) => Err(Error::Family { field: Field::BootServer, address, net }),
    }
}

fn mtu(conf: &mut Lines, size: u32) -> Result<(), Error> {
    if size > u16::MAX.into() {
        return Err(Error::Mtu(size));
    }
    conf.plain(&format!("dhcp-option=option:mtu,{size}"));
    Ok(())
}

/// With DHCPv6, routers are announced for its ranges; without, every IPv6 subnet is one to make an address in (SLAAC).
fn router_advertisements(conf: &mut Lines, subnets: &[Subnet], dhcp: &ActiveDhcp<'_>) -> Result<(), Error> {
    if dhcp.v6.is_some() {
        conf.plain("enable-ra");
        return Ok(());
    }
    let v6 = subnets.iter().map(|subnet| subnet.net.addr()).filter(IpAddr::is_ipv6);
    v6.into_iter().try_for_each(|addr| conf.push(Field::DhcpRange, format_args!("dhcp-range={addr},ra-only")))
}

fn option(conf: &mut Lines, line: &str) -> Result<(), Error> {
    let line = only(Field::Option, line, |c| c == '\t' || !c.is_control())?;
    conf.push(Field::Option, format_args!("{line}"))
}

fn path(conf: &mut Lines, option: &str, path: &Path) -> Result<(), Error> {
    conf.push(Field::Path, format_args!("{option}={}", quoted(Field::Path, path_text(path)?)?))
}
