//! The real dnsmasq takes what `vnet-dnsmasq` writes, and says it to guests.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt::BindToDevice};
use rstest::rstest;
use vnet_dnsmasq::{
    Boot, Client, Config, DhcpHost, DhcpRange, Dns, DnsHost, Domain, Forwarder, LeaseTime, Paths, PlainNames, Reach,
    Srv, Subnet, Txt, command_line, parse_leases,
};
use vnet_tests::{Netns, isolate, run, vnet, wait_for};
use vnet_types::MacAddr;

const MAC: [u8; 6] = [0x52, 0x54, 0, 0, 0, 7];
const SOON: Duration = Duration::from_secs(5);
const LEASES: &str = "/run/n.leases";

#[rstest]
#[case::plain(|_: &mut Config| ())]
#[case::isolated(|config: &mut Config| config.reach = Reach::Isolated)]
#[case::no_dns(|config: &mut Config| config.dns = None)]
#[case::forwarders(|config: &mut Config| {
    for domain in ["", "lan", ".lan", "*.lan", "*lan", "_msdcs.lan."] {
        let mut forwarder = Forwarder::to("8.8.8.8".parse().unwrap());
        (forwarder.domain, forwarder.port) = (Some(domain.to_owned()), Some(5353));
        dns(config).forwarders.push(forwarder);
    }
    dns(config).forwarders.push(Forwarder::of_domain("example.com"));
    dns(config).forwarders.push(Forwarder::to("2001:db8::53".parse().unwrap()));
})]
#[case::domain(|config: &mut Config| config.domain = Some(Domain { name: "lan.".to_owned(), local_only: true }))]
#[case::reverse_zones(|config: &mut Config| config.subnets.iter_mut().for_each(|subnet| subnet.local_ptr = true))]
#[case::plain_names(|config: &mut Config| dns(config).plain_names = PlainNames::Local)]
#[case::srv_signs(|config: &mut Config| dns(config).srvs.push(Srv::new("a_b*/+-", "t+/-")))]
#[case::srv_longest(|config: &mut Config| dns(config).srvs.push(Srv::new("a".repeat(62), "tcp")))]
#[case::txt_signs(|config: &mut Config| dns(config).txts.push(Txt { name: "#;'\"\\".to_owned(), value: "\\".to_owned() }))]
#[case::txt_longest(|config: &mut Config| dns(config).txts.push(Txt { name: "a".to_owned(), value: "x".repeat(1010) }))]
#[case::boot(|config: &mut Config| {
    let boot = Boot { file: "tag:a,\"b\"".to_owned(), server: Some("10.1.1.1".parse().unwrap()) };
    config.subnets[0].dhcp.as_mut().unwrap().boot = Some(boot);
})]
#[case::lease_times(|config: &mut Config| {
    let ranges = &mut config.subnets[0].dhcp.as_mut().unwrap().ranges;
    ranges[0].lease = Some(LeaseTime::Infinite);
    ranges.push(DhcpRange::new("192.168.122.200-192.168.122.201".parse().unwrap()));
    ranges[1].lease = Some(LeaseTime::Seconds(2_147_483_647));
})]
#[case::dhcpv6(|config: &mut Config| {
    config.subnets[1].dhcp.get_or_insert_default().ranges = vec![DhcpRange::new("2001:db8::10-2001:db8::20".parse().unwrap())];
})]
#[case::static_only(|config: &mut Config| {
    config.subnets[0].dhcp.as_mut().unwrap().ranges.clear();
    config.subnets[0].dhcp.as_mut().unwrap().hosts.push(guest("vm"));
})]
#[case::interface(|config: &mut Config| config.interface = "a,\"#'\\".parse().unwrap())]
#[case::mtu(|config: &mut Config| config.mtu = Some(65_535))]
fn accepts(#[case] change: fn(&mut Config)) {
    isolate!();
    let mut config = config();
    change(&mut config);
    let conf = write(&config);
    run("dnsmasq", &["--test", &conf]);
}

