//! The help of the program: its commands by subject, and examples of each.

use std::fmt::Write;

use clap::Command;

/// The commands by subject, for people who look for one. Those that are in none come last.
const SUBJECTS: [(&str, &[&str]); 7] = [
    ("Definitions", &["new", "check", "fmt", "try", "plan", "render", "explain"]),
    ("Networks", &["start", "stop", "apply", "confirm", "list", "status", "update", "forward"]),
    ("Kept and started at boot", &["define", "edit", "undefine", "autostart"]),
    ("Guests", &["attach", "detach", "ports", "leases", "passt"]),
    ("When something is wrong", &["doctor", "verify", "trace", "diff", "graph", "events", "gc", "forget"]),
    ("From libvirt and back", &["import", "export", "libvirt"]),
    ("This program", &["help", "version", "completions", "man"]),
];

/// Examples: the command, the lines.
const EXAMPLES: &[(&str, &str)] = &[
    ("new", "vnet new nat lab\nvnet new nat lab --define --start\nvnet new isolated db --subnet 10.3.0.0/24 > db.xml"),
    ("check", "vnet check net.xml\nvnet check --against-host networks/\nvnet check --fix net.xml"),
    ("fmt", "vnet fmt net.xml\nvnet fmt --write networks/"),
    ("define", "vnet define lab.xml"),
    ("edit", "vnet edit lab"),
    ("undefine", "vnet undefine lab"),
    ("autostart", "vnet autostart lab\nvnet autostart lab --disable"),
    ("plan", "vnet plan net.xml\nvnet plan lab"),
    ("start", "vnet start net.xml\nvnet start lab\nvnet start --autostart"),
    ("stop", "vnet stop lab\nvnet stop --all"),
    ("apply", "vnet apply net.xml\nvnet apply net.xml --confirm-within 60s\nvnet apply --running"),
    ("confirm", "vnet confirm lab"),
    ("diff", "vnet diff lab\nvnet diff --all --format json"),
    ("verify", "vnet verify lab\nvnet verify lab --format json > audit.json"),
    ("doctor", "vnet doctor lab\nvnet doctor lab web"),
    ("attach", "vnet attach iface.xml --owner alice\nvnet attach domain.xml --format json"),
    ("detach", "vnet detach vnet0\nvnet detach domain.xml"),
    ("ports", "vnet ports\nvnet ports lab"),
    ("status", "vnet status lab\nvnet status --watch\nvnet status --exit-code"),
    ("graph", "vnet graph\nvnet graph --format html > host.html"),
    ("info", "vnet info lab"),
    ("dumpxml", "vnet dumpxml lab\nvnet dumpxml lab --inactive"),
    ("list", "vnet list --all"),
    ("leases", "vnet leases lab\nvnet leases --wait 52:54:00:aa:bb:01 --timeout 60s"),
    ("events", "vnet events\nvnet events lab --format json"),
    ("update", "vnet update lab add ip-dhcp-host \"<host mac='52:54:00:00:00:01' ip='10.1.0.5'/>\" --live --config"),
    ("forward", "vnet forward add lab tcp/2222 web:22\nvnet forward list lab\nvnet forward remove lab tcp/2222"),
    ("import", "vnet import\nvnet import --take-over default"),
    ("export", "vnet export default --to networks"),
    ("libvirt", "vnet libvirt install-hook\nvnet libvirt remove-hook"),
    ("gc", "vnet gc"),
    ("forget", "vnet forget lab"),
    ("render", "vnet render nft net.xml\nvnet render dnsmasq net.xml"),
    ("passt", "vnet passt run iface.xml\nvnet passt list"),
    ("trace", "vnet trace web 1.1.1.1:443\nvnet trace web 10.0.0.5:22 --explain"),
    ("try", "vnet try net.xml\nvnet try net.xml --html promises.html\nvnet try net.xml --engine ovn"),
    ("explain", "vnet explain VN0107\nvnet explain 107"),
    ("completions", "vnet completions bash > /etc/bash_completion.d/vnet"),
    ("man", "vnet man check | man -l -\nvnet man --out-dir /usr/local/share/man/man1"),
];

/// The examples of a command, one a line.
pub(crate) fn examples(command: &str) -> impl Iterator<Item = &'static str> {
    EXAMPLES.iter().filter(move |(name, _)| *name == command).flat_map(|(_, lines)| lines.lines())
}

/// Lists the commands by subject in the help of the program, and examples in that of each.
pub(crate) fn arranged(program: Command) -> Command {
    let program = program.mut_subcommands(|command| {
        let header = *command.get_styles().get_header();
        let lines: String = examples(command.get_name()).map(|line| format!("\n  {line}")).collect();
        if lines.is_empty() { command } else { command.after_long_help(format!("{header}Examples:{header:#}{lines}")) }
    });
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{}\
         `vnet help COMMAND` explains a command. virsh's net-define, net-start and the like work too.\n\n\
         {{options}}{{after-help}}",
        subjects(&program)
    );
    program.help_template(template)
}

fn subjects(program: &Command) -> String {
    let (header, literal) = (program.get_styles().get_header(), program.get_styles().get_literal());
    let named = |name: &str| SUBJECTS.iter().any(|(_, names)| names.contains(&name));
    let others: Vec<&str> = program.get_subcommands().map(Command::get_name).filter(|name| !named(name)).collect();
    let mut text = String::new();
    for (subject, names) in SUBJECTS.into_iter().chain([("More", &others[..])]) {
        let _ = writeln!(text, "{header}{subject}:{header:#}");
        for name in names {
            let about = match program.find_subcommand(name).and_then(Command::get_about) {
                Some(about) => about.to_string(),
                // clap adds it later.
                None => "Explain a command".to_owned(),
            };
            let _ = writeln!(text, "  {literal}{name:<16}{literal:#}  {}", shortened(&about));
        }
        text.push('\n');
    }
    text
}

/// What a command does, without the details.
fn shortened(about: &str) -> &str {
    let ends = [": ", "; "].into_iter().filter_map(|end| about.find(end));
    let end = ends.min().unwrap_or(about.len());
    match about[..end].rfind(", ") {
        Some(comma) if end > 62 => &about[..comma],
        _ => &about[..end],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::program;

    #[test]
    fn commands_of_the_help_are_there() {
        let mut program = program();
        program.build();
        let names = SUBJECTS.iter().flat_map(|(_, names)| *names).chain(EXAMPLES.iter().map(|(name, _)| name));
        for name in names {
            assert!(program.find_subcommand(name).is_some(), "{name}");
        }
    }

    /// `--help` behind an example judges its words: clap refuses what it does not know before that.
    #[test]
    fn examples_are_taken() {
        for line in EXAMPLES.iter().flat_map(|(_, lines)| lines.lines()) {
            let line = line.split([']', '>', '|']).next().unwrap_or_default();
            // The user of the example is on no machine.
            let words = line.split_whitespace().map(|word| if word == "alice" { "root" } else { word });
            let words = words.filter(|word| !word.contains(['<', '\'', '"'])).chain(["--help"]);
            let error = program().try_get_matches_from(words).expect_err("the help is no match");
            assert_eq!(error.kind(), clap::error::ErrorKind::DisplayHelp, "{line}: {error}");
        }
    }
}
