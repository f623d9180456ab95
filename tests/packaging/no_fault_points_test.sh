#!/bin/sh
# no_fault_points_test.sh SOURCE_DIR: what the preset "release" compiles has no fault points.
#
# Every compiler command of the preset is looked at; one place of each part is compiled and searched
# for its names. A build of all of it would take minutes.
set -eu

source=$1
build=$(mktemp -d "${TMPDIR:-/tmp}/fanout-release.XXXXXX")
trap 'rm -rf "$build"' EXIT
cmake -S "$source" --preset release -B "$build" >/dev/null
cd "$build"
ninja -t commands >commands
grep -q -- '-c .*/sidecar/journal/syncer.cpp' commands
if grep -q 'FANOUT_FAULT_POINTS' commands; then
    echo "the preset release compiles fault points"
    exit 1
fi
launcher=$(command -v ccache || true)
for file in sidecar/journal/syncer.cpp sidecar/fault/fault_plan.cpp connectors/file/target_file.cpp \
    pg_extension/worker/slot_progress.cpp pg_extension/worker/fault_point.cpp; do
    object=$(ninja -t query "$(ninja -t targets all | sed -n "s|^\(.*${file#*/}\.o\): .*|\1|p" |
        head -n 1)" | sed -n '1s/:$//p')
    # shellcheck disable=SC2046  # a command line
    eval "$launcher $(grep -- "-c $source/$file\$" commands | head -n 1)"
    if grep -a -q -E 'journal\.synced|file\.synced|worker\.ack_read|fanout_fault_hook|FANOUT_FAULTS|fanout\.fault_point' \
        "$object"; then
        echo "$file has fault points in a release"
        exit 1
    fi
done
