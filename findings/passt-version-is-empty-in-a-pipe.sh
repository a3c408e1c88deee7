#!/usr/bin/env bash
# `passt --version` of 2025-05 prints nothing where its output is a file or a pipe, and `--help`
# stops at 4096 bytes.
#
# Both exit with 0. A program that asks passt which release it is gets an empty answer; on a
# terminal it is whole. 2023-03 and 2026-10 answer in full.
. "$(dirname "$0")/passt.sh"
for release in 2023-03 2025-05 2026-10; do
    output=$(inside $release "$UPLINK"'
        version=$(as_user passt --version | wc -c); help=$(as_user passt --help 2>&1 | wc -c)
        echo "version=$((version > 0)) help=$((help == 4096 ? 0 : help > 5000))"')
    case $release in 2025-05) stated="version=0 help=0" ;; *) stated="version=1 help=1" ;; esac
    seen "passt $release (1: in full, 0: empty or cut)" "$output" "$stated"
done
exit $changed
