//! Guests' interfaces: read, printed, refused.
#![allow(clippy::unwrap_used, reason = "a test")]

use rstest::rstest;
use vnet_xml::interface::{
    Backend, Boot, DirectMode, DirectSource, Driver, DriverName, HostOffloads, InterfaceIp, PortForward,
    PortForwardRange, Protocol, Reconnect, Source, Target, VhostuserSource,
};
use vnet_xml::{Bandwidth, Interface, Rate, Vlan};

/// Canonical definitions: the live form that is printed is the text that was read.
#[rstest]
#[case::user("user", "")]
#[case::user_dev("user", "  <source dev='eth0'/>\n  <backend type='passt'/>\n")]
#[case::everything_passt(
    "user",
    "  <mac address='52:54:00:00:00:01'/>\n  <source dev='eth0'/>\n  <ip address='172.17.2.0' family='ipv4' prefix='24'/>\n  \
     <ip address='2001:db8::1' family='ipv6'/>\n  <portForward proto='tcp' address='127.0.0.1' dev='lo'>\n    \
     <range start='22' to='2022'/>\n    <range start='1' end='9' exclude='no'/>\n    <range exclude='yes'/>\n  \
     </portForward>\n  <portForward proto='udp'/>\n  \
     <model type='virtio'/>\n  <backend type='passt' logFile='/l' hostname='a' fqdn='a.b.'/>\n  <mtu size='1400'/>\n"
)]
#[case::ethernet(
    "ethernet",
    "  <source>\n    <ip address='192.0.2.1' family='ipv4' prefix='24' peer='192.0.2.2'/>\n    <route family='ipv4' \
     address='10.0.0.0' prefix='8' gateway='192.0.2.2' metric='3'/>\n  </source>\n  <script path='/a b'/>\n  <downscript \
     path='/c'/>\n  <target dev='tap%d' managed='no'/>\n"
)]
#[case::network_live(
    "network",
    "  <source network='default' portgroup='g' portid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f' bridge='virbr0' \
     macTableManager='libvirt'/>\n  <vlan trunk='yes'>\n    <tag id='1'/>\n    <tag id='2' nativeMode='tagged'/>\n  \
     </vlan>\n  <virtualport type='openvswitch'/>\n  <bandwidth>\n    <inbound average='1000' peak='5000' floor='200' \
     burst='5120'/>\n    <outbound average='128'/>\n  </bandwidth>\n  <port isolated='yes'/>\n  <target dev='vnet0'/>\n"
)]
#[case::bridge_live(
    "bridge",
    "  <source bridge='br0' macTableManager='kernel'/>\n  <filterref filter='clean'>\n    <parameter name='IP' \
     value='192.0.2.1'/>\n    <parameter name='IP' value='192.0.2.2'/>\n    <parameter name='MAC' value='a:b'/>\n  \
     </filterref>\n"
)]
#[case::direct("direct", "  <source dev='eth0' mode='vepa'/>\n  <target dev='macvtap0'/>\n")]
#[case::hostdev_pci(
    "hostdev' managed='yes",
    "  <driver name='vfio' model='m'/>\n  <source>\n    <address type='pci' domain='0x0000' bus='0x06' slot='0x12' \
     function='0x1'/>\n  </source>\n  <vlan>\n    <tag id='42'/>\n  </vlan>\n  <teaming type='transient' persistent='ua-a'/>\n"
)]
#[case::hostdev_usb("hostdev", "  <source>\n    <address type='usb' bus='1' device='2'/>\n  </source>\n")]
#[case::vhostuser(
    "vhostuser",
    "  <source type='unix' path='/s' mode='client'>\n    <reconnect enabled='yes' timeout='10'/>\n  </source>\n  <model \
     type='virtio'/>\n  <driver name='vhost' txmode='timer' ioeventfd='on' event_idx='off' queues='5' rx_queue_size='512' \
     tx_queue_size='256' rss='on' rss_hash_report='off' iommu='on' ats='off' packed='on' page_per_vq='off'>\n    <host \
     csum='off' gso='on' tso4='off' tso6='on' ecn='off' ufo='on' mrg_rxbuf='off'/>\n    <guest csum='on' tso4='off' \
     tso6='on' ecn='off' ufo='on'/>\n  </driver>\n"
)]
#[case::vhostuser_passt("vhostuser", "  <source dev='eth0'/>\n  <backend type='passt'/>\n")]
#[case::server("server", "  <source port='5558'/>\n")]
#[case::client("client", "  <source address='192.0.2.1' port='5558'/>\n")]
#[case::mcast("mcast", "  <source address='230.0.0.1' port='5558'/>\n")]
#[case::udp("udp", "  <source address='a' port='1'>\n    <local address='b' port='2'/>\n  </source>\n")]
#[case::internal("internal", "  <source name='n'/>\n")]
#[case::vdpa("vdpa", "  <source dev='/dev/vhost-vdpa-0'/>\n")]
#[case::null("null", "")]
#[case::vds(
    "vds",
    "  <source switchid='12345678-1234-1234-1234-123456789abc' portid='6' portgroupid='pg' connectionid='-3'/>\n"
)]
#[case::rest(
    "user' trustGuestRxFilters='no",
    "  <mac address='52:54:00:00:00:01' type='static' check='no' currentAddress='52:54:00:00:00:02'/>\n  <backenddomain \
     name='d'/>\n  <guest dev='a' actual='b'/>\n  <model type='e1000'/>\n  <backend tap='/t'/>\n  <tune>\n    \
     <sndbuf>0</sndbuf>\n  </tune>\n  <teaming type='persistent'/>\n  <link state='down'/>\n  <coalesce>\n    <rx>\n      \
     <frames max='7'/>\n    </rx>\n  </coalesce>\n  <boot order='1' loadparm='2.LP'/>\n  <alias name='net0'/>\n  <rom \
     enabled='yes' bar='on' file='/f'/>\n  <acpi index='5'/>\n  <address type='pci' domain='0x0000' bus='0x00' slot='0x02' \
     function='0x7' multifunction='on'>\n    <zpci uid='0x0001' fid='0x00000002'/>\n  </address>\n"
)]
#[case::no_rom("user", "  <rom file=''/>\n")]
#[case::ccw("user", "  <address type='ccw' cssid='0xfe' ssid='0x0' devno='0x000a'/>\n")]
#[case::usb("user", "  <address type='usb' bus='0' port='1.2'/>\n")]
#[case::spapr("user", "  <address type='spapr-vio' reg='0x00001000'/>\n")]
#[case::mmio("user", "  <address type='virtio-mmio'/>\n")]
fn keeps_what_is_canonical(#[case] kind: &str, #[case] children: &str) {
    let document = format!("<interface type='{kind}'>\n{children}</interface>\n");
    let parsed = Interface::parse(document.as_bytes());
    assert_eq!(parsed.problems, []);
    let interface = parsed.value.unwrap();
    assert_eq!(interface.to_string(), document);
    let inactive = interface.inactive().to_string();
    assert_eq!(inactive.parse::<Interface>().unwrap().inactive().to_string(), inactive);
}

