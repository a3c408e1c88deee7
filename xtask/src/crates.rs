//! Every package from its own `.crate` file alone, as crates.io would hand it out.

use std::fmt::Write;
use std::fs;

use crate::metadata::{ask, list, packages};
use crate::run::{Failed, cargo, cargo_program, failed, root, run, run_in};

/// Files that each `.crate` has.
const INSIDE: [&str; 4] = ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"];

/// A workspace of what was unpacked, built as this one is: what comes from the registry is built
/// once for both.
const WORKSPACE: &str = "\
[workspace]
resolver = \"3\"
members = [\"vnet*\"]

[profile.dev]
debug = \"line-tables-only\"

[patch.crates-io]
";

/// Makes the `.crate` files, unpacks them away from the workspace, and runs their tests there.
pub(crate) fn check() -> Result<(), Failed> {
    let published: Vec<_> = packages()?.into_iter().filter(|package| package.is_published).collect();
    let metadata = ask(&["--no-deps"])?;
    let version = |name: &str| {
        let of_name = list(&metadata["packages"]).find(|package| package["name"] == name);
        of_name.and_then(|package| package["version"].as_str()).unwrap_or_default().to_owned()
    };
    let chosen: Vec<String> = published.iter().map(|package| format!("--package={}", package.name)).collect();
    let chosen: Vec<&str> = chosen.iter().map(String::as_str).collect();
    cargo(&[&["package", "--no-verify", "--allow-dirty", "--target-dir=target/package"], &chosen[..]].concat())?;
    let folder = root().join("target/crates");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(failed(&folder))?;
    }
    fs::create_dir_all(&folder).map_err(failed(&folder))?;
    let mut workspace = WORKSPACE.to_owned();
    for package in &published {
        let inner = format!("{}-{}", package.name, version(&package.name));
        let file = root().join("target/package/package").join(format!("{inner}.crate"));
        run(
            "tar",
            &["--extract", "--directory", &folder.display().to_string(), "--file", &file.display().to_string()],
        )?;
        let missing: Vec<&str> = INSIDE.into_iter().filter(|it| !folder.join(&inner).join(it).is_file()).collect();
        if !missing.is_empty() {
            return Err(Failed(format!("{inner}.crate lacks {}", missing.join(", "))));
        }
        let _ = writeln!(workspace, "{} = {{ path = \"{inner}\" }}", package.name);
    }
    let manifest = folder.join("Cargo.toml");
    fs::write(&manifest, workspace).map_err(failed(&manifest))?;
    // The versions are those that the workspace is tested with.
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).map_err(failed(&manifest))?;
    let target = root().join("target").display().to_string();
    let test = ["test", "--workspace", "--all-features", "--quiet", "--target-dir", &target];
    run_in(&folder, &cargo_program(), &test)?;
    // The order in which they are published, without publishing them.
    let publish = ["publish", "--dry-run", "--no-verify", "--allow-dirty", "--target-dir=target/package"];
    cargo(&[&publish[..], &chosen[..]].concat())
}
