//! A NAT network and a tap in it, for a virtual machine monitor: gone when it ends. A second run at the same time finds
//! the network as it wants it, and puts its guest beside the first.
//!
//! As an ordinary user: `unshare --user --map-root-user --net --mount cargo run --package vnet-host --example vmm`

#![allow(clippy::print_stdout, reason = "an example tells what it does")]

use std::error::Error;
use std::os::fd::AsRawFd;

use vnet_host::{Attachment, LinuxHost, Running, Store};
use vnet_plan::{Choices, PortChoices, attach, lower};
use vnet_xml::{Interface, Network};

const NETWORK: &str = "\
<network>
  <name>vmm</name>
  <forward mode='nat'/>
  <bridge name='vmm0' stp='off'/>
  <ip address='10.77.0.1' prefix='24'/>
</network>";

fn main() -> Result<(), Box<dyn Error>> {
    let (guest, network) = guest(&Store::new(std::env::temp_dir().join("vnet-example")))?;
    // A read of this file is a frame for the guest, a write is one from it.
    let (port, queue) = (guest.port(), guest.queues()[0].as_raw_fd());
    println!("{} changes; the frames of {} pass by {}, file {queue}", network.changes().len(), port.mac, port.dev);
    Ok(())
}

/// A guest in its network. Dropped in this order, both are gone.
pub(crate) fn guest(store: &Store) -> Result<(Attachment, Running), Box<dyn Error>> {
    let network: Network = NETWORK.parse()?;
    let (mut host, lock) = (LinuxHost::open()?, store.lock()?);

    let directory = store.directory(&network.name.parse()?);
    let choices = Choices { directory, random: [1, 2, 3], bridge: None, mac: None };
    let lowered = lower(&network, &vnet_host::inventory(&host, store)?, &choices)?;
    let running = Running::new(&mut host, &lock, &lowered)?;

    let choices = PortChoices { random: LinuxHost::random()?, ..PortChoices::default() };
    let inventory = vnet_host::inventory(&host, store)?;
    let lowered = attach(&Interface::network("vmm"), Some(&network), &inventory, &choices)?;
    let guest = Attachment::new(&mut host, &lock, &lowered)?;
    Ok((guest, running))
}
