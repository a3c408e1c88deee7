//! Words and options that stand for the same, as virsh has them.

use anyhow::bail;

use crate::failure;

/// The values of options; those that are absent are taken from the words, in order.
pub(super) fn fill<const N: usize>(
    words: &[String],
    options: [&Option<String>; N],
) -> anyhow::Result<[Option<String>; N]> {
    let mut words = words.iter();
    let filled = options.map(|option| option.clone().or_else(|| words.next().cloned()));
    match words.next() {
        Some(word) => Err(failure::advised(format!("`{word}` is one word too many"), "quote a word that has blanks")),
        None => Ok(filled),
    }
}

/// virsh's options for which of a guest's definitions is meant: vnet keeps none of guests.
#[derive(Debug, clap::Args)]
pub(super) struct OfGuest {
    #[arg(long, hide = true)]
    live: bool,
    #[arg(long, hide = true)]
    current: bool,
    #[arg(long, hide = true)]
    config: bool,
    #[arg(long, hide = true)]
    persistent: bool,
}

impl OfGuest {
    /// Refuses a change of a guest's definition, and says what to do instead.
    pub(super) fn live_only(&self, instead: &str) -> anyhow::Result<()> {
        if self.config || self.persistent {
            bail!("vnet keeps no definitions of guests: {instead}");
        }
        Ok(())
    }
}