#[test]
fn answers() {
    isolate!();
    bridge();
    let mut config = config();
    config.domain = Some(Domain { name: "lan".to_owned(), local_only: true });
    let dns = dns(&mut config);
    dns.plain_names = PlainNames::Local;
    let host = |ip: &str, names: &[&str]| DnsHost {
        ip: ip.parse().unwrap(),
        hostnames: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    dns.hosts = vec![host("192.168.122.5", &["vm5", "web.example"]), host("2001:db8::5", &["vm5"])];
    let mut srv = Srv::new("ldap", "tcp");
    (srv.domain, srv.target) = (Some("lan".to_owned()), Some("vm5.lan".to_owned()));
    (srv.port, srv.priority, srv.weight) = (Some(389), Some(5), Some(6));
    dns.srvs.push(srv);
    let texts = ["a,b \"c\" \\ #d\te\nserver=6.6.6.6", " ends ", "größer # als", "C:\\new 'x' $y", ""];
    let record = |(number, value): (usize, &&str)| Txt { name: format!("t{number}.lan"), value: (*value).to_owned() };
    dns.txts = texts.iter().enumerate().map(record).collect();
    dns.txts.push(Txt { name: "long.lan".to_owned(), value: "x".repeat(300) });
    start(&config);

    assert_eq!(ask("vm5", A), Ok(vec![vec![192, 168, 122, 5]]));
    assert_eq!(ask("vm5.lan", A), Ok(vec![vec![192, 168, 122, 5]]));
    assert_eq!(ask("web.example", A), Ok(vec![vec![192, 168, 122, 5]]));
    assert_eq!(ask("vm5.lan", AAAA).map(|found| found[0].len()), Ok(16));
    assert_eq!(ask("5.122.168.192.in-addr.arpa", PTR), Ok(vec![b"vm5.lan".to_vec()]));
    let srv = [&[0, 5, 0, 6, 1, 133], &b"vm5.lan"[..]].concat();
    assert_eq!(ask("_ldap._tcp.lan", SRV), Ok(vec![srv]));
    for (number, text) in texts.iter().enumerate() {
        let expected = [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
        assert_eq!(ask(&format!("t{number}.lan"), TXT), Ok(vec![expected]), "{text:?}");
    }
    let long = [&[255], &[b'x'; 255][..], &[45], &[b'x'; 45]].concat();
    assert_eq!(ask("long.lan", TXT), Ok(vec![long]));
    assert_eq!(ask("nobody", A), Err(NO_SUCH_NAME));
    assert_eq!(ask("nobody.lan", A), Err(NO_SUCH_NAME));
}

/// Names that read as something else in a hosts file are names all the same.
#[rstest]
#[case("vm")]
#[case("vm_1.lan")]
#[case("12h")]
#[case("42")]
#[case("infinite")]
#[case("ignore")]
#[case("de-ad")]
fn hands_out_what_is_reserved(#[case] name: &str) {
    isolate!();
    bridge();
    let guests = Netns::new();
    run("ip", &["link", "add", "port", "type", "veth", "peer", "name", "guest"]);
    run("ip", &["link", "set", "port", "master", "virbr0", "up"]);
    move_to(&guests, "guest");
    let mut config = config();
    config.domain = Some(Domain { name: "lan".to_owned(), local_only: true });
    config.mtu = Some(1400);
    let dhcp = config.subnets[0].dhcp.as_mut().unwrap();
    dhcp.hosts.push(guest(name));
    dhcp.boot = Some(Boot { file: "tag:boot,\"me\"".to_owned(), server: None });
    start(&config);

    let first_label = name.split('.').next().unwrap();
    let answer = guests.run(|| {
        run("ip", &["link", "set", "guest", "up"]);
        discover_and_request("guest")
    });
    assert_eq!(answer.address, Ipv4Addr::new(192, 168, 122, 7));
    assert_eq!(answer.option(12), Some(first_label.as_bytes()));
    assert_eq!(answer.option(26), Some(&1400u16.to_be_bytes()[..]));
    assert_eq!(answer.file, "tag:boot,\"me\"");
    assert_eq!(answer.option(3), Some(&[192, 168, 122, 1][..]), "the gateway");

    let leases = parse_leases(&fs::read_to_string(LEASES).unwrap());
    let [Ok(lease)] = &leases[..] else { panic!("{leases:?}") };
    assert_eq!(lease.client, Client::Mac(MacAddr(MAC)));
    assert_eq!((lease.ip, lease.hostname.as_deref()), (IpAddr::V4(answer.address), Some(first_label)));
    assert_eq!(ask(&format!("{first_label}.lan"), A), Ok(vec![vec![192, 168, 122, 7]]));
}

/// Both families, and DHCP for IPv4.
fn config() -> Config {
    let mut config = Config::new("virbr0".parse().unwrap());
    config.dns = Some(Dns::default());
    config.subnets = ["192.168.122.1/24", "2001:db8::1/64"].map(|net| Subnet::new(net.parse().unwrap())).into();
    let range = DhcpRange::new("192.168.122.100-192.168.122.150".parse().unwrap());
    config.subnets[0].dhcp.get_or_insert_default().ranges.push(range);
    // The names of the machine that runs the test are not ours.
    config.options.push("no-hosts".to_owned());
    config
}

fn dns(config: &mut Config) -> &mut Dns {
    config.dns.as_mut().unwrap()
}

fn guest(name: &str) -> DhcpHost {
    let mut host = DhcpHost::new("192.168.122.7".parse().unwrap());
    (host.mac, host.name) = (Some(MacAddr(MAC).into()), Some(name.to_owned()));
    host
}

fn bridge() {
    run("ip", &["link", "add", "virbr0", "type", "bridge"]);
    run("ip", &["address", "add", "192.168.122.1/24", "dev", "virbr0"]);
    run("ip", &["address", "add", "2001:db8::1/64", "dev", "virbr0", "nodad"]);
    run("ip", &["link", "set", "virbr0", "up"]);
}

fn move_to(guests: &Netns, link: &str) {
    let namespace = format!("/proc/{}/fd/{}", std::process::id(), guests.file().as_raw_fd());
    run("ip", &["link", "set", link, "netns", &namespace]);
}

/// Writes the files and returns the argument that names the first.
fn write(config: &Config) -> String {
    let mut paths = Paths::new("/run/n #1, \"2\".hosts".into(), "/run/n #1, \"2\".addnhosts".into());
    paths.pid_file = Some("/run/n.pid".into());
    paths.leases = Some(LEASES.into());
    let rendered = config.render(&paths).unwrap();
    fs::write(&paths.hosts, rendered.hosts).unwrap();
    fs::write(&paths.addn_hosts, rendered.addn_hosts).unwrap();
    fs::write("/run/n 1.conf", rendered.conf).unwrap();
    command_line(Path::new("/run/n 1.conf"), true).unwrap().swap_remove(0)
}

fn start(config: &Config) {
    write(config);
    let arguments = command_line(Path::new("/run/n 1.conf"), true).unwrap();
    run("dnsmasq", &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(fs::exists("/run/n.pid").unwrap());
}

const A: u16 = 1;
const PTR: u16 = 12;
const TXT: u16 = 16;
const AAAA: u16 = 28;
const SRV: u16 = 33;
const NO_SUCH_NAME: u8 = 3;

/// Asks for the records of a name (RFC 1035 §4): their data, with names in it as text; or the code
/// of the refusal.
fn ask(name: &str, kind: u16) -> Result<Vec<Vec<u8>>, u8> {
    let mut query = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        query.push(u8::try_from(label.len()).unwrap());
        query.extend(label.bytes());
    }
    query.push(0);
    query.extend(kind.to_be_bytes());
    query.extend(1u16.to_be_bytes());
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    socket.send_to(&query, "192.168.122.1:53").unwrap();
    let mut answer = [0; 1500];
    let length = socket.recv(&mut answer).expect("an answer of the DNS server");
    let answer = &answer[..length];
    let number = |at: usize| u16::from_be_bytes([answer[at], answer[at + 1]]);
    match answer[3] & 0xf {
        0 => {}
        code => return Err(code),
    }
    let mut at = query.len();
    let records = (0..number(6)).map(|_| {
        let (_, header) = read_name(answer, at);
        let data = header + 10;
        at = data + usize::from(number(header + 8));
        match kind {
            PTR => read_name(answer, data).0.into_bytes(),
            SRV => [&answer[data..data + 6], read_name(answer, data + 6).0.as_bytes()].concat(),
            _ => answer[data..at].to_vec(),
        }
    });
    Ok(records.collect())
}

/// The name at a place of a message, and where it ends there.
fn read_name(message: &[u8], mut at: usize) -> (String, usize) {
    let mut labels = Vec::new();
    loop {
        match usize::from(message[at]) {
            0 => return (labels.join("."), at + 1),
            high if high >= 0xc0 => {
                let (rest, _) = read_name(message, (high & 0x3f) << 8 | usize::from(message[at + 1]));
                labels.push(rest);
                return (labels.join("."), at + 2);
            }
            length => {
                labels.push(String::from_utf8(message[at + 1..at + 1 + length].to_vec()).unwrap());
                at += 1 + length;
            }
        }
    }
}

/// What a DHCP server says (RFC 2131 §2).
struct Answer {
    address: Ipv4Addr,
    file: String,
    options: Vec<(u8, Vec<u8>)>,
}

impl Answer {
    fn option(&self, code: u8) -> Option<&[u8]> {
        self.options.iter().find(|(own, _)| *own == code).map(|(_, value)| value.as_slice())
    }

    fn read(packet: &[u8]) -> Self {
        let mut options = Vec::new();
        let mut rest = &packet[240..];
        while let [code @ 1..=254, length, tail @ ..] = rest {
            let (value, tail) = tail.split_at(usize::from(*length));
            options.push((*code, value.to_vec()));
            rest = tail;
        }
        let file = packet[108..236].iter().take_while(|byte| **byte != 0).copied().collect();
        let address: [u8; 4] = packet[16..20].try_into().unwrap();
        Self { address: address.into(), file: String::from_utf8(file).unwrap(), options }
    }
}

/// Asks as a guest does: again and again, because frames are lost until the bridge has noticed its
/// new port.
fn discover_and_request(device: &str) -> Answer {
    let socket = UdpSocket::bind("0.0.0.0:68").unwrap();
    socket.set_broadcast(true).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    setsockopt(&socket, BindToDevice, &device.into()).unwrap();
    let exchange = |options: &[u8], kind: u8| {
        let mut packet = vec![0; 240];
        packet[..8].copy_from_slice(&[1, 1, 6, 0, 1, 2, 3, 4]);
        packet[10] = 0x80; // answer by broadcast
        packet[28..34].copy_from_slice(&MAC);
        packet[236..].copy_from_slice(&[99, 130, 83, 99]);
        packet.extend([55, 4, 1, 3, 12, 26]);
        packet.extend(options);
        packet.push(255);
        wait_for(SOON, "an answer of the DHCP server", || {
            socket.send_to(&packet, "255.255.255.255:67").unwrap();
            let mut answer = [0; 1500];
            let length = socket.recv(&mut answer).ok()?;
            Some(Answer::read(&answer[..length])).filter(|answer| answer.option(53) == Some(&[kind]))
        })
    };
    let offer = exchange(&[53, 1, 1], 2);
    let mut request = vec![53, 1, 3, 54, 4];
    request.extend(offer.option(54).expect("the server's address"));
    request.extend([50, 4]);
    request.extend(offer.address.octets());
    exchange(&request, 5)
}

/// A start with an option that dnsmasq refuses shows the option where the definition has it, and
/// leaves nothing.
#[rstest]
#[case::unknown("no-such-option", "bad option")]
#[case::value("cache-size=many", "error")]
#[case::twice("cache-size=5'/><dnsmasq:option value='cache-size=6", "illegal repeated keyword")]
#[case::file("conf-file=/no-such.conf", "cannot read /no-such.conf: No such file or directory")]
fn a_refused_option_is_named_by_its_place(#[case] option: &str, #[case] said: &str) {
    isolate!();
    let text = format!(
        "<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'><name>n</name><bridge name='br0'/>
         <ip address='192.168.122.1' prefix='24'><dhcp><range start='192.168.122.2' end='192.168.122.9'/></dhcp></ip>
         <dnsmasq:options>
         <dnsmasq:option value='log-queries'/>
         <dnsmasq:option value='{option}'/>
         </dnsmasq:options></network>"
    );
    fs::write("/tmp/n.xml", text).unwrap();
    let output = Command::new(vnet()).args(["start", "/tmp/n.xml"]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let last = option.rsplit('\'').next().unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let message =
        format!("error[VN0318]: dnsmasq refuses the option `{last}`: {said}; what was done before it is undone");
    assert!(stderr.contains(&message), "{stderr}");
    assert!(stderr.contains("--> /tmp/n.xml:5:"), "{stderr}");
    assert!(!Path::new("/sys/class/net/br0").exists());
}
