//! The workspace, as cargo describes it.

use serde_json::Value;

use crate::run::{Failed, cargo_program, output};

/// A package of the workspace.
pub(crate) struct Package {
    pub(crate) name: String,
    /// Its features, except `default` and those that only turn on features of other packages.
    pub(crate) features: Vec<String>,
    /// Whether it is published.
    pub(crate) is_published: bool,
    /// Whether it is a library.
    pub(crate) is_library: bool,
    /// The packages of the workspace that it depends on, except for tests.
    #[cfg_attr(not(test), expect(dead_code, reason = "a test compares it with the arrows"))]
    pub(crate) below: Vec<String>,
}

/// The packages of the workspace.
pub(crate) fn packages() -> Result<Vec<Package>, Failed> {
    Ok(list(&ask(&["--no-deps"])?["packages"]).filter_map(package).collect())
}

/// The packages that need a newer Rust than the workspace promises: `NAME VERSION needs Rust
/// RELEASE`.
pub(crate) fn too_new(release: &str) -> Result<Vec<String>, Failed> {
    let metadata = ask(&["--filter-platform", "x86_64-unknown-linux-gnu"])?;
    let too_new = list(&metadata["packages"]).filter_map(|package| {
        let needed = package["rust_version"].as_str()?;
        let name = format!("{} {}", package["name"].as_str()?, package["version"].as_str()?);
        (numbers(needed) > numbers(release)).then(|| format!("{name} needs Rust {needed}"))
    });
    Ok(too_new.collect())
}

/// The Rust release that the workspace promises to build with.
pub(crate) fn promised_rust() -> Result<String, Failed> {
    let metadata = ask(&["--no-deps"])?;
    let promised = list(&metadata["packages"]).find_map(|package| package["rust_version"].as_str().map(str::to_owned));
    promised.ok_or_else(|| Failed("Cargo.toml has no rust-version".to_owned()))
}

fn numbers(version: &str) -> Vec<u32> {
    let numbers = version.split('.').filter_map(|number| number.parse().ok());
    numbers.chain(std::iter::repeat(0)).take(3).collect()
}

pub(crate) fn ask(arguments: &[&str]) -> Result<Value, Failed> {
    let printed = output(&cargo_program(), &[&["metadata", "--format-version=1"], arguments].concat())?;
    serde_json::from_str(&printed).map_err(|error| Failed(format!("cargo metadata: {error}")))
}

pub(crate) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn package(package: &Value) -> Option<Package> {
    let is_own = |(name, turns_on): &(&String, &Value)| {
        let turns_on = || list(turns_on).filter_map(Value::as_str);
        *name != "default" && (turns_on().next().is_none() || turns_on().any(|it| !it.contains('/')))
    };
    let features = package["features"].as_object()?.iter().filter(is_own).map(|(name, _)| name.clone()).collect();
    let below = list(&package["dependencies"]).filter(|dependency| dependency["kind"].is_null());
    let below = below.filter_map(|dependency| dependency["name"].as_str()).filter(|name| name.starts_with("vnet-"));
    Some(Package {
        name: package["name"].as_str()?.to_owned(),
        features,
        is_published: !package["publish"].as_array().is_some_and(Vec::is_empty),
        is_library: list(&package["targets"]).any(|target| list(&target["kind"]).any(|kind| kind == "lib")),
        below: below.map(str::to_owned).collect(),
    })
}
