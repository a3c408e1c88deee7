//! Coalescing of packets on links.

use vnet_plan::LinkCoalesce;

use super::{Kind, LinuxHost};
use crate::{Error, Fact};

/// The kernel's limit for a tap (`NAPI_POLL_WEIGHT`), whatever is asked for.
const MOST_FRAMES: u32 = 64;

impl Kind for LinkCoalesce {
    fn look(&self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Self>, Error> {
        if host.netlink.link(&self.link)?.is_none() {
            return Ok(None);
        }
        let there = host.netlink.coalesce(&self.link)?.rx_max_frames;
        let rx_frames = if there == self.rx_frames.min(MOST_FRAMES) { self.rx_frames } else { there };
        Ok((there > 0).then(|| Self { rx_frames, ..self.clone() }))
    }

    fn create(&self, host: &LinuxHost) -> Result<Option<Fact>, Error> {
        let mut wanted = host.netlink.coalesce(&self.link)?;
        wanted.rx_max_frames = self.rx_frames;
        host.netlink.set_coalesce(&self.link, wanted)?;
        Ok(None)
    }

    fn update(&self, to: &Self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Fact>, Error> {
        to.create(host)
    }

    fn delete(&self, host: &LinuxHost, _: Option<Fact>) -> Result<(), Error> {
        match host.netlink.link(&self.link)? {
            Some(_) => Self { rx_frames: 0, ..self.clone() }.create(host).map(drop),
            None => Ok(()),
        }
    }
}
