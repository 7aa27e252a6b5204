#!/bin/sh
# Installs srt from this checkout, or a binary that is already there.
#
# All of it is functions, and the braces of the last line make it whole: a
# download that ends anywhere before them does nothing.

usage() {
	cat <<'END'
usage: ./install.sh [--prefix DIR] [--dry-run] [BINARY]
       ./install.sh [--prefix DIR] [--dry-run] --uninstall

Puts srt into DIR/bin, ~/.local/bin by default. With BINARY it installs that
file; without, it builds the checkout that this script lies in, which needs Go.

  --prefix DIR   install below DIR instead of ~/.local
  --dry-run      say what would be done, and do nothing
  --uninstall    remove DIR/bin/srt
  --help         this text
END
}

say() { printf '%s\n' "srt: $*" >&2; }

fail() {
	say "error: $1"
	if [ -n "${2-}" ]; then say "hint: $2"; fi
	exit 1
}

# The command that installs bubblewrap on this system, or nothing.
bubblewrap_command() {
	sudo=
	if [ "$(id -u)" != 0 ]; then sudo='sudo '; fi
	if command -v apt-get >/dev/null 2>&1; then
		echo "${sudo}apt-get install bubblewrap"
	elif command -v dnf >/dev/null 2>&1; then
		echo "${sudo}dnf install bubblewrap"
	elif command -v pacman >/dev/null 2>&1; then
		echo "${sudo}pacman -S bubblewrap"
	elif command -v zypper >/dev/null 2>&1; then
		echo "${sudo}zypper install bubblewrap"
	elif command -v apk >/dev/null 2>&1; then
		echo "${sudo}apk add bubblewrap"
	fi
}

# True for a yes typed at a terminal; a script or a pipe is never asked.
confirmed() {
	if ! [ -t 0 ] || ! [ -t 2 ]; then return 1; fi
	printf '%s' "srt: $1 [y/N] " >&2
	IFS= read -r answer || return 1
	case $answer in
	y | Y | yes) return 0 ;;
	*) return 1 ;;
	esac
}

# True for bubblewrap in a folder where srt looks for it: not all of the PATH.
has_bubblewrap() {
	if ! command -v bwrap >/dev/null 2>&1; then return 1; fi
	for dir in /usr/bin /usr/local/bin /bin /run/current-system/sw/bin; do
		if [ -x "$dir/bwrap" ]; then return 0; fi
	done
	return 1
}

check_bubblewrap() {
	if [ "$(uname -s)" != Linux ]; then return; fi
	if has_bubblewrap; then return; fi
	command=$(bubblewrap_command)
	if [ -z "$command" ]; then
		say "bubblewrap is missing: srt refuses to run anything until it is installed"
		return
	fi
	if [ "$dry_run" = yes ]; then
		say "would offer to install bubblewrap: $command"
		return
	fi
	if confirmed "bubblewrap is missing. run '$command' now?"; then
		# Without quotes: the command is one of ours, words and nothing else.
		$command || say "that did not work: srt refuses to run anything without bubblewrap"
		return
	fi
	say "bubblewrap is missing: srt refuses to run anything until you run '$command'"
}

# Sets $binary to a file that runs.
find_binary() {
	if [ -n "$binary" ]; then
		if ! [ -f "$binary" ]; then fail "no such file: '$binary'"; fi
		if ! [ -x "$binary" ]; then fail "'$binary' is not executable" "chmod +x '$binary'"; fi
		return
	fi
	here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || fail "cannot find the checkout"
	if ! [ -f "$here/go.mod" ] || ! [ -d "$here/cmd/srt" ]; then
		fail "'$here' is not a checkout of srt" "give the path of an srt binary as the argument"
	fi
	if ! command -v go >/dev/null 2>&1; then
		fail "building srt needs Go" "install Go from your distribution or https://go.dev/dl, or give a binary as the argument"
	fi
	if [ "$dry_run" = yes ]; then
		say "would build srt from '$here'"
		return
	fi
	built=$(mktemp -d) || fail "cannot make a temporary folder"
	# A checkout that belongs to someone else has no version that git would tell.
	vcs=false
	if (cd "$here" && git rev-parse -q --verify HEAD) >/dev/null 2>&1; then vcs=auto; fi
	(cd "$here" && CGO_ENABLED=0 go build -trimpath -buildvcs=$vcs -ldflags='-s -w' -o "$built/srt" ./cmd/srt) ||
		fail "the build failed" "srt needs Go $(sed -n 's/^go //p' "$here/go.mod") or newer: go version"
	binary=$built/srt
}

