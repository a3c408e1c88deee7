//! A foreign crate: prints the `dnsmasq.conf` of a definition.
use std::path::Path;

use vnet_plan::{Files, dnsmasq};
use vnet_xml::Network;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let text = "<network><name>lab</name><domain name='lab.example'/><ip address='192.168.122.1' prefix='24'>
        <dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp></ip></network>";
    let network: Network = text.parse()?;
    let files = Files::new(Path::new("/run/lab"));
    print!("{}", dnsmasq(&network, &"virbr0".parse()?, &files)?.conf);
    Ok(())
}
