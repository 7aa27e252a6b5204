package core

import (
	"runtime"
	"slices"
	"strconv"
	"strings"

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
			rule.Glob = strings.TrimPrefix(strings.TrimPrefix(r.Path, r.Base), "/")
		}
		rules = append(rules, rule)
	}
	for _, p := range p.Protected() {
		if p.Path != "" && !slices.Contains(p.Except, p.Path) {
			rules = append(rules, sandbox.PathRule{
				Op: sandbox.DenyWrite, Path: p.Path, Deep: true, Folder: p.Dir && p.Own(), Except: p.Except, Reason: p.Reason,
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
		case strings.HasPrefix(p.Name, ".git/worktrees/") && !strings.HasSuffix(p.Name, "/config.worktree"):
			name.Absent = sandbox.NoPlaceholder // git itself cannot do without them
		case strings.HasSuffix(p.Name, "/commondir"):
			name.Absent = sandbox.PlaceholderDot
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
