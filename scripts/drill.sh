#!/usr/bin/env bash
# Breaks srt on purpose, as the caller and, when that is root, as an ordinary user.
#
# usage: scripts/drill.sh SRT [FAULTS]     (default 1000, half of them for each)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
srt=$(realpath -- "${1:?usage: scripts/drill.sh SRT [FAULTS]}")
faults=${2:-1000}

dir=$(mktemp -d /var/tmp/srt-drill.XXXXXX)
trap 'rm -rf "$dir"' EXIT
chmod 755 "$dir"
CGO_ENABLED=0 go build -o "$dir/drill" ./testdata/drill
cp "$srt" "$dir/srt"
chmod 755 "$dir/srt" "$dir/drill"

if ((EUID != 0)); then
  exec "$dir/drill" -srt "$dir/srt" -n "$faults"
fi
status=0
"$dir/drill" -srt "$dir/srt" -n "$((faults / 2))" || status=1
# Somewhere that an ordinary user can be in.
cd /
setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all \
  env HOME="$dir" "$dir/drill" -srt "$dir/srt" -n "$((faults - faults / 2))" -seed 2 || status=1
exit "$status"
