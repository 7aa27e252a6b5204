package core

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/srt-sh/srt/core/policy"
	"github.com/srt-sh/srt/sandbox"
)

// pathRules hands the policy's rules to the sandbox in its own terms.
func pathRules(p *policy.Policy) []sandbox.PathRule {
	ops := map[policy.PathKind]sandbox.Op{
		policy.AllowWrite: sandbox.AllowWrite, policy.DenyWrite: sandbox.DenyWrite,
		policy.AllowRead: sandbox.AllowRead, policy.DenyRead: sandbox.DenyRead,
	}
	var rules []sandbox.PathRule
	for _, r := range p.Paths() {
		if r.Cache && runtime.GOOS != "darwin" && strings.Contains(r.Path, "/Library/") {
			continue // presets name the places of all systems
		}
		if r.Rule.Origin.Layer == policy.LayerDefault && strings.HasSuffix("/private"+tempDir, r.Path) && strings.HasSuffix(r.Path, tempDir) {
			continue // the private TMPDIR stands there
		}
		rule := sandbox.PathRule{
			Op: ops[r.Kind], Path: r.Path, Cache: r.Cache, Final: r.Firm,
			Make:   r.Cache && r.Rule.Origin.Layer == policy.LayerPreset,
			Reason: ruleText(r.Kind.String(), r.Rule),
		}
		if r.Glob {
			rule.Path, rule.Match = r.Base, r.Match()
		}
		rules = append(rules, rule)
	}
	for _, p := range p.Protected() {
		if p.Path != "" && !slices.Contains(p.Except, p.Path) {
			rules = append(rules, sandbox.PathRule{
				Op: sandbox.DenyWrite, Path: p.Path, Deep: true, Except: p.Except, Reason: p.Reason,
			})
		}
	}
	return rules
}

func ruleText(kind string, r policy.Rule) string {
	return kind + " " + strconv.Quote(r.Text) + " (" + r.Origin.String() + ")"
}

// laterNames hands the names of files that run later to the sandbox.
func laterNames() []sandbox.Later {
	var names []sandbox.Later
	for _, l := range policy.LaterNames() {
		names = append(names, sandbox.Later{Name: l.Name, Reason: l.Reason})
	}
	return names
}

// protectedNames hands the protected names to the sandbox in its own terms.
func protectedNames(p *policy.Policy) []sandbox.Protected {
	var names []sandbox.Protected
	for _, p := range p.Protected() {
		// Any depth of folders is one star for the sandbox.
		if p.Name == "" || strings.Count(p.Name, "*") > 1 || strings.Contains(p.Name, "*/modules/") {
			continue
		}
		name := sandbox.Protected{
			Name: p.Name, Absent: sandbox.PlaceholderSocket, RootOnly: !p.AnyDepth, Reason: p.Reason,
			Except: p.Except,
		}
		switch {
		case p.Dir:
			name.Absent = sandbox.PlaceholderDir
		case p.Empty:
			name.Absent = sandbox.PlaceholderFile
		}
		switch {
		case strings.HasPrefix(p.Name, ".claude/"):
			// Without a folder .claude, what is made there is the whole of it.
			name.Cover = sandbox.PlaceholderDir
		case strings.HasPrefix(p.Name, ".sandbox/"):
			name.Cover = sandbox.PlaceholderSocket
		case p.Dir && p.Within == "" && p.Name != ".vscode" && p.Name != ".idea":
			name.Absent = sandbox.PlaceholderSocket // a folder costs ten times as much
		}
		names = append(names, name)
	}
	return names
}

// maxRead bounds what is read of a project's files, in bytes.
const maxRead = 16 << 20

// readRegular reads a file that a command in a sandbox may have made: a pipe in its
// place would be waited for, without end.
func readRegular(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err //nolint:wrapcheck // names the file
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err //nolint:wrapcheck // likewise
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%q is no regular file", path)
	case info.Size() > maxRead:
		return nil, fmt.Errorf("%q is larger than %d MiB", path, maxRead>>20)
	}
	return io.ReadAll(io.LimitReader(f, maxRead)) //nolint:wrapcheck // likewise
}

// hooksPaths names the folder that a repository's own configuration takes its
// hooks from, if it sets one. It reads just that key: git itself would run what
// the configuration says.
func hooksPaths(home string) func(gitDir string) []string {
	return func(gitDir string) []string {
		text, err := readRegular(filepath.Join(gitDir, "config"))
		if err != nil {
			return nil
		}
		var paths []string
		section := ""
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			if header, ok := strings.CutPrefix(line, "["); ok {
				name, rest, _ := strings.Cut(header, "]")
				section, line = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(rest)
			}
			key, value, ok := strings.Cut(line, "=")
			if section != "core" || !ok || !strings.EqualFold(strings.TrimSpace(key), "hookspath") {
				continue
			}
			value = strings.Trim(strings.TrimSpace(value), `"`)
			switch {
			case value == "":
			case strings.HasPrefix(value, "~/"):
				paths = append(paths, filepath.Join(home, value[2:]))
			case filepath.IsAbs(value):
				paths = append(paths, filepath.Clean(value))
			default:
				paths = append(paths, filepath.Join(filepath.Dir(gitDir), value))
			}
		}
		return paths
	}
}
