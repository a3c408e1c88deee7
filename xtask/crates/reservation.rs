//! A foreign crate: adds a reservation to a definition, and prints it.
use vnet_xml::Network;
use vnet_xml::network::DhcpHost;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let text = "<network><name>lab</name><ip address='192.168.122.1' prefix='24'>
        <dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp></ip></network>";
    let mut network: Network = text.parse()?;
    let dhcp = network.ips[0].dhcp.as_mut().ok_or("it has no <dhcp>")?;
    let mut host = DhcpHost::new("192.168.122.10".parse()?);
    host.mac = Some("52:54:00:12:34:56".parse()?);
    host.name = Some("web".to_owned());
    dhcp.hosts.push(host);
    println!("{network}");
    Ok(())
}
