package policy

import (
	"iter"
	"path"
	"slices"
	"strings"
)

// Protected is a name that stays read-only inside a write root, because what
// is written there would run later, outside of the sandbox.
type Protected struct {
	Name     string   // relative to a write root, such as ".git/hooks"; a * stands for one component; empty when Path is set
	Path     string   // absolute: protected wherever a write root covers it; empty when Name is set
	Dir      bool     // usually a directory; whatever it is, all beneath it is protected too
	FileOnly bool     // protected only where it is a file and not a directory
	AnyDepth bool     // the name counts in each directory of the write root, not only at its top
	Within   string   // what has to be there for the name to mean anything, such as ".git": where it is not, nothing is protected and nothing made up
	Empty    bool     // a stand-in for it has to be an empty regular file, since its readers fail on anything else
	Agents   bool     // an agent's own file, which settings in the npm form leave to the program that embeds srt
	Except   []string // absolute paths that an allow_write entry opened
	Reason   string   // what would happen, in words for the user
}

const (
	whyShell    = "shells run it at their next start"
	whyGitHook  = "git runs hooks outside of the sandbox"
	whyGitConf  = "git configuration can name commands that git runs"
	whyEditor   = "editors run what it says when the folder is opened"
	whyAgent    = "coding agents follow it at their next start"
	whyLogin    = "it runs or changes programs at the next login"
	whyOnPath   = "programs put there run in place of others"
	whySrt      = "it decides what srt allows"
	whyTool     = "it names commands that tools run later"
	whyRipgrep  = "ripgrep runs the preprocessor that it names"
	whyGitPoint = "it tells git which repository, hooks and configuration to use"
)

// GitConfigName is the name that allow_git_config opens.
const GitConfigName = ".git/config"

// projectNames are protected in each write root, at every depth.
func projectNames() []Protected {
	var out []Protected
	add := func(reason string, dir bool, names ...string) {
		for _, n := range names {
			out = append(out, Protected{Name: n, Dir: dir, AnyDepth: true, Reason: reason})
		}
	}
	git := func(reason string, dir, empty bool, names ...string) {
		for _, n := range names {
			out = append(out, Protected{Name: n, Dir: dir, Empty: empty, AnyDepth: true, Within: ".git", Reason: reason})
		}
	}
	add(whyShell, false, ".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".profile",
		".zshrc", ".zshenv", ".zprofile", ".zlogin", ".zlogout")
	add(whyShell, true, ".config/fish")
	add("direnv runs it on entering the directory", false, ".envrc")
	add(whyGitConf, false, ".gitconfig")
	add("git clones submodules from the URLs that it names", false, ".gitmodules")
	add(whyRipgrep, false, ".ripgreprc")
	add("it names servers that coding agents start", false, ".mcp.json")
	add(whyEditor, true, ".vscode", ".idea", ".zed", ".devcontainer")
	add(whyAgent, true, ".claude/commands", ".claude/agents", ".claude/hooks", ".cursor", ".codex")
	for _, n := range []string{".claude/settings.json", ".claude/settings.local.json", "AGENTS.md", "CLAUDE.md", "GEMINI.md"} {
		out = append(out, Protected{Name: n, AnyDepth: true, Agents: true, Reason: whyAgent})
	}
	add(whyGitHook, true, ".husky")
	add(whySrt, false, ".srt.toml", ".srt.local.toml", ".sandbox/settings.json")

	git(whyGitHook, true, false, ".git/hooks")
	git(whyGitConf, false, true, GitConfigName, ".git/config.worktree", ".git/info/attributes")
	git(whyGitPoint, false, true, ".git/commondir")
	// A submodule's name may have a slash in it, and submodules nest.
	for _, m := range []string{".git/modules/*", ".git/modules/*/*", ".git/modules/*/modules/*"} {
		git(whyGitHook, true, false, m+"/hooks")
		git(whyGitConf, false, true, m+"/config", m+"/config.worktree", m+"/info/attributes")
		git(whyGitPoint, false, true, m+"/commondir")
	}
	git(whyGitPoint, false, true, ".git/worktrees/*/gitdir", ".git/worktrees/*/commondir")
	git(whyGitConf, false, true, ".git/worktrees/*/config.worktree")
	out = append(out, Protected{Name: ".git", FileOnly: true, AnyDepth: true, Within: ".git", Reason: whyGitPoint})
	return out
}