install_srt() {
	find_binary
	if [ "$dry_run" = yes ]; then
		say "would install '$target'"
		check_bubblewrap
		return
	fi
	# A file would be moved into it.
	if [ -d "$target" ]; then fail "'$target' is a folder" "choose another place with --prefix"; fi
	mkdir -p "$bin" || fail "cannot make '$bin'" "choose another place with --prefix"
	# First a whole file under another name, then a rename: a running srt goes on,
	# and nobody ever starts half of one.
	# srt would take a name that does not begin with its own for that of a shim.
	partial=$(mktemp "$bin/srt.new.XXXXXX") || fail "cannot write to '$bin'" "choose another place with --prefix"
	if ! cp "$binary" "$partial" || ! chmod 755 "$partial"; then fail "cannot write to '$bin'"; fi
	if ! "$partial" version >/dev/null 2>&1; then fail "'$binary' does not run on this system"; fi
	mv -f "$partial" "$target" || fail "cannot install '$target'"
	say "installed '$target'"
	case ":${PATH-}:" in
	*":$bin:"*) ;;
	*)
		say "warning: '$bin' is not on your PATH"
		say "hint: add it in your shell's start-up file: export PATH=\"$bin:\$PATH\""
		;;
	esac
	check_bubblewrap
	say "see what this system can enforce: srt doctor"
	say "run a command behind the wall: srt npm install"
	say "or have it done whenever you type npm install: srt install"
}

uninstall_srt() {
	if ! [ -e "$target" ] && ! [ -L "$target" ]; then
		say "'$target' is not there, nothing to remove"
		return
	fi
	if [ "$dry_run" = yes ]; then
		say "would remove '$target'"
		return
	fi
	rm -f "$target" || fail "cannot remove '$target'"
	say "removed '$target'"
}

# What is not finished is not left behind.
cleanup() {
	if [ -n "$partial" ]; then rm -f "$partial"; fi
	if [ -n "$built" ]; then rm -rf "$built"; fi
}

main() {
	set -eu
	umask 022
	partial=
	built=
	trap cleanup EXIT
	trap 'exit 1' HUP INT TERM
	prefix=
	binary=
	dry_run=no
	action=install_srt
	while [ $# -gt 0 ]; do
		case $1 in
		--prefix)
			if [ $# -lt 2 ] || [ -z "$2" ]; then fail "--prefix needs a folder"; fi
			prefix=$2
			shift
			;;
		--prefix=?*) prefix=${1#--prefix=} ;;
		--prefix=) fail "--prefix needs a folder" ;;
		--dry-run) dry_run=yes ;;
		--uninstall) action=uninstall_srt ;;
		-h | --help)
			usage
			exit 0
			;;
		-*) fail "unknown option '$1'" "./install.sh --help" ;;
		*)
			if [ -n "$binary" ]; then fail "more than one binary: '$binary' and '$1'"; fi
			binary=$1
			;;
		esac
		shift
	done
	if [ "$action" = uninstall_srt ] && [ -n "$binary" ]; then
		fail "--uninstall takes no binary: '$binary'" "./install.sh --help"
	fi
	if [ -z "$prefix" ]; then
		if [ -z "${HOME-}" ]; then fail "HOME is not set" "choose a place with --prefix"; fi
		prefix=$HOME/.local
	fi
	case $prefix in
	/*) ;;
	*) prefix=$(pwd)/$prefix ;;
	esac
	bin=${prefix%/}/bin
	target=$bin/srt
	$action
}

{ main "$@"; }
