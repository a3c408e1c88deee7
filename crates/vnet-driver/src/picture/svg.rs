//! A picture as SVG.

use std::fmt::Write;

use super::layout::{LINE, Placed, WIDTH, layout};
use super::{PartKind, Picture, PicturePart};

/// Colours for light and dark, and the style of each part.
pub(super) const STYLE: &str = "\
:root{--ground:#fff;--card:#f6f8fa;--edge:#57606a;--text:#1f2328;--soft:#57606a;--up:#0969da;--net:#1a7f37;--bad:#cf222e;\
--badcard:#ffebe9}
@media (prefers-color-scheme:dark){:root{--ground:#0d1117;--card:#161b22;--edge:#8b949e;--text:#e6edf3;--soft:#9da7b1;\
--up:#58a6ff;--net:#3fb950;--bad:#ff7b72;--badcard:#3c1618}}
.picture{background:var(--ground);font:13px system-ui,sans-serif}
.picture text{fill:var(--text)}.picture .soft{fill:var(--soft)}.picture .bad{fill:var(--bad)}
.picture .name{font-weight:600;font-size:14px}.picture .head{font-size:15px;fill:var(--soft);font-weight:600}
.picture rect{fill:var(--card);stroke:var(--edge);stroke-width:1.2}
.picture .uplink>rect{stroke:var(--up);stroke-width:2}.picture .network>rect{stroke:var(--net);stroke-width:2}
.picture .troubled>rect{fill:var(--badcard);stroke:var(--bad);stroke-width:2}
.picture .inactive>rect{stroke:var(--soft);stroke-dasharray:6 4}
.picture path{fill:none;stroke:var(--edge);stroke-width:1.6}
.picture .connection.troubled>path{stroke:var(--bad);stroke-width:2.4}
.picture .connection>rect{fill:var(--ground);stroke:none}.picture .connection text{font-size:12px}
.picture .part:hover>rect,.picture .lit>rect{stroke-width:3.5}.picture .connection.lit>path{stroke-width:3.5}
";

impl Picture {
    /// A picture of its own. Details are shown when the pointer is over a part.
    pub fn svg(&self) -> String {
        self.drawn(&format!("<style>{STYLE}</style>"))
    }

    /// An `<svg>` with something at its beginning.
    pub(super) fn drawn(&self, first: &str) -> String {
        let (placed, height) = layout(self);
        let mut svg = format!(
            "<svg class=\"picture\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
             height=\"{height}\" role=\"img\" aria-label=\"networks\">{first}\n"
        );
        for (x, head) in [(24, "Outside"), (424, "Networks"), (854, "Guests")] {
            let _ = writeln!(svg, "<text class=\"head\" x=\"{x}\" y=\"34\">{head}</text>");
        }
        for connection in &self.connections {
            let (from, to) = (&placed[connection.from], &placed[connection.to]);
            let class = if connection.troubled { "connection troubled" } else { "connection" };
            let _ =
                write!(svg, "<g class=\"{class}\" data-from=\"{}\" data-to=\"{}\">", connection.from, connection.to);
            curve(&mut svg, from, to, &connection.label, connection.troubled);
            svg.push_str("</g>\n");
        }
        for (index, (part, place)) in self.parts.iter().zip(&placed).enumerate() {
            card(&mut svg, index, part, place);
        }
        svg.push_str("</svg>\n");
        svg
    }
}

/// A curve from the right of one part to the left of another, with its label at the end.
fn curve(svg: &mut String, from: &Placed, to: &Placed, label: &str, troubled: bool) {
    let (x1, y1, x2, y2) = (from.x + from.width, from.middle(), to.x, to.middle());
    let (bend, width) = (60, label.chars().count() * 7 + 10);
    let straight = x2 - if label.is_empty() { 0 } else { (width + 12).min(x2 - x1 - bend) };
    let _ =
        write!(svg, "<path d=\"M{x1} {y1}C{} {y1} {} {y2} {straight} {y2}H{x2}\"/>", x1 + bend, straight - bend / 2);
    if !label.is_empty() {
        let (x, y) = (x2 - width - 8, y2 - 9);
        let class = if troubled { " class=\"bad\"" } else { "" };
        let _ = write!(svg, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"18\"/>");
        let _ = write!(
            svg,
            "<text{class} x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            x + width / 2,
            y2 + 4,
            escaped(label)
        );
    }
}

fn card(svg: &mut String, index: usize, part: &PicturePart, place: &Placed) {
    let kind = match part.kind {
        PartKind::Uplink => "uplink",
        PartKind::Network => "network",
        PartKind::Guest => "guest",
    };
    let state = if part.is_troubled() { " troubled" } else { "" };
    let state = if part.runs { state.to_owned() } else { format!("{state} inactive") };
    let Placed { x, y, width, height, .. } = place;
    let _ = write!(
        svg,
        "<g class=\"part {kind}{state}\" data-part=\"{index}\" tabindex=\"0\"><title>{}</title>",
        escaped(&told(part))
    );
    let _ = write!(svg, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"7\"/>");
    let mut line = y + 24;
    let _ = write!(svg, "<text class=\"name\" x=\"{}\" y=\"{line}\">{}</text>", x + 12, escaped(&place.name));
    for (text, troubled) in &place.lines {
        line += LINE;
        let class = if *troubled { "bad" } else { "soft" };
        let _ = write!(svg, "<text class=\"{class}\" x=\"{}\" y=\"{line}\">{}</text>", x + 12, escaped(text));
    }
    svg.push_str("</g>\n");
}

/// Everything that is known of a part.
pub(super) fn told(part: &PicturePart) -> String {
    let all = std::iter::once(&part.name).chain(&part.facts).chain(&part.details).chain(&part.troubles);
    all.map(String::as_str).collect::<Vec<_>>().join("\n")
}

/// Text for the markup of XML and HTML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
