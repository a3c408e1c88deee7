#!/usr/bin/env bash
# libvirt 11.3 (Debian 13) passes over the encoding that a document declares; 12.8 follows it.
#
# A definition in ISO-8859-1, declared as such, is "not proper UTF-8" to 11.3, and is read by 12.8.
# The other way round, UTF-8 that calls itself US-ASCII is read by 11.3 and refused by 12.8. UTF-8
# without a declaration is safe with both.
. "$(dirname "$0")/libvirt.sh"
network() { printf "<?xml version='1.0' encoding='%s'?><network><name>n</name><title>caf$2</title><bridge name='vb0'/></network>" "$1"; }
read_by() { printed "$1" n "$2" '<title>|UTF-8|encoding' | grep -oE "<title>.*</title>|not proper UTF-8|Invalid bytes" | head -1 | iconv -c -f utf-8 -t ascii//TRANSLIT; }
seen "libvirt 11.3, ISO-8859-1" "$(read_by 11.3 "$(network ISO-8859-1 '\xe9')")" "not proper UTF-8"
seen "libvirt 12.8, ISO-8859-1" "$(read_by 12.8 "$(network ISO-8859-1 '\xe9')")" "<title>cafe</title>"
seen "libvirt 11.3, UTF-8 as US-ASCII" "$(read_by 11.3 "$(network US-ASCII '\xc3\xa9')")" "<title>cafe</title>"
seen "libvirt 12.8, UTF-8 as US-ASCII" "$(read_by 12.8 "$(network US-ASCII '\xc3\xa9')")" "Invalid bytes"
exit $changed
