#!/usr/bin/env bash
# A manager of hooks from its installation to its removal, with git and with srt git: the
# same is said and the same is left, but for the sandbox that the hooks run in.
#
# usage: managers.sh husky|lefthook|pre-commit, in an empty folder, with the folder OUT
# set that no hook may write
set -eu
manager=$1
export GIT_AUTHOR_DATE='2026-01-01 00:00:00 +0000' GIT_COMMITTER_DATE='2026-01-01 00:00:00 +0000'
fail() { echo "$manager: $1" >&2; cat ../*.out >&2 || true; exit 1; }
# What the check of each repository is: says where it runs, and no to a file named bad.
cat >check.sh <<'E'
#!/bin/sh
grep -q '^NoNewPrivs:.*1' /proc/self/status && echo held >>"$(git rev-parse --git-dir)/held"
{ echo x >"$OUT/planted"; } 2>/dev/null || :
{ echo x >"$(git rev-parse --git-common-dir)/hooks/post-merge"; } 2>/dev/null || :
if git diff --cached --name-only HEAD 2>/dev/null | grep -q bad; then echo 'bad is not allowed'; exit 1; fi
echo 'all is well'
E
chmod 755 check.sh
install() {
  case "$manager" in
  husky)
    npm install --silent husky@9.0 >/dev/null
    npx husky >/dev/null
    echo './check.sh' >.husky/pre-commit
    ;;
  lefthook)
    printf 'output: [execution_out, failure]\npre-commit:\n  commands:\n    check:\n      run: ./check.sh\n' >lefthook.yml
    npm install --silent --ignore-scripts lefthook@1.11 >/dev/null
    npx lefthook install >/dev/null
    ;;
  pre-commit)
    printf 'repos:\n- repo: local\n  hooks:\n  - {id: check, name: check, entry: ./check.sh, language: script, always_run: true, verbose: true}\n' >.pre-commit-config.yaml
    pre-commit install >/dev/null
    ;;
  esac
}
upgrade() {
  case "$manager" in
  husky) npm install --silent husky@9 >/dev/null && npx husky >/dev/null ;;
  lefthook) npm install --silent --ignore-scripts lefthook@2 >/dev/null && npx lefthook install -f >/dev/null ;;
  pre-commit) pre-commit install -f -t pre-commit -t commit-msg >/dev/null ;;
  esac
}
remove() {
  case "$manager" in
  husky) git config --unset core.hooksPath ;;
  lefthook) npx lefthook uninstall >/dev/null ;;
  pre-commit) pre-commit uninstall -t pre-commit -t commit-msg >/dev/null ;;
  esac
}
hooks() { find .git/hooks .husky .git/config -type f 2>/dev/null | grep -v '\.sample$' | sort | xargs -r sha256sum; }
commits() {
  echo "$1" >"good$1" && git add . && $git commit -qm "good $1" && echo "passes: $?"
  hooks >"../${PWD##*/}.before"
  echo "$1" >"bad$1" && git add . && { $git commit -qm "bad $1" || echo "does not pass: $?"; }
  $git commit --no-verify -qm "bad $1" && echo "not asked: $?"
  hooks >"../${PWD##*/}.after"
  cmp "../${PWD##*/}.before" "../${PWD##*/}.after" >&2 || fail 'hooks were changed'
}
tell() {
  git init -q "$1"
  cd "$1"
  cp ../check.sh .
  printf 'node_modules\n' >.gitignore
  [ "$manager" = pre-commit ] || npm init -y >/dev/null
  git add . && git commit -qm first
  install
  commits one
  upgrade
  commits two
  remove
  commits three
  git log --format=%s
  git ls-files
  cd ..
}
# Both at once, each with a folder of its own that no hook may write.
story() {
  git=$2
  export OUT="$OUT/$1"
  mkdir -p "$OUT"
  tell "$1" >"$1.out" 2>"$1.err"
}
(story plain git) &
(story srt 'srt git')
wait $!
[ -e "$OUT/plain/planted" ] && [ -e plain/.git/hooks/post-merge ] && [ ! -e plain/.git/held ]
[ ! -e "$OUT/srt/planted" ] || { echo planted; exit 1; }
[ ! -e srt/.git/hooks/post-merge ] || { echo planted a hook; exit 1; }
echo "held: $(wc -l <srt/.git/held)"
# Times, and what srt says once or of what was refused, are no difference.
same() { grep -v -E "^srt: (the hook|blocked|hint:|and [0-9]+ more)" "$1" | sed -E 's/[0-9.]+ ?(s|ms|seconds?)\b/TIME/g; s/\x1b\[[0-9;]*m//g'; }
same plain.out >a && same srt.out >b && diff a b
same plain.err >c && same srt.err >d && diff c d
grep -c '^srt: the hook' srt.err
cat a
