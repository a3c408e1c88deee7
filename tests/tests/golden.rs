//! What each definition in `testdata/network/valid` is printed as, plans, and tells dnsmasq, and
//! what each in `testdata/interface/valid` is printed as and tells passt: in the files beside it.
//!
//! `VNET_BLESS=1` writes them anew; read the difference before it is committed.

use std::fs;
use std::path::{Path, PathBuf};

use rstest::rstest;
use vnet_plan::{Choices, HostState, Resource, diff, lower};
use vnet_types::Inventory;
use vnet_xml::{Definition, Network, Style};

/// Stands for the folder of a network's own files.
const DIRECTORY: &str = "/run/vnet/NETWORK";

#[rstest]
fn files_beside_a_definition_hold(#[files("../testdata/network/valid/*.xml")] file: PathBuf) {
    let text = fs::read_to_string(&file).expect("a definition");
    let network: Network = text.parse().expect("a definition without errors");
    let inventory = Inventory { ipv6: true, ..Inventory::default() };
    let choices = Choices { directory: DIRECTORY.into(), random: [1, 2, 3], bridge: None, leases: None };
    let desired = lower(&network, &inventory, &choices).expect("a sound definition").desired;

    let canonical = network.to_string();
    assert_eq!(canonical.parse::<Network>().expect("canonical").to_string(), canonical);
    hold(&file, "canonical", Some(canonical));

    let changes = diff(&HostState::new(), &desired);
    hold(&file, "plan", Some(changes.iter().map(|change| format!("{change}\n")).collect()));

    let written = |name: &str| {
        desired.iter().find_map(|resource| match resource {
            Resource::File(it) if it.path == Path::new(DIRECTORY).join(name) => it.contents.clone(),
            _ => None,
        })
    };
    hold(&file, "dnsmasq.conf", written("dnsmasq.conf"));
    hold(&file, "dnsmasq.hosts", written("dnsmasq.hosts").filter(|hosts| !hosts.is_empty()));
}

#[rstest]
fn files_beside_an_interface_hold(#[files("../testdata/interface/valid/*.xml")] file: PathBuf) {
    let text = fs::read_to_string(&file).expect("a definition");
    let definition = Definition::parse(text.as_bytes()).into_result().expect("a definition without errors");
    hold(&file, "canonical", definition.print_into(text.as_bytes(), Style { inactive: true, ..Style::default() }));
    let passt = match &definition {
        Definition::Interface(interface) if interface.is_passt() => {
            let folder = Path::new("/run/vnet/passt/GUEST");
            let passt = vnet_plan::passt(interface, folder);
            let arguments = passt.expect("passt's interface").arguments().expect("passt can be told so");
            Some(arguments.iter().map(|argument| format!("{}\n", argument.to_string_lossy())).collect())
        }
        _ => None,
    };
    hold(&file, "argv", passt);
}

/// Compares with the file beside a definition; `None`: there shall be none.
fn hold(definition: &Path, extension: &str, actual: Option<String>) {
    let beside = definition.with_extension(extension);
    if std::env::var_os("VNET_BLESS").is_some() {
        match &actual {
            Some(text) => fs::write(&beside, text).expect("a writable folder"),
            None => drop(fs::remove_file(&beside)),
        }
    }
    let expected = fs::read_to_string(&beside).ok();
    assert_eq!(actual, expected, "{} is not as expected; VNET_BLESS=1 writes it anew", beside.display());
}
