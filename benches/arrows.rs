//! From text to changes, one benchmark for each arrow of the data flow; the last of each group has
//! 1000 DHCP hosts.
#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::hint::black_box;
use std::path::PathBuf;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use vnet_arrows::{DEFAULT, dual_stack, many_hosts};
use vnet_plan::{Choices, HostState, diff, lower};
use vnet_types::Inventory;
use vnet_xml::Network;

fn arrows(criterion: &mut Criterion) {
    for (size, text) in
        [("default", DEFAULT.to_owned()), ("dual-stack", dual_stack()), ("1000-hosts", many_hosts(1000))]
    {
        let network: Network = text.parse().expect("a definition without errors");
        let inventory = Inventory { ipv6: true, ..Inventory::default() };
        let choices =
            Choices { directory: PathBuf::from("/run/vnet/networks/x"), random: [1; 3], bridge: None, leases: None };
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

/// The time per byte must not grow with the document.
fn growth(criterion: &mut Criterion) {
    let routes = |count: u32| -> String {
        let route =
            |n: u32| format!("<route address='10.{}.{}.0' prefix='24' gateway='192.168.1.9'/>", n >> 8, n & 255);
        format!("<network><name>n</name>{}</network>", (0..count).map(route).collect::<String>())
    };
    let mut group = criterion.benchmark_group("growth");
    group.sample_size(10);
    for count in [1000, 10_000, 60_000] {
        for (what, text) in [("hosts", many_hosts(count)), ("routes", routes(count))] {
            group.throughput(Throughput::Bytes(text.len() as u64));
            let name = format!("parse {count} {what}");
            group.bench_function(name, |it| it.iter(|| Network::parse(black_box(text.as_bytes()))));
        }
    }
    group.finish();
}

criterion_group!(benches, arrows, growth);
criterion_main!(benches);
