//! A guest: a network namespace on a cable, with DHCP clients and servers that say which port they
//! have.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddrV6, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use vnet_passt::run::Cable;
use vnet_tests::{Netns, json, run, wait_for};

use crate::host::SOON;
use crate::jack::Jack;

pub(crate) const MAC: &str = "52:54:00:12:34:56";
const DUID: [u8; 10] = [0, 3, 0, 1, 0x52, 0x54, 0, 0x12, 0x34, 0x56];

pub(crate) struct Guest {
    pub(crate) netns: Netns,
    jack: Jack,
    cable: Option<Cable>,
}

impl Guest {
    /// One that is connected to passt.
    pub(crate) fn new(passt: &Path) -> Self {
        let netns = Netns::new();
        let jack = Jack::new(&netns, MAC);
        let mut guest = Self { netns, jack, cable: None };
        guest.plug(passt);
        guest
    }

    /// Connects it, anew where it was.
    pub(crate) fn plug(&mut self, passt: &Path) {
        self.cable = None;
        self.cable = Some(self.jack.plug(passt).unwrap());
    }

    pub(crate) fn unplug(&mut self) {
        self.cable = None;
    }

    /// What busybox's client tells of a lease, as `NAME=VALUE` lines; the address is set too.
    pub(crate) fn lease(&self) -> String {
        let script = "/tmp/lease";
        fs::write(script, "#!/bin/sh\n[ \"$1\" != bound ] || exec env\n").unwrap();
        fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
        let options = ["-O", "mtu", "-O", "search", "-O", "hostname", "-O", "dns", "-O", "router"];
        let words = ["udhcpc", "-i", "eth0", "-f", "-q", "-n", "-t", "10", "-T", "1", "-s", script];
        self.netns.run(|| {
            let lease = run("busybox", &[&words[..], &options].concat());
            let value = |name: &str| value(&lease, name).map(str::to_owned);
            run(
                "ip",
                &["address", "replace", &format!("{}/{}", value("ip").unwrap(), value("mask").unwrap()), "dev", "eth0"],
            );
            if let Some(router) = value("router") {
                run("ip", &["route", "replace", "default", "via", &router, "dev", "eth0", "onlink"]);
            }
            lease
        })
    }

    /// The address by DHCPv6 (RFC 8415: SOLICIT, REQUEST).
    pub(crate) fn lease6(&self) -> Ipv6Addr {
        let index = self.netns.run(|| json("ip", &["-j", "link", "show", "eth0"])[0]["ifindex"].as_u64().unwrap());
        self.link_local();
        self.netns.run(|| {
            let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 546)).unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            let servers: Ipv6Addr = "ff02::1:2".parse().unwrap();
            let to = SocketAddrV6::new(servers, 547, 0, u32::try_from(index).unwrap());
            let client = option(1, &DUID);
            let exchange = |kind: u8, answer: u8, options: &[u8]| {
                let message = [&[kind, 1, 2, 3][..], &client, &option(8, &[0, 0]), options].concat();
                wait_for(SOON, "a DHCPv6 server", || {
                    socket.send_to(&message, to).ok()?;
                    let mut bytes = [0; 1500];
                    let length = socket.recv(&mut bytes).ok()?;
                    (bytes[0] == answer).then(|| bytes[4..length].to_vec())
                })
            };
            let association = [&[0, 0, 0, 1][..], &[0; 8]].concat();
            let advertised = exchange(1, 2, &option(3, &association));
            let server = option(2, find(&advertised, 2).unwrap());
            let offered = find(&find(&advertised, 3).unwrap()[12..], 5).unwrap();
            let wanted = [&association[..], &option(5, offered)].concat();
            let reply = exchange(3, 7, &[server, option(3, &wanted)].concat());
            let address = find(&find(&reply, 3).unwrap()[12..], 5).unwrap();
            let address = Ipv6Addr::from(*address.first_chunk::<16>().unwrap());
            run("ip", &["address", "replace", &format!("{address}/64"), "dev", "eth0", "nodad"]);
            address
        })
    }

    /// The addresses that the kernel has given itself by router advertisements.
    pub(crate) fn by_advertisement(&self) -> Vec<Ipv6Addr> {
        self.netns.run(|| {
            wait_for(SOON, "an address by a router advertisement", || {
                let found = addresses(&json("ip", &["-j", "-6", "address", "show", "dev", "eth0", "scope", "global"]));
                (!found.is_empty()).then_some(found)
            })
        })
    }

    /// Waits for the link-local address.
    fn link_local(&self) {
        let words = ["-j", "-6", "address", "show", "dev", "eth0", "scope", "link", "-tentative"];
        self.netns.run(|| {
            wait_for(SOON, "the link-local address", || (!addresses(&json("ip", &words)).is_empty()).then_some(()));
        });
    }

    /// Servers at these ports of both protocols and families, each of which says its number.
    pub(crate) fn serve(&self, ports: &[u16]) {
        for port in ports.iter().copied() {
            let (listener, socket) = self.netns.run(|| {
                let any = (Ipv6Addr::UNSPECIFIED, port);
                (TcpListener::bind(any).unwrap(), UdpSocket::bind(any).unwrap())
            });
            thread::spawn(move || {
                for mut stream in listener.incoming().flatten() {
                    let _ = stream.read_exact(&mut [0]).and_then(|()| write!(stream, "{port}"));
                }
            });
            thread::spawn(move || {
                while let Ok((_, peer)) = socket.recv_from(&mut [0; 16]) {
                    let _ = socket.send_to(port.to_string().as_bytes(), peer);
                }
            });
        }
    }
}

/// What a lease has of this name.
pub(crate) fn value<'a>(lease: &'a str, name: &str) -> Option<&'a str> {
    lease.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
}

fn addresses(json: &Value) -> Vec<Ipv6Addr> {
    let listed = json.as_array().into_iter().flatten();
    let infos = listed.flat_map(|link| link["addr_info"].as_array().into_iter().flatten());
    infos.filter_map(|info| info["local"].as_str()?.parse().ok()).collect()
}

fn option(code: u16, value: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes(), &u16::try_from(value.len()).unwrap().to_be_bytes(), value].concat()
}

/// The value of the first option of this code.
fn find(mut options: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let ([a, b, c, d], rest) = options.split_first_chunk::<4>()?;
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*c, *d])))?;
        if u16::from_be_bytes([*a, *b]) == wanted {
            return Some(value);
        }
        options = rest;
    }
}
