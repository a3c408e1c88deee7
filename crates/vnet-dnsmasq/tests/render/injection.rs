//! No value becomes an option, a comment or a field of its own.

use proptest::prelude::*;
use vnet_dnsmasq::{Boot, Config, DnsHost, Domain, Forwarder, Paths, Srv, Txt};

use crate::{host, range, render, subnet};

/// One line as dnsmasq reads it (`read_file` in `option.c`): the option and its values.
fn read(line: &str) -> (String, Vec<String>) {
    let mut characters = line.chars();
    // A quoted comma does not separate.
    let mut text: Vec<(char, bool)> = Vec::new();
    let mut white = true;
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                white = false;
                while let Some(inner) = characters.next() {
                    match inner {
                        '"' => break,
                        '\\' => text.push((escaped(characters.next().expect("an escape")), true)),
                        other => text.push((other, true)),
                    }
                }
            }
            '#' if white => break,
            other => {
                white = other.is_whitespace();
                text.push((other, false));
            }
        }
    }
    let is_blank = |(character, is_quoted): &(char, bool)| character.is_whitespace() && !is_quoted;
    let end = text.iter().rposition(|part| !is_blank(part)).map_or(0, |last| last + 1);
    let start = text.iter().position(|part| !is_blank(part)).unwrap_or(end);
    let text = &text[start..end];
    let equals = text.iter().position(|part| *part == ('=', false)).unwrap_or(text.len());
    let characters = |part: &[(char, bool)]| part.iter().map(|(character, _)| character).collect::<String>();
    let values = text
        .get(equals + 1..)
        .map_or(Vec::new(), |values| values.split(|part| *part == (',', false)).map(characters).collect());
    (characters(&text[..equals]), values)
}

fn escaped(character: char) -> char {
    match character {
        't' => '\t',
        'n' => '\n',
        'b' => '\u{8}',
        'r' => '\r',
        'e' => '\u{1b}',
        other => other,
    }
}

/// Values of all kinds, special ones included.
fn value() -> impl Strategy<Value = String> {
    let sign = prop::sample::select(vec![
        ",",
        "#",
        "\"",
        "\\",
        "\n",
        "\r",
        "\t",
        " ",
        "/",
        "=",
        "a",
        "b.c",
        "1",
        "-",
        "_",
        "*",
        ":",
        "tag:",
        "é",
        "\0",
        "\u{1}",
        "\u{a0}",
        "\u{85}",
        "\u{2028}",
        "server=6.6.6.6",
        "h",
        "infinite",
        "x\nconf-file=/etc/shadow",
    ]);
    let signs = prop::collection::vec(sign, 0..8).prop_map(|signs| signs.concat());
    prop_oneof![2 => signs, 1 => any::<String>(), 1 => "[a-z0-9._-]{1,12}"]
}

fn paths(value: &str) -> Paths {
    Paths::new(format!("/{value}").into(), format!("/{value}").into())
}

/// The values of an option, which must occur exactly once.
fn values_of(conf: &str, option: &str) -> Vec<String> {
    let mut found = conf.lines().map(read).filter(|(name, _)| name == option);
    let (_, values) = found.next().expect("the option");
    assert!(found.next().is_none(), "{option} is there twice");
    values
}

/// Sets one field. Returns the lines that this adds, and the values that dnsmasq must find in the
/// first of them.
type Set = fn(&mut Config, String) -> (&'static [&'static str], Vec<String>);

