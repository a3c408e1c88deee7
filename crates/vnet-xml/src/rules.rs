//! The kinds of problems that reading finds.

use crate::Severity::{Error, Warning};
use crate::{Code, Rule, Severity};

pub(crate) const NOT_WELL_FORMED: Code = Code(1);
pub(crate) const NOT_UTF8: Code = Code(2);
pub(crate) const CHARACTER: Code = Code(3);
pub(crate) const TOO_LARGE: Code = Code(4);
pub(crate) const DOCTYPE: Code = Code(5);
pub(crate) const ENTITY: Code = Code(6);
pub(crate) const WRONG_ROOT: Code = Code(7);
pub(crate) const UNKNOWN_ELEMENT: Code = Code(20);
pub(crate) const UNKNOWN_ATTRIBUTE: Code = Code(21);
pub(crate) const REPEATED: Code = Code(23);
pub(crate) const STRAY_TEXT: Code = Code(24);
pub(crate) const MORE_PROBLEMS: Code = Code(25);
pub(crate) const WITHOUT_EFFECT: Code = Code(26);
pub(crate) const READ_OTHERWISE: Code = Code(27);
pub(crate) const INVALID_VALUE: Code = Code(30);
pub(crate) const MISSING_ATTRIBUTE: Code = Code(31);
pub(crate) const MISSING_ELEMENT: Code = Code(32);
pub(crate) const EXCLUSIVE: Code = Code(33);
pub(crate) const MISPLACED: Code = Code(34);

/// What `Network::update` refuses; see [`UpdateRefusal`](crate::network::UpdateRefusal).
pub const UPDATE_REFUSED: Code = Code(40);

/// How bad a problem of this kind is.
pub(crate) fn severity(code: Code) -> Severity {
    RULES.iter().find(|rule| rule.code == code).expect("every code has a rule").severity
}

