#!/usr/bin/env bash
# Keeps the package managers that testdata/script/npm_tools*.txtar tries, each in a folder
# of its own, so that the tests need not fetch them.
#
# usage: scripts/npm-tools.sh
#
# They are in $SRT_NPM_TOOLS, as the Makefile has it. What cannot be fetched is named, and
# the scripts about it skip.
set -euo pipefail

tools=(npm12=npm@12.2.2 pnpm10=pnpm@10.34.9 pnpm=pnpm@12.21.0 yarn1=yarn@1.22.22
  yarn=@yarnpkg/cli-dist@4.18.1 bun=bun@1.4.5)

dir=${SRT_NPM_TOOLS:-/var/cache/srt-npm-tools}

for tool in "${tools[@]}"; do
  name=${tool%%=*} spec=${tool#*=}
  [[ -e $dir/$name/spec && $(<"$dir/$name/spec") == "$spec" ]] && continue
  rm -rf "${dir:?}/$name"
  mkdir -p "$dir/$name"
  echo "installing $spec"
  if timeout 300 npm install --prefix "$dir/$name" --no-audit --no-fund --no-package-lock --silent --fetch-retries 0 "$spec"; then
    echo "$spec" >"$dir/$name/spec"
    chmod -R a+rX "$dir/$name"
  else
    rm -rf "${dir:?}/$name"
    echo "$spec cannot be fetched: the tests of it are skipped" >&2
  fi
done