// homeNames are protected below the home directory only.
func homeNames() []Protected {
	var out []Protected
	add := func(reason string, dir bool, names ...string) {
		for _, n := range names {
			out = append(out, Protected{Path: n, Dir: dir, Reason: reason})
		}
	}
	// Where the home is no write root, these may still be links into one.
	for _, p := range projectNames() {
		if p.Within == "" {
			out = append(out, Protected{Path: p.Name, Dir: p.Dir, Agents: p.Agents, Reason: p.Reason})
		}
	}
	add("its keys and configuration open other machines to whoever writes them", true, ".ssh")
	add(whyGitConf, true, ".config/git")
	add("user services run outside of the sandbox", true, ".config/systemd", ".local/share/systemd", ".config/environment.d", "Library/LaunchAgents")
	add(whyLogin, true, ".config/autostart", ".config/autostart-scripts", ".config/plasma-workspace")
	add(whyLogin, false, ".pam_environment", ".xprofile", ".xsession", ".xsessionrc", ".xinitrc", ".Xresources")
	add(whyOnPath, true, ".local/bin", "bin", ".cargo/bin", "go/bin", ".bun/bin", ".deno/bin")
	add("desktops start what it names", true, ".local/share/applications", ".local/share/dbus-1")
	add(whyShell, true, ".config/zsh", ".oh-my-zsh", ".local/share/fish", ".local/share/zsh", ".cache/zsh", ".zsh_sessions")
	add(whyShell, false, ".zcompdump", ".p10k.zsh", ".inputrc", ".cargo/env")
	add("the next shell offers what it says as typed before", false, ".bash_history", ".zsh_history", ".zhistory")
	add("editors and terminals run what it says", true, ".vim", ".config/nvim", ".emacs.d", ".config/emacs", ".config/kitty", ".config/alacritty")
	add("editors and terminals run what it says", false, ".vimrc", ".emacs", ".tmux.conf", ".screenrc")
	add(whyTool, false, ".npmrc", ".yarnrc", ".yarnrc.yml", ".bunfig.toml", ".gemrc", ".cargo/config.toml", ".cargo/config",
		".m2/settings.xml", ".docker/config.json", ".kube/config", ".aws/config", ".config/go/env")
	add(whyTool, true, ".config/pip", ".pip", ".config/uv", ".config/pnpm", ".gradle/init.d", ".gnupg")
	add(whyTool, false, ".hgrc", ".gdbinit", ".lldbinit", ".pdbrc", ".Rprofile", ".irbrc", ".pryrc", ".gradle/gradle.properties")
	add(whyTool, true, ".config/gdb", ".ipython", ".jupyter", ".sbt", ".lein", ".config/direnv", ".config/mise", ".config/tmux", ".config/wezterm",
		".config/ghostty", ".config/zed", ".config/Code/User")
	add("crontab runs it", true, ".config/cron")
	return out
}

// RunLater are variables that name a file which somebody outside runs or follows once
// the command has ended: the runner of a CI job between its steps, a shell that it
// starts next.
var RunLater = []string{"GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STATE", "BASH_ENV", "ENV"}

// protectedNames makes the table for a home directory and srt's own paths.
func protectedNames(roots Roots, own []string, later map[string]string) []Protected {
	out := projectNames()
	if path.IsAbs(roots.Home) && path.Clean(roots.Home) != "/" {
		for _, p := range homeNames() {
			p.Path = path.Join(roots.Home, p.Path)
			out = append(out, p)
		}
	}
	for _, o := range own {
		if path.IsAbs(o) {
			out = append(out, Protected{Path: path.Clean(o), Dir: path.Ext(o) == "", Reason: whySrt})
		}
	}
	for name, file := range later {
		if path.IsAbs(file) {
			out = append(out, Protected{Path: path.Clean(file), Reason: "it is followed once the command has ended, as $" + name + " says"})
		}
	}
	return out
}

