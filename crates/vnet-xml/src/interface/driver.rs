//! `<driver>`: how the hypervisor moves the packets of a virtio device.

use std::fmt;

use crate::element::Element;
use crate::grammar::Grammar;
use crate::value::{number, on_off, word};
use crate::write::{Tag, Writer};

/// `<driver>` of a virtio device. The hypervisor chooses what is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct Driver {
    /// `name`
    pub name: Option<DriverName>,
    /// `txmode`: which part of the hypervisor sends packets.
    pub tx_mode: Option<TxMode>,
    /// `ioeventfd`
    pub ioeventfd: Option<bool>,
    /// `event_idx`
    pub event_idx: Option<bool>,
    /// `queues`: pairs of queues, each with a file descriptor on the host; 1 if absent.
    pub queues: Option<u32>,
    /// `rx_queue_size`: descriptors, a power of two.
    pub rx_queue_size: Option<u32>,
    /// `tx_queue_size`: descriptors, a power of two.
    pub tx_queue_size: Option<u32>,
    /// `rss`: receive-side scaling in the device.
    pub rss: Option<bool>,
    /// `rss_hash_report`
    pub rss_hash_report: Option<bool>,
    /// `iommu`
    pub iommu: Option<bool>,
    /// `ats`
    pub ats: Option<bool>,
    /// `packed`
    pub packed: Option<bool>,
    /// `page_per_vq`
    pub page_per_vq: Option<bool>,
    /// `<host>`: the offloads that the host offers to the guest.
    pub host: HostOffloads,
    /// `<guest>`: the offloads that the guest may use.
    pub guest: GuestOffloads,
}

/// `<driver name>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum DriverName {
    /// `qemu`: in the hypervisor's process.
    Qemu,
    /// `vhost`: in the kernel.
    Vhost,
}

/// `<driver txmode>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum TxMode {
    /// `iothread`
    IoThread,
    /// `timer`
    Timer,
}

/// `<host>` of `<driver>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct HostOffloads {
    /// `csum`: checksums.
    pub csum: Option<bool>,
    /// `gso`: segmentation.
    pub gso: Option<bool>,
    /// `tso4`: TCP segmentation, IPv4.
    pub tso4: Option<bool>,
    /// `tso6`: TCP segmentation, IPv6.
    pub tso6: Option<bool>,
    /// `ecn`: explicit congestion notification in segmentation.
    pub ecn: Option<bool>,
    /// `ufo`: UDP fragmentation.
    pub ufo: Option<bool>,
    /// `mrg_rxbuf`: one received packet may use several buffers.
    pub mrg_rxbuf: Option<bool>,
}

/// `<guest>` of `<driver>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct GuestOffloads {
    /// `csum`: checksums.
    pub csum: Option<bool>,
    /// `tso4`: TCP segmentation, IPv4.
    pub tso4: Option<bool>,
    /// `tso6`: TCP segmentation, IPv6.
    pub tso6: Option<bool>,
    /// `ecn`: explicit congestion notification in segmentation.
    pub ecn: Option<bool>,
    /// `ufo`: UDP fragmentation.
    pub ufo: Option<bool>,
}

const HOST: [&str; 7] = ["csum", "gso", "tso4", "tso6", "ecn", "ufo", "mrg_rxbuf"];
const GUEST: [&str; 5] = ["csum", "tso4", "tso6", "ecn", "ufo"];

impl HostOffloads {
    fn values(&self) -> [Option<bool>; 7] {
        [self.csum, self.gso, self.tso4, self.tso6, self.ecn, self.ufo, self.mrg_rxbuf]
    }
}

impl GuestOffloads {
    fn values(&self) -> [Option<bool>; 5] {
        [self.csum, self.tso4, self.tso6, self.ecn, self.ufo]
    }
}

/// `<driver>` of a virtio device.
pub(super) static GRAMMAR: Grammar = Grammar::new(
    &[
        "name",
        "txmode",
        "ioeventfd",
        "event_idx",
        "queues",
        "rx_queue_size",
        "tx_queue_size",
        "rss",
        "rss_hash_report",
        "iommu",
        "ats",
        "packed",
        "page_per_vq",
    ],
    &[("host", &HOST_OFFLOADS), ("guest", &GUEST_OFFLOADS)],
);
static HOST_OFFLOADS: Grammar = Grammar::new(&HOST, &[]);
static GUEST_OFFLOADS: Grammar = Grammar::new(&GUEST, &[]);

