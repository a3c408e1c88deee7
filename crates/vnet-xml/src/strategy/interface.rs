//! Guests' interfaces of every type.

use proptest::prelude::*;
use proptest::sample::select;
use vnet_types::{InterfaceName, MacAddr, PciAddress, Uuid};

use super::shared::{address, bandwidth, virtual_port, vlan, word};
use crate::Interface;
use crate::interface::{
    Backend, Boot, BridgeSource, DeviceAddress, DirectMode, DirectSource, Driver, DriverName, Filter, HostdevSource,
    InterfaceIp, LinkState, Mac, NetworkSource, PortForward, PortForwardRange, Protocol, Reconnect, Rom, Socket,
    Source, Target, Teaming, UdpSource, VdsSource, VhostuserMode, VhostuserSource,
};
use crate::network::{MacTableManager, Mask, Route};

/// Interfaces of every type, with all elements that they can have. Many make no sense, but each can
/// be printed and read back.
pub fn interface() -> impl Strategy<Value = Interface> {
    // Boxed, because the combined strategy is larger than a test's stack.
    (source().boxed(), connection().boxed(), device().boxed(), rest().boxed()).prop_map(
        |(source, connection, device, rest)| {
            let mut interface = Interface::new(source);
            let has_port = ["network", "bridge", "direct", "hostdev"].contains(&interface.source.word());
            let is_filtered = ["network", "bridge", "ethernet"].contains(&interface.source.word());
            let (vlan, port, bandwidth, isolated, ips, forwards) = connection;
            (interface.vlan, interface.bandwidth, interface.port_isolated) = (vlan, bandwidth, isolated);
            interface.virtual_port = port.filter(|_| has_port);
            (interface.ips, interface.port_forwards) = (ips, forwards);
            let (mac, target, model, driver, mut backend, filter) = device;
            (interface.mac, interface.target, interface.model) = (mac, target, model);
            // A vhost-user connection has a path or is one of passt, never both.
            if let Source::Vhostuser(source) = &interface.source {
                backend = source.path.is_none().then(Backend::passt);
            }
            let is_hostdev = matches!(interface.source, Source::Hostdev(_));
            interface.driver = driver.filter(|_| interface.is_virtio() && !is_hostdev);
            interface.backend = backend;
            interface.filter = filter.filter(|_| is_filtered);
            let (trust, route, script, teaming, link, (mtu, frames, sndbuf), boot, alias, rom, address) = rest;
            (interface.trust_guest_rx_filters, interface.script, interface.teaming) = (trust, script, teaming);
            interface.routes.extend(route);
            (interface.link, interface.boot, interface.alias, interface.rom) = (link, boot, alias, rom);
            (interface.mtu, interface.coalesce_rx_frames, interface.sndbuf) = (mtu, frames, sndbuf);
            interface.address = address;
            interface
        },
    )
}

fn name() -> impl Strategy<Value = InterfaceName> {
    "[a-z]{1,15}".prop_map(|name| name.parse().unwrap())
}

fn pci() -> impl Strategy<Value = PciAddress> {
    (any::<(u32, u8)>(), 0u8..32, 0u8..8)
        .prop_map(|((domain, bus), slot, function)| PciAddress::new(domain, bus, slot, function).unwrap())
}

fn socket() -> impl Strategy<Value = Socket> {
    (word(), any::<u16>()).prop_map(|(address, port)| Socket { address: Some(address), port })
}

