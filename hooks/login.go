package hooks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/srt-sh/srt/core"
)

// Setting is a variable of the environment. Its value must not have a line's end in it.
type Setting struct {
	Name, Value string
	Keep        bool // what it was stays in front, with a space between them
}

// LoginEnv are the entries that give all processes of the user, from the next login on,
// an environment with dir first on the PATH ("" for none) and with settings: editors
// and IDEs take that of a login shell, and what they start has it too. They go into the
// start-up files of login shells, of sh and bash in any case, of zsh and fish where
// these are installed, and into environment.d of systemd, which desktops read. name
// stands in the marks, such as "srt hook pip".
func LoginEnv(name, dir string, settings []Setting, home string, getenv func(string) string) ([]Entry, error) {
	for _, s := range append([]Setting{{Name: "PATH", Value: dir}}, settings...) {
		if strings.ContainsAny(s.Value, "\n\x00") {
			return nil, fmt.Errorf("the value %q of %s is more than a line", s.Value, s.Name)
		}
	}
	if strings.Contains(dir, ":") {
		return nil, fmt.Errorf("the folder %q, which is to be on the PATH, has a colon in it", dir)
	}
	var out []Entry
	add := func(file, text string) {
		out = append(out, Entry{Kind: KindBlock, File: file, Name: name, Text: text})
	}
	sh := loginSh(dir, settings)
	add(filepath.Join(home, ".profile"), sh)
	// bash reads the first of these that there is, and .profile only without them.
	for _, base := range []string{".bash_profile", ".bash_login"} {
		if file := filepath.Join(home, base); there(file) {
			add(file, sh)
			break
		}
	}
	zdot := getenv("ZDOTDIR")
	if !filepath.IsAbs(zdot) {
		zdot = home
	}
	if file := filepath.Join(zdot, ".zprofile"); there(file) || installed("zsh") {
		add(file, sh)
	}
	config := getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(config) {
		config = filepath.Join(home, ".config")
	}
	base := strings.ReplaceAll(name, " ", "-")
	if installed("fish") {
		add(filepath.Join(config, "fish", "conf.d", base+".fish"), loginFish(dir, settings))
	}
	add(filepath.Join(config, "environment.d", "60-"+base+".conf"), loginSystemd(dir, settings))
	return out, nil
}

func there(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}

func installed(program string) bool {
	_, err := core.FindProgram(program)
	return err == nil
}

// loginSh are lines for sh, bash and zsh. They may be read more than once.
func loginSh(dir string, settings []Setting) string {
	var b strings.Builder
	if dir != "" {
		quoted := quoteSh(dir)
		// To the front from wherever it is, or the PATH would grow in each login shell
		// below another.
		b.WriteString("case $PATH in " + quoted + ":*) ;; *:" + quoted + ":*) PATH=" + quoted + ":${PATH%%:" + quoted + ":*}:${PATH#*:" + quoted + ":} ;; *) PATH=" +
			quoted + ":$PATH ;; esac; export PATH\n")
	}
	for _, s := range settings {
		if s.Keep {
			b.WriteString("case \" $" + s.Name + " \" in *" + quoteSh(" "+s.Value+" ") + "*) ;; *) " +
				s.Name + "=${" + s.Name + ":+$" + s.Name + " }" + quoteSh(s.Value) + "; export " + s.Name + " ;; esac\n")
			continue
		}
		b.WriteString(s.Name + "=" + quoteSh(s.Value) + "; export " + s.Name + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func loginFish(dir string, settings []Setting) string {
	quote := func(word string) string {
		return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(word) + "'"
	}
	var b strings.Builder
	if dir != "" {
		b.WriteString("contains -- " + quote(dir) + " $PATH; or set -gx PATH " + quote(dir) + " $PATH\n")
	}
	for _, s := range settings {
		if s.Keep {
			b.WriteString("string match -q -- " + quote("* "+strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`).Replace(s.Value)+" *") + " \" $" + s.Name +
				" \"; or set -gx " + s.Name + " (string trim -- \"$" + s.Name + " \"" + quote(s.Value) + ")\n")
			continue
		}
		b.WriteString("set -gx " + s.Name + " " + quote(s.Value) + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// loginSystemd are lines of environment.d(5), where ${NAME} and \ are special.
func loginSystemd(dir string, settings []Setting) string {
	quote := func(word string) string {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`).Replace(word) + `"`
	}
	var b strings.Builder
	if dir != "" {
		b.WriteString("PATH=" + strings.TrimSuffix(quote(dir), `"`) + `:$PATH"` + "\n")
	}
	for _, s := range settings {
		if s.Keep {
			b.WriteString(s.Name + `="${` + s.Name + ":+$" + s.Name + " }" + strings.TrimPrefix(quote(s.Value), `"`) + "\n")
			continue
		}
		b.WriteString(s.Name + "=" + quote(s.Value) + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// quoteSh makes one word of sh, bash and zsh.
func quoteSh(word string) string {
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// LoginEnviron is the environment that a login shell of the user ends up with, started
// as an IDE does it, from next to nothing. shell is "bash", "zsh", "sh", "fish" or
// the path of one.
func LoginEnviron(ctx context.Context, shell, home string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	program, err := core.FindProgram(shell)
	if err != nil {
		return nil, err //nolint:wrapcheck // says what is not there
	}
	const mark = "--srt-environment--"
	cmd := exec.CommandContext(ctx, program, "-l", "-c", "echo "+mark+"; env -0")
	cmd.Dir = home
	cmd.WaitDelay = time.Second
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + home, "SHELL=" + program, "TERM=dumb"}
	for _, name := range []string{"USER", "LOGNAME", "LANG", "ZDOTDIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"} {
		if value := os.Getenv(name); value != "" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("asking a login %s for its environment: %w", filepath.Base(shell), err)
	}
	_, list, found := bytes.Cut(out, []byte(mark+"\n"))
	if !found {
		return nil, errors.New("a login " + filepath.Base(shell) + " did not tell its environment")
	}
	return slices.DeleteFunc(strings.Split(string(list), "\x00"), func(s string) bool { return s == "" }), nil
}
