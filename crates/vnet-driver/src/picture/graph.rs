//! A picture in the languages of Mermaid and Graphviz, which lay it out.

use std::fmt::Write;

use super::{PartKind, Picture, PicturePart};

impl Picture {
    /// A flowchart of Mermaid.
    pub fn mermaid(&self) -> String {
        let mut text = String::from("flowchart LR\n");
        for (index, part) in self.parts.iter().enumerate() {
            let label = lines(part).map(mermaid).collect::<Vec<_>>().join("<br/>");
            let (open, close) = match part.kind {
                PartKind::Uplink => ("([\"", "\"])"),
                PartKind::Network => ("[\"", "\"]"),
                PartKind::Guest => ("(\"", "\")"),
            };
            let class = class(part);
            let _ = writeln!(
                text,
                "  n{index}{open}{label}{close}{}",
                if class.is_empty() { String::new() } else { format!(":::{class}") }
            );
        }
        for (at, connection) in self.connections.iter().enumerate() {
            let label = match connection.label.as_str() {
                "" => String::new(),
                label => format!("|\"{}\"|", mermaid(label)),
            };
            let _ = writeln!(text, "  n{} ---{label} n{}", connection.from, connection.to);
            if connection.troubled {
                let _ = writeln!(text, "  linkStyle {at} stroke:#c00,stroke-width:2px");
            }
        }
        text.push_str("  classDef troubled stroke:#c00,stroke-width:2px\n  classDef inactive stroke-dasharray:4\n");
        text
    }

    /// A graph of Graphviz.
    pub fn dot(&self) -> String {
        let mut text =
            format!("graph \"{}\" {{\n  rankdir=LR; node [shape=box, fontname=\"sans-serif\"];\n", dot(&self.host));
        for (index, part) in self.parts.iter().enumerate() {
            let label = lines(part).map(dot).collect::<Vec<_>>().join("\\n");
            let tip = part.details.iter().map(|line| dot(line)).collect::<Vec<_>>().join("\\n");
            let style = match part.kind {
                PartKind::Uplink => ", shape=ellipse",
                PartKind::Network => ", style=bold",
                PartKind::Guest => ", style=rounded",
            };
            let state = match class(part) {
                "troubled" => ", color=\"#cc0000\", fontcolor=\"#cc0000\"",
                "inactive" => ", style=dashed",
                _ => "",
            };
            let _ = writeln!(text, "  n{index} [label=\"{label}\", tooltip=\"{tip}\"{style}{state}];");
        }
        for connection in &self.connections {
            let state = if connection.troubled { ", color=\"#cc0000\"" } else { "" };
            let _ = writeln!(
                text,
                "  n{} -- n{} [label=\"{}\"{state}];",
                connection.from,
                connection.to,
                dot(&connection.label)
            );
        }
        text.push_str("}\n");
        text
    }
}

fn class(part: &PicturePart) -> &'static str {
    match (part.is_troubled(), part.runs) {
        (true, _) => "troubled",
        (_, false) => "inactive",
        _ => "",
    }
}

/// The name, facts and troubles.
fn lines(part: &PicturePart) -> impl Iterator<Item = &str> {
    std::iter::once(&part.name).chain(&part.facts).chain(&part.troubles).map(String::as_str)
}

/// Text inside of a quoted label. Mermaid knows entities with `#`, and reads Markdown between
/// backticks.
fn mermaid(text: &str) -> String {
    text.chars().fold(String::new(), |mut all, c| {
        match c {
            '"' | '#' | '<' | '>' | '&' | '`' | ';' | '\\' => _ = write!(all, "#{};", u32::from(c)),
            c => all.push(c),
        }
        all
    })
}

fn dot(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
