//! Lists of changes, in the words of ip(8) and nft(8).

use anstyle::Style;
use serde::Serialize;
use vnet_driver::Change;

use crate::output::{is_verbose, plain};
use crate::style::{CREATED, DELETED, UPDATED};

/// One change, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct ChangeJson {
    /// The resource, in words.
    key: String,
    /// The lines that people see.
    text: Vec<String>,
    effect_on_guests: Option<&'static str>,
    #[serde(flatten)]
    change: Change,
}

/// Changes for programs.
pub(crate) fn changes(changes: &[Change]) -> Vec<ChangeJson> {
    let shown = changes.iter().map(|change| ChangeJson {
        key: change.key().to_string(),
        text: change.to_string().lines().map(str::to_owned).collect(),
        effect_on_guests: change.effect_on_guests(),
        change: change.clone(),
    });
    shown.collect()
}

/// Changes for people: `+` is created, `-` is deleted, `~` is changed; then the effect on running
/// guests.
pub(crate) fn human(changes: &[Change]) -> String {
    let texts: Vec<String> = changes.iter().map(ToString::to_string).collect();
    let mut text: String = texts.iter().flat_map(|text| text.lines()).map(line).collect();
    let mut effects: Vec<&str> = Vec::new();
    for effect in changes.iter().filter_map(Change::effect_on_guests) {
        if !effects.contains(&effect) {
            effects.push(effect);
        }
    }
    if !effects.is_empty() {
        text.push_str("\nfor guests that run:\n");
        text.extend(effects.into_iter().map(|effect| format!("  {effect}\n")));
    }
    text
}

/// The changes that were made, one line for each, if people ask for them.
pub(crate) fn brief(changes: &[Change]) -> String {
    if is_verbose() { listed(changes) } else { String::new() }
}

/// Changes, one line for each.
pub(crate) fn listed(changes: &[Change]) -> String {
    let mark = |change: &Change| match change {
        Change::Create { .. } => '+',
        Change::Update { .. } | Change::Rename { .. } => '~',
        Change::Delete { .. } => '-',
    };
    changes.iter().map(|change| line(&format!("{} {}", mark(change), change.key()))).collect()
}

/// A line in the colour of its mark.
pub(crate) fn line(line: &str) -> String {
    let style = match line.trim_start().chars().next() {
        Some('+') => CREATED,
        Some('-') => DELETED,
        Some('~') => UPDATED,
        _ => Style::new(),
    };
    format!("{style}{}{style:#}\n", plain(line))
}
