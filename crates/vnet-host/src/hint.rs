//! Files that only save time: what they say is checked before it is used.
//!
//! They are written without waiting for the disk, and but for the headers without the lock. One
//! that is torn is not taken, and nobody is told of one that cannot be written.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc::O_NOFOLLOW;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::trust;

/// Their names in the folder of receipts: no folder of a network begins with a dot.
pub(crate) const RULES: &str = ".rules";
/// The headers of networks.
pub(crate) const NETWORKS: &str = ".networks";
/// The headers of ports.
pub(crate) const PORTS: &str = ".ports";
/// Rules of networks that were seen to be as their receipts say.
pub(crate) const SEEN: &str = ".seen";
/// All of them.
pub(crate) const ALL: [&str; 4] = [RULES, NETWORKS, PORTS, SEEN];

/// What tells a text from another.
pub(crate) type Digest = [u8; 8];

/// Reads one. `None` when there is none that is whole.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let text = trust::read(path).ok()??;
    let (text, sum) = text.split_last_chunk()?;
    (digest(text) == *sum).then(|| decode(text))?
}

/// Writes one.
pub(crate) fn write(path: &Path, value: &impl Serialize) {
    let Some(mut text) = encode(value) else { return };
    text.extend(digest(&text));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).custom_flags(O_NOFOLLOW);
    let _ = options.open(path).and_then(|mut file| file.write_all(&text));
}

/// The bytes of a value. JSON takes more than twice as long to read, of hundreds of networks.
pub(crate) fn encode(value: &impl Serialize) -> Option<Vec<u8>> {
    postcard::to_allocvec(value).ok()
}

/// What [`encode`] has written.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    postcard::from_bytes(bytes).ok()
}

/// Tells a text from another one, and a torn file from a whole one. It takes eight bytes at a time,
/// because there are hundreds of networks.
pub(crate) fn digest(text: &[u8]) -> Digest {
    let add =
        |sum: u64, word: [u8; 8]| (sum ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let (words, rest) = text.as_chunks();
    let mut sum = words.iter().fold(text.len() as u64, |sum, word| add(sum, *word));
    if !rest.is_empty() {
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        sum = add(sum, word);
    }
    sum.to_le_bytes()
}
