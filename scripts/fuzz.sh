#!/usr/bin/env bash
# Runs every fuzz target for a while.
#
# usage: scripts/fuzz.sh [TIME]     (default 30s for each target)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
time=${1:-30s}

while read -r package; do
  mapfile -t targets < <(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true)
  for target in ${targets[@]+"${targets[@]}"}; do
    echo "fuzz $package $target"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package"
  done
done < <(go list ./... ./testdata/picture)
