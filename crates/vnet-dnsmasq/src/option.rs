//! The table of dnsmasq options that conflict with what a network relies on.

use std::net::IpAddr;

/// The parts of the configuration that an option can contradict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Surroundings {
    /// The bridge that dnsmasq listens on, if its name is known.
    pub interface: Option<String>,
    /// The addresses of the bridge.
    pub addresses: Vec<IpAddr>,
    /// Whether names are answered.
    pub has_names: bool,
    /// Whether there are DHCP ranges.
    pub has_ranges: bool,
}

/// Why an option should not be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Objection {
    /// The option's keyword.
    pub keyword: &'static str,
    /// Whether it keeps the network from working. Otherwise it only changes what people may rely
    /// on.
    pub is_refused: bool,
    /// The effect of the option: "keeps dnsmasq in the foreground".
    pub because: &'static str,
    /// What to write instead.
    pub instead: &'static str,
}

/// How an option is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Refused,
    Warned,
    /// The option is accepted, and it determines what the network serves.
    Followed,
}

/// The values that a row matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Always,
    /// The value names the bridge.
    Bridge,
    /// The value names another interface than the bridge. `lo` does not count: the configuration
    /// itself excludes it.
    OtherInterface,
    /// The value is another address than the bridge's.
    OtherAddress,
    /// `port=0` is written already, because names are not answered.
    NoNames,
    /// The limit for leases is written already, because there are DHCP ranges.
    Ranges,
    /// The value is this.
    Is(&'static str),
    /// The value is a path.
    Path,
}

struct Row {
    keyword: &'static str,
    when: When,
    effect: Effect,
    because: &'static str,
    instead: &'static str,
}

const fn refused(keyword: &'static str, when: When, because: &'static str, instead: &'static str) -> Row {
    Row { keyword, when, effect: Effect::Refused, because, instead }
}

const fn warned(keyword: &'static str, when: When, because: &'static str, instead: &'static str) -> Row {
    Row { keyword, when, effect: Effect::Warned, because, instead }
}

const fn followed(keyword: &'static str) -> Row {
    Row { keyword, when: When::Always, effect: Effect::Followed, because: "", instead: "" }
}

const LEAVE_OUT: &str = "leave it out";
const IN_FOREGROUND: &str = "keeps dnsmasq in the foreground, and a network has started when it is in the background";
const WRITTEN: &str = "is written by vnet, which finds its dnsmasq by it, and dnsmasq takes it once only";
const NOTHING: &str = "does nothing in a configuration: it is for dnsmasq's command line";
const UNSEEN: &str = "brings in options that vnet does not see: it does not check them, nor notice when they change";
const AS_ROOT: &str = "has dnsmasq run a program with the rights of root";
const WRITE_THEM: &str = "write each option in a `<dnsmasq:option>` of its own";
const BRIDGE_OR_NONE: &str = "name the network's own bridge, or leave it out";

/// The first matching row of a keyword applies.
const OPTIONS: &[Row] = &[
    refused("keep-in-foreground", When::Always, IN_FOREGROUND, LEAVE_OUT),
    refused("no-daemon", When::Always, IN_FOREGROUND, "leave it out; `log-queries` and `log-dhcp` tell more"),
    refused("pid-file", When::Always, WRITTEN, LEAVE_OUT),
    refused(
        "dhcp-leasefile",
        When::Always,
        "is written by vnet, which reads leases there, and dnsmasq takes it once only",
        LEAVE_OUT,
    ),
    refused(
        "dhcp-lease-max",
        When::Ranges,
        "is written by vnet with the size of the DHCP ranges, and dnsmasq takes it once only",
        "leave it out; smaller ranges make fewer leases",
    ),
    refused(
        "bind-interfaces",
        When::Always,
        "contradicts `bind-dynamic`, which vnet writes: dnsmasq does not start with both",
        "leave it out: `bind-dynamic` keeps dnsmasq to the bridge too",
    ),
    refused(
        "except-interface",
        When::Bridge,
        "keeps dnsmasq from answering on the network's own bridge",
        "leave it out; `<dns enable='no'/>` turns names off",
    ),
    refused(
        "log-facility",
        When::Is("-"),
        "keeps dnsmasq at the output of whoever starts the network",
        "write the path of a file, or leave it out: dnsmasq then writes to syslog",
    ),
    refused(
        "port",
        When::NoNames,
        "is written by vnet because of `<dns enable='no'/>`, and dnsmasq takes it once only",
        LEAVE_OUT,
    ),
    followed("port"),
    followed("dhcp-range"),
    followed("enable-tftp"),
    warned(
        "interface",
        When::OtherInterface,
        "has dnsmasq answer on an interface that is not the network's bridge",
        BRIDGE_OR_NONE,
    ),
    warned(
        "listen-address",
        When::OtherAddress,
        "has dnsmasq answer at an address that is not the network's",
        "write an address of the network, or leave it out",
    ),
    warned("no-dhcp-interface", When::Bridge, "keeps addresses from guests", "leave `<dhcp>` out instead"),
    warned("no-dhcpv4-interface", When::Bridge, "keeps IPv4 addresses from guests", "leave `<dhcp>` out instead"),
    warned("no-dhcpv6-interface", When::Bridge, "keeps IPv6 addresses from guests", "leave `<dhcp>` out instead"),
    warned(
        "dhcp-alternate-port",
        When::Always,
        "moves DHCP to port 1067, which vnet does not open and most guests do not ask",
        LEAVE_OUT,
    ),
    warned("leasefile-ro", When::Always, "keeps leases out of the file that `vnet leases` reads", LEAVE_OUT),
    warned(
        "log-facility",
        When::Path,
        "has dnsmasq write a file that vnet does not take away when the network stops",
        "leave it out: dnsmasq then writes to syslog",
    ),
    warned("user", When::Is("root"), "lets dnsmasq keep the rights of root while it answers guests", LEAVE_OUT),
    warned("dhcp-script", When::Always, AS_ROOT, "name its user in `dhcp-scriptuser`, or leave it out"),
    warned("dhcp-luascript", When::Always, AS_ROOT, "name its user in `dhcp-scriptuser`, or leave it out"),
    warned("conf-file", When::Always, UNSEEN, WRITE_THEM),
    warned("conf-dir", When::Always, UNSEEN, WRITE_THEM),
    warned("conf-script", When::Always, UNSEEN, WRITE_THEM),
    warned("test", When::Always, NOTHING, LEAVE_OUT),
    warned("version", When::Always, NOTHING, LEAVE_OUT),
    warned("help", When::Always, NOTHING, LEAVE_OUT),
];

