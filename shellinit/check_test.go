package shellinit

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/srt-sh/srt/core/fence"
)

func TestAliasHolds(t *testing.T) {
	v := Values{Names: []string{"npm", "pnpm", "*/configure", "./configure", "python"}}
	for text, want := range map[string]bool{
		"npm --yes":              true,
		`\npm`:                   true,
		"pnpm":                   true,
		"env CI=1 npm":           true,
		"CI=1 npm":               true,
		"noglob npm":             true,
		"command npm":            true,
		"python":                 true,
		"time python":            true,
		"command python":         false, // no shim stands for it
		"/usr/bin/npm":           false,
		"sudo npm":               false,
		"PATH=/usr/bin npm":      false,
		"env -i PATH=/x npm":     false,
		"corepack npm":           false,
		"./configure":            false,
		"":                       false,
		"CI=1":                   false,
		"npmx":                   false,
		"env PATH=/usr/bin npm":  false,
		"nice nohup npm install": true,
	} {
		if got := v.AliasHolds(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestLookStartup(t *testing.T) {
	for name, c := range map[string]struct {
		shell, file, text string
		want              Startup
	}{
		"nothing":        {"bash", ".bashrc", "alias x=y\n", Startup{}},
		"block":          {"bash", ".bashrc", Block("bash", ""), Startup{Fence: true}},
		"block and path": {"zsh", ".zshrc", "x\n" + Block("zsh", "/o'pt/srt"), Startup{Fence: true, Srt: "/o'pt/srt"}},
		"changed":        {"bash", ".bashrc", fence.Start(fenceName) + "\neval \"$(srt init bash)\"\n", Startup{Fence: true, Changed: true}},
		"own line":       {"bash", ".bashrc", "eval \"$('/opt/srt' init bash)\"\n", Startup{Own: true}},
		"comment":        {"bash", ".bashrc", "# eval \"$(srt init bash)\"\n", Startup{}},
		"another shell":  {"bash", ".bashrc", "eval \"$(srt init zsh)\"\n", Startup{}},
		"fish":           {"fish", ".config/fish/conf.d/srt.fish", Block("fish", `/o'p\t/srt`), Startup{Fence: true, Srt: `/o'p\t/srt`}},
		"fish, own line": {"fish", ".config/fish/config.fish", "srt init fish | source\n", Startup{Own: true}},
	} {
		home := t.TempDir()
		file := filepath.Join(home, c.file)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		c.want.File = file
		if got := LookStartup(c.shell, home, func(string) string { return "" }); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
