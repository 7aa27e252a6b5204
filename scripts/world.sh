#!/usr/bin/env bash
# What the test runs share: a copy of the tree and the test programs that every user
# may read, and a way to run them as somebody. Sourced by test.sh and escapes.sh, in
# the top of the checkout.
set -euo pipefail

other=65534 # the ordinary user
work=$(mktemp -d /var/tmp/srt-test.XXXXXX)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

# prepare PACKAGE... makes a copy of the tree that every user may read (a checkout in
# root's home is not), and the test programs of packages. It is called in conditions
# too, where set -e does nothing.
prepare() {
  mkdir -p "$work/tree" "$work/bin" &&
    CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$work/bin/srt" ./cmd/srt &&
    CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$work/bin/probe" ./testdata/probe || return 1
  for package in "$@"; do
    go test -race -c -o "$work/bin/${package//\//-}.test" "./$package" || return 1
  done
  cp -r cmd core sandbox testdata install.sh LICENSE go.mod "$work/tree/" &&
    chmod -R a+rX "$work/tree" "$work/bin"
}

# as UID PACKAGE ARGS [COMMAND...] runs the tests of a package with arguments, by way
# of COMMAND.
as() {
  local who=$1 package=$2 home=$work/home-$1
  local -a args
  read -ra args <<<"$3"
  shift 3
  mkdir -p "$home/tmp"
  chown -R "$who" "$home"
  # No folder of root's home on the PATH: other users cannot look into them.
  local path=
  local -a entries
  IFS=: read -ra entries <<<"$PATH"
  for entry in "${entries[@]}"; do
    [[ $entry == /root* ]] || path+=${path:+:}$entry
  done
  env -C "$work/tree/$package" HOME="$home" TMPDIR="$home/tmp" PATH="$path" SRT_TEST_BIN="$work/bin" \
    "${names[@]}" "$@" "$work/bin/${package//\//-}.test" -test.v -test.timeout 15m "${args[@]}"
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

# What makes an ordinary user of root.
# shellcheck disable=SC2034 # used by those who source this
ordinary=(setpriv --reuid "$other" --regid "$other" --clear-groups --inh-caps=-all)
