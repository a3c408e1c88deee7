//! From text to changes, one benchmark for each arrow of the data flow; the last of each group has 1000 DHCP hosts.
#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::hint::black_box;
use std::path::PathBuf;

use criterion::{Criterion, criterion_group, criterion_main};
use vnet_plan::{Choices, HostState, diff, lower};
use vnet_types::Inventory;
use vnet_xml::Network;

const DEFAULT: &str = "<network>
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

fn many_hosts() -> String {
    let host = |number: u32| {
        let (high, low) = (number / 250, number % 250 + 2);
        format!("<host mac='52:54:00:00:{high:02x}:{low:02x}' name='guest{number}' ip='10.0.{high}.{low}'/>")
    };
    let hosts: String = (0..1000).map(host).collect();
    format!("<network><name>many</name><ip address='10.0.0.1' prefix='16'><dhcp>{hosts}</dhcp></ip></network>")
}

fn arrows(criterion: &mut Criterion) {
    for (size, text) in [("default", DEFAULT.to_owned()), ("1000-hosts", many_hosts())] {
        let network: Network = text.parse().expect("a definition without errors");
        let inventory = Inventory { ipv6: true, ..Inventory::default() };
        let choices =
            Choices { directory: PathBuf::from("/run/vnet/networks/x"), random: [1; 3], bridge: None, mac: None };
        let desired = lower(&network, &inventory, &choices).expect("a definition without findings").desired;
        let mut group = criterion.benchmark_group(size);
        group.bench_function("parse", |it| it.iter(|| Network::parse(black_box(text.as_bytes()))));
        group.bench_function("check", |it| it.iter(|| vnet_validate::check(black_box(&network))));
        group.bench_function("lower", |it| it.iter(|| lower(black_box(&network), &inventory, &choices)));
        group.bench_function("diff", |it| it.iter(|| diff(black_box(&HostState::new()), &desired)));
        group.bench_function("print", |it| it.iter(|| black_box(&network).to_string()));
        group.finish();
    }
}

criterion_group!(benches, arrows);
criterion_main!(benches);