/// Definitions whose printed inactive form differs from the text.
#[rstest]
#[case::no_type(
    "<interface><mac address='0:1:2:a:B:c'/></interface>",
    "user",
    "  <mac address='00:01:02:0a:0b:0c'/>\n"
)]
#[case::mac_of_zeros("<interface><mac address='0:0:0:0:0:0'/></interface>", "user", "")]
#[case::chosen_name("<interface type='ethernet'><target dev='vnet7'/></interface>", "ethernet", "")]
#[case::chosen_name_of_template("<interface type='ethernet'><target dev='vnet%d'/></interface>", "ethernet", "")]
#[case::chosen_name_managed(
    "<interface type='ethernet'><target dev='vnet7' managed='no'/></interface>",
    "ethernet",
    "  <target dev='vnet7' managed='no'/>\n"
)]
#[case::alias_of_the_hypervisor("<interface><alias name='net0'/></interface>", "user", "")]
#[case::alias_of_a_user("<interface><alias name='ua-0'/></interface>", "user", "  <alias name='ua-0'/>\n")]
#[case::one_queue(
    "<interface><model type='VIRTIO'/><driver queues='1' event_idx='on'/></interface>",
    "user",
    "  <model type='virtio'/>\n  <driver event_idx='on'/>\n"
)]
#[case::driver_of_another_model(
    "<interface><model type='rtl8139'/><driver name='vhost'/></interface>",
    "user",
    "  <model type='rtl8139'/>\n"
)]
#[case::paths("<interface><backend tap='//a///b/' type='default'/></interface>", "user", "  <backend tap='//a/b'/>\n")]
#[case::range_without_start(
    "<interface><portForward proto='tcp'><range end='9'/></portForward></interface>",
    "user",
    "  <portForward proto='tcp'/>\n"
)]
#[case::bandwidth_of_nothing("<interface><bandwidth><inbound average='0'/></bandwidth></interface>", "user", "")]
#[case::reconnect_no(
    "<interface type='vhostuser'><source path='/s' mode='server'><reconnect enabled='no'/></source></interface>",
    "vhostuser",
    "  <source type='unix' path='/s' mode='server'>\n    <reconnect enabled='no'/>\n  </source>\n"
)]
#[case::live_source(
    "<interface type='direct'><source network='n' portgroup='g' portid='x' dev='eth0' mode='bridge'/></interface>",
    "direct",
    "  <source dev='eth0' mode='bridge'/>\n"
)]
#[case::pci_without_numbers("<interface><address type='pci'/></interface>", "user", "  <address type='pci'/>\n")]
#[case::family_follows_from_the_address(
    "<interface><ip family='ipv6' address='192.0.2.1' prefix='0'/></interface>",
    "user",
    "  <ip address='192.0.2.1' family='ipv4'/>\n"
)]
fn prints_one_way(#[case] document: &str, #[case] kind: &str, #[case] children: &str) {
    let interface: Interface = document.parse().unwrap();
    assert_eq!(interface.inactive().to_string(), format!("<interface type='{kind}'>\n{children}</interface>\n"));
}

