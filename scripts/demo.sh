#!/usr/bin/env bash
# The main job of srt on real input: a real npm install that works, an evil package
# that gets nothing, and a repository that asks for more in vain until it is trusted. What happened is looked at on the host, not asked of
# the package.
#
# usage: scripts/demo.sh SRT [PACKAGE]
#
# Everything happens in a temporary folder with a HOME of its own. Ends with a
# status other than 0 when the allowed install fails, when the attack would not
# work without srt (then the demo would show nothing), or when any of it works
# with srt.
set -euo pipefail
demo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../testdata/demo" && pwd)
srt=$(realpath -- "${1:?usage: scripts/demo.sh SRT [PACKAGE]}")
package=${2:-express}

work=$(mktemp -d "${TMPDIR:-/var/tmp}/srt-demo.XXXXXX")
collector=
cleanup() {
  [[ -z $collector ]] || kill "$collector" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

if [[ -t 1 ]]; then bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'; else bold='' red='' green='' plain=''; fi
title() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }
shown() { printf '  $ %s\n' "$*"; }
good() { printf '  %s%-9s%s %s\n' "$green" "$1" "$plain" "$2"; }
bad() { printf '  %s%-9s%s %s\n' "$red" "$1" "$plain" "$2"; }
stop() {
  bad 'failed' "$1"
  exit 1
}

# A developer's home and project, with nothing in them that is worth anything.
# Two of each: one to be robbed, one behind the wall.
make_world() {
  local world=$work/$1
  mkdir -p "$world/home/.ssh" "$world/project"
  echo "throw-away key $RANDOM$RANDOM" >"$world/home/.ssh/id_rsa"
  chmod 700 "$world/home/.ssh"
  echo '# my shell' >"$world/home/.bashrc"
  echo '{"name": "project", "version": "1.0.0", "private": true}' >"$world/project/package.json"
  git -c init.defaultBranch=main init -q "$world/project"
}

# Runs a command in a world. Settings of the caller must not decide the demo.
within() {
  local world=$work/$1
  shift
  (cd "$world/project" && env -u XDG_CONFIG_HOME -u XDG_STATE_HOME -u XDG_CACHE_HOME \
    HOME="$world/home" PATH="$(dirname "$srt"):$PATH" COLLECTOR="${COLLECTOR-}" \
    npm_config_audit=false npm_config_fund=false npm_config_update_notifier=false "$@")
}

# What of the attack is to be seen on the host? One line each; the number of
# things that happened is in $seen.
inspect() {
  local world=$work/$1 say=$2
  seen=0
  check() {
    if "$3" "$world"; then
      "$say" "$1" "$4"
      seen=$((seen + 1))
    else
      good 'stopped' "$2"
    fi
  }
  check 'stolen' 'the private key was not read: ~/.ssh is a store of credentials, and closed' \
    key_left 'the private key is in the hands of the thief'
  check 'changed' 'the shell start-up file is as it was: no install may write it' \
    shell_changed 'the shell start-up file has a new line'
  check 'planted' 'no git hook was planted: .git/hooks is protected in what npm may write, too' \
    hook_planted 'git will run a hook that nobody wrote'
  check 'reached' 'the server of the thief had no visitor: npm may reach its registry, and nothing else' \
    server_reached 'the server of the thief had a visitor'
}
key_left() { grep -qsFf "$1/home/.ssh/id_rsa" "$work/loot"; }
shell_changed() { [[ $(<"$1/home/.bashrc") != '# my shell' ]]; }
hook_planted() { [[ -e $1/project/.git/hooks/post-checkout ]]; }
server_reached() { [[ -s $work/loot ]]; }

# What the evil package reports of its steps.
steps='^(read|change|plant|send)[a-z ]*: (WORKED|blocked)'

make_world open
make_world walled

title "1. An ordinary install, in the sandbox"
shown "srt npm install $package"
within walled srt npm install "$package" 2>&1 | sed 's/^/  | /' || stop 'the install did not work'
within walled srt node -e "require('$package')" || stop "$package was installed, but does not load"
good 'works' "$package is installed, and loads"

# The package as a registry would send it; a folder would only be linked.
(cd "$demo/evil-pkg" && HOME=$work/open/home npm pack --silent --pack-destination "$work" >/dev/null)
evil=$work/evil-pkg-1.0.0.tgz
node "$demo/collector.js" "$work/loot" "$work/port" &
collector=$!
for _ in {1..100}; do
  [[ -s $work/port ]] && break
  sleep 0.1
done
[[ -s $work/port ]] || stop 'the server of the thief did not start'
COLLECTOR=127.0.0.1:$(<"$work/port")

title '2. A package with an evil install script, without srt (in a throw-away home)'
shown 'npm install evil-pkg-1.0.0.tgz'
within open npm install --foreground-scripts "$evil" 2>&1 | grep -E "$steps" | sed 's/^/  | /' || true
echo '  on the host afterwards:'
inspect open bad
((seen == 4)) || stop "only $seen of 4 attacks work without srt: the comparison shows nothing"

title '3. The same package, behind the wall'
: >"$work/loot"
shown 'srt npm install evil-pkg-1.0.0.tgz'
within walled srt npm install --foreground-scripts "$evil" >"$work/out" 2>&1 || true
grep -vE '^($|> |npm (warn|notice))' "$work/out" | sed 's/^/  | /' || true
# Had the script not run, nothing would have been stopped.
(($(grep -cE "$steps" "$work/out") == 4)) || stop 'the install script did not run'
echo '  on the host afterwards:'
inspect walled bad
((seen == 0)) || stop "$seen of 4 attacks reached the host"
[[ -d $work/walled/project/node_modules/evil-pkg ]] || stop 'the package itself should be installed'
leftovers=$(find "$work/walled/project" -mindepth 1 -maxdepth 1 ! -name .git ! -name node_modules \
  ! -name package.json ! -name package-lock.json -printf '%f ')
[[ -z $leftovers ]] || stop "srt left something behind: $leftovers"

title '4. A repository that asks for everything in its .srt.toml'
make_world asking
printf '[network]\nallowed_domains = ["%s"]\n[filesystem]\nallow_write = ["~"]\nallow_read = ["~/.ssh"]\n' "$COLLECTOR" \
  >"$work/asking/project/.srt.toml"
# Installs the package anew in there, and counts what reached the host.
again() {
  rm -rf "$work/asking/project/node_modules" "$work/asking/project/package-lock.json"
  : >"$work/loot"
  within asking srt npm install --foreground-scripts "$evil" >"$work/out" 2>&1 || true
  (($(grep -cE "$steps" "$work/out") == 4)) || stop 'the install script did not run'
}
shown 'srt npm install evil-pkg-1.0.0.tgz'
again
grep -E '^srt: warning: .* is not trusted' "$work/out" | sed 's/^/  | /' || stop 'nothing was said of the settings'
echo '  on the host afterwards:'
inspect asking bad
((seen == 0)) || stop "$seen of 4 attacks reached the host by a file that nobody trusts"
shown 'srt trust'
within asking srt trust --yes | sed 's/^/  | /'
again
echo '  on the host afterwards, since somebody said yes to that:'
inspect asking bad
# Start-up files and hooks are protected names, which no repository can open.
((seen == 2)) || stop "what was trusted does not count: $seen instead of 2"

printf '\n%sAll four were stopped, the project is as an install should leave it, and only you can open more.%s\n' "$bold" "$plain"
