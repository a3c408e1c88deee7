//! Prints a domain into the document that it was read from; only its interfaces are printed anew.

use std::ops::Range;

use super::Domain;
use crate::builder::{self, Limits};
use crate::encoding::{declared, decode};
use crate::tree::Tree;
use crate::{Interface, Style};

impl Domain {
    /// The document that this domain was read from, with its interfaces printed in a style.
    /// Everything else stays as it is, except that another `encoding` becomes UTF-8 if the text is
    /// not ASCII.
    ///
    /// `None` if the document is not well-formed or has another number of interfaces: then the
    /// domain was not read from it.
    ///
    /// ```
    /// use vnet_xml::{Domain, Style};
    ///
    /// let document = "<domain>
    ///   <name>web</name> <!-- kept -->
    ///   <devices>
    ///     <interface type='user'><link state='up'></link></interface>
    ///   </devices>
    /// </domain>
    /// ";
    /// let domain: Domain = document.parse()?;
    /// let printed = "<domain>
    ///   <name>web</name> <!-- kept -->
    ///   <devices>
    ///     <interface type='user'>
    ///       <link state='up'/>
    ///     </interface>
    ///   </devices>
    /// </domain>
    /// ";
    /// assert_eq!(domain.print_into(document.as_bytes(), Style::default()).as_deref(), Some(printed));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn print_into(&self, document: &[u8], style: Style) -> Option<String> {
        let text = decode(document.strip_prefix("\u{feff}".as_bytes()).unwrap_or(document)).ok()?.text;
        let places = interfaces(&builder::parse(&text, &Limits::DEFAULT).ok()?);
        if places.len() != self.interfaces.len() {
            return None;
        }
        let mut printed = String::new();
        let mut kept = 0;
        for (place, interface) in places.into_iter().zip(&self.interfaces) {
            printed.push_str(&text[kept..place.start]);
            printed.push_str(&indented(interface, style, indentation(&text[..place.start])));
            kept = place.end;
        }
        printed.push_str(&text[kept..]);
        Some(declared_rightly(printed))
    }
}

/// The places of the interfaces, from the first byte of the start tag to the last of the end tag.
fn interfaces(tree: &Tree<'_>) -> Vec<Range<usize>> {
    let devices = tree.root().children().find(|child| child.name() == "devices");
    let devices = devices.into_iter().flat_map(|devices| devices.children());
    devices.filter(|child| child.name() == "interface").map(|interface| interface.whole_span()).collect()
}

/// The white space at the beginning of the last line.
fn indentation(text: &str) -> &str {
    let line = &text[text.rfind('\n').map_or(0, |newline| newline + 1)..];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

/// Prints an interface and indents every line after the first. No value spans lines, because
/// newlines in attributes are escaped.
fn indented(interface: &Interface, style: Style, indentation: &str) -> String {
    let text = interface.display(style).to_string();
    text.trim_end().replace('\n', &format!("\n{indentation}"))
}

/// Makes the XML declaration name UTF-8 if the text is not ASCII.
fn declared_rightly(mut text: String) -> String {
    if let Some((encoding, place)) = declared(text.as_bytes()).filter(|_| !text.is_ascii())
        && !encoding.eq_ignore_ascii_case("utf-8")
    {
        text.replace_range(place, "UTF-8");
    }
    text
}