/// libvirt prints a running guest with the type of its network. The warning says how to write it as
/// a guest of the network.
#[rstest]
#[case("bridge='br0'", "bridge", "portid='6a0e3b0c-7d3f-4c7c-9a3f-0d0c5b6f1e10'", true)]
#[case("dev='eth0' mode='bridge'", "direct", "portid='6a0e3b0c-7d3f-4c7c-9a3f-0d0c5b6f1e10'", true)]
#[case("bridge='br0'", "bridge", "", false)]
fn a_running_guest_of_a_network(#[case] end: &str, #[case] kind: &str, #[case] port: &str, #[case] is_told: bool) {
    let document = format!("<interface type='{kind}'><source network='n' portgroup='g' {port} {end}/></interface>");
    let problems = Interface::parse(document.as_bytes()).problems;
    let told: Vec<_> = problems.iter().map(|it| (it.code.to_string(), it.path.to_string(), it.help.clone())).collect();
    let help = "for a guest in the network write `type='network'` and `<source network='n' portgroup='g'/>`";
    let expected = ("VN0027".to_owned(), "/interface/source/@network".to_owned(), Some(help.to_owned()));
    assert_eq!(told, Vec::from_iter(is_told.then_some(expected)));
}

/// Errors: the code and the place.
#[rstest]
#[case::root("<network/>", "VN0007", "/interface")]
#[case::kind("<interface type='netwrok'/>", "VN0030", "/interface/@type")]
#[case::no_source("<interface type='bridge'/>", "VN0032", "/interface")]
#[case::no_network("<interface type='network'><source/></interface>", "VN0031", "/interface/source/@network")]
#[case::mac("<interface><mac address='01:00:5e:0:0:1'/></interface>", "VN0030", "/interface/mac/@address")]
#[case::port(
    "<interface><portForward proto='tcp'><range start='0'/></portForward></interface>",
    "VN0030",
    "/interface/portForward[1]/range[1]/@start"
)]
#[case::proto("<interface><portForward/></interface>", "VN0031", "/interface/portForward[1]/@proto")]
#[case::prefix("<interface><ip address='192.0.2.1' prefix='33'/></interface>", "VN0030", "/interface/ip[1]/@prefix")]
#[case::floor(
    "<interface><bandwidth><inbound average='1' floor='1'/></bandwidth></interface>",
    "VN0034",
    "/interface/bandwidth/inbound/@floor"
)]
#[case::model("<interface><model type='a b'/></interface>", "VN0030", "/interface/model/@type")]
#[case::boot("<interface><boot order='0'/></interface>", "VN0030", "/interface/boot/@order")]
#[case::teaming("<interface><teaming type='transient'/></interface>", "VN0031", "/interface/teaming/@persistent")]
#[case::rom("<interface><rom enabled='no' bar='on'/></interface>", "VN0034", "/interface/rom/@bar")]
#[case::vds("<interface type='vds'><source switchid='1'/></interface>", "VN0030", "/interface/source/@switchid")]
#[case::reconnect(
    "<interface type='vhostuser'><source path='/s'><reconnect enabled='yes'/></source></interface>",
    "VN0031",
    "/interface/source/reconnect/@timeout"
)]
fn refuses(#[case] document: &str, #[case] code: &str, #[case] path: &str) {
    let parsed = Interface::parse(document.as_bytes());
    let found: Vec<_> = parsed.problems.iter().map(|it| (it.code.to_string(), it.path.to_string())).collect();
    assert!(found.contains(&(code.to_owned(), path.to_owned())), "{:#?}", parsed.problems);
    assert!(parsed.has_errors());
}

