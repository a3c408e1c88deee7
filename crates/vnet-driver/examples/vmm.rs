//! A NAT network with DHCP and a tap in it, for a virtual machine monitor. Both are removed when it
//! ends. A second run at the same time uses the same network and adds its guest beside the first.
//!
//! As an ordinary user: `unshare --user --map-root-user --net --mount cargo run --package
//! vnet-driver --example vmm`

#![allow(clippy::print_stdout, reason = "an example tells what it does")]

use std::os::fd::AsRawFd;

use vnet_driver::{AttachedPort, Driver, Error, Interface, Network, RunningNetwork};

const NETWORK: &str = "\
<network>
  <name>vmm</name>
  <forward mode='nat'/>
  <bridge name='vmm0' stp='off'/>
  <ip address='10.77.0.1' prefix='24'>
    <dhcp>
      <range start='10.77.0.2' end='10.77.0.254'/>
    </dhcp>
  </ip>
</network>";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let driver = Driver::open(std::env::temp_dir().join("vnet-example"))?;
    let (guest, network) = guest(&driver, &NETWORK.parse()?)?;
    // A read returns a frame for the guest, a write sends one from it.
    let (port, queue) = (guest.port(), guest.queues()[0].as_raw_fd());
    let changes = network.outcome().changes.len();
    println!("{changes} changes; the frames of {} pass by {}, file {queue}", port.mac, port.dev);
    Ok(())
}

/// A guest in its network. Dropping it removes both.
pub(crate) fn guest(driver: &Driver, network: &Network) -> Result<(AttachedPort, RunningNetwork), Error> {
    let network = driver.run(network)?;
    Ok((network.attach(&Interface::network("vmm"))?, network))
}
