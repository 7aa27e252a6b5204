#!/usr/bin/env bash
# Lints the Go code for every system we compile for, and all shell scripts.
#
# usage: scripts/lint.sh GOLANGCI_LINT
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
linter=$1
status=0

for os in linux darwin; do
  echo "lint for $os"
  GOOS=$os CGO_ENABLED=0 "$linter" run --allow-parallel-runners ./... || status=1
done
echo "lint of the test programs"
"$linter" run --allow-parallel-runners ./testdata/probe/ ./testdata/bench/ ./testdata/drill/ ./testdata/picture/ || status=1

# Every tracked or new file that is a bash or sh script, by name or by its first
# line. shellcheck does not read zsh and fish: these are parsed by their own shells.
mapfile -t files < <(
  git -c safe.directory="$PWD" ls-files -co --exclude-standard 2>/dev/null || find . -type f -not -path './.*'
)
bash=() zsh=() fish=()
for file in "${files[@]}"; do
  [[ -f $file && ! -L $file ]] || continue
  first=
  case ${file##*/} in
  *.zsh) zsh+=("$file") ;;
  *.fish) fish+=("$file") ;;
  *.sh | *.bash) bash+=("$file") ;;
  *.*) ;;
  *)
    IFS= read -r first <"$file" 2>/dev/null || true
    [[ $first =~ ^#!.*[/\ ](ba|da)?sh($|\ ) ]] && bash+=("$file")
    ;;
  esac
done
echo "shellcheck of ${#bash[@]} scripts"
((${#bash[@]} == 0)) || shellcheck -x "${bash[@]}" || status=1
for file in ${zsh[@]+"${zsh[@]}"}; do zsh -n "$file" || status=1; done
for file in ${fish[@]+"${fish[@]}"}; do fish -n "$file" || status=1; done
exit "$status"
