#!/bin/bash
# unit_test.sh <fanoutd.service>: `systemd-analyze verify` says nothing at all (it exits 0 on unknown
# keys and only prints them), and `systemd-analyze security` scores 2.0 or better.
set -euo pipefail

command -v systemd-analyze >/dev/null || { echo "skipped: systemd-analyze is not installed"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The programs need not be installed for the check, only to exist.
sed -E "s|^ExecStart=[^ ]+|ExecStart=$(command -v true)|; /^Documentation=/d" "$1" > "$work/fanoutd.service"
said=$(systemd-analyze verify "$work/fanoutd.service" 2>&1 || true)
if [ -n "$said" ]; then
    echo "systemd-analyze verify says:"
    echo "$said"
    exit 1
fi

verdict=$(systemd-analyze security --offline=true "$work/fanoutd.service" 2>/dev/null | grep 'Overall exposure')
score=$(sed -E 's/.*: ([0-9.]+) .*/\1/' <<< "$verdict")
echo "$verdict"
awk -v score="$score" 'BEGIN { exit !(score <= 2.0) }' || { echo "exposure $score is over 2.0"; exit 1; }
