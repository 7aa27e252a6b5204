package core

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/sandbox"
)

func put(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFindCommand(t *testing.T) {
	dir := t.TempDir()
	tool := put(t, dir+"/bin/tool", "", 0o755)
	put(t, dir+"/bin/data", "", 0o644)
	put(t, dir+"/sub/bin/later", "", 0o755)
	if err := os.Mkdir(dir+"/bin/folder", 0o755); err != nil {
		t.Fatal(err)
	}
	env := []string{"PATH=" + dir + "/none:" + dir + "/bin:sub/bin"}
	for _, c := range []struct {
		name, want string
		code       int
	}{
		{"tool", tool, 0},
		{"bin/tool", "bin/tool", 0}, // what a script is told as its name
		{"./bin/../bin/tool", "./bin/../bin/tool", 0},
		{tool, tool, 0},
		{"later", "sub/bin/later", 0}, // relative folders count from the working folder
		{"data", "", 126},
		{"folder", "", 126},
		{"bin/data", "", 126},
		{"absent", "", 127},
		{"bin/absent", "", 127},
		{"bin/tool/x", "", 127},
		{"", "", 127},
		{"a\x00b", "", 127},
		{"tool arg", "", 127},
	} {
		got, err := findCommand(c.name, dir, env)
		var failed *CommandError
		switch {
		case c.code == 0 && (err != nil || got != c.want):
			t.Errorf("%q: %q, %v, want %q", c.name, got, err, c.want)
		case c.code != 0 && (!errors.As(err, &failed) || failed.Code != c.code):
			t.Errorf("%q: error %v, want status %d", c.name, err, c.code)
		}
	}
}

// The private TMPDIR may stand in another place than usual.
func TestEnvironmentTemp(t *testing.T) {
	for place, want := range map[string]string{"/tmp/claude-7": "/tmp/claude-7", "": "/before"} {
		e := newEnvironment([]string{"TMPDIR=/before"})
		e.mark(place)
		if got := e.get("TMPDIR"); got != want {
			t.Errorf("%q: TMPDIR=%s", place, got)
		}
	}
}

func TestEnvironment(t *testing.T) {
	e := newEnvironment([]string{"A=1", "B=x=y", "A=2", "=C:", "novalue", "GIT_CONFIG_PARAMETERS='a.b=c'", "GIT_SSH_COMMAND=ssh -i key", "TMPDIR=/home/u/tmp"})
	e.mark(tempDir)
	e.proxies("TOKEN", "/opt/my srt")
	env := e.list()
	for _, want := range []string{
		"A=1", "B=x=y", "SANDBOX_RUNTIME=1", "SRT_ACTIVE=1", "TMPDIR=/tmp/claude",
		"HTTPS_PROXY=http://srt:TOKEN@localhost:3128",
		"FTP_PROXY=socks5h://srt:TOKEN@localhost:1080",
		"NODE_USE_ENV_PROXY=1",
		"GIT_CONFIG_PARAMETERS='a.b=c' 'http.proxyAuthMethod=basic'",
		`GIT_SSH_COMMAND=ssh -i key -o ControlMaster=no -o ControlPath=none -o ProxyCommand=''\''/opt/my srt'\'' ssh-proxy %h %p'`,
	} {
		if !slices.Contains(env, want) {
			t.Errorf("no %q in %q", want, env)
		}
	}
	if len(slices.DeleteFunc(env, func(s string) bool { return !strings.HasPrefix(s, "A=") })) != 1 {
		t.Error("a variable is there twice")
	}
}

func TestSafeDirectoriesGoOnCounting(t *testing.T) {
	e := newEnvironment([]string{"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=a.b", "GIT_CONFIG_VALUE_0=c"})
	e.safeDirectories([]string{"/repo"})
	for name, want := range map[string]string{
		"GIT_CONFIG_COUNT": "3", "GIT_CONFIG_KEY_0": "a.b",
		"GIT_CONFIG_KEY_1": "safe.directory", "GIT_CONFIG_VALUE_1": "/repo", "GIT_CONFIG_VALUE_2": "/repo/*",
	} {
		if got := e.get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// settings writes npm settings that allow the working folder and the hosts.
func settings(t *testing.T, hosts string) string {
	t.Helper()
	return put(t, t.TempDir()+"/settings.json",
		`{"network":{"allowedDomains":[`+hosts+`],"deniedDomains":[]},"filesystem":{"denyRead":[],"allowWrite":["."],"denyWrite":[]}}`, 0o644)
}

func run(t *testing.T, o Options) (int, error) {
	t.Helper()
	report, err := Run(context.Background(), o)
	if errors.Is(err, sandbox.ErrNoBwrap) || errors.Is(err, sandbox.ErrNoUserns) {
		t.Skip(err)
	}
	return report.Code, err
}

func TestRunRefusesBrokenSettings(t *testing.T) {
	dir := t.TempDir()
	o := Options{Line: "echo ran >ran", Dir: dir, Home: dir, Settings: put(t, dir+"/s.json", "{ nope", 0o644)}
	_, err := run(t, o)
	var refused *config.RefusedError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "is not valid JSON") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(dir + "/ran"); err == nil {
		t.Error("the command ran")
	}
}

func TestReloadAppliesToTheNextConnection(t *testing.T) {
	dir := t.TempDir()
	file := settings(t, "")
	e, err := open(Options{Args: []string{"true"}, Dir: dir, Home: dir, Settings: file})
	if err != nil {
		t.Fatal(err)
	}
	if e.policy.Load().Host("a.example", 443).Allow {
		t.Fatal("allowed before")
	}
	put(t, file, readFile(t, settings(t, `"a.example"`)), 0o644)
	e.reload(nil, "settings")
	if !e.policy.Load().Host("a.example", 443).Allow {
		t.Error("not allowed after the settings were read again")
	}
	e.reload([]byte("{"), "control fd 5")
	if !e.policy.Load().Host("a.example", 443).Allow {
		t.Error("broken settings replaced those in force")
	}
	e.reload([]byte(`{"network":{"allowedDomains":["b.example"],"deniedDomains":[]},"filesystem":{"denyRead":[],"allowWrite":[],"denyWrite":[]}}`), "control fd 5")
	if e.policy.Load().Host("a.example", 443).Allow || !e.policy.Load().Host("b.example", 443).Allow {
		t.Error("a line of the control channel does not replace the settings")
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestControlChannel(t *testing.T) {
	dir := t.TempDir()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	if _, err := write.WriteString("\n  \n{\"bad\n"); err != nil {
		t.Fatal(err)
	}
	write.Close()
	var warned []string
	code, err := run(t, Options{
		Line: "exit 4", Dir: dir, Home: dir, Settings: settings(t, ""), Control: read,
		Warnf: func(format string, _ ...any) { warned = append(warned, format) },
	})
	if code != 4 || err != nil {
		t.Errorf("status %d, %v", code, err)
	}
}

// A channel that never gave settings ends the run; a test that only closes it
// would see the end of a channel, which is fine.
func TestBrokenControlChannel(t *testing.T) {
	dir := t.TempDir()
	unreadable, err := os.OpenFile(dir+"/control", os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer unreadable.Close()
	began := time.Now()
	_, err = run(t, Options{Line: "sleep 20", Dir: dir, Home: dir, Settings: settings(t, ""), Control: unreadable})
	if _, ok := errors.AsType[*ControlError](err); !ok || time.Since(began) > 10*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

func TestWrap(t *testing.T) {
	dir := t.TempDir()
	w, err := Wrap("/opt/srt", Options{Args: []string{"sh", "-c", "a 'b'"}, Dir: dir, Home: dir, Flags: config.Flags{AllowDomain: []string{"a.example"}}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/opt/srt", "run", "--allow-domain=a.example", "--", "sh", "-c", "a 'b'"}
	if !slices.Equal(w.Args, want) || w.Cmd(t.Context()).Dir != dir {
		t.Errorf("%q, want %q", w.Args, want)
	}
	// What opens the home folder here must do so there too.
	w, err = Wrap("/opt/srt", Options{Args: []string{"true"}, Dir: dir, Environ: []string{"HOME=" + dir, "PATH=" + defaultPath}, Flags: config.Flags{AllowWrite: []string{"."}}, NoProject: true, Yes: true})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"/opt/srt", "run", "--allow-write=.", "--no-project", "--yes", "--", "true"}; !slices.Equal(w.Args, want) {
		t.Errorf("%q, want %q", w.Args, want)
	}
}
