#!/usr/bin/env bash
# Every check of the repository, in the order in which a mistake is cheapest.
#
# usage: scripts/test.sh GOLANGCI_LINT
#
# The scripts of testdata/script run as the caller and, when that is root, once
# more as an ordinary user: what root can do by accident says little about
# everybody else. The last line counts the tests.
#
# shellcheck disable=SC2317 # the steps are called by name
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
linter=$1
# shellcheck source=scripts/world.sh
. scripts/world.sh
# The packages whose answers depend on who asks.
native=(sandbox core cmd/srt)
log=$work/log
: >"$log"
failed=0

# What was slow or went wrong is worth a look; what passed is not.
step() {
  local name=$1 from=$SECONDS
  shift
  echo "== $name"
  if "$@"; then
    echo "   $((SECONDS - from)) s"
  else
    echo "== $name failed"
    failed=1
  fi
}

# go test -v says everything; we keep it for the count and show what failed.
quietly() {
  local out=$work/out
  if "$@" >"$out" 2>&1; then
    cat "$out" >>"$log"
    grep -aE '^(ok|FAIL|---)' "$out" | grep -vE '^--- (PASS|SKIP)' || true
    return 0
  fi
  cat "$out" >>"$log"
  # What stands around a failure, without the lines of tests that passed.
  grep -avE '^ *(=== (RUN|PAUSE|CONT|NAME)|--- PASS)' "$out" | grep -aE -B80 -A40 'FAIL|panic: |DATA RACE' || cat "$out"
  return 1
}

# A step is part of a condition, where set -e does nothing: hence the &&.
vet() {
  go vet ./... ./testdata/probe/ ./testdata/bench/ ./testdata/drill/ ./testdata/picture/ &&
    GOOS=darwin GOARCH=arm64 CGO_ENABLED=0 go vet ./... &&
    GOOS=darwin GOARCH=arm64 CGO_ENABLED=0 go build ./... &&
    GOOS=darwin GOARCH=amd64 CGO_ENABLED=0 go build ./...
}

unit() {
  local packages
  mapfile -t packages < <(go list ./... ./testdata/picture | grep -v '/cmd/srt$')
  quietly go test -race -v "${packages[@]}"
}

seeds() {
  quietly go test -v -run '^Fuzz' ./... ./testdata/picture
}

step 'lint' scripts/lint.sh "$linter"
step 'vet' vet
step 'unit tests, race detector' unit
step 'fuzz seeds' seeds
step 'build for the scripts' prepare "${native[@]}"
step "scripts as $(id -un)" quietly as "$(id -u)" cmd/srt ''
if ((EUID == 0)); then
  for package in "${native[@]}"; do
    [[ -e $work/bin/${package//\//-}.test ]] || continue # no tests, no program
    step "$package as uid $other" quietly as "$other" "$package" '' "${ordinary[@]}"
  done
fi

told() {
  scripts/escapes.sh "$work/escapes.tsv" "$log" >/dev/null && scripts/security.sh "$work/escapes.tsv" --check
}
step 'docs/security.md says what the suite found' told
step 'fault drill' scripts/drill.sh "$work/bin/srt" 60

echo '== skipped'
# What a test logs follows the line that says that it goes on.
awk '
  /^ *=== (RUN|CONT|NAME) / { name = $3; next }
  /^ *[a-z_]+\.go:[0-9]+: / && !(name in reason) { sub(/^ *[a-z_]+\.go:[0-9]+: */, ""); reason[name] = $0 }
  /^ *--- SKIP: / { print "   " $3 ": " reason[$3] }
' "$log" | sort -u

passed=$(grep -acE '^ *--- PASS: ' "$log" || true)
bad=$(grep -acE '^ *--- FAIL: ' "$log" || true)
((failed == 0 || bad > 0)) || bad=1
echo "$passed passed, $bad failed"
exit "$((failed != 0))"
