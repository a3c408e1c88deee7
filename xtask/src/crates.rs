//! Every package from its own `.crate` file alone, as crates.io would hand it out.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::metadata::{ask, list, packages};
use crate::run::{Failed, cargo, cargo_program, failed, output, root, run, run_in};

/// Files that each `.crate` has.
const INSIDE: [&str; 4] = ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"];

/// A workspace of what was unpacked, built as this one is: what comes from the registry is built
/// once for both.
const WORKSPACE: &str = "\
[workspace]
resolver = \"3\"
members = [\"vnet*\", \"foreign/*\"]

[profile.dev]
debug = \"line-tables-only\"

[patch.crates-io]
";

/// A program of somebody else.
struct Foreign {
    name: &'static str,
    dependencies: &'static str,
    main: &'static str,
    /// It changes the network of a namespace of its own.
    is_isolated: bool,
    /// What its output has.
    prints: &'static str,
}

const FOREIGN: [Foreign; 3] = [
    Foreign {
        name: "reservation",
        dependencies: "vnet-xml = \"0.1\"",
        main: include_str!("../crates/reservation.rs"),
        is_isolated: false,
        prints: "<host mac='52:54:00:12:34:56' name='web' ip='192.168.122.10'/>",
    },
    Foreign {
        name: "dnsmasq-conf",
        dependencies: "vnet-plan = \"0.1\"\nvnet-xml = \"0.1\"",
        main: include_str!("../crates/dnsmasq_conf.rs"),
        is_isolated: false,
        prints: "dhcp-range=192.168.122.2,192.168.122.254",
    },
    Foreign {
        name: "on-tokio",
        dependencies: "vnet-driver = \"0.1\"\ntokio = { version = \"1\", features = [\"macros\", \"rt\"] }",
        main: include_str!("../crates/on_tokio.rs"),
        is_isolated: true,
        prints: "the guest has 1 queue",
    },
];

/// Makes the `.crate` files, unpacks them away from the workspace, and runs their tests there.
pub(crate) fn check() -> Result<(), Failed> {
    crate::packages::install()?;
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
    for foreign in &FOREIGN {
        foreign.write(&folder)?;
    }
    // The versions are those that the workspace is tested with.
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).map_err(failed(&manifest))?;
    let target = root().join("target").display().to_string();
    let test = ["test", "--workspace", "--all-features", "--quiet", "--target-dir", &target];
    run_in(&folder, &cargo_program(), &test)?;
    for foreign in &FOREIGN {
        foreign.run(&folder)?;
    }
    // The order in which they are published, without publishing them.
    let publish = ["publish", "--dry-run", "--no-verify", "--allow-dirty", "--target-dir=target/package"];
    cargo(&[&publish[..], &chosen[..]].concat())
}

impl Foreign {
    /// Writes its package.
    fn write(&self, folder: &Path) -> Result<(), Failed> {
        let package = folder.join("foreign").join(self.name);
        let manifest = format!(
            "[package]\nname = \"{}\"\nversion = \"1.0.0\"\nedition = \"2024\"\n\n[dependencies]\n{}\n",
            self.name, self.dependencies
        );
        fs::create_dir_all(package.join("src")).map_err(failed(&package))?;
        fs::write(package.join("Cargo.toml"), manifest).map_err(failed(&package))?;
        fs::write(package.join("src/main.rs"), self.main).map_err(failed(&package))
    }

    /// Builds and runs it.
    fn run(&self, folder: &Path) -> Result<(), Failed> {
        let target = root().join("target").display().to_string();
        run_in(folder, &cargo_program(), &["build", "--quiet", "--package", self.name, "--target-dir", &target])?;
        let program = format!("{target}/debug/{}", self.name);
        let printed = match self.is_isolated {
            false => output(&program, &[])?,
            true => {
                let state = folder.join("state").display().to_string();
                output("unshare", &["--user", "--map-root-user", "--net", "--mount", &program, &state])?
            }
        };
        print!("{printed}");
        match printed.contains(self.prints) {
            true => Ok(()),
            false => Err(Failed(format!("{} does not print `{}`", self.name, self.prints))),
        }
    }
}
