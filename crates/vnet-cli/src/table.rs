//! Tables in virsh's layout.

use vnet_driver::State;

use crate::output::plain;

/// The word for the state of a network or a port.
pub(crate) fn words(state: State) -> &'static str {
    match state {
        State::InSync => "in sync",
        State::Drifted => "drifted",
        State::Interrupted => "interrupted",
        State::Elsewhere => "elsewhere",
    }
}

/// Rows under a header, every column as wide as its widest cell.
pub(crate) fn table<const N: usize>(header: [&str; N], rows: &[[String; N]]) -> String {
    let header = header.map(str::to_owned);
    let rows: Vec<[String; N]> = rows.iter().map(|row| row.each_ref().map(|cell| plain(cell))).collect();
    let lines = || std::iter::once(&header).chain(&rows);
    let widths: [usize; N] =
        std::array::from_fn(|column| lines().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let line = |row: &[String; N]| {
        let cells: String = row.iter().zip(widths).map(|(cell, width)| format!(" {cell:width$}  ")).collect();
        format!("{}\n", cells.trim_end())
    };
    let rule = format!("{}\n", "-".repeat(widths.iter().map(|width| width + 3).sum()));
    [line(&header), rule].into_iter().chain(rows.iter().map(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [["default", "active"], ["ü\u{1b}", "inactive"]].map(|row| row.map(str::to_owned));
        let expected = [" Name      State", "---------------------", " default   active", " ü\\u{1b}   inactive", ""];
        assert_eq!(table(["Name", "State"], &rows), expected.join("\n"));
    }
}
