#!/usr/bin/env bash
# passt started by root: its socket's owner and folder, and port 80, differ in three releases.
#
# passt becomes nobody in each. 2023-03 makes its socket as nobody and has port 80. 2025-05 makes it
# as root without the right to pass over modes, so that a folder of nobody with 0700 is closed to
# it; it has port 80. 2026-10 gets into both folders and cannot listen below 1024 any more. A folder
# of nobody and root's group with 0770 suits all.
. "$(dirname "$0")/passt.sh"
try() {
    inside "$1" "$UPLINK"'
        mkdir -m '"$2"' /tmp/f && chown 65534:0 /tmp/f
        timeout 10 passt --socket /tmp/f/s --pid /tmp/f/pid '"${3:-}"' < /dev/null > /tmp/out 2>&1; echo "exit=$?"'
}
for release in 2023-03 2025-05 2026-10; do
    case $release in
        2023-03) stated="exit=0 exit=0 exit=0" ;;
        2025-05) stated="exit=1 exit=0 exit=0" ;;
        2026-10) stated="exit=0 exit=0 exit=1" ;;
    esac
    seen "passt $release: folder 0700, folder 0770, port 80" \
        "$(try $release 700) $(try $release 770) $(try $release 770 '-t 127.0.0.1/80')" "$stated"
done
exit $changed