fn source() -> impl Strategy<Value = Source> {
    let modes = [DirectMode::Vepa, DirectMode::Private, DirectMode::Bridge, DirectMode::Passthrough];
    let managers = [None, Some(MacTableManager::Kernel), Some(MacTableManager::Libvirt)];
    let network = (word(), prop::option::of(word()), any::<Option<[u8; 16]>>(), select(managers.to_vec())).prop_map(
        |(network, group, port, manager)| {
            let mut source = NetworkSource::new(network);
            (source.port_group, source.port_id, source.mac_table_manager) = (group, port.map(Uuid), manager);
            Source::Network(source)
        },
    );
    let vhostuser = (prop::option::of(word()), any::<bool>(), any::<Option<Option<u32>>>(), prop::option::of(name()))
        .prop_map(|(path, server, reconnect, dev)| {
            let mut source = VhostuserSource::default();
            source.dev = dev.filter(|_| path.is_none());
            if path.is_some() {
                source.mode = if server { VhostuserMode::Server } else { VhostuserMode::Client };
                source.reconnect = reconnect.map(|it| it.map_or(Reconnect::No, |timeout| Reconnect::After { timeout }));
            }
            source.path = path;
            Source::Vhostuser(source)
        });
    let hostdev = (pci(), any::<bool>()).prop_map(|(address, managed)| {
        let mut source = HostdevSource::from(address);
        source.managed = managed;
        Source::Hostdev(source)
    });
    let vds = (any::<[u8; 16]>(), any::<Option<i64>>()).prop_map(|(switch, port)| {
        Source::Vds(VdsSource { switch_id: Uuid(switch), port_id: port, port_group_id: None, connection_id: port })
    });
    prop_oneof![
        prop::option::of(name()).prop_map(|dev| Source::User { dev }),
        Just(Source::ethernet()),
        vhostuser,
        socket().prop_map(Source::Server),
        socket().prop_map(Source::Client),
        socket().prop_map(Source::Mcast),
        (socket(), socket()).prop_map(|(remote, local)| Source::Udp(UdpSource { remote, local })),
        network,
        word().prop_map(|name| Source::Bridge(BridgeSource::new(name))),
        word().prop_map(|name| Source::Internal { name }),
        (name(), select(modes.to_vec())).prop_map(|(dev, mode)| Source::Direct(DirectSource::new(dev, mode))),
        hostdev,
        word().prop_map(|dev| Source::Vdpa { dev }),
        Just(Source::Null),
        vds,
    ]
}

prop_compose! {
    fn ip()(address in address(), prefix in prop::option::of(1u8..=32), peer in prop::option::of(address())) -> InterfaceIp {
        InterfaceIp { address, prefix, peer }
    }
}

prop_compose! {
    fn range()(start in 1u16.., end in prop::option::of(1u16..), to in prop::option::of(1u16..), exclude in any::<Option<bool>>()) -> PortForwardRange {
        PortForwardRange { start: Some(start), end, to, exclude }
    }
}

prop_compose! {
    fn forward()(
        udp in any::<bool>(),
        (address, dev) in (prop::option::of(address()), prop::option::of(name())),
        ranges in prop::collection::vec(range(), 0..3),
    ) -> PortForward {
        let mut forward = PortForward::new(if udp { Protocol::Udp } else { Protocol::Tcp });
        (forward.address, forward.dev, forward.ranges) = (address, dev, ranges);
        forward
    }
}

type Connection = (
    Option<crate::Vlan>,
    Option<crate::VirtualPort>,
    Option<crate::Bandwidth>,
    Option<bool>,
    Vec<InterfaceIp>,
    Vec<PortForward>,
);

fn connection() -> impl Strategy<Value = Connection> {
    let lists = (prop::collection::vec(ip(), 0..3), prop::collection::vec(forward(), 0..3));
    let shared = (prop::option::of(vlan()), prop::option::of(virtual_port()), bandwidth(), any::<Option<bool>>());
    (shared, lists).prop_map(|((vlan, port, bandwidth, isolated), (ips, forwards))| {
        (vlan, port, bandwidth, isolated, ips, forwards)
    })
}

type Device = (Option<Mac>, Option<Target>, Option<String>, Option<Driver>, Option<Backend>, Option<Filter>);