/// What libvirt refuses for the host's end is reported once.
#[test]
fn the_hosts_end_is_ethernets_alone() {
    let document = "<interface type='bridge'><source bridge='br0'><ip address='192.0.2.1'/></source></interface>";
    let problems = Interface::parse(document.as_bytes()).problems;
    let [problem] = &problems[..] else { panic!("{problems:#?}") };
    assert_eq!((problem.code.to_string(), problem.path.as_str()), ("VN0034".to_owned(), "/interface/source/ip"));
}

/// What has no effect is reported.
#[rstest]
#[case::unknown_element("<interface><soruce/></interface>", "VN0020", "/interface/soruce")]
#[case::unknown_attribute("<interface><mtu siez='1'/></interface>", "VN0021", "/interface/mtu/@siez")]
#[case::managed("<interface type='user' managed='yes'/>", "VN0026", "/interface/@managed")]
#[case::managed_otherwise(
    "<interface type='hostdev' managed='YES'><source><address type='pci' bus='3'/></source></interface>",
    "VN0027",
    "/interface/@managed"
)]
#[case::timeout_of_no_reconnect(
    "<interface type='vhostuser'><source path='/s'><reconnect enabled='no' timeout='3'/></source></interface>",
    "VN0026",
    "/interface/source/reconnect/@timeout"
)]
#[case::upstream(
    "<interface type='bridge'><source bridge='br0'/><backend upstream='eth0'/></interface>",
    "VN0026",
    "/interface/backend/@upstream"
)]
#[case::family("<interface><ip address='192.0.2.1' family='ipv6'/></interface>", "VN0026", "/interface/ip[1]/@family")]
#[case::filter("<interface type='user'><filterref filter='f'/></interface>", "VN0026", "/interface/filterref")]
fn warns(#[case] document: &str, #[case] code: &str, #[case] path: &str) {
    let parsed = Interface::parse(document.as_bytes());
    let found: Vec<_> = parsed.problems.iter().map(|it| (it.code.to_string(), it.path.to_string())).collect();
    assert!(found.contains(&(code.to_owned(), path.to_owned())), "{:#?}", parsed.problems);
    assert!(!parsed.has_errors());
}

