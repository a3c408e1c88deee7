#!/usr/bin/env bash
# nix 0.31.3: `net::if_::if_indextoname` gives an empty name for an index that no interface has, and
# no error.
#
# if_indextoname(3) returns NULL then, with ENXIO; nix compares the pointer with -1, which it never
# is. Whoever asks whether an interface is still there is told that it is, for ever. The other way
# round, `if_nametoindex` of a missing name is the error ENODEV. Ask for the name and take an empty
# one for none.
. "$(dirname "$0")/crate.sh"
program names 'nix = { version = "=0.31.3", features = ["net"] }' <<'RUST'
use nix::net::if_::{if_indextoname, if_nametoindex};
fn main() {
    println!("{:?}", if_indextoname(1));
    println!("{:?}", if_indextoname(2_000_000_000));
    println!("{:?}", if_nametoindex("nobody-has-it"));
}
RUST
out="$("$here/target/debug/names")"
seen "nix 0.31.3, index 1" "$(sed -n 1p <<< "$out")" 'Ok("lo")'
seen "an index that no interface has" "$(sed -n 2p <<< "$out")" 'Ok("")'
seen "a name that no interface has" "$(sed -n 3p <<< "$out")" 'Err(ENODEV)'
exit $changed
