//! Names of chains and comments, made from the name of a network, which may be any text.

use vnet_types::fnv1a;

/// The maximum length of a chain name in bytes (`NFT_NAME_MAXLEN` without the closing NUL).
const CHAIN_NAME_MAX: usize = 255;
/// The maximum length of a comment of nft(8), in bytes.
pub(crate) const COMMENT_MAX: usize = 128;
/// The maximum length of a network's name in a comment, in bytes: the purpose needs room too.
const NAME_MAX: usize = 40;

/// The purpose of a network's chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Packets to guests.
    In,
    /// Packets from guests.
    Out,
    /// Translation of packets that leave.
    Nat,
    /// What guests may reach, and from where.
    Limit,
}

impl Role {
    pub(crate) const ALL: [Self; 4] = [Self::In, Self::Out, Self::Nat, Self::Limit];

    /// The name of a network's chain: an identifier of nft(8), different for different networks.
    /// Bytes other than letters, digits, `-`, `.` and `_` become `/` and two hexadecimal digits; a
    /// name that is too long ends in a digest of the whole.
    pub(crate) fn chain(self, network: &str) -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        let escape = |byte| if plain(byte) { char::from(byte).to_string() } else { format!("/{byte:02x}") };
        let name: String = self.prefix().bytes().chain(network.bytes()).map(escape).collect();
        if name.len() <= CHAIN_NAME_MAX {
            return name;
        }
        format!("{}/{:016x}", &name[..CHAIN_NAME_MAX - 17], fnv1a(network.bytes()))
    }

    /// Whether this is the name of a network's chain.
    pub(crate) fn is_of(self, chain: &str) -> bool {
        chain.starts_with(self.prefix())
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::In => "in_",
            Self::Out => "out_",
            Self::Nat => "nat_",
            Self::Limit => "limit_",
        }
    }
}

/// A comment: the network, then the purpose.
pub(crate) fn comment(network: &str, cause: &str) -> String {
    owner(network) + cause
}

/// The prefix of the comments of a network and of no other. nft(8) cannot quote a quotation mark.
/// If the name is long, or cannot be written unchanged, a digest of it follows.
pub(crate) fn owner(network: &str) -> String {
    let is_special = |c: char| matches!(c, '"' | ':' | '~') || c.is_control();
    if network.len() <= NAME_MAX && !network.contains(is_special) {
        return format!("{OWNED}{network}: ");
    }
    let plain = |c: char| match c {
        '"' => '\'',
        ':' => ';',
        c if c.is_control() => '?',
        c => c,
    };
    let mut name: String = network.chars().map(plain).collect();
    let is_long = name.len() > NAME_MAX;
    while name.len() > NAME_MAX {
        name.pop();
    }
    if is_long {
        name.push('…');
    }
    format!("{OWNED}{name}~{:016x}: ", fnv1a(network.bytes()))
}

/// A network's name as the key of a set: the name if it fits, otherwise a digest.
pub(crate) fn word(network: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if (1..=15).contains(&network.len()) && network.bytes().all(plain) {
        return network.to_owned();
    }
    format!("~{:014x}", fnv1a(network.bytes()) >> 8)
}

/// The common prefix of the comments of networks.
pub(crate) const OWNED: &str = "network ";

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("default", "in_default")]
    #[case("my_net-1.2", "in_my_net-1.2")]
    #[case("a b\"{;}", "in_a/20b/22/7b/3b/7d")]
    #[case("büro", "in_b/c3/bcro")]
    #[case("/20", "in_/2f20")]
    fn chain_names(#[case] network: &str, #[case] expected: &str) {
        assert_eq!(Role::In.chain(network), expected);
    }

    #[test]
    fn long_names_stay_apart() {
        let (one, two) = (format!("{}1", "ü".repeat(90)), format!("{}2", "ü".repeat(90)));
        assert_ne!(Role::Nat.chain(&one), Role::Nat.chain(&two));
        assert_eq!(Role::Nat.chain(&one).len(), CHAIN_NAME_MAX);
    }

    #[rstest]
    #[case("default", "network default: why")]
    #[case("a\"b\nc", "network a'b?c~b0fc901a580b238f: why")]
    #[case("a: b", "network a; b~18bb9782dcbcb66c: why")]
    fn comments(#[case] network: &str, #[case] expected: &str) {
        assert_eq!(comment(network, "why"), expected);
    }

    #[test]
    fn comments_have_room_for_the_cause() {
        let text = comment(&"ü".repeat(80), "nothing else may reach the guests (IPv6 is not filtered)");
        assert!(text.len() <= COMMENT_MAX && text.ends_with("is not filtered)"), "{text}");
    }

    #[test]
    fn no_network_owns_what_is_of_another() {
        let long = "ü".repeat(80);
        let names = ["a", "a: b", "a; b", "a\"", "a'", "ab", &long, &long[2..], "a~"];
        for one in names {
            for other in names.into_iter().filter(|other| *other != one) {
                assert!(!comment(other, "why").starts_with(&owner(one)), "{one} {other}");
            }
        }
    }
}
