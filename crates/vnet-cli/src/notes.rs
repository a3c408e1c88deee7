//! Reports about a host besides the findings: what it cannot do, and what other programs do against
//! a network.

use std::fmt::{Display, Write};

use vnet_driver::{Draft, Note, Obstacle};
use vnet_xml::Severity;

use crate::files::PassedOver;
use crate::output::plain;
use crate::style::{BOLD, ERROR, WARNING};

/// The most files that are listed.
const MOST: usize = 20;

/// Prints which files were passed over, and why.
pub(crate) fn passed_over(files: &[PassedOver]) -> String {
    let line =
        |it: &PassedOver| format!("note: `{}` is passed over: {}\n", plain(&it.file), plain(&it.reason.to_string()));
    let mut text: String = files.iter().take(MOST).map(line).collect();
    if files.len() > MOST {
        text += &format!("note: {} more files are passed over; `--format json` lists them\n", files.len() - MOST);
    }
    text
}

/// Prints what a host cannot do for a network.
pub(crate) fn notes(notes: &[Note]) -> String {
    notes.iter().map(noted).collect()
}

/// Prints a note.
pub(crate) fn noted(text: impl Display) -> String {
    format!("{WARNING}note{WARNING:#}{BOLD}: {text}{BOLD:#}\n")
}

/// Prints why a new network has not the subnet that it would have had, and what was not looked at.
pub(crate) fn of_draft(draft: &Draft) -> String {
    let answered = draft.answered.iter().map(|(net, address)| format!("{net} is passed over: {address} answers"));
    let unread = draft.unread.iter().map(|path| {
        format!("`{}` cannot be read: the networks in it may have the same subnet", plain(&path.display().to_string()))
    });
    answered.chain(unread).map(noted).collect()
}

/// Prints obstacles. A certain obstacle has severity `worst`, any other is a note.
pub(crate) fn obstacles(obstacles: &[Obstacle], worst: Severity) -> String {
    let mut text = String::new();
    for obstacle in obstacles {
        let (word, style) = match (obstacle.is_sure(), worst) {
            (false, _) => ("note", WARNING),
            (true, Severity::Warning) => ("warning", WARNING),
            (true, Severity::Error) => ("error", ERROR),
        };
        let _ = writeln!(text, "{style}{word}{style:#}{BOLD}: {}{BOLD:#}", plain(&obstacle.to_string()));
    }
    for remedy in obstacles.iter().filter_map(Obstacle::remedy) {
        let mut lines = remedy.lines();
        let _ = writeln!(text, "  help: {}", plain(lines.next().unwrap_or_default()));
        text.extend(lines.map(|line| format!("    {}\n", plain(line))));
    }
    let mut commands: Vec<&String> = Vec::new();
    let is_rule = |obstacle: &&Obstacle| obstacle.remedy().is_none();
    for command in obstacles.iter().flat_map(Obstacle::commands) {
        if !commands.contains(&command) {
            commands.push(command);
        }
    }
    if !commands.is_empty() {
        text.push_str("  vnet leaves the rules of others alone. This lets it pass, until they are made anew:\n");
        text.extend(commands.into_iter().map(|command| format!("    {}\n", plain(command))));
    } else if obstacles.iter().any(|obstacle| is_rule(&obstacle)) {
        text.push_str("  vnet leaves the rules of others alone: allow it where they are made\n");
    }
    text
}
