//! Suggestions for mistyped names.

/// Synonyms from other programs and from libvirt's other elements.
const SYNONYMS: &[(&str, &str)] = &[
    ("address", "addr"),
    ("address", "ip"),
    ("addr", "address"),
    ("ip", "address"),
    ("stop", "end"),
    ("last", "end"),
    ("from", "start"),
    ("first", "start"),
    ("mask", "netmask"),
    ("gw", "gateway"),
    ("via", "gateway"),
    ("hostname", "name"),
    ("interface", "dev"),
    ("device", "dev"),
    ("iface", "dev"),
    ("ovs", "openvswitch"),
    ("bridged", "bridge"),
    ("routed", "route"),
    ("masquerade", "nat"),
    ("protocol", "proto"),
    ("passthru", "passthrough"),
    ("macvtap", "direct"),
    ("macvlan", "direct"),
    ("nat", "network"),
    ("tap", "ethernet"),
    ("slirp", "user"),
    ("passt", "user"),
    ("name", "type"),
    ("name", "dev"),
    ("off", "down"),
    ("on", "up"),
    ("port", "start"),
    ("disabled", "no"),
    ("enabled", "yes"),
    ("true", "yes"),
    ("true", "on"),
    ("yes", "on"),
    ("1", "yes"),
    ("false", "no"),
    ("false", "off"),
    ("no", "off"),
    ("0", "no"),
];

/// The candidate that a word was probably meant to be: the nearest one, if at most a third of the
/// word differs.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let meant = SYNONYMS.iter().filter(|(other, _)| other.eq_ignore_ascii_case(word));
    if let Some(meant) = meant.flat_map(|(_, name)| candidates.iter().find(|it| *it == name)).next() {
        return Some(meant);
    }
    let near = |candidate: &'a str| {
        let distance = distance(&word.to_lowercase(), &candidate.to_lowercase());
        (distance * 3 <= word.chars().count().max(3)).then_some((distance, candidate))
    };
    let words = candidates.into_iter().filter(|_| word.len() <= 64);
    words.filter_map(near).min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// The number of letters to add, remove, change or swap with their neighbour.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut rows = vec![(0..=other.len()).collect::<Vec<_>>()];
    for i in 1..=one.len() {
        let mut row = vec![i];
        for j in 1..=other.len() {
            let changed = rows[i - 1][j - 1] + usize::from(one[i - 1] != other[j - 1]);
            let mut best = changed.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("brige", Some("bridge"))]
    #[case("fowrard", Some("forward"))]
    #[case("IP", Some("ip"))]
    #[case("routes", Some("route"))]
    #[case("virtualport", None)]
    #[case("x", None)]
    fn suggests(#[case] word: &str, #[case] expected: Option<&str>) {
        assert_eq!(did_you_mean(word, ["bridge", "forward", "ip", "route"]), expected);
    }
}