/// Reads `<driver>`; `None` if it sets nothing.
pub(super) fn driver(element: &Element<'_>) -> Option<Driver> {
    element.expect(&GRAMMAR);
    let on_off = |name| element.filled(name, on_off);
    let size = |name| element.filled(name, number).filter(|size| *size > 0);
    let driver = Driver {
        name: element.filled("name", |text| word(text, &[("qemu", DriverName::Qemu), ("vhost", DriverName::Vhost)])),
        tx_mode: element
            .filled("txmode", |text| word(text, &[("iothread", TxMode::IoThread), ("timer", TxMode::Timer)])),
        ioeventfd: on_off("ioeventfd"),
        event_idx: on_off("event_idx"),
        // 1 is the default.
        queues: size("queues").filter(|queues| *queues > 1),
        rx_queue_size: size("rx_queue_size"),
        tx_queue_size: size("tx_queue_size"),
        rss: on_off("rss"),
        rss_hash_report: on_off("rss_hash_report"),
        iommu: on_off("iommu"),
        ats: on_off("ats"),
        packed: on_off("packed"),
        page_per_vq: on_off("page_per_vq"),
        host: element.child("host").map(|element| host(&element)).unwrap_or_default(),
        guest: element.child("guest").map(|element| guest(&element)).unwrap_or_default(),
    };
    (driver != Driver::default()).then_some(driver)
}

fn host(element: &Element<'_>) -> HostOffloads {
    element.expect(&HOST_OFFLOADS);
    let [csum, gso, tso4, tso6, ecn, ufo, mrg_rxbuf] = HOST.map(|name| element.filled(name, on_off));
    HostOffloads { csum, gso, tso4, tso6, ecn, ufo, mrg_rxbuf }
}

fn guest(element: &Element<'_>) -> GuestOffloads {
    element.expect(&GUEST_OFFLOADS);
    let [csum, tso4, tso6, ecn, ufo] = GUEST.map(|name| element.filled(name, on_off));
    GuestOffloads { csum, tso4, tso6, ecn, ufo }
}

impl Driver {
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        if *self == Self::default() {
            return Ok(());
        }
        let name = self.name.map(|name| if name == DriverName::Qemu { "qemu" } else { "vhost" });
        let tx_mode = self.tx_mode.map(|mode| if mode == TxMode::IoThread { "iothread" } else { "timer" });
        let mut tag = writer.tag("driver")?.optional("name", name)?.optional("txmode", tx_mode)?;
        tag = tag.on_off("ioeventfd", self.ioeventfd)?.on_off("event_idx", self.event_idx)?;
        tag = tag.optional("queues", self.queues)?.optional("rx_queue_size", self.rx_queue_size)?;
        tag = tag.optional("tx_queue_size", self.tx_queue_size)?.on_off("rss", self.rss)?;
        tag = tag.on_off("rss_hash_report", self.rss_hash_report)?.on_off("iommu", self.iommu)?;
        tag = tag.on_off("ats", self.ats)?.on_off("packed", self.packed)?.on_off("page_per_vq", self.page_per_vq)?;
        if self.host == HostOffloads::default() && self.guest == GuestOffloads::default() {
            return tag.empty();
        }
        tag.around(|writer| {
            write_offloads(writer, "host", &HOST, &self.host.values())?;
            write_offloads(writer, "guest", &GUEST, &self.guest.values())
        })
    }
}

fn write_offloads(
    writer: &mut Writer<'_>,
    element: &'static str,
    names: &[&str],
    values: &[Option<bool>],
) -> fmt::Result {
    if values.iter().all(Option::is_none) {
        return Ok(());
    }
    names
        .iter()
        .zip(values)
        .try_fold(writer.tag(element)?, |tag, (name, value)| tag.on_off(name, *value))
        .and_then(Tag::empty)
}
