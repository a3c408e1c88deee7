//! A picture as a tree for terminals.

use super::{PartKind, Picture, PicturePart};

/// A line of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TreeLine {
    /// The text, without a line end.
    pub text: String,
    /// Whether it tells what is wrong.
    pub troubled: bool,
}

impl Picture {
    /// The lines of a tree, from the outside to the guests. None is wider than `width` characters.
    pub fn tree(&self, width: usize) -> Vec<TreeLine> {
        let mut tree = Tree { picture: self, width, lines: Vec::new(), told: vec![false; self.parts.len()] };
        for (index, part) in self.of_kind(PartKind::Uplink) {
            tree.line("", &one_line(part, ""), part.is_troubled());
            tree.troubles("  ", part);
            tree.children(index, "");
        }
        let without: Vec<_> = self.of_kind(PartKind::Network).filter(|(index, _)| !tree.told[*index]).collect();
        for (runs, head) in [(true, "no way out"), (false, "not running")] {
            let roots: Vec<_> = without.iter().filter(|(_, part)| part.runs == runs).collect();
            if !roots.is_empty() {
                tree.line("", head, false);
            }
            for (at, (index, _)) in roots.iter().enumerate() {
                tree.node(*index, "", "", at + 1 == roots.len());
            }
        }
        tree.lines
    }
}

struct Tree<'p> {
    picture: &'p Picture,
    width: usize,
    lines: Vec<TreeLine>,
    /// The networks that were printed.
    told: Vec<bool>,
}

impl Tree<'_> {
    fn children(&mut self, of: usize, indent: &str) {
        let picture = self.picture;
        let children: Vec<_> = picture.behind(of).collect();
        for (at, connection) in children.iter().enumerate() {
            self.node(connection.to, &connection.label, indent, at + 1 == children.len());
        }
    }

    fn node(&mut self, index: usize, label: &str, indent: &str, is_last: bool) {
        let part = &self.picture.parts[index];
        let (branch, below) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let label =
            if part.kind == PartKind::Network && !label.is_empty() { format!("{label} ─ ") } else { String::new() };
        if std::mem::replace(&mut self.told[index], true) {
            return self.line(&format!("{indent}{branch}"), &format!("{label}{}, see above", part.name), false);
        }
        let device = self.picture.connections.iter().find(|it| it.to == index && part.kind == PartKind::Guest);
        let device = device.map(|it| it.label.as_str()).filter(|device| !device.is_empty() && *device != part.name);
        let device = device.map(|device| format!("  ({device})")).unwrap_or_default();
        self.line(
            &format!("{indent}{branch}"),
            &format!("{label}{}{device}", one_line(part, &label)),
            part.is_troubled(),
        );
        let indent = format!("{indent}{below}");
        self.troubles(&indent, part);
        self.children(index, &indent);
    }

    fn troubles(&mut self, indent: &str, part: &PicturePart) {
        for trouble in &part.troubles {
            self.line(indent, &format!("! {trouble}"), true);
        }
    }

    fn line(&mut self, indent: &str, text: &str, troubled: bool) {
        let room = self.width.saturating_sub(indent.chars().count()).max(8);
        let mut rest: Vec<char> = text.chars().collect();
        let mut is_first = true;
        loop {
            let room = if is_first { room } else { room.saturating_sub(4).max(4) };
            let cut = match rest.len() <= room {
                true => rest.len(),
                // At the last blank, or inside of a word that is wider than the terminal.
                false => rest[..=room].iter().rposition(|c| *c == ' ').filter(|at| *at > 0).unwrap_or(room),
            };
            let line: String = rest.drain(..cut).collect();
            // What is continued stays in the column of its branch.
            let lead = if is_first { indent.to_owned() } else { format!("{}    ", continued(indent)) };
            self.lines.push(TreeLine { text: format!("{lead}{}", line.trim_end()), troubled });
            rest.drain(..rest.iter().take_while(|c| **c == ' ').count());
            if rest.is_empty() {
                break;
            }
            is_first = false;
        }
    }
}

/// The indent of the lines below a branch.
fn continued(indent: &str) -> String {
    indent.replace("├─ ", "│  ").replace("└─ ", "   ")
}

/// A part without the fact that its connection tells already.
fn one_line(part: &PicturePart, connection: &str) -> String {
    let facts: Vec<&str> =
        part.facts.iter().map(String::as_str).filter(|fact| !connection.starts_with(&format!("{fact} "))).collect();
    match facts.is_empty() {
        true => part.name.clone(),
        false => format!("{}  {}", part.name, facts.join(", ")),
    }
}
