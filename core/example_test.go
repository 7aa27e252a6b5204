package core_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/core/event"
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

// A program is told of what is blocked as it happens, decides itself about hosts that no
// rule names, and gives whoever reads the output of a command the reason why it failed.
func ExampleOptions() {
	base, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(base)
	var records bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&records, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer null.Close()
	o := core.Options{
		Args: []string{"bash", "-c", `
			auth=${HTTP_PROXY#http://}
			exec 3<>/dev/tcp/127.0.0.1/3128
			printf 'CONNECT blocked.example:443 HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic %s\r\n\r\n' "$(printf %s "${auth%@*}" | base64 -w0)" >&3
			read -r status <&3`},
		Dir: base, Home: filepath.Join(base, "home"), Stdin: null, Stdout: null, Stderr: null,
		Ask: func(_ context.Context, host string, port uint16) bool {
			fmt.Println("asked about", host, port)
			return false
		},
		OnEvent: func(e event.Event) { fmt.Println("blocked", e.Kind, e.Target) },
		Logger:  logger,
	}
	report, err := core.Run(context.Background(), o)
	if errors.Is(err, sandbox.ErrNoBwrap) || errors.Is(err, sandbox.ErrNoUserns) {
		fmt.Println(err) // srt doctor says what is missing
		return
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.Annotate("no connection"))
	for line := range strings.Lines(records.String()) {
		if strings.Contains(line, "violation") {
			fmt.Print(line)
		}
	}
	all, err := core.Violations(o) // of all runs of this user
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(all), "in the log:", all[0].Target, all[0].Hint)
	// Output:
	// asked about blocked.example 443
	// blocked connect blocked.example:443
	// no connection
	// <sandbox_violations>
	// deny connect blocked.example:443
	// </sandbox_violations>
	// level=WARN msg=violation event.kind=connect event.target=blocked.example:443 event.reason="host is not on the allow list" event.hint="allowed_domains = [\"blocked.example\"]" event.count=1
	// 1 in the log: blocked.example:443 allowed_domains = ["blocked.example"]
}

// What a command was refused, and which rule would allow it.
func ExampleDecide() {
	d, err := core.Decide(core.Options{
		Args: []string{"make"}, Dir: "/", Home: "/nonexistent", Preset: "none",
		Environ: []string{"PATH=/usr/bin:/bin"}, Flags: config.Flags{DenyDomain: []string{"evil.example"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.Host("evil.example", 443).Rule, d.Host("good.example", 22).Hint)
	p := d.Propose(event.Event{Kind: event.Read, Target: "/nonexistent/.ssh/id_rsa"})
	fmt.Println(p.Addition.Entry, p.Careful)
	// Output:
	// evil.example (--deny-domain) allowed_domains = ["good.example:22"]
	// "~/.ssh/id_rsa" it holds SSH private keys
}
