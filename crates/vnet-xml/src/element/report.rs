//! The messages for problems of an element and of its content.

use vnet_types::IpNet;

use super::{Element, Switch, Value};
use crate::grammar::{Grammar, owners_of, parents_of};
use crate::network::DNSMASQ_NAMESPACE;
use crate::suggest::did_you_mean;
use crate::tree::{Attribute, NodeRef};
use crate::value::{certain, number_of_any_base};
use crate::write::escaped;
use crate::{Code, NodePath, Problem, Replacement, Span, rules};

impl<'t> Element<'t> {
    /// Reports that an attribute is missing.
    pub(crate) fn missing(&self, name: &str) {
        let message = format!("`<{}>` lacks the attribute `{name}`", self.node.name());
        self.report(
            rules::MISSING_ATTRIBUTE,
            message,
            self.text_as(name),
            self.path().attribute(name),
            name_span(self.node),
        );
    }

    /// Reports that the element has no effect without this attribute, if it is absent.
    pub(crate) fn depends_on(&self, name: &str) {
        if !self.has(name) {
            let message = format!("`<{}>` has no effect without the attribute `{name}`", self.node.name());
            self.report(
                rules::WITHOUT_EFFECT,
                message,
                self.text_as(name),
                self.path().attribute(name),
                name_span(self.node),
            );
        }
    }

    /// A suggestion, if the element has text that was probably meant for this attribute.
    fn text_as(&self, name: &str) -> Option<String> {
        let text = self.node.text().trim();
        let short = (1..=40).contains(&text.len()) && !text.contains(['\'', '<', '&', '\n']);
        short.then(|| format!("write `<{} {name}='{text}'/>`", self.node.name()))
    }

    /// Reports that an attribute has no effect, and why: "on this element".
    pub(crate) fn useless_attribute(&self, name: &str, why: &str) {
        let Some(attribute) = self.attribute(name) else { return };
        let message = format!("`{name}` has no effect {why}");
        self.report(rules::WITHOUT_EFFECT, message, None, self.path().attribute(name), attribute.name_span());
    }

    /// Reports that the element has no effect, and why: "in this place".
    pub(crate) fn useless(&self, why: &str) {
        let message = format!("`<{}>` has no effect {why}", self.node.name());
        self.report(rules::WITHOUT_EFFECT, message, None, self.path(), name_span(self.node));
    }

    /// Reports that two attributes exclude each other, at the second.
    pub(crate) fn exclusive(&self, one: &str, other: &str, help: &str) {
        self.exclude(one, other, help, false);
    }

    /// As [`Self::exclusive`]. If both say the same, the first can go.
    pub(crate) fn exclude(&self, one: &str, other: &str, help: &str, say_the_same: bool) {
        let message = format!("`{one}` and `{other}` exclude each other");
        let span = self.attribute(other).map_or_else(|| self.node.span(), Attribute::value_span);
        let first = self.attribute(one).filter(|_| say_the_same);
        let fix = first.map(|first| Replacement { span: self.around(first), text: String::new() });
        let problem = self.problem(rules::EXCLUSIVE, message, self.path().attribute(other), span);
        self.notes.add(Problem { help: Some(help.to_owned()), fix: fix.into_iter().collect(), ..problem });
    }

    /// Reports that an attribute contradicts another place that sets the same thing.
    pub(crate) fn contradicts(&self, name: &str, other: &str) {
        let Some(attribute) = self.attribute(name) else { return };
        let message = format!("`{name}='{}'` contradicts {other}", shortened(&attribute.value));
        self.report_value(rules::EXCLUSIVE, attribute, message, Some(format!("leave `{name}` out")));
    }

    /// Reports that `<source>` has the form in which libvirt prints a running guest of a network.
    pub(crate) fn live_form_of_network(&self, kind: &str) {
        let (Some(network), true) = (self.attribute("network"), self.has("portid")) else { return };
        let name = shortened(&network.value);
        let message = format!(
            "this is how libvirt prints a running guest of the network `{name}`; read back, it is of type `{kind}`, \
             without the network"
        );
        let mut source = format!("<source network='{name}'");
        if let Some(group) = self.attribute("portgroup") {
            source += &format!(" portgroup='{}'", shortened(&group.value));
        }
        let help = format!("for a guest in the network write `type='network'` and `{source}/>`");
        self.report_value(rules::READ_OTHERWISE, network, message, Some(help));
    }

    /// Reports text where it has no meaning.
    pub(super) fn stray_text(&self) {
        let (name, text) = (self.node.name(), shortened(self.node.text().trim()));
        let message = format!("the text `{text}` in `<{name}>` has no meaning");
        self.report(rules::STRAY_TEXT, message, None, self.path(), self.text_span());
    }

    /// The place of the text in the element, or the element's place if it has no text.
    fn text_span(&self) -> Span {
        self.node.text_span().unwrap_or_else(|| self.node.span())
    }

