package shellinit

import (
	"regexp"
	"strings"
	"testing"
)

// newer are what bash has learnt after 3.2, which is the one of macOS.
var newer = map[string]*regexp.Regexp{
	"associative arrays and references (4.0, 4.3)": regexp.MustCompile(`\b(declare|local|typeset|readonly)\s+-[a-zA-Z]*[Ang]`),
	"mapfile, readarray, coproc (4.0)":             regexp.MustCompile(`(^|[;&|({]\s*|\b(do|then|else)\s+|^\s+)(mapfile|readarray|coproc)\b`),
	"change of case (4.0)":                         regexp.MustCompile(`\$\{!?[A-Za-z_][A-Za-z_0-9]*(\[[^]]*\])?(\^|,)`),
	"transformations (4.4)":                        regexp.MustCompile(`\$\{[A-Za-z_@*][A-Za-z_0-9]*(\[[^]]*\])?@[A-Za-z]\}`),
	"|& and &>> (4.0)":                             regexp.MustCompile(`\|&|&>>`),
	";& and ;;& (4.0)":                             regexp.MustCompile(`;&|;;&`),
	"printf of times (4.2)":                        regexp.MustCompile(`printf\b.*%\([^)]*\)T`),
	"tests of variables (4.2)":                     regexp.MustCompile(`(\[\[|\btest|\[)\s+(!\s+)?-[vR]\s`),
	"wait -n (4.3)":                                regexp.MustCompile(`\bwait\s+-[a-z]*n`),
	"options of shopt (4.0 and later)":             regexp.MustCompile(`\bshopt\b.*\b(globstar|lastpipe|autocd|checkjobs|dirspell|inherit_errexit|localvar_inherit)\b`),
	"variables (4.0 and later)":                    regexp.MustCompile(`\$\{?(BASHPID|EPOCHSECONDS|EPOCHREALTIME|SRANDOM|BASH_ARGV0|READLINE_LINE)\b`),
	"descriptors by name (4.1)":                    regexp.MustCompile(`\{[A-Za-z_]\w*\}[<>]`),
	"steps of sequences (4.0)":                     regexp.MustCompile(`\{-?\w+\.\.-?\w+\.\.`),
	"read -i and -N (4.0)":                         regexp.MustCompile(`\bread\s+(-\S+\s+)*-[a-z]*[iN]`),
	"names of characters (4.2)":                    regexp.MustCompile(`\$'[^']*\\[uU]`),
	"negative subscripts and lengths (4.2)":        regexp.MustCompile(`\$\{\w+\[-\d|\$\{\w+:[^}:]*:\s*-\d`),
	"unset of a name reference (4.3)":              regexp.MustCompile(`\bunset\s+-n`),
}

// findNewer gives what a script has that bash 3.2 lacks.
func findNewer(script string) []string {
	var found []string
	for line := range strings.SplitSeq(script, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		for what, re := range newer {
			if re.MatchString(line) {
				found = append(found, what+": "+strings.TrimSpace(line))
			}
		}
	}
	return found
}

// The bash of macOS reads what srt init bash prints.
func TestBashIsOldEnough(t *testing.T) {
	v := Values{Srt: "/bin/srt", Shims: "/shims", Names: []string{"npm", "./configure", "bash", "git"}, Whole: []string{"bash"}, Git: GitHooks}
	script, err := Script("bash", v)
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range findNewer(script) {
		t.Error(found)
	}
}

// The list finds each of what it names, and leaves alone what is older.
func TestFindNewer(t *testing.T) {
	for _, line := range []string{
		"declare -A x", "local -n ref=$1", "declare -gx y=1", "mapfile -t lines < f", "  readarray x", "coproc cat", `echo "${x^^}"`, `echo ${x[0],}`,
		"echo ${x@Q}", "ls |& cat", "ls &>> f", "a) b ;;&", "a) b ;&", "printf -v t '%(%s)T' -1", "[[ -v x ]]", "test -v x", "wait -n", "shopt -s globstar",
		"echo $BASHPID", "echo ${EPOCHREALTIME}", "exec {fd}>f", "echo {1..9..2}", "read -r -N 1 x", `x=$'\u00e9'`, "echo ${x[-1]}", "echo ${x:0:-1}", "unset -n x",
	} {
		if len(findNewer(line)) == 0 {
			t.Errorf("%q is newer than bash 3.2, and is not found", line)
		}
	}
	for _, line := range []string{
		"declare -F f", "declare -a x", "local -a files=()", "files+=(x)", "printf -v t %s x", "[[ -n $x && $y =~ a ]]", "wait", "shopt -s extglob", "read -r -n 1 x", `x=$'\n'`,
		"echo ${x:1:2} ${x: -1}", "echo {1..9}", "ls &> f", "a) b ;;", "echo ${x/a/b} ${x[@]+y} ${!x}", "# declare -A", "echo coproc", "{ ls; } >f",
	} {
		if found := findNewer(line); len(found) > 0 {
			t.Errorf("%q: %q", line, found)
		}
	}
}
