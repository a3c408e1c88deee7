//! Input for the benchmarks.

/// libvirt's default network, as people write it.
pub const DEFAULT: &str = "<network>
  <name>default</name>
  <bridge name='virbr0'/>
  <forward/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.122.2' end='192.168.122.254'/>
    </dhcp>
  </ip>
</network>
";

/// An interface on passt with forwarded ports.
pub const PASST: &str = "<interface type='user'>
  <mac address='52:54:00:12:34:56'/>
  <source dev='eth0'/>
  <ip address='172.17.2.4' family='ipv4' prefix='24'/>
  <portForward proto='tcp' address='127.0.0.1'>
    <range start='2222' to='22'/>
    <range start='9000' end='9999'/>
    <range start='9500' exclude='yes'/>
  </portForward>
  <model type='virtio'/>
  <backend type='passt' logFile='/tmp/passt.log'/>
</interface>
";

/// A definition of about 730 bytes, with both families, reservations and names.
pub fn dual_stack() -> String {
    let hosts: String = (10..13)
        .map(|n| format!("      <host mac='52:54:00:00:00:{n}' name='guest{n}' ip='192.168.122.{n}'/>\n"))
        .collect();
    format!(
        "<network>
  <name>dual</name>
  <uuid>81ff0d90-c91e-6742-64da-4a736edb9a9b</uuid>
  <forward dev='eth1' mode='nat'>
    <nat ipv6='yes'/>
  </forward>
  <bridge name='virbr0' stp='on' delay='0'/>
  <domain name='example.com' localOnly='yes'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.122.2' end='192.168.122.254'/>
{hosts}    </dhcp>
  </ip>
  <ip family='ipv6' address='2001:db8:ac10:fe01::1' prefix='64'/>
</network>
"
    )
}

/// A network with this number of reservations, up to 65 000.
pub fn many_hosts(count: u32) -> String {
    let host = |number: u32| {
        let (high, low) = (number / 250, number % 250 + 2);
        format!("<host mac='52:54:00:00:{high:02x}:{low:02x}' name='guest{number}' ip='10.0.{high}.{low}'/>")
    };
    let hosts: String = (0..count).map(host).collect();
    format!("<network><name>many</name><ip address='10.0.0.1' prefix='16'><dhcp>{hosts}</dhcp></ip></network>")
}
