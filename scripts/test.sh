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
other=65534

work=$(mktemp -d /var/tmp/srt-test.XXXXXX)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
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
    grep -E '^(ok|FAIL|---)' "$out" | grep -vE '^--- (PASS|SKIP)' || true
    return 0
  fi
  cat "$out" >>"$log"
  # Without the lines of tests that passed.
  grep -vE '^ *(=== (RUN|PAUSE|CONT|NAME)|--- PASS)' "$out" || true
  return 1
}

vet() {
  go vet ./... ./testdata/probe/ ./testdata/bench/
  GOOS=darwin CGO_ENABLED=0 go build ./...
}

unit() {
  local packages
  mapfile -t packages < <(go list ./... | grep -v '/cmd/srt$')
  quietly go test -race -v "${packages[@]}"
}

seeds() {
  quietly go test -v -run '^Fuzz' ./...
}

# A copy of the tree that every user may read: a checkout in root's home is not.
# The packages of $native are those whose answers depend on who asks.
native='sandbox core cmd/srt'
prepare() {
  mkdir -p "$work/tree" "$work/bin"
  CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$work/bin/srt" ./cmd/srt
  CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$work/bin/probe" ./testdata/probe
  for package in $native; do
    go test -race -c -o "$work/bin/${package//\//-}.test" "./$package"
  done
  cp -r cmd core sandbox testdata install.sh LICENSE go.mod "$work/tree/"
  chmod -R a+rX "$work/tree" "$work/bin"
}

# as UID PACKAGE [COMMAND...] runs the tests of a package, by way of COMMAND.
as() {
  local who=$1 package=$2 home=$work/home-$1
  shift 2
  mkdir -p "$home/tmp"
  chown -R "$who" "$home"
  # No folder of root's home on the PATH: other users cannot look into them.
  local path=
  local -a entries
  IFS=: read -ra entries <<<"$PATH"
  for entry in "${entries[@]}"; do
    [[ $entry == /root* ]] || path+=${path:+:}$entry
  done
  quietly env -C "$work/tree/$package" HOME="$home" TMPDIR="$home/tmp" PATH="$path" SRT_TEST_BIN="$work/bin" \
    "${names[@]}" "$@" "$work/bin/${package//\//-}.test" -test.v -test.timeout 15m
}

# Root can give names to loopback addresses in a mount namespace of its own; the
# scripts about names skip without. 127.0.0.1 stands behind all of them.
names=()
if ((EUID == 0)) && unshare -m true 2>/dev/null; then
  printf '127.0.0.1 localhost\n127.0.0.1 app.srt.test a.app.srt.test notapp.srt.test other.srt.test\n' >"$work/hosts"
  chmod 644 "$work/hosts"
  # shellcheck disable=SC2016 # expanded by the inner shell
  names=(unshare -m -- sh -c 'mount --bind "$0" /etc/hosts && exec "$@"' "$work/hosts" env SRT_TEST_HOSTS=1)
fi

step 'lint' scripts/lint.sh "$linter"
step 'vet' vet
step 'unit tests, race detector' unit
step 'fuzz seeds' seeds
step 'build for the scripts' prepare
step "scripts as $(id -un)" as "$(id -u)" cmd/srt
if ((EUID == 0)); then
  ordinary=(setpriv --reuid "$other" --regid "$other" --clear-groups --inh-caps=-all)
  for package in $native; do
    [[ -e $work/bin/${package//\//-}.test ]] || continue # no tests, no program
    step "$package as uid $other" as "$other" "$package" "${ordinary[@]}"
  done
fi

echo '== skipped'
# What a test logs follows the line that says that it goes on.
awk '
  /^ *=== (RUN|CONT|NAME) / { name = $3; next }
  /^ *[a-z_]+\.go:[0-9]+: / && !(name in reason) { sub(/^ *[a-z_]+\.go:[0-9]+: */, ""); reason[name] = $0 }
  /^ *--- SKIP: / { print "   " $3 ": " reason[$3] }
' "$log" | sort -u

passed=$(grep -cE '^ *--- PASS: ' "$log" || true)
bad=$(grep -cE '^ *--- FAIL: ' "$log" || true)
((failed == 0 || bad > 0)) || bad=1
echo "$passed passed, $bad failed"
exit "$((failed != 0))"
