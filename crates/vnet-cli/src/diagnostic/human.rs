//! Diagnostics for people, as rustc prints them: the line, a caret under the place, related places,
//! help.
//!
//! The output stays short, however long the document and its lines are.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use vnet_xml::{Severity, Span};

use super::{Checked, Diagnostic, Related};
use crate::document::{Document, Position};
use crate::output::{plain, steers};

/// The number of diagnostics shown for one document. The rest is only counted.
const MOST: usize = 200;
/// Longer lines are cut around the place.
const LONGEST_LINE: usize = 400;
/// A related place further away is named, not shown.
const FARTHEST: usize = 200;

/// The diagnostics of a definition, with styles.
pub(crate) fn human(checked: &Checked) -> String {
    let renderer = Renderer::styled().decor_style(DecorStyle::Ascii);
    let shown = checked.diagnostics.iter().take(MOST);
    let mut text: String =
        shown.map(|diagnostic| format!("{}\n\n", render(&renderer, diagnostic, &checked.document))).collect();
    let hidden = checked.diagnostics.len().saturating_sub(MOST);
    if hidden > 0 {
        let name = plain(&checked.document.name);
        text.push_str(&format!("{hidden} more of `{name}` are not shown; `--format json` has all\n\n"));
    }
    text
}

fn render(renderer: &Renderer, diagnostic: &Diagnostic, document: &Document) -> String {
    let level = match diagnostic.severity {
        Severity::Warning => Level::WARNING,
        Severity::Error => Level::ERROR,
    };
    let place = document.position(diagnostic.span.start);
    let is_cut = document.line(place.line).len() > LONGEST_LINE;
    let is_near = |span: &Span| {
        let line = document.position(span.start).line;
        let fits = !is_cut || line != place.line || span.start.abs_diff(diagnostic.span.start) < LONGEST_LINE / 4;
        fits && line.abs_diff(place.line) <= FARTHEST
    };
    let (here, elsewhere): (Vec<&Related>, Vec<&Related>) =
        diagnostic.related.iter().partition(|related| related.elsewhere.is_none());
    let (near, far): (Vec<&Related>, Vec<&Related>) = here.into_iter().partition(|related| is_near(&related.span));

    let related_spans: Vec<&Span> = near.iter().map(|related| &related.span).collect();
    let excerpt = Excerpt::new(document, &diagnostic.span, &related_spans);
    let labels = excerpt.related.iter().zip(&near);
    let related =
        labels.map(|(place, related)| AnnotationKind::Context.span(place.clone()).label(plain(&related.message)));
    let snippet = Snippet::source(excerpt.text)
        .line_start(excerpt.first_line)
        .annotation(AnnotationKind::Primary.span(excerpt.primary.clone()))
        .annotations(related);
    let title = level.primary_title(plain(&diagnostic.message)).id(diagnostic.code.to_string());
    let name = plain(&document.name);
    let mut group: Group<'_> = if is_cut {
        // The column in a cut line differs from the column in the document.
        title.element(Origin::path(name.as_str()).line(place.line).char_column(place.column)).element(snippet)
    } else {
        title.element(snippet.path(name.as_str()))
    };
    for related in far {
        let Position { line, column } = document.position(related.span.start);
        group =
            group.element(Level::NOTE.message(format!("{} (line {line}, column {column})", plain(&related.message))));
    }
    for related in elsewhere {
        let Some(document) = &related.elsewhere else { continue };
        let excerpt = Excerpt::new(document, &related.span, &[]);
        let label = AnnotationKind::Context.span(excerpt.primary.clone()).label(plain(&related.message));
        let snippet = Snippet::source(excerpt.text).line_start(excerpt.first_line).path(plain(&document.name));
        group = group.element(snippet.annotation(label));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.split('\n').map(plain).collect::<Vec<_>>().join("\n")));
    }
    renderer.render(&[group])
}

/// The lines of a document that contain some places, cut to a printable length.
struct Excerpt {
    text: String,
    first_line: usize,
    /// The place in `text`.
    primary: Range<usize>,
    /// The other places in `text`, in the order given.
    related: Vec<Range<usize>>,
}

impl Excerpt {
    fn new(document: &Document, primary: &Span, related: &[&Span]) -> Self {
        let spans: Vec<&Span> = [primary].into_iter().chain(related.iter().copied()).collect();
        let lines: Vec<usize> = spans.iter().map(|span| document.position(span.start).line).collect();
        let first_line = lines.iter().copied().min().unwrap_or(1);
        let last_line = lines.iter().copied().max().unwrap_or(1);
        let mut text = String::new();
        let mut places = vec![0..0; spans.len()];
        for number in first_line..=last_line {
            let here: Vec<usize> = (0..spans.len()).filter(|index| lines[*index] == number).collect();
            let line = document.line(number);
            let window = window(&line, here.first().map_or(line.start, |index| spans[*index].start));
            let offset = text.len();
            push_lossy(&mut text, &document.bytes[window.clone()]);
            let within = |at: usize| offset + at.clamp(window.start, window.end) - window.start;
            for index in here {
                places[index] = floor(&text, within(spans[index].start))..ceil(&text, within(spans[index].end));
            }
            text.push('\n');
        }
        let related = places.split_off(1);
        Self { text, first_line, primary: places.remove(0), related }
    }
}

/// The part of a line that is shown.
fn window(line: &Span, focus: usize) -> Span {
    if line.len() <= LONGEST_LINE {
        return line.clone();
    }
    let start = focus.saturating_sub(LONGEST_LINE / 4).max(line.start);
    start..line.end.min(start + LONGEST_LINE)
}

/// Adds bytes as text of the same length, so that places stay valid: each byte that is not UTF-8 or
/// would control the terminal becomes `?`.
fn push_lossy(text: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\t' => text.push(c),
                c if steers(c) => (0..c.len_utf8()).for_each(|_| text.push('?')),
                c => text.push(c),
            }
        }
        chunk.invalid().iter().for_each(|_| text.push('?'));
    }
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn ceil(text: &str, at: usize) -> usize {
    (at..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}
