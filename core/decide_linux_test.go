package core

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/srt-sh/srt/core/config"
)

// TestDecideAgreesWithTheKernel asks about random paths and hosts under random rules,
// tries each in a real sandbox, and compares.
func TestDecideAgreesWithTheKernel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	parent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	defer parent.Close()
	asked := 0
	for asked < 500 {
		asked += decideRound(t, r, parent.URL)
	}
	t.Logf("%d paths and hosts", asked)
}

func decideRound(t *testing.T, r *rand.Rand, parent string) int {
	t.Helper()
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(base, "home")
	dir := filepath.Join(home, "p")
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	name := func() string {
		return pick("a", "b", "c", "d", "sub", "x y", ".git/hooks", ".npmrc", ".vscode", ".ssh", ".env", "[w]")
	}
	var files, folders []string
	for range 25 {
		file := filepath.Join(pick(dir, dir, home, filepath.Join(base, "out")), name(), pick(name(), "f"), pick("f", "g", ".bashrc", "h"))
		if os.MkdirAll(filepath.Dir(file), 0o755) != nil || os.WriteFile(file, []byte("x\n"), 0o644) != nil {
			continue // a file is a folder elsewhere
		}
		files, folders = append(files, file), append(folders, filepath.Dir(file))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	place := func() string {
		p := pick(slices.Concat(files, folders)...)
		for range r.IntN(3) {
			// What the working folder lies in cannot be hidden, or nothing would run.
			if up := filepath.Dir(p); strings.HasPrefix(up, base+"/") && up != home && up != dir {
				p = up
			}
		}
		if strings.ContainsAny(p, "[") {
			return "{ path = " + strconv.Quote(p) + ", literal = true }"
		}
		return strconv.Quote(p)
	}
	list := func(key string, n int, entry func() string) string {
		var entries []string
		for range r.IntN(n + 1) {
			entries = append(entries, entry())
		}
		return key + " = [" + strings.Join(entries, ", ") + "]\n"
	}
	host := func() string { return pick("a", "b", "c") + "." + pick("x", "y.x", "z") + ".example" }
	pattern := func() string { return strconv.Quote(pick("", "", "*.") + host() + pick("", "", ":81")) }
	text := "[filesystem]\n" + list("allow_write", 5, place) + list("deny_write", 3, place) + list("deny_read", 4, place) + list("allow_read", 2, place) +
		"[network]\n" + list("allowed_domains", 5, pattern) + list("denied_domains", 3, pattern) + "parent_proxy = { http = " + strconv.Quote(parent) + ", https = " + strconv.Quote(parent) + " }\n"
	put(t, filepath.Join(home, ".config/srt/config.toml"), text, 0o644)

	// What is asked, and how it is tried: a line "KIND TARGET" each.
	type question struct{ kind, target string }
	var questions []question
	for _, f := range files {
		questions = append(questions, question{"read", f}, question{"write", f})
	}
	for _, d := range folders {
		questions = append(questions, question{"write", filepath.Join(d, pick("new", ".bashrc", ".zshrc", "n w"))})
	}
	for range 30 {
		questions = append(questions, question{"connect", host() + pick(":80", ":81", ":443")})
	}
	script := put(t, filepath.Join(base, "try"), `
auth=${HTTP_PROXY#http://}
auth=$(printf %s "${auth%@*}" | base64 -w0)
while IFS=' ' read -r kind target; do
  answer=no
  case $kind in
  read) { exec 3<"$target"; } 2>/dev/null && answer=yes ;;
  write)
    [ -e "$target" ]; there=$?
    { : >>"$target"; } 2>/dev/null && answer=yes
    [ $there = 0 ] || rm -f "$target" 2>/dev/null ;;
  connect)
    exec 3<>/dev/tcp/127.0.0.1/3128
    printf 'CONNECT %s HTTP/1.1\r\nHost: %s\r\nProxy-Authorization: Basic %s\r\n\r\n' "$target" "$target" "$auth" >&3
    read -r status <&3
    case $status in *' 403 '*) ;; *) answer=yes ;; esac ;;
  esac
  echo "$answer $kind $target"
done
`, 0o755)
	var input strings.Builder
	for _, q := range questions {
		fmt.Fprintf(&input, "%s %s\n", q.kind, q.target)
	}
	stdin, err := os.Open(put(t, filepath.Join(base, "in"), input.String(), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	out, err := os.Create(filepath.Join(base, "result"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	o := Options{
		Args: []string{"bash", script}, Dir: dir, Home: home, Preset: "none", NoProject: true, NoLog: true,
		Environ: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home}, Stdin: stdin, Stdout: out,
		Flags: config.Flags{},
	}
	d, err := Decide(o)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	want := map[question]bool{}
	for _, q := range questions {
		switch q.kind {
		case "read":
			want[q] = d.Read(q.target).Allow
		case "write":
			want[q] = d.Write(q.target).Allow
		case "connect":
			name, port, _ := net.SplitHostPort(q.target)
			n, err := strconv.ParseUint(port, 10, 16)
			if err != nil {
				t.Fatal(err)
			}
			want[q] = d.Host(name, uint16(n)).Allow
		}
	}
	if _, err := run(t, o); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	result, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(result)) {
		answer, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		kind, target, _ := strings.Cut(rest, " ")
		q := question{kind, target}
		if got := answer == "yes"; got != want[q] {
			t.Errorf("%s: the kernel says %v, srt why %v\n%s", rest, got, want[q], text)
		}
		n++
	}
	if n != len(questions) {
		t.Fatalf("%d answers to %d questions", n, len(questions))
	}
	return n
}