const FIELDS: &[(&str, Set)] = &[
    ("forwarder", |config, value| {
        config.dns.as_mut().unwrap().forwarders.push(Forwarder::of_domain(value.clone()));
        (&["server"], vec![format!("/{value}/#")])
    }),
    ("domain", |config, value| {
        config.domain = Some(Domain { name: value.clone(), local_only: false });
        (&["domain", "expand-hosts"], vec![value])
    }),
    ("local domain", |config, value| {
        config.domain = Some(Domain { name: value.clone(), local_only: true });
        (&["local", "domain", "expand-hosts"], vec![format!("/{value}/")])
    }),
    ("txt name", |config, value| {
        config.dns.as_mut().unwrap().txts.push(Txt { name: value.clone(), value: "x".to_owned() });
        (&["txt-record"], vec![value, "x".to_owned()])
    }),
    ("txt value", |config, value| {
        config.dns.as_mut().unwrap().txts.push(Txt { name: "a".to_owned(), value: value.clone() });
        (&["txt-record"], vec!["a".to_owned(), value])
    }),
    ("srv service", |config, value| {
        config.dns.as_mut().unwrap().srvs.push(Srv::new(value.clone(), "tcp"));
        (&["srv-host"], vec![format!("_{value}._tcp")])
    }),
    ("srv protocol", |config, value| {
        config.dns.as_mut().unwrap().srvs.push(Srv::new("a", value.clone()));
        (&["srv-host"], vec![format!("_a._{value}")])
    }),
    ("srv domain", |config, value| {
        let mut srv = Srv::new("a", "tcp");
        srv.domain = Some(value.clone());
        config.dns.as_mut().unwrap().srvs.push(srv);
        (&["srv-host"], vec![format!("_a._tcp.{value}")])
    }),
    ("srv target", |config, value| {
        let mut srv = Srv::new("a", "tcp");
        srv.target = Some(value.clone());
        config.dns.as_mut().unwrap().srvs.push(srv);
        // The root stands for no target.
        let target = (value != ".").then_some(value);
        (&["srv-host"], ["_a._tcp".to_owned()].into_iter().chain(target).collect())
    }),
    ("tftp root", |config, value| {
        config.subnets[0].tftp_root = Some(value.clone());
        (&["tftp-root", "enable-tftp"], vec![value])
    }),
    ("boot file", |config, value| {
        let dhcp = config.subnets[0].dhcp.get_or_insert_default();
        dhcp.boot = Some(Boot { file: value.clone(), server: None });
        (&["dhcp-boot"], vec![value])
    }),
];

fn plain() -> Config {
    let mut config = Config::new("virbr0".parse().unwrap());
    config.subnets.push(subnet("192.168.122.1/24"));
    config.subnets[0].dhcp.get_or_insert_default().ranges.push(range("192.168.122.2-192.168.122.9"));
    config
}

fn options(conf: &str) -> Vec<String> {
    let mut options: Vec<String> = conf.lines().map(|line| read(line).0).collect();
    options.sort();
    options
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_value_stays_a_value(value in value(), field in 0..FIELDS.len()) {
        let (_, set) = FIELDS[field];
        let mut config = plain();
        let (added, read_back) = set(&mut config, value);
        let Ok(rendered) = render(&config) else { return Ok(()) };
        let mut expected = options(&render(&plain()).unwrap().conf);
        expected.extend(added.iter().map(|option| (*option).to_owned()));
        expected.sort();
        prop_assert_eq!(options(&rendered.conf), expected);
        prop_assert_eq!(values_of(&rendered.conf, added[0]), read_back);
        prop_assert!(rendered.conf.lines().all(|line| line.len() < 1024));
    }

    #[test]
    fn a_path_stays_a_path(value in value()) {
        let Ok(rendered) = plain().render(&paths(&value)) else { return Ok(()) };
        for option in ["dhcp-hostsfile", "addn-hosts"] {
            prop_assert_eq!(values_of(&rendered.conf, option).join(","), format!("/{value}"));
        }
    }

    #[test]
    fn a_name_stays_a_name_in_the_hosts_files(value in value()) {
        let mut config = plain();
        let ip = "192.168.122.9".parse().unwrap();
        config.dns.as_mut().unwrap().hosts.push(DnsHost { ip, hostnames: vec![value.clone()] });
        let mut reserved = host("192.168.122.9");
        reserved.name = Some(value.clone());
        let mut with_name = config.clone();
        with_name.subnets[0].dhcp.as_mut().unwrap().hosts.push(reserved);
        if let Ok(rendered) = render(&config) {
            prop_assert_eq!(rendered.addn_hosts, format!("192.168.122.9\t{value}\t\n"));
        }
        if let Ok(rendered) = render(&with_name) {
            prop_assert_eq!(rendered.hosts.lines().count(), 1);
            // dnsmasq reads each line of that file as the value of an option.
            let (_, values) = read(&format!("dhcp-host={}", rendered.hosts));
            prop_assert_eq!(values, vec![value, "192.168.122.9".to_owned()]);
        }
    }

    #[test]
    fn a_client_id_stays_one(id in value()) {
        let mut config = plain();
        config.subnets.push(subnet("2001:db8::1/64"));
        let mut reserved = host("2001:db8::9");
        reserved.id = Some(id.clone());
        config.subnets[1].dhcp.get_or_insert_default().hosts.push(reserved);
        if let Ok(rendered) = render(&config) {
            prop_assert_eq!(rendered.hosts, format!("id:{id},[2001:db8::9]\n"));
        }
    }

    #[test]
    fn an_option_is_one_line(option in value()) {
        let mut config = plain();
        config.options.push(option.clone());
        if let Ok(rendered) = render(&config) {
            let plain = render(&super::injection::plain()).unwrap().conf;
            prop_assert_eq!(rendered.conf, format!("{plain}{option}\n"));
        }
    }
}
