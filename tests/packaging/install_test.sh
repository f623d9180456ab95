#!/bin/sh
# install_test.sh SOURCE_DIR BUILD_DIR: what docs/operations.md tells people to type builds, and puts
# everything where it says. Installs below BUILD_DIR/image; nothing of the system is touched.
set -eu

source=$1 build=$2
image=$build/image
rm -rf "$image"
FANOUT_BUILD_DIR=$build nice -n 5 "$source/scripts/build" --release --quiet
DESTDIR=$image cmake --install "$build" >"$build/installed.txt"

missing=0
need() {
    if [ ! -s "$image$1" ]; then echo "not installed: $1"; missing=1; fi
}
prefix=/usr/local
need "$prefix/bin/fanoutd"
need "$prefix/bin/fanoutctl"
for connector in postgres sqlite file stdout blackhole; do
    need "$prefix/lib/pg_fanout/connectors/$connector.so"
done
need "$prefix/lib/systemd/system/fanoutd.service"
need "$prefix/lib/sysusers.d/pg_fanout.conf"
need "$prefix/etc/pg_fanout/fanoutd.conf"
need "$prefix/include/fanout/connector/abi.h"
need "$(pg_config --pkglibdir)/pg_fanout.so"
need "$(pg_config --sharedir)/extension/pg_fanout.control"
need "$(pg_config --sharedir)/extension/pg_fanout--1.0.sql"
[ "$missing" -eq 0 ] || { echo "what was installed:"; cat "$build/installed.txt"; exit 1; }

# It finds its connectors where they were installed, not in the build.
"$image$prefix/bin/fanoutd" --version
"$image$prefix/bin/fanoutd" --help | grep -q -- --source
