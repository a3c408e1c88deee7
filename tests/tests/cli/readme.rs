//! What the documentation shows is so: sessions of the README are run, command lines are taken,
//! links lead somewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{root, vnet};

/// The README's `$ ` lines, in one host with an uplink, print what stands below them.
#[test]
fn the_sessions_of_the_readme_are_so() {
    vnet_tests::isolate!();
    let call = |words: &[&str]| vnet_tests::run("ip", words);
    call(&["link", "add", "eth0", "up", "type", "veth", "peer", "name", "away"]);
    call(&["link", "set", "away", "up"]);
    call(&["address", "add", "192.0.2.2/24", "dev", "eth0"]);
    call(&["route", "add", "default", "via", "192.0.2.1"]);
    // A namespace may begin with the host's value.
    fs::write("/proc/sys/net/ipv4/ip_forward", "0").unwrap();
    let path = format!("{}:{}", vnet().parent().unwrap().display(), std::env::var("PATH").unwrap());
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let sessions = sessions(&readme);
    assert!(sessions.len() > 10, "{sessions:?}");
    for (line, shown) in sessions {
        let output = Command::new("sh").args(["-c", &line]).current_dir("/tmp").env("PATH", &path).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {}{stderr}", output.status);
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(steady(&printed), steady(&shown), "{line}");
    }
}

/// The commands of a text, and what it shows of their output.
fn sessions(text: &str) -> Vec<(String, String)> {
    let mut sessions: Vec<(String, String)> = Vec::new();
    let mut is_inside = false;
    for line in text.lines() {
        match line.strip_prefix("    ") {
            Some(shown) => match (shown.strip_prefix("$ "), sessions.last_mut()) {
                (Some(command), _) => {
                    sessions.push((command.to_owned(), String::new()));
                    is_inside = true;
                }
                (None, Some((_, output))) if is_inside => {
                    output.push_str(shown);
                    output.push('\n');
                }
                _ => {}
            },
            // An empty line within the output.
            None if line.is_empty() => {
                if let (Some((_, output)), true) = (sessions.last_mut(), is_inside) {
                    output.push('\n');
                }
            }
            None => is_inside = false,
        }
    }
    sessions.into_iter().map(|(command, output)| (command, output.trim_end().to_owned())).collect()
}

/// A text without what differs each time: ports of sockets, seconds, random MAC addresses.
fn steady(text: &str) -> String {
    let word = |word: &str| {
        let number = |text: &str| !text.is_empty() && text.chars().all(|it| it.is_ascii_digit() || it == '.');
        if let Some(mac) = word.find("52:54:00:") {
            return format!("{}52:54:00:xx", &word[..mac]);
        }
        match word.trim_end_matches(',').rsplit_once(':') {
            Some((address, port)) if number(address) && number(port) => format!("{address}:port"),
            _ if word.contains('.') && word.matches('.').count() == 1 && number(word) => "seconds".to_owned(),
            _ => word.to_owned(),
        }
    };
    text.trim_end().lines().map(|line| line.split(' ').map(word).collect::<Vec<_>>().join(" ") + "\n").collect()
}

/// Every Markdown file but the rules, which `vnet explain` prints.
pub(crate) fn pages() -> Vec<PathBuf> {
    fn below(folder: &Path, pages: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let name = entry.file_name();
            let is_left_out = ["target", "rules", "node_modules"].iter().any(|it| *it == name);
            if path.is_dir() && !is_left_out && !name.to_string_lossy().starts_with('.') {
                below(&path, pages);
            } else if path.extension().is_some_and(|it| it == "md") {
                pages.push(path);
            }
        }
    }
    let mut all = Vec::new();
    below(root(), &mut all);
    all
}

/// Links to files of the repository lead to files, and those with `#` to headings.
#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    let mut checked = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ', '\n']).next()) {
            if link.contains("://") || link.starts_with('#') || link.is_empty() || !link.contains(['/', '.']) {
                continue;
            }
            checked += 1;
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = page.parent().unwrap().join(file);
            let has_heading = || {
                let text = fs::read_to_string(&target).unwrap_or_default();
                text.lines().filter(|line| line.starts_with('#')).any(|line| anchor(line) == heading)
            };
            if !target.exists() || (!heading.is_empty() && !has_heading()) {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(checked > 40, "{checked}");
}

/// The anchor that code hosts make of a heading.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars().filter(|it| it.is_alphanumeric() || [' ', '-', '_'].contains(it)).collect::<String>().replace(' ', "-")
}

/// Every page of `docs` is in its index.
#[test]
fn the_index_has_every_page() {
    let docs = root().join("docs");
    let index = fs::read_to_string(docs.join("README.md")).unwrap();
    let pages = fs::read_dir(&docs).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let missing: BTreeSet<String> =
        pages.filter(|page| page != "README.md" && !index.contains(&format!("({page})"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The command lines in code blocks are taken by the program: its words and options exist.
#[test]
fn command_lines_are_taken() {
    let mut refused = Vec::new();
    let mut checked = BTreeSet::new();
    for page in pages().iter().filter(|page| !page.ends_with("CHANGELOG.md")) {
        for line in fs::read_to_string(page).unwrap().lines() {
            let Some(code) = line.strip_prefix("    ") else { continue };
            let code = code.strip_prefix("$ ").unwrap_or(code);
            let is_literal = |word: &&str| !word.contains(['<', '[', '(', '…', '"', '\'']);
            let code = code.split([';', '|', '>', '#', '&']).next().unwrap_or_default();
            let words: Vec<&str> = code.split_whitespace().collect();
            if words.first() != Some(&"vnet") || words.len() < 2 {
                continue;
            }
            // The user of the examples is on no machine.
            let known = words[1..].iter().map(|&word| if word == "alice" { "root" } else { word });
            let words: Vec<&str> = known.take_while(is_literal).collect();
            if !checked.insert(words.join(" ")) {
                continue;
            }
            // clap refuses what it does not know before it prints the help.
            let output = Command::new(vnet()).args(&words).arg("--help").output().unwrap();
            if !output.status.success() {
                refused.push(format!("{}: {code}: {}", page.display(), String::from_utf8_lossy(&output.stderr)));
            }
        }
    }
    assert!(refused.is_empty(), "{refused:#?}");
    assert!(checked.len() > 40, "{checked:?}");
}
