//! Renders the files that dnsmasq reads: options of dnsmasq(8), in the order of libvirt's network
//! driver.

use std::path::PathBuf;

use crate::dhcp::{ActiveDhcp, mtu, router_advertisements, tftp};
use crate::dns::{domain, forwarders, reverse_zone, srv, txt};
use crate::hosts::addn_hosts;
use crate::line::{Lines, only, path, quoted};
use crate::option::{Objection, Surroundings, objection};
use crate::{Config, Dns, Error, Field, PlainNames, Reach};

/// The paths that the configuration refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Paths {
    /// Where dnsmasq writes its process id; `None`: nowhere.
    pub pid_file: Option<PathBuf>,
    /// The path of [`Rendered::hosts`].
    pub hosts: PathBuf,
    /// The path of [`Rendered::addn_hosts`].
    pub addn_hosts: PathBuf,
    /// Where dnsmasq keeps its leases; `None`: dnsmasq's default.
    pub leases: Option<PathBuf>,
}

/// The texts of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rendered {
    /// The configuration. A running dnsmasq does not read it again.
    pub conf: String,
    /// The reserved addresses: read again on SIGHUP.
    pub hosts: String,
    /// The names for addresses: read again on SIGHUP.
    pub addn_hosts: String,
}

impl Paths {
    /// Only the two files that dnsmasq reads.
    pub fn new(hosts: PathBuf, addn_hosts: PathBuf) -> Self {
        Self { pid_file: None, hosts, addn_hosts, leases: None }
    }
}

impl Config {
    /// Renders the files.
    ///
    /// # Errors
    /// [`Error`] for a value that cannot be written for dnsmasq.
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
        if !self.names_only {
            router_advertisements(&mut conf, &self.subnets, &dhcp)?;
        }
        let surroundings = self.surroundings();
        self.options.iter().try_for_each(|line| option(&mut conf, line, &surroundings))?;
        Ok(Rendered {
            conf: conf.text,
            hosts,
            addn_hosts: addn_hosts(self.dns.as_ref().map_or(&[], |dns| &dns.hosts))?,
        })
    }

    fn local_names(&self, conf: &mut Lines, dns: &Dns) -> Result<(), Error> {
        for subnet in self.subnets.iter().filter(|subnet| subnet.local_ptr) {
            conf.plain(&format!("local=/{}/", reverse_zone(subnet.net)?));
        }
        if dns.plain_names == PlainNames::Local {
            conf.plain("domain-needed");
            conf.plain("local=//");
        }
        Ok(())
    }

    fn listen(&self, conf: &mut Lines) -> Result<(), Error> {
        // dnsmasq takes a star for a wildcard and cannot escape it.
        let interface = only(Field::Interface, self.interface.as_str(), |c| c != '*')?;
        conf.plain("except-interface=lo");
        conf.plain("bind-dynamic");
        conf.push(Field::Interface, format_args!("interface={}", quoted(Field::Interface, interface)?))?;
        match (self.reach, self.names_only) {
            (Reach::Routed, _) => {}
            (Reach::Isolated, true) => conf.plain("no-resolv"),
            (Reach::Isolated, false) => {
                ["dhcp-option=3", "no-resolv", "ra-param=*,0,0"].iter().for_each(|it| conf.plain(it))
            }
        }
        Ok(())
    }
}

fn option(conf: &mut Lines, line: &str, surroundings: &Surroundings) -> Result<(), Error> {
    if let Some(Objection { keyword, because, is_refused: true, .. }) = objection(line, surroundings) {
        return Err(Error::Option { keyword, because });
    }
    let line = only(Field::Option, line, |c| c == '\t' || !c.is_control())?;
    conf.push(Field::Option, format_args!("{line}"))
}
