//! The data that nft(8) stores with rules and elements for itself: a list of type, length (one byte
//! each) and value. Type 0 is the comment.

use super::attribute::text_of;
use crate::name::COMMENT_MAX;

/// A comment as nft(8) writes it.
pub(super) fn comment(comment: &str) -> Vec<u8> {
    let text = &comment.as_bytes()[..comment.len().min(COMMENT_MAX)];
    let len = u8::try_from(text.len() + 1).expect("at most 129");
    [&[0, len], text, &[0]].concat()
}

/// The comment in a list.
pub(super) fn read_comment(mut data: &[u8]) -> Option<String> {
    while let [kind, len, rest @ ..] = data {
        let (value, next) = rest.split_at_checked(usize::from(*len))?;
        if *kind == 0 {
            return text_of(value);
        }
        data = next;
    }
    None
}
