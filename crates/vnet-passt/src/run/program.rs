//! The installed passt and its options.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Error, terminal};

/// The first release that has each option. Options that are not listed are in the passt of Debian
/// 12, of March 2023.
const SINCE: &[(&str, &str)] = &[
    ("--dns-host", "passt 2024_08_21"),
    ("--map-host-loopback", "passt 2024_08_21"),
    ("--map-guest-addr", "passt 2024_08_21"),
    ("--vhost-user", "passt 2024_11_27"),
    ("--hostname", "passt of the end of 2024"),
    ("--fqdn", "passt of the end of 2024"),
];

/// An installed passt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    path: PathBuf,
    version: String,
    options: BTreeSet<String>,
}

impl Program {
    /// The first passt in `PATH`.
    ///
    /// # Errors
    /// [`Error::NotInstalled`], with how to install it on this system; [`Error::File`] if it does
    /// not run.
    pub fn find() -> Result<Self, Error> {
        let path = env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
        let found = env::split_paths(&path).map(|folder| folder.join("passt")).find(|file| file.is_file());
        Self::at(&found.ok_or_else(|| Error::NotInstalled { install: install() })?)
    }

    /// The passt at this path.
    ///
    /// # Errors
    /// [`Error::File`] if it does not run.
    pub fn at(path: &Path) -> Result<Self, Error> {
        let version = ask(path, "--version")?;
        let version = version.lines().next().unwrap_or_default().trim();
        let version = if version.is_empty() { "passt of a release that it does not tell" } else { version };
        let help = ask(path, "--help")?;
        Ok(Self { path: path.to_owned(), version: version.to_owned(), options: options(&help) })
    }

    /// The path of the program.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its version, in its own words.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The year of its release, from `passt 2024_11_27.c0fbc7e` or Debian's `passt
    /// 0.0~git20241127.c0fbc7e-1`.
    fn year(&self) -> Option<u16> {
        let from = self.version.find("20")?;
        self.version.get(from..from + 4)?.parse().ok()
    }

    /// Whether passt can bind reserved ports when root starts it: passt of 2026 drops its
    /// capabilities before it listens.
    pub(super) fn listens_as_root(&self) -> bool {
        self.year().is_none_or(|year| year < 2026)
    }

    /// Whether it knows a long option, such as `--vhost-user`.
    pub fn has(&self, option: &str) -> bool {
        // If `--help` lists nothing, every option is assumed.
        self.options.is_empty() || self.options.contains(option)
    }

    /// Checks that it knows every option of a command line.
    ///
    /// # Errors
    /// [`Error::Unsupported`] with the first option that it lacks.
    pub fn check(&self, arguments: &[OsString]) -> Result<(), Error> {
        let options = arguments.iter().filter_map(|argument| argument.to_str());
        let lacking = |option: &&str| SINCE.iter().find(|(name, _)| name == option).filter(|_| !self.has(option));
        match options.filter(|option| option.starts_with("--")).find_map(|option| lacking(&option)) {
            None => Ok(()),
            Some((option, since)) => Err(Error::Unsupported {
                program: self.path.clone(),
                version: self.version.clone(),
                option: (*option).to_owned(),
                since,
            }),
        }
    }
}

fn ask(program: &Path, option: &str) -> Result<String, Error> {
    let mut command = Command::new(program);
    command.arg(option).env("LC_ALL", "C");
    terminal::output(command).map_err(|error| Error::file(program, error))
}

/// The options that begin the lines of a help text: `-p, --pcap FILE`.
fn options(help: &str) -> BTreeSet<String> {
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let words = lines
        .flat_map(|line| line.split([' ', '\t', ',', '=']).take_while(|word| word.starts_with('-') || word.is_empty()));
    words.filter(|word| word.starts_with("--")).map(str::to_owned).collect()
}

/// How to install passt on this system (os-release(5)).
fn install() -> &'static str {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let words: Vec<&str> = release
        .lines()
        .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
        .flat_map(|ids| ids.trim_matches('"').split(' '))
        .collect();
    let like = |names: &[&str]| words.iter().any(|word| names.contains(word));
    if like(&["debian", "ubuntu"]) {
        "apt-get install passt"
    } else if like(&["fedora", "rhel", "centos"]) {
        "dnf install passt"
    } else if like(&["suse", "opensuse"]) {
        "zypper install passt"
    } else if like(&["arch"]) {
        "pacman -S passt"
    } else if like(&["alpine"]) {
        "apk add passt"
    } else {
        "see https://passt.top"
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn options_are_those_of_the_help() {
        let help = "Usage: passt [OPTION]...\nFailed to send 31 bytes to syslog\n\n  -d, --debug\t\tBe verbose\n      --trace\t\tmore\n  \
                    -s, --socket PATH\tUNIX domain\n    default: --none\n  --log-size BYTES\tsize\n";
        let expected = ["--debug", "--log-size", "--socket", "--trace"].map(str::to_owned);
        assert_eq!(options(help), BTreeSet::from(expected));
    }

    #[rstest]
    #[case("passt 2024_11_27.c0fbc7e", Some(2024))]
    #[case("passt 0.0~git20261002.cba3570-1", Some(2026))]
    #[case("passt 0^20250512.g8ec1341-1.fc42", Some(2025))]
    #[case("passt unknown version", None)]
    fn the_year_of_a_release_is_in_its_version(#[case] version: &str, #[case] year: Option<u16>) {
        let program = Program { path: "passt".into(), version: version.to_owned(), options: BTreeSet::new() };
        assert_eq!(program.year(), year);
    }

    #[test]
    fn what_is_missing_is_named() {
        let old = Program {
            path: "/usr/bin/passt".into(),
            version: "passt 2023".to_owned(),
            options: BTreeSet::from(["--socket".to_owned()]),
        };
        assert!(old.check(&["--socket".into(), "--fqdn".into()]).is_err());
        assert!(old.check(&["--socket".into(), "x".into()]).is_ok());
        let error = old.check(&["--vhost-user".into()]).unwrap_err().to_string();
        assert_eq!(error, "/usr/bin/passt (passt 2023) has no --vhost-user, which came with passt 2024_11_27");
    }
}
