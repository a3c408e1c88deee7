//! dnsmasq is told what libvirt tells it, in the same order.

use std::path::PathBuf;

use vnet_plan::{Choices, Files, preview};
use vnet_types::Inventory;
use vnet_xml::Network;

use crate::{run, same, text};

#[test]
#[cfg_attr(not(libvirt_corpus), ignore = "VNET_LIBVIRT_CORPUS names no folder with libvirt's test data")]
fn dnsmasq() {
    run("dnsmasq", &[], |case| {
        // What dnsmasq can do has changed nothing since libvirt 11.
        assert_eq!(case["caps"], "full");
        let network: Network = text(case, "input").parse().unwrap();
        let directory = PathBuf::from("/var/lib/libvirt/dnsmasq");
        let choices = Choices { directory, random: [0; 3], bridge: None, leases: None };
        let nowhere = Inventory { ipv6: true, ..Inventory::default() };
        let lowered = preview(&network, &nowhere, &choices).map_err(|error| format!("{error:?}"))?;
        let files = Files::of(&choices);
        let rendered =
            vnet_plan::dnsmasq(&network, &lowered.bridge.unwrap(), &files).map_err(|error| format!("{error:?}"))?;
        same(&options(&rendered.conf), &options(&text(case, "conf")))?;
        match case["hostsfile"].is_string() {
            true => same(&rendered.hosts, &text(case, "hostsfile")),
            false => same(&rendered.hosts, ""),
        }
    });
}

/// The lines that say something to dnsmasq; the paths are each one's own choice, and libvirt's
/// tests have no more files.
fn options(conf: &str) -> String {
    let lines = conf.lines().filter(|line| !line.starts_with('#') && !line.starts_with("pid-file="));
    let lines = lines.filter(|line| !line.starts_with("dhcp-leasefile="));
    let lines = lines.map(|line| match line.split_once('=') {
        Some((name @ ("dhcp-hostsfile" | "addn-hosts"), path)) => {
            assert!(path.starts_with("/var/lib/libvirt/dnsmasq/"), "{path}");
            format!("{name}=…\n")
        }
        _ => format!("{line}\n"),
    });
    lines.collect()
}
