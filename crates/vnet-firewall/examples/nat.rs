//! NAT for one tap and one subnet: `cargo run --example nat --features netlink` as root, or under
//! `unshare -rn`.

use vnet_firewall::{Access, Firewall, Policy, Subnet};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut policy = Policy::new("sandbox", "tap0".parse()?);
    let access = Access::Nat { addresses: None, ports: "1024-65535".parse()? };
    policy.subnets = vec![Subnet { net: "10.0.0.0/24".parse()?, access }];

    let firewall = Firewall::open()?;
    let table = firewall.apply(&policy)?;
    let packets: u64 = table.counts("sandbox").map(|(_, _, counts)| counts.packets).sum();
    assert_eq!(packets, 0, "the rules are in force, and have seen nothing yet");
    firewall.remove("sandbox")?;
    Ok(())
}
