//! Tables in virsh's layout.

use vnet_driver::State;

use crate::output::{columns, plain};

/// No column is cut to less.
const NARROWEST: usize = 6;

/// The word for the state of a network or a port.
pub(crate) fn words(state: State) -> &'static str {
    match state {
        State::InSync => "in sync",
        State::Unsure => "unsure",
        State::Drifted => "drifted",
        State::Interrupted => "interrupted",
        State::Elsewhere => "elsewhere",
    }
}

/// Rows under a header, every column as wide as its widest cell. On a terminal that is too narrow
/// the widest cells are cut.
pub(crate) fn table<const N: usize>(header: [&str; N], rows: &[[String; N]]) -> String {
    within(header, rows, columns())
}

fn within<const N: usize>(header: [&str; N], rows: &[[String; N]], most: Option<usize>) -> String {
    let header = header.map(str::to_owned);
    let rows: Vec<[String; N]> = rows.iter().map(|row| row.each_ref().map(|cell| plain(cell))).collect();
    let lines = || std::iter::once(&header).chain(&rows);
    let mut widths: [usize; N] =
        std::array::from_fn(|column| lines().map(|row| row[column].chars().count()).max().unwrap_or(0));
    while most.is_some_and(|most| widths.iter().map(|width| width + 3).sum::<usize>() > most) {
        match widths.iter_mut().max() {
            Some(widest) if *widest > NARROWEST => *widest -= 1,
            _ => break,
        }
    }
    let cut = |cell: &str, width: usize| match cell.char_indices().nth(width) {
        Some(_) => cell.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
        None => cell.to_owned(),
    };
    let line = |row: &[String; N]| {
        let cells: String =
            row.iter().zip(widths).map(|(cell, width)| format!(" {:width$}  ", cut(cell, width))).collect();
        format!("{}\n", cells.trim_end())
    };
    let rule = format!("{}\n", "-".repeat(widths.iter().map(|width| width + 3).sum()));
    [line(&header), rule].into_iter().chain(rows.iter().map(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_cells_are_cut() {
        let rows = [["a".to_owned(), "52:54:00:00:00:01".to_owned(), "a-long-name-of-a-guest".to_owned()]];
        let cut = within(["Name", "MAC address", "Guest"], &rows, Some(40));
        assert!(cut.starts_with(" Name   MAC address") && cut.contains('…'), "{cut}");
        assert!(cut.lines().all(|line| line.chars().count() <= 40), "{cut}");
        assert!(within(["Name", "MAC address", "Guest"], &rows, None).contains("a-long-name-of-a-guest"));
    }

    #[test]
    fn columns_line_up() {
        let rows = [["default", "active"], ["ü\u{1b}", "inactive"]].map(|row| row.map(str::to_owned));
        let expected = [" Name      State", "---------------------", " default   active", " ü\\u{1b}   inactive", ""];
        assert_eq!(table(["Name", "State"], &rows), expected.join("\n"));
    }
}
