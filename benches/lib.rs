//! Benchmarks only: see `benches/`. Run with `cargo bench --package vnet-benches`.
