//! The kernel's expressions, which rules consist of. [`LAYOUTS`] lists the attributes of each; the
//! encoder and the decoder both use it.

use super::attribute::{Writer, attribute, attributes, text_of, u32_of, u64_of};
use super::table::Counts;
use crate::ruleset::Verdict;

const RULE_EXPRESSIONS: u16 = 4;
const LIST_ELEMENT: u16 = 1;
const EXPR_NAME: u16 = 1;
const EXPR_DATA: u16 = 2;
const DATA_VALUE: u16 = 1;
const DATA_VERDICT: u16 = 2;
const VERDICT_CODE: u16 = 1;
const VERDICT_CHAIN: u16 = 2;

/// The attributes of an expression, from attribute number 1 on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) name: &'static str,
    attributes: &'static [Wire],
}

#[cfg(feature = "netlink")]
impl Layout {
    /// An expression that is written, and whose attributes are read as bytes.
    pub(super) const fn unread(name: &'static str) -> Self {
        Self { name, attributes: &[] }
    }
}

/// The encoding of an attribute's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    U8,
    U32,
    U64,
    Text,
    /// The content of a register: bytes or a verdict.
    Data,
}

/// An attribute's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    U8(u8),
    U32(u32),
    U64(u64),
    Text(String),
    Bytes(Vec<u8>),
    Verdict(Verdict),
    /// What no layout is for, as it is.
    #[cfg(feature = "netlink")]
    Raw(Vec<u8>),
}

/// An expression: attribute numbers and values, in ascending order.
#[derive(Clone, Debug)]
pub(super) struct Expression {
    pub(super) name: String,
    values: Vec<(u16, Value)>,
}

use Wire::{Data, Text, U8, U32, U64};

/// key: `dreg`, `key`
pub(super) const META: Layout = Layout { name: "meta", attributes: &[U32, U32] };
/// `sreg`, `op`, `data`
pub(super) const CMP: Layout = Layout { name: "cmp", attributes: &[U32, U32, Data] };
/// `dreg`, `base`, `offset`, `len`
pub(super) const PAYLOAD: Layout = Layout { name: "payload", attributes: &[U32, U32, U32, U32] };
/// `sreg`, `dreg`, `len`, `mask`, `xor`, `op`
pub(super) const BITWISE: Layout = Layout { name: "bitwise", attributes: &[U32, U32, U32, Data, Data, U32] };
/// `dreg`, `key`
pub(super) const CT: Layout = Layout { name: "ct", attributes: &[U32, U32] };
/// `set`, `sreg`, `dreg`, `set id`, `flags`
pub(super) const LOOKUP: Layout = Layout { name: "lookup", attributes: &[Text, U32, U32, U32, U32] };
/// `bytes`, `packets`
pub(super) const COUNTER: Layout = Layout { name: "counter", attributes: &[U64, U64] };
/// `dreg`, `data`
pub(super) const IMMEDIATE: Layout = Layout { name: "immediate", attributes: &[U32, Data] };
/// `type`, `code`
pub(super) const REJECT: Layout = Layout { name: "reject", attributes: &[U32, U8] };
/// `flags`, first port's register, last port's register
pub(super) const MASQUERADE: Layout = Layout { name: "masq", attributes: &[U32, U32, U32] };
/// `type`, `family`, registers of first and last address, of first and last port, `flags`
pub(super) const NAT: Layout = Layout { name: "nat", attributes: &[U32, U32, U32, U32, U32, U32, U32] };

/// `dreg`, `result`, `flags`
pub(super) const FIB: Layout = Layout { name: "fib", attributes: &[U32, U32, U32] };

/// `table name`
pub(super) const FLOW_OFFLOAD: Layout = Layout { name: "flow_offload", attributes: &[Text] };

const LAYOUTS: [&Layout; 13] = [
    &META,
    &CMP,
    &PAYLOAD,
    &BITWISE,
    &CT,
    &LOOKUP,
    &COUNTER,
    &IMMEDIATE,
    &REJECT,
    &MASQUERADE,
    &NAT,
    &FIB,
    &FLOW_OFFLOAD,
];

impl Expression {
    /// An expression with these values for its attributes, by number.
    pub(super) fn new(layout: &Layout, values: impl IntoIterator<Item = (u16, Value)>) -> Self {
        Self { name: layout.name.to_owned(), values: values.into_iter().collect() }
    }

    pub(super) fn is(&self, layout: &Layout) -> bool {
        self.name == layout.name
    }

    /// The same expression with another register to load or to mask.
    pub(super) fn in_register(mut self, register: u32) -> Self {
        let is_masked = self.is(&BITWISE);
        for (number, value) in &mut self.values {
            if *number == 1 || is_masked && *number == 2 {
                *value = Value::U32(register);
            }
        }
        self
    }

    pub(super) fn has(&self, number: u16) -> bool {
        self.value(number).is_some()
    }

