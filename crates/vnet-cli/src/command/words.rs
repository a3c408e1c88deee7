//! Words and options that stand for the same, as virsh has them.

use anyhow::bail;

/// The values of options; those that are absent are taken from the words, in order.
pub(super) fn fill<const N: usize>(
    words: &[String],
    options: [&Option<String>; N],
) -> anyhow::Result<[Option<String>; N]> {
    let mut words = words.iter();
    let filled = options.map(|option| option.clone().or_else(|| words.next().cloned()));
    match words.next() {
        Some(word) => bail!("`{word}` is one word too many"),
        None => Ok(filled),
    }
}
