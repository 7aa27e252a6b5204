#!/usr/bin/env bash
# Makes sure that the programs of a task are here.
#
# usage: scripts/deps.sh run|demo|picture|test|bench
#
# As root on a system with apt it installs what is missing. Otherwise it names
# the one command that does, and fails. When nothing is missing it does nothing,
# not even refresh the package lists.
set -euo pipefail

# program=package pairs
run="bwrap=bubblewrap"
demo="$run git=git node=nodejs npm=npm"
case "${1:-}" in
run) wanted=$run ;;
demo) wanted=$demo ;;
picture) wanted="$demo zsh=zsh tmux=tmux" ;;
bench) wanted="$demo ps=procps" ;;
test)
  wanted="$demo zsh=zsh fish=fish tmux=tmux shellcheck=shellcheck curl=curl
    setpriv=util-linux unshare=util-linux strace=strace python3=python3 pip3=python3-pip make=make vim=vim
    pre-commit=pre-commit direnv=direnv less=less ps=procps socat=socat ssh=openssh-client gcc=gcc"
  ;;
*)
  echo "usage: scripts/deps.sh run|demo|picture|test|bench" >&2
  exit 2
  ;;
esac

missing=()
for pair in $wanted; do
  command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
done
# The race detector links with the C library.
if [[ $1 == test ]] && command -v gcc >/dev/null &&
  ! echo '#include <stdlib.h>' | gcc -E - >/dev/null 2>&1; then
  missing+=(libc6-dev)
fi
if ((${#missing[@]} == 0)); then
  exit 0
fi
# A new gcc comes without the headers, since recommended packages are left out.
for package in "${missing[@]}"; do
  [[ $package == gcc ]] && missing+=(libc6-dev)
done
mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)

if ! command -v apt-get >/dev/null; then
  echo "missing: ${missing[*]}" >&2
  echo "install them with your package manager (these are Debian's names), then try again" >&2
  exit 1
fi
if ((EUID != 0)); then
  echo "missing: ${missing[*]}" >&2
  echo "run this, then try again:" >&2
  echo "  sudo apt-get install --no-install-recommends ${missing[*]}" >&2
  exit 1
fi
echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
install=(apt-get install -qq -y --no-install-recommends "${missing[@]}")
# The lists of a machine may be older than its mirror, or not there at all.
if ! "${install[@]}" >/dev/null 2>&1; then
  apt-get update -qq
  "${install[@]}" >/dev/null
fi
