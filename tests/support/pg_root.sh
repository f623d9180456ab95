#!/bin/bash
# pg_root.sh <dest> [<build-dir>] [<pg_config>]
#
# Makes a private, relocatable copy of the installed PostgreSQL under <dest> and adds the extension
# from <build-dir>. The system's own PostgreSQL directories are never written to.
#
# It works because the server finds its share and library directories relative to the real path of
# its own binary: the binaries are therefore real copies, everything else is linked file by file.
# Idempotent: a second run only brings in what changed, and files are replaced by rename, so that a
# server which runs from the tree keeps the library it has loaded. Prints the path of the bin dir.
set -euo pipefail

die() { echo "pg_root.sh: $*" >&2; exit 1; }

[ $# -ge 1 ] && [ $# -le 3 ] || die "usage: pg_root.sh <dest> [<build-dir>] [<pg_config>]"
dest=$1
build=${2:-}
pg_config=${3:-${PG_CONFIG:-}}
if [ -z "$pg_config" ]; then
    for candidate in /usr/lib/postgresql/15/bin/pg_config "$(command -v pg_config || true)"; do
        if [ -x "$candidate" ]; then pg_config=$candidate; break; fi
    done
fi
[ -x "$pg_config" ] || die "no pg_config found; run scripts/setup, or name one as third argument"

system_bin=$("$pg_config" --bindir)
system_lib=$("$pg_config" --pkglibdir)
system_share=$("$pg_config" --sharedir)
binaries="postgres initdb pg_ctl psql pg_dump pg_dumpall pg_restore pgbench pg_recvlogical
          pg_receivewal pg_basebackup pg_isready pg_controldata pg_waldump createdb dropdb
          pg_resetwal pg_config"

umask 022
mkdir -p "$dest"
dest=$(cd "$dest" && pwd -P)
chmod 755 "$dest"
exec 9>"$dest/.lock"
flock -w 120 9 || die "another pg_root.sh has held $dest/.lock for two minutes"

# Replaces $2 by a copy of $1 when they differ: a new inode, so nobody sees half a file.
replace() {
    if [ -e "$2" ] && [ ! -L "$2" ] && cmp -s "$1" "$2"; then return; fi
    cp "$1" "$2.new.$$"
    chmod "$3" "$2.new.$$"
    mv -f "$2.new.$$" "$2"
}

# The server's own files: done once per installed version (a package update makes a new stamp).
stamp=$(stat -c '%n %Y %s' "$system_bin/postgres" "$system_bin/psql" "$0" | tr '\n' ' ')
if [ "$(cat "$dest/.stamp" 2>/dev/null || true)" != "$stamp" ]; then
    mkdir -p "$dest$system_bin" "$dest$system_lib" "$dest$system_share"
    for name in $binaries; do
        [ ! -e "$system_bin/$name" ] || replace "$system_bin/$name" "$dest$system_bin/$name" 755
    done
    # -s: a symbolic link for every file, real directories.
    cp -rsf "$system_share/." "$dest$system_share/"
    for library in "$system_lib"/*.so "$system_lib"/llvmjit_types.bc; do
        ln -sf "$library" "$dest$system_lib/"
    done
    printf '%s' "$stamp" > "$dest/.stamp"
fi

if [ -n "$build" ]; then
    built=$build/pg_extension
    [ -e "$built/pg_fanout.so" ] || die "no $built/pg_fanout.so; build the target pg_fanout first"
    replace "$built/pg_fanout.so" "$dest$system_lib/pg_fanout.so" 755
    for file in "$built"/pg_fanout.control "$built"/pg_fanout--*.sql; do
        [ -e "$file" ] || die "no $file; build the target pg_fanout first"
        replace "$file" "$dest$system_share/extension/$(basename "$file")" 644
    done
fi
for module in "${build:-/nonexistent}"/bench/*.so; do  # what scripts/bench loads, if it was built
    [ ! -e "$module" ] || replace "$module" "$dest$system_lib/$(basename "$module")" 755
done
echo "$dest$system_bin"