    /// Reports that the text in the element is invalid.
    pub(crate) fn invalid_text(&self, expected: &str) {
        let message = format!("`{}` is not {expected}", shortened(self.node.text().trim()));
        self.report(rules::INVALID_VALUE, message, None, self.path(), self.text_span());
    }

    /// Reports that an attribute's value is invalid.
    pub(crate) fn invalid(&self, name: &str, expected: &str) {
        let Some(attribute) = self.attribute(name) else { return self.missing(name) };
        let message = format!("`{}` is not {expected}", shortened(&attribute.value));
        self.report(rules::INVALID_VALUE, message, None, self.path().attribute(name), attribute.value_span());
    }

    /// Reports that an attribute does not belong here.
    pub(crate) fn misplaced(&self, name: &str, message: String) {
        let Some(attribute) = self.attribute(name) else { return };
        self.report(rules::MISPLACED, message, None, self.path().attribute(name), attribute.name_span());
    }

    /// Reports that the element does not belong here, and why.
    pub(crate) fn misplaced_here(&self, why: &str) {
        let message = format!("`<{}>` has no place here: {why}", self.node.name());
        self.report(rules::MISPLACED, message, None, self.path(), name_span(self.node));
    }

    /// Reports that something is repeated here.
    pub(crate) fn repeated(&self, message: String) {
        self.report(rules::EXCLUSIVE, message, None, self.path(), self.node.span());
    }

    /// Reports that the element says again what another one says.
    pub(crate) fn said_again(&self, message: String) {
        let fix = vec![Replacement { span: self.node.lines(), text: String::new() }];
        let problem = self.problem(rules::EXCLUSIVE, message, self.path(), self.node.span());
        self.notes.add(Problem { fix, ..problem });
    }

    /// Reports that a child is missing.
    pub(crate) fn missing_child(&self, name: &str) {
        let message = format!("`<{}>` lacks `<{name}>`", self.node.name());
        let help = Some(format!("add a `<{name}>` element"));
        self.report(rules::MISSING_ELEMENT, message, help, self.path(), name_span(self.node));
    }

    /// Reports each child that has no effect, and why: "is in no namespace".
    pub(crate) fn useless_children(&self, why: impl IntoIterator<Item = Option<&'static str>>) {
        for (child, why) in self.node.children().zip(why) {
            if let Some(why) = why {
                let name = child.name();
                let message = format!("`<{name}>` {why}: it has no effect");
                self.report(rules::WITHOUT_EFFECT, message, None, self.path().element(name), name_span(child));
            }
        }
    }

    /// Reports that libvirt reads a switch differently from what its word says.
    pub(super) fn read_otherwise(&self, attribute: &Attribute<'_>, switch: &Switch) {
        let (name, value, Switch { word, opposite, .. }) = (attribute.name, shortened(&attribute.value), switch);
        let message = format!("libvirt reads `{name}='{value}'` as `{opposite}`: only the word `{word}` is `{word}`");
        let help = Some(format!("write `{name}='{word}'` or `{name}='{opposite}'`"));
        let is_it = value.trim().eq_ignore_ascii_case(opposite);
        let fix = is_it.then(|| instead(attribute, opposite)).into_iter().collect();
        let problem = self.problem_of(rules::READ_OTHERWISE, attribute, message);
        self.notes.add(Problem { help, fix, ..problem });
    }

