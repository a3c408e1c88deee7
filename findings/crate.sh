# What the findings about crates share: a program of one file with pinned dependencies.
. "$(dirname "$0")/lib.sh"

# program NAME DEPENDENCIES: builds the program on standard input
program() {
    mkdir -p "$here/$1/src"
    cat > "$here/$1/src/main.rs"
    printf '[package]\nname = "%s"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\n%s\n' "$1" "$2" > "$here/$1/Cargo.toml"
    cargo build --quiet --manifest-path "$here/$1/Cargo.toml" --target-dir "$here/target" 2> "$here/log" || { cat "$here/log"; exit 3; }
}
