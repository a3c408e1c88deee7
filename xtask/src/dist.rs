//! Packages of static programs in `target/dist`, with nothing in them that differs each time.

mod dependencies;
mod stage;

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::{Failed, can, cargo_program, failed, output, root, run, run_in};

/// Where everything is put together; below the folder of the workspace.
const STAGE: &str = "target/dist/stage";
/// Where cargo's own tools are installed.
const TOOLS: &str = "target/tools";
/// Where the programs are built.
const BUILDS: &str = "target/static";

/// The tool that makes the `.deb`, and its release.
const DEB: (&str, &str) = ("cargo-deb", "3.8.0");
/// The tool that makes the `.rpm`, and its release.
const RPM: (&str, &str) = ("cargo-generate-rpm", "0.21.1");

/// What is packed: the package, its program, and the folder below `/usr` where that is installed.
const PROGRAMS: [(&str, &str, &str); 3] =
    [("vnet-cli", "vnet", "bin"), ("vnetd", "vnetd", "sbin"), ("vnet-cni", "vnet-cni", "lib/cni")];

/// The architectures that packages are made for, as Rust and Fedora call them.
const ARCHITECTURES: [&str; 2] = ["x86_64", "aarch64"];

/// What is built for. Its programs run on any Linux.
fn target(architecture: &str) -> String {
    format!("{architecture}-unknown-linux-musl")
}

/// Makes all of it for both architectures.
pub(crate) fn dist() -> Result<(), Failed> {
    make(&ARCHITECTURES)
}

/// Makes all of it for this machine.
pub(crate) fn here() -> Result<(), Failed> {
    make(&[std::env::consts::ARCH])
}

/// Makes all of it again from the same commit, in another folder, and compares it with what is
/// there.
pub(crate) fn again() -> Result<(), Failed> {
    let sums = |tree: &Path| {
        let file = tree.join("target/dist/SHA256SUMS");
        fs::read_to_string(&file).map_err(failed(&file))
    };
    let before = sums(&root())?;
    let both = before.contains("aarch64") && before.contains("x86_64");
    let tree = root().join("target/again");
    if tree.exists() {
        fs::remove_dir_all(&tree).map_err(failed(&tree))?;
    }
    run("git", &["clone", "--quiet", ".", path(&tree)])?;
    // cargo's tools need not be built again.
    let tools = tree.join(TOOLS);
    fs::create_dir_all(&tools).map_err(failed(&tools))?;
    run("cp", &["--recursive", "--no-target-directory", TOOLS, path(&tools)])?;
    let dist = ["xtask", "dist", "here"];
    run_in(&tree, &cargo_program(), if both { &dist[..2] } else { &dist })?;
    let after = sums(&tree)?;
    if before != after {
        return Err(Failed(format!("two builds differ:\n{before}\n{after}in {}", tree.display())));
    }
    println!("the second build is equal to the first");
    fs::remove_dir_all(&tree).map_err(failed(&tree))
}

/// Installs the `.deb` in trees of Debian's releases, uses, upgrades and purges it; the `.rpm` is
/// installed, used and erased.
pub(crate) fn installed() -> Result<(), Failed> {
    let deb = made(if std::env::consts::ARCH == "aarch64" { "_arm64.deb" } else { "_amd64.deb" })?;
    for suite in ["bookworm", "trixie"] {
        run("bash", &["xtask/dist/installed.sh", path(&deb), suite])?;
    }
    run("bash", &["xtask/dist/lintian.sh", path(&deb)])?;
    let rpm = made(&format!(".{}.rpm", std::env::consts::ARCH))?;
    run("bash", &["xtask/dist/rpm.sh", path(&rpm)])
}

/// The file in `target/dist` whose name ends so.
fn made(end: &str) -> Result<PathBuf, Failed> {
    let absent = || Failed(format!("target/dist has no `*{end}`: `cargo xtask dist here` makes one"));
    let files = fs::read_dir(root().join("target/dist")).map_err(|_| absent())?;
    let mut files = files.flatten().map(|entry| entry.path());
    files.find(|file| file.to_string_lossy().ends_with(end)).ok_or_else(absent)
}