/// `upstream` of the backend is another name for `<source dev>`.
#[rstest]
#[case::alone("<backend type='passt' upstream='eth0'/>", &[])]
#[case::source_is_there("<source/><backend type='passt' upstream='eth0'/>", &[])]
#[case::both("<source dev='eth0'/><backend type='passt' upstream='eth0'/>", &[])]
#[case::later_form("<source dev='eth0'/><backend type='passt'/>", &[])]
#[case::contradiction("<source dev='eth0'/><backend type='passt' upstream='eth1'/>", &[
    "VN0033 eth1: `upstream='eth1'` contradicts `<source dev='eth0'>`",
])]
fn upstream(#[case] given: &str, #[case] problems: &[&str]) {
    for kind in ["user", "vhostuser"] {
        let document = format!("<interface type='{kind}'>{given}</interface>");
        let parsed = Interface::parse(document.as_bytes());
        let line = |it: &vnet_xml::Problem| format!("{} {}: {}", it.code, &document[it.span.clone()], it.message);
        assert_eq!(parsed.problems.iter().map(line).collect::<Vec<_>>(), problems);
        let printed = parsed.value.unwrap().to_string();
        let expected =
            format!("<interface type='{kind}'>\n  <source dev='eth0'/>\n  <backend type='passt'/>\n</interface>\n");
        assert_eq!(printed, expected);
        // A finding about the device points at the attribute that names it.
        let dev = vnet_xml::NodePath::root("interface").element("source").attribute("dev");
        assert_eq!(&document[parsed.source.span(&dev).unwrap()], "eth0");
    }
}

#[test]
fn is_built_in_code() {
    let mut interface = Interface::new(Source::user());
    interface.backend = Some(Backend::passt());
    interface.ips.push(InterfaceIp { prefix: Some(24), ..InterfaceIp::new("172.17.2.0".parse().unwrap()) });
    let mut web = PortForward::new(Protocol::Tcp);
    web.ranges.push(PortForwardRange { end: Some(8090), to: Some(80), ..PortForwardRange::new(8080) });
    interface.port_forwards.push(web);
    assert_eq!(interface.to_string().parse::<Interface>().unwrap(), interface);
    assert!(interface.is_passt() && !interface.is_virtio());

    let mut interface = Interface::network("default");
    interface.mac = Some("52:54:00:00:00:01".parse::<vnet_types::MacAddr>().unwrap().into());
    interface.target = Some(Target::new("web0"));
    interface.model = Some("virtio".to_owned());
    let mut driver = Driver::default();
    driver.name = Some(DriverName::Vhost);
    driver.host = HostOffloads { csum: Some(false), ..HostOffloads::default() };
    interface.driver = Some(driver);
    interface.vlan = Some(Vlan::tag(7));
    let mut bandwidth = Bandwidth::default();
    bandwidth.outbound = Some(Rate::average(100));
    interface.bandwidth = Some(bandwidth);
    interface.boot = Some(Boot::new(1));
    assert_eq!(interface.to_string().parse::<Interface>().unwrap(), interface);

    let direct = DirectSource::new("eth0".parse().unwrap(), DirectMode::Bridge);
    let mut socket = VhostuserSource::default();
    socket.path = Some("/run/s".to_owned());
    socket.reconnect = Some(Reconnect::After { timeout: 3 });
    for source in [Source::Direct(direct), Source::Vhostuser(socket), Source::ethernet(), Source::Null] {
        let interface = Interface::new(source);
        assert_eq!(interface.to_string().parse::<Interface>().unwrap(), interface);
    }
}
