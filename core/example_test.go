package core_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/sandbox"
)

// A program sandboxes a command: it may write its folder, and nothing else.
func ExampleRun() {
	base, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(base)
	dir := filepath.Join(base, "project")
	if err := os.Mkdir(dir, 0o700); err != nil {
		fmt.Println(err)
		return
	}

	report, err := core.Run(context.Background(), core.Options{
		Args:  []string{"sh", "-c", `echo fine >here; echo evil >"$HOME/.bashrc"; exit 3`},
		Dir:   dir,
		Home:  filepath.Join(base, "home"), // settings are read from here
		Flags: config.Flags{AllowWrite: []string{"."}},
	})
	if errors.Is(err, sandbox.ErrNoBwrap) || errors.Is(err, sandbox.ErrNoUserns) {
		fmt.Println(err) // srt doctor says what is missing
		return
	}
	if err != nil {
		fmt.Println(err) // the command did not run
		return
	}
	text, _ := os.ReadFile(filepath.Join(dir, "here"))
	fmt.Printf("status %d, %d blocked, wrote %q\n", report.Code, len(report.Events), text)
	// Output: status 3, 1 blocked, wrote "fine\n"
}

// What would run, under which rules, without running it.
func ExampleExplain() {
	x, err := core.Explain(core.Options{
		Args: []string{"sh", "-c", "true"},
		Dir:  "/", Home: "/nonexistent",
		Flags: config.Flags{AllowDomain: []string{"*.example.com"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	d := x.Policy.Host("api.example.com", 443)
	fmt.Println(filepath.Base(x.Program), d.Allow, d.Rule.Text, d.Rule.Origin)
	d = x.Policy.Host("evil.example.org", 443)
	fmt.Println(d.Allow, d.Reason)
	// Output:
	// sh true *.example.com --allow-domain
	// false host is not on the allow list
}

// A command line for those who start processes themselves.
func ExampleWrap() {
	wrapped, err := core.Wrap("/usr/local/bin/srt", core.Options{
		Args: []string{"sh", "-c", "make"}, Dir: "/", Environ: []string{"HOME=/nonexistent", "PATH=/usr/bin:/bin"},
		Flags: config.Flags{AllowDomain: []string{"example.com"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%q in %s\n", wrapped.Args, wrapped.Dir)
	// Output: ["/usr/local/bin/srt" "run" "--allow-domain=example.com" "--" "sh" "-c" "make"] in /
}

// What is missing for a sandbox on this system, and what to do about it.
func ExamplePlatform() {
	for _, m := range core.Platform(context.Background()).Measures {
		if m.Needed && !m.OK {
			fmt.Println(m.Name, m.Detail, m.Fix)
		}
	}
}