/// Makes the packages for architectures, and prints the checksums.
fn make(architectures: &[&str]) -> Result<(), Failed> {
    let out = root().join("target/dist");
    if out.exists() {
        fs::remove_dir_all(&out).map_err(failed(&out))?;
    }
    let (deb, rpm) = (with_tool(DEB)?, with_tool(RPM)?);
    // This machine's program writes the pages and completions of all.
    let own = build(std::env::consts::ARCH)?.join("vnet");
    let version = output(path(&own), &["version"])?;
    let version = version.trim().trim_start_matches("vnet ");
    for architecture in architectures {
        let (programs, epoch) = (build(architecture)?, epoch()?);
        let stage = stage::Stage { folder: root().join(STAGE), own: &own, version, epoch: &epoch };
        stage.fill(&programs, &target(architecture))?;
        let name = format!("vnet-{version}-{architecture}");
        stage.pack(&out.join(format!("{name}.tar.gz")))?;
        stage.copy_bill(&out.join(format!("{name}.cdx.json")))?;
        package(
            &deb,
            &["deb", "--package=vnet-cli", "--no-build", "--no-strip", "--output=target/dist/"],
            architecture,
        )?;
        let arch = format!("--arch={architecture}");
        let words =
            ["generate-rpm", "--package=crates/vnet-cli", "--auto-req=disabled", "--output=target/dist/", &arch];
        package(&rpm, &words, architecture)?;
        fs::remove_dir_all(&stage.folder).map_err(failed(&stage.folder))?;
    }
    run_in(&out, "sh", &["-c", "sha256sum -- * > ../SHA256SUMS && mv ../SHA256SUMS ."])?;
    run_in(&out, "cat", &["SHA256SUMS"])
}

/// The time that stands in every file: that of the commit.
fn epoch() -> Result<String, Failed> {
    Ok(output("git", &["log", "-1", "--format=%ct"])?.trim().to_owned())
}

/// Builds the programs for an architecture; returns their folder.
fn build(architecture: &str) -> Result<PathBuf, Failed> {
    let target = target(architecture);
    let home =
        std::env::var("CARGO_HOME").unwrap_or_else(|_| format!("{}/.cargo", std::env::var("HOME").unwrap_or_default()));
    let remap = |from: &str, to: &str| format!("--remap-path-prefix={from}={to}");
    let builds_in = root().join(BUILDS);
    // The last prefix that fits counts.
    let flags = [remap(path(&root()), "/vnet"), remap(&home, "/cargo"), remap(path(&builds_in), "/builds")];
    let environment = [
        format!("CARGO_ENCODED_RUSTFLAGS={}", flags.join("\x1f")),
        format!("SOURCE_DATE_EPOCH={}", epoch()?),
        // Rust's own linker, which makes the same on every machine and for every architecture.
        format!("CARGO_TARGET_{}_LINKER=rust-lld", target.to_uppercase().replace('-', "_")),
        cargo_program(),
    ];
    let build = ["build", "--profile=dist", "--locked", "--features=tls"];
    let packages = PROGRAMS.map(|(package, ..)| format!("--package={package}"));
    let packages = packages.iter().map(String::as_str);
    let folders = ["--target", &target, "--target-dir", BUILDS];
    let words: Vec<&str> = environment.iter().map(String::as_str).chain(build).chain(packages).chain(folders).collect();
    let add = format!("Rust for {target} comes with `rustup target add {target}`");
    run("env", &words).map_err(|Failed(why)| Failed(format!("{why}\n{add}")))?;
    Ok(builds_in.join(target).join("dist"))
}

/// Makes a package of the stage, with the time of the commit.
fn package(path_of_tools: &str, words: &[&str], architecture: &str) -> Result<(), Failed> {
    let environment = [format!("SOURCE_DATE_EPOCH={}", epoch()?), path_of_tools.to_owned(), cargo_program()];
    let target = ["--target", &target(architecture)];
    let words = environment.iter().map(String::as_str).chain(words.iter().copied()).chain(target);
    run("env", &words.collect::<Vec<_>>())
}

/// A `PATH` with a tool in it, which is installed if it is missing.
fn with_tool((name, version): (&str, &str)) -> Result<String, Failed> {
    let folder = root().join(TOOLS);
    let program = folder.join("bin").join(name);
    if !can(path(&program), &["--help"]) {
        let exact = format!("{name}@{version}");
        run(&cargo_program(), &["install", "--locked", "--root", path(&folder), &exact])?;
    }
    Ok(format!("PATH={}:{}", folder.join("bin").display(), std::env::var("PATH").unwrap_or_default()))
}

fn path(path: &Path) -> &str {
    path.to_str().expect("the path of the workspace is text")
}
