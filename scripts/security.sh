#!/usr/bin/env bash
# Writes the table of attacks in docs/security.md from what the suite found, so that it
# cannot say anything else.
#
# usage: scripts/security.sh RESULTS [--check]
#
# RESULTS is what scripts/escapes.sh writes. With --check nothing is written: it fails
# if a row of the document is not what the suite found. A row that could not be tried
# on this machine is left as it is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
results=${1:?usage: scripts/security.sh RESULTS [--check]}
doc=docs/security.md
rows=testdata/escape/rows.tsv

new=$(mktemp)
trap 'rm -f "$new"' EXIT
awk -F'\t' '
  BEGIN {
    group["A"] = "Terminal"; group["B"] = "System calls and the kernel"; group["C"] = "Files"
    group["D"] = "Sockets and services of the desktop"; group["E"] = "Environment and the wrapper itself"
    group["F"] = "Rules on command names"; group["G"] = "git"; group["H"] = "Files that run later"
    group["N"] = "Network and proxy"; group["P"] = "Scripts of packages"; group["R"] = "Resources"; group["M"] = "macOS"; group["W"] = "WSL"
  }
  FNR == 1 { pass++ }
  pass == 1 { verdict[$1] = $2; reason[$1] = $3; next }
  pass == 2 {
    if ($0 !~ /^#/) { order[++n] = $1; title[$1] = $2; other[$1] = $6 " | " $4 " | " $5 " | " $3; why[$1] = $7 }
    next
  }
  # What the document says now, for rows that could not be tried here.
  pass == 3 && /^\| [A-Z][0-9]+ \| / { split($0, cell, / \| /); before[substr(cell[1], 3)] = $0 }
  pass == 3 { next }
  /^<!-- table -->$/ {
    print
    for (i = 1; i <= n; i++) {
      id = order[i]; letter = substr(id, 1, 1)
      if (letter != last) {
        printf "\n### %s\n\n| | attack | srt | npm srt | fence | landrun | bubblewrap |\n|---|---|---|---|---|---|---|\n", group[letter]
        last = letter
      }
      said = verdict[id]
      if (said == "not applicable") {
        if (why[id] == "-" && id in before) { print before[id]; continue }
        said = "does not apply: " reason[id]
      }
      gsub(/\|/, "\\|", said)
      line = "| " id " | " title[id] " | " (said == "" ? "not tried" : said) " | " other[id] " |"
      gsub(/ - \|/, " |", line); gsub(/ - \|/, " |", line)
      print line
    }
    print ""
    skip = 1
    next
  }
  /^<!-- end of the table -->$/ { skip = 0 }
  !skip { print }
' "$results" "$rows" "$doc" "$doc" >"$new"

grep -q "^<!-- end of the table -->" "$new" || { echo "$doc has no place for the table" >&2; exit 1; }
if [[ ${2-} == --check ]]; then
  diff -u "$doc" "$new" || {
    echo "$doc does not say what the suite found; make docs writes it" >&2
    exit 1
  }
  exit 0
fi
cp "$new" "$doc"
