#!/usr/bin/env bash
# The crate nftables 0.6.3 cannot read a rule that asks a named verdict map, and writes an anonymous
# one otherwise than it was.
#
# Its schema has a verdict map's data as an anonymous set only: for `vmap @m` it finds no variant,
# and the whole ruleset cannot be read. In an anonymous map it takes each verdict for a string:
# {"accept": null} comes out as "accept", which nft 1.0.6 then refuses. A masquerade with flags is
# not read either: nft prints one flag bare, the crate wants a list.
. "$(dirname "$0")/crate.sh"
program reader 'nftables = "=0.6.3"
serde_json = "=1.0.145"' <<'RUST'
fn main() {
    let text = std::io::read_to_string(std::io::stdin()).unwrap();
    match serde_json::from_str::<nftables::schema::Nftables>(&text) {
        Ok(ruleset) => println!("{}", serde_json::to_string(&ruleset).unwrap()),
        Err(_) => println!("not read"),
    }
}
RUST
unpack bookworm nft nftables=1.0.6-2+deb12u2
mkdir -p "$here/nft/finding"
cp "$here/target/debug/reader" "$here/nft/finding/"
# through DECLARATIONS RULES: what becomes of a chain with these rules
through() {
    printf 'table ip t {\n%s\nchain c {\n%s\n}\n}\n' "$1" "$2" > "$here/nft/finding/rules"
    inside nft '
        nft -f /finding/rules && nft -j list ruleset | /finding/reader > /tmp/json && nft flush ruleset
        if grep -q "^not read" /tmp/json; then echo "not read"
        elif nft -j -f /tmp/json > /tmp/out 2>&1; then echo taken
        else echo refused; fi'
}
base='type filter hook forward priority 0'
seen "a named verdict map" "$(through 'map m { type ifname : verdict
    }' "$base
    iifname vmap @m")" "not read"
seen "an anonymous verdict map" "$(through '' "$base
    ip saddr vmap { 10.0.0.1 : accept }")" "refused"
seen "masquerade with one flag" "$(through '' 'type nat hook postrouting priority 100
    meta l4proto tcp masquerade to :1024-65535 random')" "not read"
exit $changed
