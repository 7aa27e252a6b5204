#!/usr/bin/env bash
# Records the picture of the README: what a person sees who types npm install into zsh
# with srt in it, and gets a package that steals. It is a real run, of the package of
# the demo, in a home of its own and without any network.
#
# usage: scripts/picture.sh SRT PICTURE >FILE.svg
#
# SRT is the program, PICTURE that of testdata/picture. Ends with a status other than 0
# when the session is not what the README says of it.
set -euo pipefail
demo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../testdata/demo" && pwd)
srt=$(realpath -- "${1:?usage: scripts/picture.sh SRT PICTURE}")
picture=$(realpath -- "${2:?usage: scripts/picture.sh SRT PICTURE}")
columns=96
prompt=\~'/app %'

work=$(mktemp -d "${TMPDIR:-/var/tmp}/srt-picture.XXXXXX")
terminal() { env -u TMUX tmux -S "$work/socket" -f /dev/null "$@"; }
cleanup() {
  terminal kill-server 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
stop() {
  echo "picture: $1" >&2
  [[ ! -e $work/socket ]] || terminal capture-pane -p >&2
  exit 1
}

mkdir -p "$work/home/.ssh" "$work/home/app" "$work/bin"
ln -s "$srt" "$work/bin/srt"
echo "throw-away key $RANDOM$RANDOM" >"$work/home/.ssh/id_rsa"
echo '# my shell' >"$work/home/.bashrc"
# What npm says of itself is another thing in each version.
printf '%s\n' audit=false fund=false update-notifier=false loglevel=error foreground-scripts=true \
  progress=false offline=true >"$work/home/.npmrc"
(cd "$demo/evil-pkg" && HOME=$work/home npm pack --silent --pack-destination "$work/home" >/dev/null)
echo '{"name": "app", "version": "1.0.0", "dependencies": {"evil-pkg": "file:../evil-pkg-1.0.0.tgz"}}' \
  >"$work/home/app/package.json"
git -c init.defaultBranch=main init -q "$work/home/app"
echo "PS1='%F{blue}%~%f %% '" >"$work/home/.zshrc"

env -i HOME="$work/home" PATH="$work/bin:$PATH" TERM=xterm-256color LANG=C.UTF-8 COLLECTOR=evil.example:443 \
  tmux -S "$work/socket" -f /dev/null new-session -d -x "$columns" -y 40 -c "$work/home/app" 'exec zsh -d -i'

# Waits until the shell asks for the next line.
ready() {
  local _
  for _ in {1..600}; do
    [[ $(terminal capture-pane -p | grep . | tail -n 1) != "$prompt" ]] || return 0
    sleep 0.1
  done
  stop 'the shell does not come back'
}
type() {
  terminal send-keys -l "$1"
  terminal send-keys Enter
  # The line must be gone from the place of the next one.
  sleep 0.3
  ready
}

ready
# shellcheck disable=SC2016 # that is what is typed
type 'eval "$(srt init zsh)"'
type 'npm install'
type 'cat ~/.bashrc'
type 'srt explain npm install | grep -E "^(rule|preset)"'
terminal capture-pane -e -p >"$work/text"

# The picture is of the truth, or there is none.
saw() { grep -qF -- "$1" "$work/text" || stop "the session lacks: $1"; }
saw 'read the key: blocked (EACCES)'
saw 'change the shell: blocked (EROFS)'
saw 'plant a hook: blocked (EROFS)'
saw 'srt: blocked connect evil.example:443: '
[[ $(<"$work/home/.bashrc") == '# my shell' && ! -e $work/home/app/.git/hooks/post-checkout ]] ||
  stop 'the package has changed something'
[[ -d $work/home/app/node_modules/evil-pkg ]] || stop 'the package was not installed'
! grep -qF "$work" "$work/text" || stop 'the session names a folder of this machine'

# The last prompt says nothing, and how long it took is another number each time.
sed -E 's/(added 1 package in) [0-9.]+m?s/\1 1s/' "$work/text" | grep . | sed '$d' |
  "$picture" -title 'npm install, with srt in the shell' -columns "$columns"