/// Every kind of problem that reading can find.
pub const RULES: &[Rule] = &[
    Rule {
        code: NOT_WELL_FORMED,
        severity: Error,
        name: "not-well-formed",
        explanation: "The text is not XML: a tag is not closed, a value has no quotes, an attribute is given twice, or \
            the like. Nothing else can be said about it before that is right.\n\n    <bridge name=virbr0/>       wrong\n    \
            <bridge name='virbr0'/>     right",
    },
    Rule {
        code: NOT_UTF8,
        severity: Error,
        name: "not-utf8",
        explanation: "The text has bytes that are not UTF-8, or says that it is in an encoding that is not read. UTF-8 and \
            ISO-8859-1 are. Convert it, for instance with `iconv -f windows-1252 -t utf-8`.",
    },
    Rule {
        code: CHARACTER,
        severity: Error,
        name: "forbidden-character",
        explanation: "XML has no control characters but tab, newline and carriage return, not even escaped.",
    },
    Rule {
        code: TOO_LARGE,
        severity: Error,
        name: "too-large",
        explanation: "The document is beyond what is read: 10 MiB, 250 000 elements, 64 of them within each other, \
            500 000 attributes, 64 in one element, 64 namespace prefixes at once. No network needs that; something else was given, or someone means harm.",
    },
    Rule {
        code: DOCTYPE,
        severity: Error,
        name: "doctype",
        explanation: "A document type declaration can define entities that grow without bound or read other files. \
            libvirt's documents have none: delete the `<!DOCTYPE …>`.",
    },
    Rule {
        code: ENTITY,
        severity: Error,
        name: "unknown-entity",
        explanation: "Only the five entities of XML are known: `&lt;` `&gt;` `&amp;` `&quot;` `&apos;`. Write others as \
            the character itself, or as `&#` with its number.",
    },
    Rule {
        code: WRONG_ROOT,
        severity: Error,
        name: "wrong-root",
        explanation: "The document's outermost element says what it is. A network's is `<network>`.",
    },
    Rule {
        code: UNKNOWN_ELEMENT,
        severity: Warning,
        name: "unknown-element",
        explanation: "libvirt has no such element here and passes over it without a word; so does vnet, with this word. \
            Mostly it is a typo, and what was meant does not happen.\n\n    <brige name='virbr0'/>      no effect\n    \
            <bridge name='virbr0'/>     the bridge's name",
    },
    Rule {
        code: UNKNOWN_ATTRIBUTE,
        severity: Warning,
        name: "unknown-attribute",
        explanation: "libvirt has no such attribute here and passes over it without a word. Mostly it is a typo, and what \
            was meant does not happen.\n\n    <range begin='192.168.122.2' …/>    no effect\n    <range \
            start='192.168.122.2' …/>    the first address",
    },
    Rule {
        code: REPEATED,
        severity: Warning,
        name: "repeated-element",
        explanation: "Only one of these elements counts, the first. Delete the others.",
    },
    Rule {
        code: STRAY_TEXT,
        severity: Warning,
        name: "stray-text",
        explanation: "There is text where only elements have a meaning. It is passed over.",
    },
    Rule {
        code: MORE_PROBLEMS,
        severity: Error,
        name: "more-problems",
        explanation: "There is more wrong with the document than is listed, and errors may be among it. Mend what is listed \
            first.",
    },
    Rule {
        code: WITHOUT_EFFECT,
        severity: Warning,
        name: "without-effect",
        explanation: "The element lacks the attribute that the others depend on. libvirt passes over it without a word.\n\n    \
            <lease unit='hours'/>               no effect\n    <lease expiry='2' unit='hours'/>    two hours",
    },
    Rule {
        code: READ_OTHERWISE,
        severity: Warning,
        name: "read-otherwise",
        explanation: "libvirt reads something else than what is written, or its releases do not agree. It knows one word for \
            some values and reads every other word as the opposite: so does vnet. The numbers of 802.1Qbg are decimal since \
            libvirt 12.8; before, `0x10` was 16 and `010` was 8, as vnet reads them. A running guest's interface in a \
            network is printed with the type that it turned out to have, `bridge` or `direct`; read back, it is not in the \
            network.\n\n    <bridge stp='Off'/>               STP is on\n    \
            <bridge stp='off'/>               STP is off\n    <portgroup default='true' …/>     not the default\n    \
            <portgroup default='yes' …/>      the default",
    },
    Rule {
        code: INVALID_VALUE,
        severity: Error,
        name: "invalid-value",
        explanation: "The value is not of the kind that belongs here: an address, a number, one of a few words. The \
            message says what is expected.\n\n    <bridge name='virbr0' stp='yes'/>     wrong\n    <bridge \
            name='virbr0' stp='on'/>      right",
    },
    Rule {
        code: MISSING_ATTRIBUTE,
        severity: Error,
        name: "missing-attribute",
        explanation: "The element means nothing without this attribute.\n\n    <range start='192.168.122.2'/>                        \
            wrong\n    <range start='192.168.122.2' end='192.168.122.9'/>    right",
    },
    Rule {
        code: MISSING_ELEMENT,
        severity: Error,
        name: "missing-element",
        explanation: "The element means nothing without this one in it. A network has a `<name>`; a `<host>` of `<dns>` has \
            a `<hostname>`.",
    },
    Rule {
        code: EXCLUSIVE,
        severity: Error,
        name: "exclusive",
        explanation: "Two things are given of which only one can hold: `netmask` and `prefix` both say how large a subnet \
            is, the `dev` of `<forward>` and its first `<interface>` both name the device. Keep one.",
    },
    Rule {
        code: MISPLACED,
        severity: Error,
        name: "misplaced",
        explanation: "libvirt knows this, but not here, or not without something beside it: a `floor` is promised to a \
            guest, not to a network; a `peak` is above an `average`.\n\n    <inbound peak='4000'/>                     \
            wrong\n    <inbound average='1000' peak='4000'/>     right",
    },
    Rule {
        code: UPDATE_REFUSED,
        severity: Error,
        name: "update-refused",
        explanation: "The element is right, but cannot be added to this network, or taken away from it: there is one like \
            it already, or none, or more than one. The rules are those of `virsh net-update`: a DHCP host is known by its \
            MAC address, name or address, a range by both ends, DNS records by name or address, a portgroup by its name.",
    },
];