fn device() -> impl Strategy<Value = Device> {
    let mac =
        any::<Option<[u8; 5]>>().prop_map(|rest| rest.map(|[b, c, d, e, f]| Mac::from(MacAddr([0x52, b, c, d, e, f]))));
    let target = prop::option::of((word(), any::<Option<bool>>())).prop_map(|target| {
        target.map(|(dev, managed)| {
            let mut target = Target::new(dev);
            target.managed = managed;
            target
        })
    });
    let model = select(vec![None, Some("virtio"), Some("e1000"), Some("rtl8139"), Some("odd_one")]);
    let driver = (any::<(Option<bool>, Option<bool>, Option<bool>)>(), prop::option::of(2u32..)).prop_map(
        |((vhost, packed, csum), queues)| {
            let mut driver = Driver::default();
            driver.name = vhost.map(|vhost| if vhost { DriverName::Vhost } else { DriverName::Qemu });
            (driver.packed, driver.queues) = (packed, queues);
            (driver.host.csum, driver.guest.ufo) = (csum, csum);
            (driver != Driver::default()).then_some(driver)
        },
    );
    let backend =
        prop::option::of((any::<bool>(), prop::option::of(word()), prop::option::of(word()))).prop_map(|it| {
            it.map(|(passt, log_file, hostname)| {
                let mut backend = if passt { Backend::passt() } else { Backend::default() };
                (backend.log_file, backend.hostname) = (log_file, hostname);
                backend
            })
            .filter(|backend| *backend != Backend::default())
        });
    let parameters = prop::collection::btree_map("[A-Z]{1,4}", prop::collection::vec("[a-z0-9.:/]{1,8}", 1..3), 0..3);
    let filter = prop::option::of((word(), parameters)).prop_map(|it| {
        it.map(|(name, parameters)| {
            let mut filter = Filter::default();
            (filter.name, filter.parameters) = (name, parameters);
            filter
        })
    });
    (mac, target, model, driver, backend, filter).prop_map(|(mac, target, model, driver, backend, filter)| {
        (mac, target, model.map(str::to_owned), driver, backend, filter)
    })
}

type Rest = (
    Option<bool>,
    Option<Route>,
    Option<String>,
    Option<Teaming>,
    Option<LinkState>,
    (Option<u32>, Option<u32>, Option<u64>),
    Option<Boot>,
    Option<String>,
    Option<Rom>,
    Option<DeviceAddress>,
);

fn rest() -> impl Strategy<Value = Rest> {
    let route = prop::option::of((address(), address(), 1u32..)).prop_map(|route| {
        route.map(|(address, gateway, metric)| {
            let mut route = Route::new("10.0.0.0/8".parse().unwrap(), gateway);
            (route.family, route.address, route.metric) = (None, Some(address), Some(metric));
            route.mask = Some(Mask::Prefix(metric));
            route
        })
    });
    let teaming = prop::option::of(prop_oneof![
        Just(Teaming::Persistent),
        word().prop_map(|alias| Teaming::Transient { persistent: Some(alias) }),
    ]);
    let boot = prop::option::of((1u32.., prop::option::of("[A-Z0-9.]{1,8}"))).prop_map(|boot| {
        boot.map(|(order, loadparm)| {
            let mut boot = Boot::new(order);
            boot.loadparm = loadparm;
            boot
        })
    });
    let rom =
        (any::<(Option<bool>, Option<bool>)>(), prop::option::of("[a-z/.]{0,9}")).prop_map(|((enabled, bar), file)| {
            let mut rom = Rom::default();
            rom.enabled = enabled;
            if enabled != Some(false) {
                (rom.bar, rom.file) = (bar, file);
            }
            (rom != Rom::default()).then_some(rom)
        });
    let at = prop::option::of(prop_oneof![
        pci()
            .prop_filter("an address of zeros is none", |pci| *pci != PciAddress::default())
            .prop_map(DeviceAddress::from),
        any::<(u8, u8, u16)>().prop_map(|(cssid, ssid, devno)| DeviceAddress::Ccw { cssid, ssid, devno }),
        (any::<u32>(), prop::option::of(word())).prop_map(|(bus, port)| DeviceAddress::Usb { bus, port }),
        any::<Option<u64>>().prop_map(|reg| DeviceAddress::SpaprVio { reg }),
        Just(DeviceAddress::VirtioMmio),
        Just(DeviceAddress::Unassigned),
    ]);
    let some = || prop::option::of(1u32..);
    (
        any::<Option<bool>>(),
        route,
        prop::option::of(word()),
        teaming,
        select(vec![None, Some(LinkState::Up), Some(LinkState::Down)]),
        (some(), some(), any::<Option<u64>>()),
        boot,
        prop::option::of(word()),
        rom,
        at,
    )
}
