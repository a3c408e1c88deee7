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
pub(crate) const UNKNOWN_TO_VNET: Code = Code(22);
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

/// An update that `Network::update` refuses; see [`UpdateRefusal`](crate::network::UpdateRefusal).
pub const UPDATE_REFUSED: Code = Code(40);

/// A kept definition whose file is that of another network.
pub const KEPT_UNDER_OTHER_NAME: Code = Code(41);

/// A file among the kept definitions that is not named as one.
pub const KEPT_FILE_UNUSED: Code = Code(42);

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
        explanation: "The text is not well-formed XML: for example, a tag is not closed, a value has no quotes, or an \
            attribute is given twice. Fix this first: nothing else in the text is checked.\n\n    \
            <bridge name=virbr0/>       wrong\n    <bridge name='virbr0'/>     right",
    },
    Rule {
        code: NOT_UTF8,
        severity: Error,
        name: "not-utf8",
        explanation: "The text has bytes that are not UTF-8, or names an encoding that vnet does not read. vnet reads UTF-8 \
            and ISO-8859-1. Convert the text, for instance with `iconv -f windows-1252 -t utf-8`.",
    },
    Rule {
        code: CHARACTER,
        severity: Error,
        name: "forbidden-character",
        explanation: "XML allows no control characters except tab, newline and carriage return, not even escaped. \
            Delete what else there is.",
    },
    Rule {
        code: TOO_LARGE,
        severity: Error,
        name: "too-large",
        explanation: "The document exceeds a limit: 10 MiB, 250 000 elements, 64 levels of elements, 500 000 attributes, \
            64 attributes in one element, 64 namespace prefixes at once. No network needs that much: check that this is \
            the right file and that you trust it.",
    },
    Rule {
        code: DOCTYPE,
        severity: Error,
        name: "doctype",
        explanation: "A document type declaration can define entities that grow without bound or read other files. \
            libvirt's documents do not use one: delete the `<!DOCTYPE …>`.",
    },
    Rule {
        code: ENTITY,
        severity: Error,
        name: "unknown-entity",
        explanation: "Only the five entities of XML are known: `&lt;` `&gt;` `&amp;` `&quot;` `&apos;`. Write any other \
            character itself, or `&#` with its number.",
    },
    Rule {
        code: WRONG_ROOT,
        severity: Error,
        name: "wrong-root",
        explanation: "The outermost element says what kind of document it is. For a network it is `<network>`. \
            Check that this is the right file.",
    },
    Rule {
        code: UNKNOWN_ELEMENT,
        severity: Warning,
        name: "unknown-element",
        explanation: "libvirt has no such element here and ignores it silently; vnet ignores it with this warning. \
            It is usually a typo, and what was meant does not happen. Correct the name, or delete it.\n\n    \
            <brige name='virbr0'/>      no effect\n    \
            <bridge name='virbr0'/>     the bridge's name",
    },
    Rule {
        code: UNKNOWN_ATTRIBUTE,
        severity: Warning,
        name: "unknown-attribute",
        explanation: "libvirt has no such attribute here and ignores it silently; vnet ignores it with this warning. \
            It is usually a typo, and what was meant does not happen. Correct the name, or delete it.\n\n    \
            <range begin='192.168.122.2' …/>    \
            no effect\n    <range start='192.168.122.2' …/>    the first address",
    },
    Rule {
        code: UNKNOWN_TO_VNET,
        severity: Error,
        name: "unknown-to-vnet",
        explanation: "The element `<vnet:network>` in `<metadata>` has only what vnet reads there. What is unknown is an \
            error and not a warning, because nobody else reads it: a forward or a limit that was meant would be \
            missing.\n\n    <vnet:portForwards …/>    wrong\n    <vnet:portForward …/>     right",
    },
    Rule {
        code: REPEATED,
        severity: Warning,
        name: "repeated-element",
        explanation: "Only the first of these elements is used. Delete the others.",
    },
    Rule {
        code: STRAY_TEXT,
        severity: Warning,
        name: "stray-text",
        explanation: "There is text in a place where only elements have a meaning. The text is ignored. \
            Delete it, or make it a comment.",
    },
    Rule {
        code: MORE_PROBLEMS,
        severity: Error,
        name: "more-problems",
        explanation: "The document has more problems than are listed, and some of them may be errors. Fix the listed \
            problems first.",
    },
    Rule {
        code: WITHOUT_EFFECT,
        severity: Warning,
        name: "without-effect",
        explanation: "The element lacks the attribute that the others depend on. libvirt ignores it silently. \
            Add the attribute.\n\n    \
            <lease unit='hours'/>               no effect\n    <lease expiry='2' unit='hours'/>    two hours",
    },
    Rule {
        code: READ_OTHERWISE,
        severity: Warning,
        name: "read-otherwise",
        explanation: "libvirt does not read what the text seems to say, or its releases read it differently. For some \
            values libvirt knows one word and reads every other word as the opposite, and so does vnet. The numbers of \
            802.1Qbg are decimal since libvirt 12.8; before, `0x10` was 16 and `010` was 8, and vnet still reads them \
            so. libvirt prints a running guest's interface on a network with its actual type, `bridge` or `direct`; \
            when that is read back, the interface is no longer on the network. Write what libvirt prints.\n\n    \
            <bridge stp='Off'/>               STP is on\n    \
            <bridge stp='off'/>               STP is off\n    <portgroup default='true' …/>     not the default\n    \
            <portgroup default='yes' …/>      the default",
    },
    Rule {
        code: INVALID_VALUE,
        severity: Error,
        name: "invalid-value",
        explanation: "The value is not valid here. The attribute takes, for example, an address, a number or one of a \
            few words; the message says which.\n\n    <bridge name='virbr0' stp='yes'/>     wrong\n    <bridge \
            name='virbr0' stp='on'/>      right",
    },
    Rule {
        code: MISSING_ATTRIBUTE,
        severity: Error,
        name: "missing-attribute",
        explanation: "The element has no meaning without this attribute.\n\n    \
            <range start='192.168.122.2'/>                        wrong\n    \
            <range start='192.168.122.2' end='192.168.122.9'/>    right",
    },
    Rule {
        code: MISSING_ELEMENT,
        severity: Error,
        name: "missing-element",
        explanation: "The element has no meaning without this child. A network needs a `<name>`; a `<host>` of \
            `<dns>` needs a `<hostname>`. Add it.",
    },
    Rule {
        code: EXCLUSIVE,
        severity: Error,
        name: "exclusive",
        explanation: "Two settings exclude each other: `netmask` and `prefix` both give the size of a subnet; the `dev` of \
            `<forward>` and its first `<interface>` both name the device. Keep one.",
    },
    Rule {
        code: MISPLACED,
        severity: Error,
        name: "misplaced",
        explanation: "libvirt knows this setting, but does not allow it here, or only together with another one: a guest \
            can have a `floor`, a network cannot; a `peak` needs an `average`.\n\n    \
            <inbound peak='4000'/>                     wrong\n    <inbound average='1000' peak='4000'/>     right",
    },
    Rule {
        code: UPDATE_REFUSED,
        severity: Error,
        name: "update-refused",
        explanation: "The element is valid, but the update does not fit this network: it adds what exists already, or \
            changes or deletes what does not exist or matches several elements. The rules are those of `virsh \
            net-update`: a DHCP host is identified by its MAC address, name or address, a range by both ends, DNS \
            records by name or address, a portgroup by its name. \
            Check with `vnet dumpxml NAME` what the network has.",
    },
    Rule {
        code: KEPT_UNDER_OTHER_NAME,
        severity: Error,
        name: "kept-under-other-name",
        explanation: "The file of a kept definition has the name of its network. This one defines a network of another \
            name, so vnet uses it for neither. Give the network the name of the file (`vnet edit`), or the file that of \
            the network.",
    },
    Rule {
        code: KEPT_FILE_UNUSED,
        severity: Warning,
        name: "kept-file-unused",
        explanation: "A file among the kept definitions ends in `.xml`, but vnet would give the file of no network this \
            name, so nothing reads it. \
            Keep its network under the right name with `vnet define FILE`, and remove the file.",
    },
];
