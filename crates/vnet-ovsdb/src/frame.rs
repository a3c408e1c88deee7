//! Cuts a stream of bytes into JSON values: OVSDB writes them one after the other without a
//! separator.

/// Bytes that have arrived and are not a whole value yet.
#[derive(Default)]
pub(crate) struct Frames {
    bytes: Vec<u8>,
    /// How many of them were looked at.
    at: usize,
    depth: u32,
    in_string: bool,
    escaped: bool,
}

/// What arrived does not begin with an object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotAnObject;

impl Frames {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Takes the next object, if it has arrived whole. Brackets are counted, the rest of its syntax
    /// is not judged.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<u8>>, NotAnObject> {
        while let Some(byte) = self.bytes.get(self.at).copied() {
            self.at += 1;
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'{' | b'[' if self.depth > 0 || byte == b'{' => self.depth = self.depth.saturating_add(1),
                b' ' | b'\t' | b'\n' | b'\r' => {}
                _ if self.depth == 0 => return Err(NotAnObject),
                b'"' => self.in_string = true,
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        let rest = self.bytes.split_off(self.at);
                        self.at = 0;
                        return Ok(Some(std::mem::replace(&mut self.bytes, rest)));
                    }
                }
                _ => {}
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(frames: &mut Frames) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| frames.next().unwrap()).collect()
    }

    #[test]
    fn values_without_a_separator_are_cut() {
        let mut frames = Frames::default();
        frames.push(br#"{"a":"}\"]"}  {"b":[1,{"#);
        assert_eq!(all(&mut frames), [br#"{"a":"}\"]"}"#]);
        frames.push("}]}{\"ä\":".as_bytes());
        assert_eq!(all(&mut frames), [br#"  {"b":[1,{}]}"#]);
        assert_eq!(frames.len(), "{\"ä\":".len());
        frames.push(b"\"x");
        assert_eq!(frames.next(), Ok(None));
    }

    #[test]
    fn only_objects_are_messages() {
        for bytes in ["]", "[1]", "nonsense", "\"a\""] {
            let mut frames = Frames::default();
            frames.push(bytes.as_bytes());
            assert_eq!(frames.next(), Err(NotAnObject), "{bytes}");
        }
    }

    proptest! {
        #[test]
        fn the_pieces_that_arrive_do_not_matter(texts in prop::collection::vec(".*", 1..5), cut in 1_usize..9) {
            let objects: Vec<Vec<u8>> =
                texts.iter().map(|text| serde_json::json!({ "it": [text] }).to_string().into_bytes()).collect();
            let mut frames = Frames::default();
            let mut found = Vec::new();
            for piece in objects.concat().chunks(cut) {
                frames.push(piece);
                found.extend(all(&mut frames));
            }
            prop_assert_eq!(found, objects);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let mut frames = Frames::default();
            frames.push(&bytes);
            while let Ok(Some(_)) = frames.next() {}
        }
    }
}
