//! The public API of each library, as text for review: `crates/NAME/api.txt`.
//!
//! rustdoc prints the API as JSON, which is not stable yet. A stable rustdoc prints it with
//! `RUSTC_BOOTSTRAP`, which is set for rustdoc alone: set for cargo, it would rebuild the
//! dependencies.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use public_api::{Builder, PublicApi};

use crate::metadata::packages;
use crate::run::{Failed, cargo_program, failed, output, root, run};
use crate::tally::Tally;

/// Set when cargo runs this program in place of rustdoc.
const AS_RUSTDOC: &str = "VNET_XTASK_AS_RUSTDOC";
/// The Rust release whose rustdoc output `public_api` can read.
const RUST: &str = "1.95";

/// Names that public types of several crates share, each with the reason. A name that is unique
/// again must be removed.
const SHARED_NAMES: &[(&str, &str)] = &[
    ("Boot", "a program's input, in the words of the document"),
    ("Client", "of dnsmasq's leases, and clients of DHCP in a laboratory"),
    ("Dhcp", "a program's input, in the words of the document"),
    ("DhcpHost", "a program's input, in the words of the document"),
    ("DhcpRange", "a program's input, in the words of the document"),
    ("Dns", "a program's input, in the words of the document"),
    ("DnsHost", "a program's input, in the words of the document"),
    ("Domain", "a program's input, in the words of the document"),
    ("Driver", "libvirt's word for a program that runs networks, and `<driver>` of the document"),
    ("Error", "each crate has one, by custom"),
    ("Field", "of a packet, and of dnsmasq's configuration"),
    ("Filter", "a filter of tc, and `<filterref>` of the document"),
    ("Forwarder", "a program's input, in the words of the document"),
    ("Interface", "a match of nft, and `<interface>` of the document"),
    ("Judgement", "of a packet by rules of others, and of a promise"),
    ("Key", "the key of a set of nft, and that of a resource"),
    ("Lease", "a line of dnsmasq's file, and `<lease>` of the document"),
    ("Namespace", "which one it is, and one to work in: not told apart yet"),
    ("Owner", "a process, a user, and `<owner>` of the document: not told apart yet"),
    ("PortForward", "a program's input, in the words of the document"),
    ("Problem", "what a parser says, and what passt meets on a host: not told apart yet"),
    ("Process", "a resource, and how passt runs: not told apart yet"),
    ("Protocol", "a program's input, in the words of the document"),
    ("Refused", "by the kernel, and by the parser: not told apart yet"),
    ("Route", "a route of the kernel, and `<route>` of the document"),
    ("Rule", "a rule of nft, a rule of judging, and a rule of reading"),
    ("Srv", "a program's input, in the words of the document"),
    ("Subject", "what a rule of nft looks at, and traits of documents: not told apart yet"),
    ("Subnet", "a program's input, in the words of the document"),
    ("Target", "a program's input, in the words of the document"),
    ("Transport", "TCP or UDP, as nft says it and as a probe sends it"),
    ("Txt", "a program's input, in the words of the document"),
    ("Verdict", "of nft, and of a promise"),
];

/// Whether cargo runs this program as rustdoc.
pub(crate) fn is_rustdoc() -> bool {
    std::env::var_os(AS_RUSTDOC).is_some()
}

/// Runs rustdoc with unstable options, in place of this process.
pub(crate) fn rustdoc() -> ExitCode {
    let arguments = std::env::args_os().skip(1);
    let error = Command::new("rustdoc").args(arguments).env("RUSTC_BOOTSTRAP", "1").exec();
    eprintln!("rustdoc: {error}");
    ExitCode::FAILURE
}

/// Compares each library with its text, or writes the text. Compares the names of all libraries
/// with each other.
pub(crate) fn check(write: bool) -> Tally {
    match is_readable() {
        Ok(true) => {}
        Ok(false) => {
            println!("xtask: the public API was not compared: that takes the rustdoc of Rust {RUST}");
            return Tally::default();
        }
        Err(failed) => return Tally::of(Err(failed)),
    }
    match libraries() {
        Ok(libraries) => {
            let compared = libraries.iter().map(|(name, api)| Tally::of(compare(name, api, write)));
            compared.chain([Tally::of(names_are_unique(&libraries))]).sum()
        }
        Err(failed) => Tally::of(Err(failed)),
    }
}

fn is_readable() -> Result<bool, Failed> {
    let version = output("rustdoc", &["--version"])?;
    Ok(version.starts_with(&format!("rustdoc {RUST}.")))
}

/// The lines of each library's public API, by package name.
fn libraries() -> Result<BTreeMap<String, Vec<String>>, Failed> {
    let this = std::env::current_exe().map_err(failed(Path::new("xtask")))?.display().to_string();
    let rustdoc = format!("RUSTDOC={this}");
    let flags = "RUSTDOCFLAGS=-Z unstable-options --output-format json --cap-lints allow";
    let mark = format!("{AS_RUSTDOC}=1");
    let cargo = cargo_program();
    let packages = packages()?;
    let private =
        packages.iter().filter(|package| !package.is_published).map(|package| format!("--exclude={}", package.name));
    let private: Vec<String> = private.collect();
    let doc = [&rustdoc, flags, &mark, &cargo, "doc", "--workspace", "--all-features", "--no-deps", "--lib"];
    run("env", &[&doc[..], &private.iter().map(String::as_str).collect::<Vec<_>>()].concat())?;
    let libraries = packages.iter().filter(|package| package.is_published && package.is_library);
    libraries.map(|package| Ok((package.name.clone(), lines(&package.name)?))).collect()
}

