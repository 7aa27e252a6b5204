#!/bin/bash
# Tries on a Mac whether the kernel keeps what a profile of srt's promises: one line for
# each promise. It changes nothing outside of a folder of its own, and removes that.
#
# usage: testdata/macos-check.sh [SRT [SANDBOX_EXEC]]
#
# It needs no more than bash 3.2 and what comes with macOS.
set -u
srt=${1:-srt}
confine=${2:-/usr/bin/sandbox-exec}
base=$(mktemp -d /tmp/srt-check.XXXXXX) || exit 1
base=$(cd "$base" && pwd -P)
listener=
# shellcheck disable=SC2317 # called by the trap
tidy() {
  [[ -z $listener ]] || kill "$listener" 2>/dev/null
  rm -rf "$base"
}
trap tidy EXIT

home=$base/home project=$base/project
mkdir -p "$home/.ssh" "$project/.git/hooks" "$project/src" "$base/out"
echo secret >"$home/.ssh/id"
echo secret >"$project/.env"
echo kept >"$project/.git/config"
echo text >"$project/src/file"
cat >"$base/settings.toml" <<END
[filesystem]
allow_write = ["$project"]
deny_read = ["~/.ssh", "$project/**/.env"]
END
if ! (cd "$project" && HOME=$home "$srt" explain --seatbelt --settings "$base/settings.toml" -- true) >"$base/profile"; then
  echo "failed  srt makes a profile"
  exit 1
fi

failures=0
inside() { (cd "$project" && HOME=$home "$confine" -f "$base/profile" "$@") >/dev/null 2>&1; }
say() {
  if (($1 == 0)); then
    echo "ok      $2"
  else
    echo "failed  $2"
    failures=$((failures + 1))
  fi
}
allowed() {
  local promise=$1
  shift
  inside "$@"
  say $? "$promise"
}
refused() {
  local promise=$1
  shift
  if inside "$@"; then say 1 "$promise"; else say 0 "$promise"; fi
}

# Where nothing runs, all that is to be refused would be.
allowed 'the profile is accepted, and a program runs' /usr/bin/true
if ((failures > 0)); then
  (cd "$project" && "$confine" -f "$base/profile" /usr/bin/true)
  exit 1
fi
allowed 'programs start programs' /bin/sh -c '/bin/ls / | /usr/bin/wc -l'
allowed 'the project can be written' /usr/bin/touch "$project/src/new"
allowed 'the project can be written by its name in /private' /usr/bin/touch "/private${project#/private}/src/new2"
allowed 'files in the project can be renamed and removed' /bin/sh -c 'mv src/new src/newer && rm src/newer'
allowed 'the system can be read' /bin/cat /etc/hosts
allowed '/dev/null can be written' /bin/sh -c 'echo x >/dev/null'
refused 'nothing else can be written' /usr/bin/touch "$base/out/x"
refused 'nor the home' /usr/bin/touch "$home/x"
refused 'nor by the way of a link' /bin/sh -c "ln -s '$base/out' l; touch l/x"
refused 'a hidden file cannot be read' /bin/cat "$home/.ssh/id"
refused 'nor in other letters' /bin/cat "$home/.SSH/ID"
refused 'nor by the name of a firmlink' /bin/cat "/System/Volumes/Data$home/.ssh/id"
refused 'nor by its number' /bin/cat "/.vol/$(stat -f %d/%i "$home/.ssh/id" 2>/dev/null || echo 0/0)"
refused 'nor by another name made for it' /bin/sh -c "ln '$home/.ssh/id' src/id && cat src/id"
refused 'nor what a pattern hides' /bin/cat "$project/.env"
refused 'nor what it hides later' /bin/sh -c 'echo x >src/.env && cat src/.env'
refused 'git configuration stays' /bin/sh -c 'echo x >>.git/config'
refused 'no hook can be made' /usr/bin/touch "$project/.git/hooks/pre-commit"
refused 'nor by moving .git away' /bin/mv "$project/.git" "$project/git"
refused 'nor in other letters' /usr/bin/touch "$project/.GIT/HOOKS/pre-commit"
refused 'nor in letters that a volume takes for them' /usr/bin/touch "$project/.git/hook"$'\xc5\xbf'"/pre-commit"
refused 'a start-up file of a shell cannot be made' /usr/bin/touch "$project/src/.zshrc"
refused 'the project itself stays where it is' /bin/mv "$project" "$project/src/x"
refused 'a profile inside does not open anything' "$confine" -p '(version 1)(allow default)' /usr/bin/touch "$base/out/x"
refused 'no process outside can be signalled' /bin/kill -0 $$
refused 'no application can be opened' /usr/bin/open -g "$project"
refused 'no other application can be told anything' /usr/bin/osascript -e 'tell application "Finder" to get name'
refused 'no job can be given to launchd' /bin/launchctl submit -l "srt-check-$$" -- /usr/bin/true
refused 'the keychain cannot be listed' /usr/bin/security dump-keychain
refused 'the clipboard cannot be read' /bin/sh -c 'pbpaste | grep -q .'

port=$((20000 + $$ % 20000))
nc -l 127.0.0.1 "$port" >/dev/null 2>&1 &
listener=$!
sleep 1
refused 'no server of this machine can be reached' nc -z -w 2 127.0.0.1 "$port"
nc -z -w 2 127.0.0.1 "$port" >/dev/null 2>&1
say $? '(which can be reached outside)'
refused 'no port can be listened on' /bin/sh -c "nc -l 127.0.0.1 $((port + 1)) & sleep 1; kill \$!"

[[ ! -e $base/out/x && ! -e $home/x && ! -e $project/.git/hooks/pre-commit && $(cat "$project/.git/config") == kept ]]
say $? 'none of it has happened after all'
echo "$failures failed"
((failures == 0))