// Unnamed reports whether a spelling is made of dots alone, as ".", "./**" and
// "x/..": it stands for a directory that it does not name.
func Unnamed(spelling string) bool {
	last := path.Base(path.Clean(trimDirGlob(spelling)))
	return last == "." || last == ".."
}

// Own reports whether it is a file or folder of srt itself, which other runs read
// meanwhile.
func (p *Protected) Own() bool { return p.Reason == whySrt && p.Path != "" }

// openedBy reports whether an allow_write entry for the path root opens p: it
// names what is protected, or something inside. A root that is merely "." does
// not name the directory that it happens to be.
func (p *Protected) openedBy(root PathRule, closed bool) (string, bool) {
	if root.Glob || !root.Rule.Origin.Layer.Trusted() {
		return "", false
	}
	if p.Path != "" {
		if p.Reason == whySrt || !within(root.Path, p.Path) || root.Path == p.Path && Unnamed(root.Rule.Text) {
			return "", false
		}
		return root.Path, true
	}
	if closed {
		return "", false
	}
	for _, end := range p.matches(root.Path) {
		if !p.FileOnly && (end != len(root.Path) || !Unnamed(root.Rule.Text)) {
			return root.Path, true
		}
	}
	return "", false
}

// matches gives where the protected name begins and ends in an absolute path, at any
// depth, the first place first.
func (p *Protected) matches(in string) iter.Seq2[int, int] {
	return func(yield func(start, end int) bool) {
		for start := 1; start < len(in); {
			if n := matchNames(p.Name, in[start:]); n > 0 && !yield(start, start+n) {
				return
			}
			next := strings.IndexByte(in[start:], '/')
			if next < 0 {
				return
			}
			start += next + 1
		}
	}
}

// matchNames compares the components of name with the first ones of in,
// without case, a * standing for any, and returns the length of what they
// match, 0 for none.
func matchNames(name, in string) int {
	n := 0
	for {
		want, moreWanted := cutName(&name)
		if n > len(in) {
			return 0
		}
		have := in[n:]
		if i := strings.IndexByte(have, '/'); i >= 0 {
			have = have[:i]
		}
		if have == "" || want != "*" && !strings.EqualFold(want, have) {
			return 0
		}
		n += len(have)
		if !moreWanted {
			return n
		}
		n++
	}
}

func cutName(name *string) (first string, more bool) {
	first, *name, more = strings.Cut(*name, "/")
	return first, more
}

// inGitDir reports whether a path leads through a folder .git, in which no other
// names count.
func inGitDir(between string) bool {
	for part := range strings.SplitSeq(between, "/") {
		if strings.EqualFold(part, ".git") {
			return true
		}
	}
	return false
}

// covers reports whether writing to path, which lies below the write root,
// would touch what is protected; nested tells that it is not at the root's
// top, where only what is there counts. there tells about that; nil: all is.
func (p *Protected) covers(root *PathRule, target string, there func(string) bool) (hit, nested bool) {
	opened := func(end int) bool {
		return slices.ContainsFunc(p.Except, func(e string) bool { return len(e) >= end && within(target, e) })
	}
	if p.Path != "" {
		return within(strings.ToLower(target), strings.ToLower(p.Path)) && !opened(0), false
	}
	if p.FileOnly {
		return false, false
	}
	top := len(strings.TrimSuffix(root.Path, "/")) + 1 // where a name directly in the root begins
	for start, end := range p.matches(target) {
		switch {
		case end <= len(root.Path): // what the root lies in or is itself, it has opened
		case opened(end):
		case start > top && inGitDir(target[top:start-1]):
		default:
			// The root may lie on the way to what is protected, as .git does.
			nested = start > top
			if !nested || p.AnyDepth && !root.Cache && (there == nil || there(target[:end])) {
				return true, nested
			}
		}
	}
	return false, false
}
