//! A NAT network and a tap in it, for a virtual machine monitor: gone when it ends. A second run at the same time finds
//! the network as it wants it.
//!
//! As an ordinary user: `unshare --user --map-root-user --net --mount cargo run --package vnet-host --example vmm`

#![allow(clippy::print_stdout, reason = "an example tells what it does")]

use std::os::fd::AsRawFd;

use vnet_host::{Attachment, Header, LinuxHost, Store};
use vnet_plan::{Choices, PortChoices, attach, lower};
use vnet_xml::{Interface, Network};

const NETWORK: &str = "\
<network>
  <name>vmm</name>
  <forward mode='nat'/>
  <bridge name='vmm0' stp='off'/>
  <ip address='10.77.0.1' prefix='24'/>
</network>";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = Store::new(std::env::temp_dir().join("vnet-example"));
    let (mut host, lock, namespace) = (LinuxHost::open()?, store.lock()?, LinuxHost::namespace()?);

    let network: Network = NETWORK.parse()?;
    let name = network.name.parse()?;
    let choices = Choices { directory: store.directory(&name), random: [1, 2, 3], bridge: None, mac: None };
    let lowered = lower(&network, &vnet_host::inventory(&host, &store)?, &choices)?;
    let header = Header { network: name.clone(), uuid: None, bridge: lowered.bridge, namespace };
    let made = vnet_host::apply(&mut host, &lock, header, &lowered.desired)?;

    let inventory = vnet_host::inventory(&host, &store)?;
    let choices = PortChoices { random: *b"sixteen bytes ok", ..PortChoices::default() };
    let guest = attach(&Interface::network("vmm"), Some(&network), &inventory, &choices)?;
    let guest = Attachment::new(&mut host, &lock, &guest)?;
    drop(lock);

    let (port, queue) = (guest.port(), guest.queues()[0].as_raw_fd());
    println!("{} changes; the frames of {} pass by {}, file {queue}", made.len(), port.mac, port.dev);

    guest.detach()?;
    vnet_host::stop(&mut host, &store.lock()?, &name, namespace)?;
    Ok(())
}
