#!/usr/bin/env bash
# Tries every attack of testdata/escape and says, a line each, whether it was held, as
# the caller and, when that is root, as an ordinary user too.
#
# usage: scripts/escapes.sh [RESULTS [LOG]]
#
# With LOG, what tests have printed (go test -v) is looked at and nothing is run.
# RESULTS gets the same as fields with tabs between: id, held | not applicable |
# ESCAPED, and the reason. The last line counts; the status is 0 if nothing escaped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
status=0
if [[ -n ${2-} ]]; then
  results=$1 out=$2
else
  # shellcheck source=scripts/world.sh
  . scripts/world.sh
  results=${1:-$work/results}
  out=$work/out
  prepare cmd/srt
  as "$(id -u)" cmd/srt '-test.run ^TestEscapes$' >"$out" 2>&1 || status=1
  if ((EUID == 0)); then
    as "$other" cmd/srt '-test.run ^TestEscapes$' "${ordinary[@]}" >>"$out" 2>&1 || status=1
  fi
fi

# A row is held if a run of it passed and none failed; what it says when it is skipped
# follows the line that says that it goes on.
awk -F'\t' -v results="$results" '
  FNR == NR {
    if ($0 !~ /^#/) { title[$1] = $2; order[++rows] = $1 }
    next
  }
  {
    line = $0
    if (match(line, /^ *=== (RUN|CONT|NAME) +/)) { name = substr(line, RSTART + RLENGTH); next }
    if (line ~ /^ *[a-z_]+\.go:[0-9]+: / && !(name in said)) { text = line; sub(/^ *[a-z_]+\.go:[0-9]+: */, "", text); said[name] = text }
    if (match(line, /^ *--- (PASS|FAIL|SKIP): TestEscapes\//)) {
      verdict = substr(line, index(line, "---") + 4, 4)
      split(substr(line, RSTART + RLENGTH), part, /[\/ ]/)
      id = part[1]
      full = "TestEscapes/" substr(line, RSTART + RLENGTH); sub(/ .*/, "", full)
      leaf = full ~ /\/.*\//
      if (verdict == "FAIL") failed[id] = 1
      else if (verdict == "SKIP") reason[id] = said[full]
      else if (leaf) passed[id] = 1
    }
  }
  END {
    for (i = 1; i <= rows; i++) {
      id = order[i]
      if (id in failed || !(id in passed) && !(id in reason)) { what = "ESCAPED"; why = (id in failed) ? "" : "was not tried"; bad++ }
      else if (id in passed) { what = "held"; why = ""; held++ }
      else { what = "not applicable"; why = reason[id]; none++ }
      printf "%-4s %-15s %s%s\n", id, what, title[id], (why == "" ? "" : ": " why)
      printf "%s\t%s\t%s\n", id, what, why >results
    }
    printf "%d held, %d not applicable, %d escaped\n", held, none, bad
    exit bad > 0
  }' testdata/escape/rows.tsv "$out" || status=1
if ((status != 0)); then
  # Without the lines of what passed.
  grep -vE '^ *(=== (RUN|PAUSE|CONT|NAME)|--- PASS)' "$out" | grep -nE -B30 'FAIL' >&2 || cat "$out" >&2
fi
exit "$status"
