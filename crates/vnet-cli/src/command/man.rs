//! `vnet man [COMMAND]`: prints manual pages, made from the `--help` texts.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Command;
use clap::builder::Resettable;
use clap_mangen::Man;

use crate::help::examples;
use crate::output::{Answer, print_exact};

/// What every page ends with: a section, and its lines `NAME<tab>MEANING`.
const SECTIONS: [(&str, &str); 3] = [
    (
        "FILES",
        "/etc/vnet/networks/NAME.xml\tthe kept definition of a network; for an ordinary user below $XDG_CONFIG_HOME/vnet\n\
         /etc/vnet/autostart/NAME.xml\ta link to the definition of a network that starts at boot\n\
         /etc/vnet/hooks/network, /etc/vnet/hooks/network.d/*\tprograms that run when a network changes\n\
         /run/vnet\tthe state of running networks; for an ordinary user $XDG_RUNTIME_DIR/vnet\n\
         /var/lib/vnet/NAME/leases\tthe leases of a network; for an ordinary user below $XDG_STATE_HOME/vnet",
    ),
    (
        "ENVIRONMENT",
        "VNET_STATE_DIR, VNET_CONFIG_DIR, VNET_DATA_DIR\tas --state-dir, --config-dir and --data-dir\n\
         VNET_LIBVIRT_HOOKS, VNET_HOOK_TIMEOUT\tas --libvirt-hooks and --hook-timeout\n\
         VISUAL, EDITOR\tthe editor of vnet edit\n\
         NO_COLOR\tprint without colours",
    ),
    (
        "EXIT STATUS",
        "0\tdone; valid; in sync\n\
         1\tthe answer is no: invalid, refused, drifted, not formatted, a broken promise\n\
         2\tthe command failed: no such file, no permission, a wrong option",
    ),
];

/// Print the manual page of vnet or of a command, in roff
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The command: `check`, or `forward add`
    #[arg(conflicts_with = "out_dir")]
    command: Vec<String>,
    /// Write the pages of all commands to this folder instead
    #[arg(long, value_name = "DIR")]
    out_dir: Option<PathBuf>,
}

impl Args {
    /// Prints the page of a program, or writes all.
    pub(crate) fn run(&self, mut program: Command) -> anyhow::Result<Answer> {
        program.build();
        if let Some(folder) = &self.out_dir {
            fs::create_dir_all(folder).with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
            write_all(&program, &[], folder)?;
            return Ok(Answer::Yes);
        }
        let mut page = &program;
        for name in &self.command {
            page =
                page.find_subcommand(name).with_context(|| format!("there is no command `{name}`; see `vnet help`"))?;
        }
        let words: Vec<&str> = self.command.iter().map(String::as_str).collect();
        print_exact(&text(page, &words)?)?;
        Ok(Answer::Yes)
    }
}

/// Writes the page of a command and of those below it.
fn write_all(command: &Command, words: &[&str], folder: &Path) -> anyhow::Result<()> {
    let file = folder.join(format!("{}.1", page_name(words)));
    fs::write(&file, text(command, words)?).with_context(|| format!("cannot write `{}`", file.display()))?;
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        write_all(inner, &[words, &[inner.get_name()]].concat(), folder)?;
    }
    Ok(())
}

fn page_name(words: &[&str]) -> String {
    [&["vnet"], words].concat().join("-")
}

fn text(command: &Command, words: &[&str]) -> anyhow::Result<String> {
    // The lists of commands and of examples get sections of their own.
    let plain = command.clone().after_long_help(Resettable::Reset).after_help(Resettable::Reset);
    let man = Man::new(plain)
        .title(page_name(words).to_uppercase())
        .manual("vnet")
        .source(concat!("vnet ", env!("CARGO_PKG_VERSION")));
    let mut roff = Vec::new();
    man.render_title(&mut roff)?;
    man.render_name_section(&mut roff)?;
    man.render_synopsis_section(&mut roff)?;
    man.render_description_section(&mut roff)?;
    man.render_options_section(&mut roff)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut roff)?;
    }
    let mut roff = String::from_utf8(roff)?;
    if let (Some(more), true) = (command.get_after_long_help(), words.is_empty()) {
        let _ = writeln!(roff, ".SH HOOKS\n{}", escaped(&more.to_string()));
    }
    let examples: Vec<&str> = examples(words.first().copied().unwrap_or("new")).collect();
    if !examples.is_empty() {
        let _ = writeln!(roff, ".SH EXAMPLES");
        for line in examples {
            let _ = writeln!(roff, ".PP\n.EX\n{}\n.EE", escaped(line));
        }
    }
    for (section, lines) in SECTIONS {
        let _ = writeln!(roff, ".SH \"{section}\"");
        for (name, meaning) in lines.lines().filter_map(|line| line.split_once('\t')) {
            let _ = writeln!(roff, ".TP\n\\fI{}\\fR\n{}", escaped(name), escaped(meaning));
        }
    }
    let _ = writeln!(
        roff,
        ".SH \"SEE ALSO\"\n{}",
        if words.is_empty() {
            r"\fBvnetd\fR(8), \fBdnsmasq\fR(8), \fBpasst\fR(1), \fBnft\fR(8)"
        } else {
            r"\fBvnet\fR(1)"
        }
    );
    Ok(roff)
}

/// Text that roff prints as it is.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', r"\e").replace('-', r"\-").replace('\'', r"\(aq");
    text.lines()
        .map(|line| if line.starts_with(['.', '\'']) { format!(r"\&{line}") } else { line.to_owned() })
        .collect::<Vec<_>>()
        .join("\n")
}