/// The items, with derived traits but without their methods, which add nothing.
fn lines(package: &str) -> Result<Vec<String>, Failed> {
    let file = root().join("target/doc").join(package.replace('-', "_")).with_extension("json");
    let read = |derived: bool| -> Result<PublicApi, Failed> {
        let builder = Builder::from_rustdoc_json(&file).omit_blanket_impls(true).omit_auto_trait_impls(true);
        let api = builder.omit_auto_derived_impls(!derived).build();
        api.map_err(|error| Failed(format!("{}: {error}", file.display())))
    };
    let (own, all) = (read(false)?, read(true)?);
    let derived = all.items().map(ToString::to_string).filter(|line| line.starts_with("impl"));
    let lines: BTreeSet<String> = own.items().map(ToString::to_string).chain(derived).collect();
    Ok(lines.into_iter().collect())
}

fn compare(package: &str, lines: &[String], write: bool) -> Result<(), Failed> {
    let path = format!("crates/{package}/api.txt");
    let file = root().join(&path);
    if write {
        return fs::write(&file, lines.join("\n") + "\n").map_err(failed(&file));
    }
    let recorded = fs::read_to_string(&file).map_err(failed(&file))?;
    let (recorded, actual): (BTreeSet<&str>, BTreeSet<&str>) =
        (recorded.lines().collect(), lines.iter().map(String::as_str).collect());
    let gone = recorded.difference(&actual).map(|line| format!("  - {line}\n"));
    let new = actual.difference(&recorded).map(|line| format!("  + {line}\n"));
    let differences: String = gone.chain(new).collect();
    if differences.is_empty() {
        return Ok(());
    }
    Err(Failed(format!(
        "the API of {package} is not that of {path}; `cargo xtask api --write` if it is meant so:\n{differences}"
    )))
}

/// Someone who imports two of our crates should not have to rename a type.
fn names_are_unique(libraries: &BTreeMap<String, Vec<String>>) -> Result<(), Failed> {
    let mut owners: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (package, lines) in libraries {
        for name in lines.iter().filter_map(|line| type_name(line)) {
            owners.entry(name).or_default().insert(package);
        }
    }
    let shared = |name: &str| owners.get(name).is_some_and(|owners| owners.len() > 1);
    let is_allowed = |name: &str| SHARED_NAMES.iter().any(|(allowed, _)| *allowed == name);
    let mut problems: Vec<String> = Vec::new();
    for (name, owners) in owners.iter().filter(|(name, _)| shared(name) && !is_allowed(name)) {
        problems.push(format!("`{name}` is a type of {}", owners.iter().copied().collect::<Vec<_>>().join(", ")));
    }
    for (name, _) in SHARED_NAMES.iter().filter(|(name, _)| !shared(name)) {
        problems.push(format!("`{name}` is unique again: take it off the list of shared names"));
    }
    if problems.is_empty() { Ok(()) } else { Err(Failed(format!("names:\n  {}", problems.join("\n  ")))) }
}

/// The name of the type or trait that a line defines.
fn type_name(line: &str) -> Option<&str> {
    let kinds = ["pub struct ", "pub enum ", "pub union ", "pub trait ", "pub unsafe trait ", "pub type "];
    let line = line.strip_prefix("#[non_exhaustive] ").unwrap_or(line);
    let path = kinds.iter().find_map(|kind| line.strip_prefix(kind))?;
    let path = path.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').next()?;
    // An associated type belongs to its trait.
    let segments: Vec<&str> = path.trim_end_matches(':').split("::").collect();
    let is_free = segments.iter().rev().skip(1).all(|segment| segment.starts_with(char::is_lowercase));
    is_free.then(|| segments[segments.len() - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_names() {
        assert_eq!(type_name("pub struct vnet_xml::network::Route"), Some("Route"));
        assert_eq!(type_name("#[non_exhaustive] pub enum vnet_host::Error<T>"), Some("Error"));
        assert_eq!(type_name("pub trait vnet_host::Host: core::marker::Send"), Some("Host"));
        assert_eq!(type_name("pub type vnet_host::LinuxHost::Error = x::Y"), None);
        assert_eq!(type_name("pub fn vnet_xml::Network::parse(text: &[u8])"), None);
    }

    #[test]
    fn a_name_of_two_crates_is_found() {
        let lines = |line: &str| vec![line.to_owned()];
        let one = ("a".to_owned(), lines("pub struct a::Port"));
        let names = |other: &str| names_are_unique(&[one.clone(), ("b".to_owned(), lines(other))].into());
        let found = names("pub enum b::deep::Port").expect_err("the name is there twice").to_string();
        assert!(found.contains("`Port` is a type of a, b"), "{found}");
        let unrelated = names("pub use b::Port").expect_err("the list of shared names does not fit").to_string();
        assert!(!unrelated.contains("`Port`"), "{unrelated}");
    }
}