/// Why an option, given as a line of the configuration, should not be there.
pub fn objection(line: &str, surroundings: &Surroundings) -> Option<Objection> {
    let (keyword, value) = split(line);
    let row = OPTIONS.iter().find(|row| row.keyword == keyword && row.when.fits(value, surroundings))?;
    let Row { keyword, effect, because, instead, .. } = *row;
    let is_refused = match effect {
        Effect::Refused => true,
        Effect::Warned => false,
        Effect::Followed => return None,
    };
    Some(Objection { keyword, is_refused, because, instead })
}

/// Whether an option, given as a line of the configuration, gives an address to all names of a
/// domain: `address=/example.com/192.0.2.1`.
pub fn is_wildcard(line: &str) -> bool {
    let (keyword, value) = split(line);
    keyword == "address" && value.starts_with('/')
}

/// Keyword and value of a line, without the comment.
pub(crate) fn split(line: &str) -> (&str, &str) {
    let comment = line
        .char_indices()
        .find(|(at, c)| *c == '#' && line[..*at].chars().next_back().is_none_or(char::is_whitespace));
    let line = comment.map_or(line, |(at, _)| &line[..at]);
    let (keyword, value) = line.split_once('=').unwrap_or((line, ""));
    (unquoted(keyword), unquoted(value))
}

/// The word without quotes: dnsmasq accepts words with and without them.
fn unquoted(word: &str) -> &str {
    let word = word.trim();
    word.strip_prefix('"').and_then(|word| word.strip_suffix('"')).unwrap_or(word)
}

impl When {
    fn fits(self, value: &str, surroundings: &Surroundings) -> bool {
        let mut words = value.split(',').map(str::trim).filter(|word| !word.is_empty());
        let is_bridge = |word: &str| match (&surroundings.interface, word.strip_suffix('*')) {
            (None, _) => false,
            (Some(bridge), Some(start)) => bridge.starts_with(start),
            (Some(bridge), None) => bridge == word,
        };
        let is_own = |word: &str| word.parse().is_ok_and(|address| surroundings.addresses.contains(&address));
        match self {
            Self::Always => true,
            Self::Bridge => words.any(is_bridge),
            Self::OtherInterface => words.any(|word| word != "lo" && !is_bridge(word)),
            Self::OtherAddress => words.any(|word| !is_own(word)),
            Self::NoNames => !surroundings.has_names,
            Self::Ranges => surroundings.has_ranges,
            Self::Is(other) => value == other,
            Self::Path => value.contains('/'),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("keep-in-foreground", Some(true))]
    #[case("no-daemon # for now", Some(true))]
    #[case("#no-daemon", None)]
    #[case("\"pid-file\" = /run/x.pid", Some(true))]
    #[case("dhcp-lease-max=9", Some(true))]
    #[case("except-interface=eth0", None)]
    #[case("except-interface=eth0,vir*", Some(true))]
    #[case("log-facility=-", Some(true))]
    #[case("log-facility=/var/log/n.log", Some(false))]
    #[case("log-facility=local0", None)]
    #[case("port=0", None)]
    #[case("interface=virbr0", None)]
    #[case("interface=lo", None)]
    #[case("interface=virbr0,eth0", Some(false))]
    #[case("listen-address=192.0.2.1", None)]
    #[case("listen-address=192.0.2.1,127.0.0.1", Some(false))]
    #[case("no-dhcp-interface=virbr0", Some(false))]
    #[case("user=root", Some(false))]
    #[case("user=nobody", None)]
    #[case("conf-dir=/etc/more", Some(false))]
    #[case("log-queries", None)]
    #[case("address=/pid-file/192.0.2.1", None)]
    #[case("", None)]
    fn objections(#[case] line: &str, #[case] is_refused: Option<bool>) {
        let surroundings = Surroundings {
            interface: Some("virbr0".to_owned()),
            addresses: vec![[192, 0, 2, 1].into()],
            has_names: true,
            has_ranges: true,
        };
        assert_eq!(objection(line, &surroundings).map(|it| it.is_refused), is_refused);
    }

    #[test]
    fn what_vnet_writes_itself_depends_on_the_network() {
        let bare = Surroundings::default();
        assert!(objection("port=0", &bare).is_some_and(|it| it.is_refused));
        assert_eq!(objection("dhcp-lease-max=9", &bare), None);
    }
}