    pub(super) fn u32(&self, number: u16) -> Option<u32> {
        match self.value(number)? {
            Value::U32(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn u64(&self, number: u16) -> Option<u64> {
        match self.value(number)? {
            Value::U64(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn text(&self, number: u16) -> Option<&str> {
        match self.value(number)? {
            Value::Text(value) => Some(value),
            _ => None,
        }
    }

    pub(super) fn bytes(&self, number: u16) -> Option<&[u8]> {
        match self.value(number)? {
            Value::Bytes(value) => Some(value),
            _ => None,
        }
    }

    pub(super) fn verdict(&self, number: u16) -> Option<&Verdict> {
        match self.value(number)? {
            Value::Verdict(value) => Some(value),
            _ => None,
        }
    }

    /// The counts of a counter.
    pub(super) fn counts(&self) -> Option<Counts> {
        let count = |number| self.u64(number).unwrap_or(0);
        self.is(&COUNTER).then(|| Counts { bytes: count(1), packets: count(2) })
    }

    fn value(&self, number: u16) -> Option<&Value> {
        self.values.iter().find(|(candidate, _)| *candidate == number).map(|(_, value)| value)
    }

    /// Writes name and attributes as an item of a list of expressions.
    pub(super) fn write(&self, to: &mut Writer<'_>) {
        to.text(EXPR_NAME, &self.name).nest(EXPR_DATA, |data| {
            for (number, value) in &self.values {
                match value {
                    Value::U8(value) => data.bytes(*number, &[*value]),
                    Value::U32(value) => data.be32(*number, *value),
                    Value::U64(value) => data.bytes(*number, &value.to_be_bytes()),
                    Value::Text(value) => data.text(*number, value),
                    Value::Bytes(value) => data.nest(*number, |inner| {
                        inner.bytes(DATA_VALUE, value);
                    }),
                    Value::Verdict(verdict) => data.nest(*number, |inner| write_verdict(verdict, inner)),
                    #[cfg(feature = "netlink")]
                    Value::Raw(value) => data.bytes(*number, value),
                };
            }
        });
    }

    /// Reads what [`write`](Self::write) writes and the kernel shows. It keeps an attribute that is
    /// not in the layout, unless it is zero, so that the expression differs from ours.
    pub(super) fn read(buffer: &[u8]) -> Self {
        let name = attribute(buffer, EXPR_NAME).and_then(text_of).unwrap_or_default();
        let layout = LAYOUTS.iter().find(|layout| layout.name == name);
        let value = |(number, bytes): (u16, &[u8])| {
            let wire = layout.and_then(|layout| layout.attributes.get(usize::from(number.checked_sub(1)?)));
            let value = match wire {
                Some(U8) => bytes.first().copied().map(Value::U8),
                Some(U32) => u32_of(bytes).map(Value::U32),
                Some(U64) => u64_of(bytes).map(Value::U64),
                Some(Text) => text_of(bytes).map(Value::Text),
                Some(Data) => read_data(bytes),
                None if bytes.iter().all(|byte| *byte == 0) => return None,
                None => None,
            };
            Some((number, value.unwrap_or_else(|| Value::Bytes(bytes.to_vec()))))
        };
        let data = attribute(buffer, EXPR_DATA).unwrap_or_default();
        let mut values: Vec<_> = attributes(data).filter_map(value).collect();
        values.sort_by_key(|(number, _)| *number);
        Self { name, values }
    }
}

/// An absent attribute means zero. Kernels differ in which zeros they show, and a new attribute of
/// a newer kernel changes nothing as long as it is zero.
impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        fn telling(expression: &Expression) -> impl Iterator<Item = &(u16, Value)> {
            expression.values.iter().filter(|(_, value)| match value {
                Value::U8(value) => *value != 0,
                Value::U32(value) => *value != 0,
                Value::U64(value) => *value != 0,
                _ => true,
            })
        }
        self.name == other.name && telling(self).eq(telling(other))
    }
}

/// Writes the attribute of a rule that holds its expressions.
pub(super) fn write_all<'e>(expressions: impl IntoIterator<Item = &'e Expression>, rule: &mut Writer<'_>) {
    rule.nest(RULE_EXPRESSIONS, |list| {
        for expression in expressions {
            list.nest(LIST_ELEMENT, |element| expression.write(element));
        }
    });
}

/// Writes the two attributes of a verdict, inside the attribute that holds the data.
pub(super) fn write_verdict(verdict: &Verdict, to: &mut Writer<'_>) {
    let (code, chain) = match verdict {
        Verdict::Drop => (0, None),
        Verdict::Accept => (1, None),
        Verdict::Jump(chain) => (-3, Some(chain)),
        Verdict::Goto(chain) => (-4, Some(chain)),
        Verdict::Return => (-5, None),
        Verdict::Other(code) => (*code, None),
    };
    to.nest(DATA_VERDICT, |inner| {
        inner.bytes(VERDICT_CODE, &i32::to_be_bytes(code));
        if let Some(chain) = chain {
            inner.text(VERDICT_CHAIN, chain);
        }
    });
}

/// The value in an attribute that holds data.
pub(super) fn read_data(buffer: &[u8]) -> Option<Value> {
    if let Some(bytes) = attribute(buffer, DATA_VALUE) {
        return Some(Value::Bytes(bytes.to_vec()));
    }
    let verdict = attribute(buffer, DATA_VERDICT)?;
    let code = attribute(verdict, VERDICT_CODE).and_then(|bytes| Some(i32::from_be_bytes(bytes.try_into().ok()?)))?;
    let chain = || attribute(verdict, VERDICT_CHAIN).and_then(text_of);
    Some(Value::Verdict(match code {
        0 => Verdict::Drop,
        1 => Verdict::Accept,
        -3 => Verdict::Jump(chain()?),
        -4 => Verdict::Goto(chain()?),
        -5 => Verdict::Return,
        other => Verdict::Other(other),
    }))
}

/// Writes bytes as data, as the key of a map's element.
pub(super) fn write_bytes(bytes: &[u8], to: &mut Writer<'_>) {
    to.bytes(DATA_VALUE, bytes);
}