    /// Reports a number that is not plainly decimal, because releases of libvirt read it
    /// differently.
    pub(crate) fn is_decimal(&self, name: &str) {
        let Some(attribute) = self.attribute(name) else { return };
        let digits = attribute.value.trim_start_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}', '+']);
        let (Ok(number), true) = (number_of_any_base::<u32>(&attribute.value), digits.len() > 1) else { return };
        let Some(rest) = digits.strip_prefix('0') else { return };
        let newer = match rest.parse::<u32>() {
            Ok(decimal) => format!("reads `{digits}` as {decimal}"),
            Err(_) => format!("refuses `{digits}`"),
        };
        let message = format!("libvirt 11 reads `{digits}` as {number}, and libvirt 12.8 {newer}");
        self.report_value(rules::READ_OTHERWISE, attribute, message, Some(format!("write `{name}='{number}'`")));
    }

    pub(super) fn unknown_attribute(&self, attribute: &Attribute<'_>, grammar: &Grammar) {
        if self.notes.is_full() {
            return self.notes.withhold();
        }
        let (parent, name) = (self.node.name(), attribute.name);
        let help = did_you_mean(name, grammar.attributes.iter().copied()).map(meant);
        let elsewhere = || {
            let owners = places(&owners_of(self.path().document(), name))?;
            Some(format!("`{name}` is an attribute of {owners}"))
        };
        let help = help.or_else(elsewhere).or_else(|| foreign(parent, name));
        let message = format!("`<{parent}>` has no attribute `{name}`: it has no effect");
        let path = self.path().attribute(name);
        self.report(rules::UNKNOWN_ATTRIBUTE, message, help, path, attribute.name_span());
    }

    pub(super) fn unknown_child(&self, child: NodeRef<'_>, grammar: &Grammar) {
        if self.notes.is_full() {
            return self.notes.withhold();
        }
        let (parent, name) = (self.node.name(), child.name());
        let elsewhere = places(&parents_of(self.path().document(), name));
        let elsewhere = elsewhere.map(|parents| format!("`<{name}>` stands in {parents}"));
        let help = elsewhere.or_else(|| did_you_mean(name, grammar.names()).map(meant));
        let help = help.or_else(|| foreign(parent, name));
        let message = format!("`<{parent}>` has no element `<{name}>`: it has no effect");
        self.report(rules::UNKNOWN_ELEMENT, message, help, self.path().element(name), name_span(child));
    }

    pub(super) fn report_value(&self, code: Code, attribute: &Attribute<'_>, message: String, help: Option<String>) {
        self.report(code, message, help, self.path().attribute(attribute.name), attribute.value_span());
    }

    pub(super) fn report(&self, code: Code, message: String, help: Option<String>, path: NodePath, span: Span) {
        self.notes.add(Problem { help, ..self.problem(code, message, path, span) });
    }

    /// Reports that a value is not what is expected.
    pub(super) fn unreadable<T>(&self, attribute: &Attribute<'_>, expected: &str, read: Value<T>) {
        let message = format!("`{}` is not {expected}", shortened(&attribute.value));
        let problem = self.problem_of(rules::INVALID_VALUE, attribute, message);
        self.notes.add(match (certain(&attribute.value, read), self.address_and_prefix(attribute)) {
            (Some(meant), _) => Problem { fix: vec![instead(attribute, &meant)], ..problem },
            (None, Some((help, fix))) => Problem { help: Some(help), fix, ..problem },
            (None, None) => problem,
        });
    }

    /// The two attributes of a subnet that is written as one: `address='10.0.0.0/8'`.
    fn address_and_prefix(&self, attribute: &Attribute<'_>) -> Option<(String, Vec<Replacement>)> {
        let is_subnet = matches!(self.node.name(), "ip" | "route") && attribute.name == "address";
        let has_size = self.has("prefix") || self.has("netmask");
        let net = attribute.value.parse::<IpNet>().ok().filter(|_| is_subnet && !has_size)?;
        let (address, prefix) = (net.addr().to_string(), net.prefix_len());
        let end = attribute.value_span().end + 1;
        let added = Replacement { span: end..end, text: format!(" prefix='{prefix}'") };
        Some((format!("write `address='{address}' prefix='{prefix}'`"), vec![instead(attribute, &address), added]))
    }

    /// An attribute with its name and the space before it.
    fn around(&self, attribute: &Attribute<'_>) -> Span {
        let space = self.node.before(attribute.name_span().start);
        attribute.name_span().start - space..attribute.value_span().end + 1
    }

    fn problem(&self, code: Code, message: String, path: NodePath, span: Span) -> Problem {
        Problem { code, severity: rules::severity(code), message, help: None, fix: Vec::new(), path, span }
    }

    fn problem_of(&self, code: Code, attribute: &Attribute<'_>, message: String) -> Problem {
        self.problem(code, message, self.path().attribute(attribute.name), attribute.value_span())
    }
}

/// Another value for an attribute.
fn instead(attribute: &Attribute<'_>, value: &str) -> Replacement {
    Replacement { span: attribute.value_span(), text: escaped(value) }
}

fn meant(name: &str) -> String {
    format!("did you mean `{name}`?")
}

/// The help for an element or attribute of another namespace.
fn foreign(parent: &str, name: &str) -> Option<String> {
    let (_, local) = name.split_once(':')?;
    Some(match (parent, local) {
        ("network", "options") => format!("its prefix has to mean `{DNSMASQ_NAMESPACE}`"),
        _ => "libvirt reads nothing of this namespace here".to_owned(),
    })
}

/// The last elements of these paths, in words; `None` if there are none, or too many to help.
fn places(ways: &[Vec<&'static str>]) -> Option<String> {
    const MOST: usize = 3;
    let words = |way: &Vec<&str>| match &way[..] {
        [.., around, parent] if way.len() > 2 => format!("`<{parent}>` of `<{around}>`"),
        [.., parent] => format!("`<{parent}>`"),
        [] => String::new(),
    };
    let list: Vec<String> = ways.iter().map(words).collect();
    (1..=MOST).contains(&list.len()).then(|| list.join(" or "))
}

/// The name in a start tag.
pub(super) fn name_span(node: NodeRef<'_>) -> Span {
    let start = node.span().start + 1;
    start..start + node.name().len()
}

/// A value cut to a length that is enough to recognise it in a message.
pub(super) fn shortened(text: &str) -> String {
    let plain: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.chars().nth(60).is_some() { plain + "…" } else { plain }
}
