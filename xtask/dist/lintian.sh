#!/usr/bin/env bash
# lintian.sh DEB: what Debian's checker of packages says, that of stable. Takes root.
deb=$(readlink -f "$1")
. "$(dirname "$(readlink -f "$0")")/../../findings/lib.sh"
unpack trixie tree lintian findutils man-db file gzip diffutils
cp "$deb" "$here/tree/vnet.deb"
inside tree "lintian --profile debian --allow-root --fail-on error /vnet.deb"
