package shellinit

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// shells are those that read what Quote makes, with what keeps their start-up files
// away.
var shells = map[string][]string{ //nolint:gochecknoglobals // a table
	"zsh":  {"-f", "-c"},
	"bash": {"--norc", "--noprofile", "-c"},
	"fish": {"--no-config", "-c"},
}

func checkQuote(t *testing.T, shell, word string) {
	t.Helper()
	path, err := exec.LookPath(shell)
	if err != nil {
		t.Skip(err)
	}
	quote := Quote
	if shell == "fish" {
		quote = quoteFish
	}
	out, err := exec.CommandContext(t.Context(), path, append(slices.Clone(shells[shell]), "printf '%s|' "+quote(word))...).Output()
	if err != nil || string(out) != word+"|" {
		t.Errorf("%s reads %q as %q, %v", shell, word, out, err)
	}
}

func TestQuote(t *testing.T) {
	for shell := range shells {
		for _, word := range []string{"", "a b", "'", `\`, `\'`, `'\''`, "$HOME `id` $(id)", "!x", "~", "*?[", "a\nb", "\t", "é\xff", `\\`, `\n`} {
			checkQuote(t, shell, word)
		}
	}
}

func FuzzQuote(f *testing.F) {
	f.Add("a'b")
	f.Add(`\'`)
	f.Fuzz(func(t *testing.T, word string) {
		// No word holds a NUL.
		if strings.ContainsRune(word, 0) {
			return
		}
		checkQuote(t, "zsh", word)
		checkQuote(t, "bash", word)
		checkQuote(t, "fish", word)
	})
}

func TestScriptRefuses(t *testing.T) {
	good := Values{Srt: "/bin/srt", Shims: "/shims", Names: []string{"npm", "./configure"}}
	for _, shell := range Shells() {
		if _, err := Script(shell, good); err != nil {
			t.Errorf("%s: %v", shell, err)
		}
	}
	for name, v := range map[string]Values{
		"a name with code": {Srt: "/srt", Shims: "/shims", Names: []string{"a;b"}},
		"an option":        {Srt: "/srt", Shims: "/shims", Names: []string{"-a"}},
		"a relative path":  {Srt: "srt", Shims: "/shims"},
		"a colon":          {Srt: "/srt", Shims: "/a:b"},
		"a builtin":        {Srt: "/srt", Shims: "/shims", Names: []string{"npm", "builtin"}},
		"code, whole":      {Srt: "/srt", Shims: "/shims", Whole: []string{"$(id)"}},
		"a NUL":            {Srt: "/s\x00rt", Shims: "/shims"},
	} {
		if text, err := Script("bash", v); err == nil {
			t.Errorf("%s: %q", name, text)
		}
		if text, err := Reply(v); err == nil && len(v.Names)+len(v.Whole) > 0 {
			t.Errorf("%s: %q", name, text)
		}
	}
	if _, err := Script("tcsh", good); err == nil {
		t.Error("tcsh")
	}
}

func TestShims(t *testing.T) {
	dir := t.TempDir()
	bin, shims := filepath.Join(dir, "bin"), filepath.Join(dir, "data", "srt", "shims")
	for _, name := range []string{"npm", "python", "sh"} {
		if err := os.MkdirAll(bin, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
	v := Values{Srt: "/usr/bin/srt", Shims: shims, Names: []string{"npm", "absent", "python", "sh", "./configure"}}
	list := func() (names []string) {
		entries, err := os.ReadDir(shims)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
		return names
	}
	for _, srt := range []string{"/usr/bin/srt", "/usr/bin/srt", "/opt/srt"} {
		v.Srt = srt
		if err := MakeShims(v); err != nil {
			t.Fatal(err)
		}
		if target, err := os.Readlink(filepath.Join(shims, "npm")); err != nil || target != srt {
			t.Errorf("npm is %q, %v", target, err)
		}
		if got := list(); !slices.Equal(got, []string{"npm"}) {
			t.Errorf("the shims are %q", got)
		}
	}
	// What somebody else has put there stays.
	other := filepath.Join(shims, "absent")
	if err := os.WriteFile(other, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(shims, "npm")); err != nil {
		t.Fatal(err)
	}
	v.Names = []string{"absent", "npm"}
	if err := MakeShims(v); err == nil {
		t.Error("a file in the place of a shim is no error")
	}
	if n, err := RemoveShims(shims); n != 1 || err != nil {
		t.Errorf("removed %d, %v", n, err)
	}
	if got := list(); !slices.Equal(got, []string{"absent"}) {
		t.Errorf("what stays is %q", got)
	}
	if n, err := RemoveShims(filepath.Join(dir, "nowhere")); n != 0 || err != nil {
		t.Errorf("removed %d, %v", n, err)
	}
}

// standIn is an srt that prints how it was called.
const standIn = "#!/bin/sh\nprintf 'srt'\nprintf ' <%s>' \"$@\"\necho\n"

// The names that no preset has yet, and the argument tests of interpreters, in real
// interactive shells.
func TestFunctions(t *testing.T) {
	for shell, args := range map[string][]string{
		"zsh": {"-f", "-i", "-c"}, "bash": {"--norc", "--noprofile", "-i", "-c"},
	} {
		t.Run(shell, func(t *testing.T) {
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Skip(err)
			}
			dir := t.TempDir()
			srt := filepath.Join(dir, "it's srt")
			for name, text := range map[string]string{"it's srt": standIn, "configure": "#!/bin/sh\n", "own": "#!/bin/sh\necho ran\n", "python3": "#!/bin/sh\necho real python \"$@\"\n"} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			script, err := Script(shell, Values{Srt: srt, Shims: filepath.Join(dir, "shims"), Names: []string{"bash", "sh", "python", "python3", "python3.8", "python3.9", "make", "./configure"}, Whole: []string{"python3.8"}})
			if err != nil {
				t.Fatal(err)
			}
			lines := []struct{ line, want string }{
				{"./configure --prefix='a b'", "srt <route> <--> <./configure> <--prefix=a b>"},
				{"./configure | cat", "srt <route> <--> <./configure>"},
				{"make 'x  y' ''", "srt <route> <--> <make> <x  y> <>"},
				{"python3 -m pip install x", "srt <route> <--> <python3> <-m> <pip> <install> <x>"},
				{"python3 -mpip list", "srt <route> <--> <python3> <-mpip> <list>"},
				{"python3 -Im pip list", "srt <route> <--> <python3> <-Im> <pip> <list>"},
				{"python3 setup.py install", "srt <route> <--> <python3> <setup.py> <install>"},
				{"python3.9 -m pip", "srt <route> <--> <python3.9> <-m> <pip>"},
				{"python3.8 x.py", "srt <route> <--> <python3.8> <x.py>"},
				{"sh ../configure --x", "srt <route> <--> <sh> <../configure> <--x>"},
				{"python3 -c 'print()'", "real python -c print()"},
				{"python3 x.py", "real python x.py"},
				{"bash -c 'echo plain'", "plain"},
				{"bash " + Quote(filepath.Join(dir, "own")), "ran"},
				{"echo | bash -o pipefail -s -- a", "srt <run> <--> <bash> <-o> <pipefail> <-s> <--> <a>"},
				{"echo | sh", "srt <run> <--> <sh>"},
				{"echo | sh -", "srt <run> <--> <sh> <->"},
				{"echo 'echo x' | bash " + Quote(filepath.Join(dir, "own")), "ran"},
				{"echo | bash /dev/stdin a", "srt <run> <--> <bash> </dev/stdin> <a>"},
			}
			for _, l := range lines {
				cmd := exec.CommandContext(t.Context(), path, append(args, script+"\n"+l.line)...)
				cmd.Dir = dir
				cmd.Env = []string{"PATH=" + dir + ":/usr/bin:/bin", "HOME=" + dir, "TERM=dumb", "LANG=C.UTF-8"}
				out, err := cmd.Output()
				if got := strings.TrimSpace(string(out)); got != l.want {
					t.Errorf("%s gives %q, want %q; %v", l.line, got, l.want, err)
				}
			}
		})
	}
}

// The functions of fish, which are there while a typed line runs.
func TestFishFunctions(t *testing.T) {
	path, err := exec.LookPath("fish")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	srt := filepath.Join(dir, `it's \ srt`)
	for name, text := range map[string]string{`it's \ srt`: strings.Replace(standIn, "\n", "\n[ \"$1\" = init ] && exit 1\n", 1), "own": "#!/bin/sh\necho ran\n", "python3": "#!/bin/sh\necho real python \"$@\"\n", "make": "#!/bin/sh\necho made\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	v := Values{Srt: srt, Shims: filepath.Join(dir, "sh*ms [x]"), Names: []string{"bash", "sh", "python", "python3", "python3.8", "php", "make", "./configure", "../configure"}, Whole: []string{"python3.8"}}
	if err := os.Mkdir(v.Shims, 0o700); err != nil {
		t.Fatal(err)
	}
	script, err := Script("fish", v)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "own")
	lines := []struct{ line, want string }{
		{"python3 -m pip install x", "srt <route> <--> <python3> <-m> <pip> <install> <x>"},
		{"python3 -mpip list 'a  b' ''", "srt <route> <--> <python3> <-mpip> <list> <a  b> <>"},
		{"python3 -Im pip", "srt <route> <--> <python3> <-Im> <pip>"},
		{"python3 ./setup.py x", "srt <route> <--> <python3> <./setup.py> <x>"},
		{"python3.8 x.py", "srt <route> <--> <python3.8> <x.py>"},
		{"python3 x.py; python3 -c 'print()'; python3 -mpip", "real python x.py\nreal python -c print()\nsrt <route> <--> <python3> <-mpip>"},
		{"php composer.phar install", "srt <route> <--> <php> <composer.phar> <install>"},
		{"functions -q php; echo $status", "1"},
		{"sh ../configure --x", "srt <route> <--> <sh> <../configure> <--x>"},
		{"sh configure &; wait", "srt <route> <--> <sh> <configure>"},
		{"functions -q python3; echo $status", "1"},
		{"functions -q python3 # -m http.server &", ""},
		{"echo http.server; python3 -m http.server", "http.server\nreal python -m http.server"},
		{"bash -c 'echo plain'", "plain"},
		{"bash " + file, "ran"},
		{"echo | bash -o pipefail -s -- a", "srt <run> <--> <bash> <-o> <pipefail> <-s> <--> <a>"},
		{"echo | sh", "srt <run> <--> <sh>"},
		{"echo | sh -", "srt <run> <--> <sh> <->"},
		{"echo | sh &; wait", "srt <run> <--> <sh>"},
		{"sh </dev/null", "srt <run> <--> <sh>"},
		{"echo 'echo x' | bash " + file, "ran"},
		{"echo | bash /dev/stdin a", "srt <run> <--> <bash> </dev/stdin> <a>"},
		{"function f; echo | bash; end; f", "srt <run> <--> <bash>"},
		{"functions -q bash; echo $status", "0"},
		// No function stands where fish would wait for it.
		{"functions -q bash; echo $status & true", "1"},
		{"functions -q bash; echo $status; true && true; true 2>&1", "0"},
		{"emit fish_postexec; functions -q bash; echo $status", "1"},
		// There is no shim for it here.
		{"make", "srt <route> <--> <make>"},
		{"srt off; make", "made"},
		{"srt off; echo | sh -c 'echo plain'", "plain"},
		{"srt status x", "srt <status> <x>"},
		{"abbr --show", "abbr -a -- ./configure 'srt route -- ./configure'\nabbr -a -- ../configure 'srt route -- ../configure'"},
		{"srt off; abbr --show", ""},
		{"count $PATH; srt off; srt off; count $PATH", "4\n3"},
		{"set -gx PATH $PATH[2] $PATH; string join ' ' $PATH[1..2]", v.Shims + " " + dir},
	}
	for _, l := range lines {
		cmd := exec.CommandContext(t.Context(), path, "--no-config", "-i", "-c", script+"\nemit fish_preexec "+quoteFish(l.line)+"\n"+l.line)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=" + dir + ":/usr/bin:/bin", "HOME=" + dir, "TERM=dumb", "LANG=C.UTF-8"}
		out, err := cmd.Output()
		if got := strings.TrimSpace(string(out)); got != l.want {
			t.Errorf("%s gives %q, want %q; %v", l.line, got, l.want, err)
		}
	}
}

// A loader that defines functions for its tools, which remove themselves at the first
// use, in either order with us.
func TestLoaders(t *testing.T) {
	const loader = `
nvm() { unset -f nvm npm npx; PATH="$HOME/nvm:$PATH"; nvm() { echo used; }; nvm "$@"; }
npm() { unset -f nvm npm npx; PATH="$HOME/nvm:$PATH"; nvm() { echo used; }; npm "$@"; }
npx() { unset -f nvm npm npx; PATH="$HOME/nvm:$PATH"; nvm() { echo used; }; npx "$@"; }
`
	for shell, args := range map[string][]string{
		"zsh": {"-f", "-i", "-c"}, "bash": {"--norc", "--noprofile", "-i", "-c"},
	} {
		t.Run(shell, func(t *testing.T) {
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Skip(err)
			}
			dir := t.TempDir()
			srt := filepath.Join(dir, "srt")
			if err := os.Mkdir(filepath.Join(dir, "nvm"), 0o700); err != nil {
				t.Fatal(err)
			}
			for name, text := range map[string]string{"srt": standIn, "nvm/npm": "#!/bin/sh\necho real npm \"$@\"\n", "nvm/npx": "#!/bin/sh\necho real npx\n"} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			script, err := Script(shell, Values{Srt: srt, Shims: filepath.Join(dir, "shims"), Names: []string{"npm", "npx"}})
			if err != nil {
				t.Fatal(err)
			}
			prompt := map[string]string{"zsh": "\n_srt_precmd\n", "bash": "\n_srt_prompt\n"}[shell]
			for order, start := range map[string]string{"before": loader + script + prompt, "after": script + loader + prompt} {
				for line, want := range map[string]string{
					"npm i 'a b'":              "srt <route> <--> <npm> <i> <a b>",
					"npx x; npm i":             "srt <route> <--> <npx> <x>\nsrt <route> <--> <npm> <i>",
					"nvm use 20 && npm i":      "used\nsrt <route> <--> <npm> <i>",
					"nvm use 20; nvm x; npx y": "used\nused\nsrt <route> <--> <npx> <y>",
				} {
					cmd := exec.CommandContext(t.Context(), path, append(args, start+line)...)
					cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + dir, "TERM=dumb", "LANG=C.UTF-8"}
					out, err := cmd.Output()
					if got := strings.TrimSpace(string(out)); got != want {
						t.Errorf("loader %s: %s gives %q, want %q; %v", order, line, got, want, err)
					}
				}
			}
		})
	}
}
