//! Netlink attributes: length, type, value, padding to four bytes (netlink(7)).

/// Set on attributes that hold attributes (`NLA_F_NESTED`).
const NESTED: u16 = 0x8000;
/// The bits of a type that are the type.
const TYPE: u16 = 0x3fff;
const HEADER: usize = 4;

/// Appends attributes to a message.
pub(super) struct Writer<'a>(pub(super) &'a mut Vec<u8>);

impl Writer<'_> {
    pub(super) fn bytes(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        self.nest_as(kind, |inner| inner.0.extend_from_slice(value))
    }

    pub(super) fn text(&mut self, kind: u16, value: &str) -> &mut Self {
        self.nest_as(kind, |inner| {
            inner.0.extend_from_slice(value.as_bytes());
            inner.0.push(0);
        })
    }

    pub(super) fn u32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// Attributes that are encoded already.
    pub(super) fn raw(&mut self, attributes: &[u8]) {
        self.0.extend_from_slice(attributes);
    }

    pub(super) fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Writer<'_>)) -> &mut Self {
        self.nest_as(kind | NESTED, fill)
    }

    fn nest_as(&mut self, kind: u16, fill: impl FnOnce(&mut Writer<'_>)) -> &mut Self {
        let start = self.0.len();
        self.0.extend_from_slice(&[0; HEADER]);
        fill(&mut Writer(self.0));
        let len = u16::try_from(self.0.len() - start).expect("no attribute of ours comes near 64 KiB");
        self.0[start..start + 2].copy_from_slice(&len.to_ne_bytes());
        self.0[start + 2..start + HEADER].copy_from_slice(&kind.to_ne_bytes());
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }
}

/// The attributes in a buffer, as type and value; ends at the first that is malformed.
pub(super) fn attributes(mut buffer: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (header, _) = buffer.split_first_chunk::<HEADER>()?;
        let len = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]) & TYPE;
        let value = buffer.get(HEADER..len)?;
        buffer = buffer.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The first attribute of a type.
pub(super) fn attribute(buffer: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(buffer).find(|(candidate, _)| *candidate == kind).map(|(_, value)| value)
}

pub(super) fn u32_of(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u32::from_be_bytes)
}

pub(super) fn u64_of(value: &[u8]) -> Option<u64> {
    value.try_into().ok().map(u64::from_be_bytes)
}

/// Text up to its closing NUL.
pub(super) fn text_of(value: &[u8]) -> Option<String> {
    let text = value.split(|byte| *byte == 0).next()?;
    String::from_utf8(text.to_vec()).ok()
}
