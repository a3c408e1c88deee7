#!/usr/bin/env bash
# cargo 1.95.0: an override of a profile for one package takes back the profile's `strip`, whatever
# the override is about.
#
# `[profile.release.package.NAME]` with an `opt-level` alone builds NAME with `strip = "debuginfo"`,
# cargo's own default, where the profile says `symbols`. By the reference an override changes only
# what it names. Repeat `strip` in the override.
. "$(dirname "$0")/lib.sh"
mkdir "$here/src"
echo 'fn main() {}' > "$here/src/main.rs"
# stripped OVERRIDE: how the program is stripped where its package has the override
stripped() {
    printf '[package]\nname = "gap"\nedition = "2021"\n[workspace]\n[profile.release]\nstrip = "symbols"\n%b' "$1" > "$here/Cargo.toml"
    touch "$here/src/main.rs"
    cargo build --release --verbose --manifest-path "$here/Cargo.toml" 2>&1 | sed -n 's/.*strip=\([a-z]*\).*/\1/p'
}
seen "$(cargo --version | cut -d' ' -f1-2), no override" "$(stripped '')" symbols
seen "with an opt-level" "$(stripped '[profile.release.package.gap]\nopt-level = "s"\n')" debuginfo
seen "with an opt-level and strip" "$(stripped '[profile.release.package.gap]\nopt-level = "s"\nstrip = "symbols"\n')" symbols
exit $changed
