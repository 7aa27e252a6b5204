package policy

// Later is a name of files that a command may write like any other, and that
// something outside of the sandbox runs or follows later. A change is told at the end
// of the run; deny_write keeps one from changing.
type Later struct {
	Name   string // the last component, "*.ext", or two components
	Reason string
}

// LaterNames are the names that are watched for in the write roots. What every build
// changes or runs anyway (package.json, a Makefile) is not among them: that is why
// builds run in the sandbox.
func LaterNames() []Later {
	var out []Later
	add := func(reason string, names ...string) {
		for _, n := range names {
			out = append(out, Later{n, reason})
		}
	}
	add("package managers follow it at their next run outside", ".npmrc", ".yarnrc", ".yarnrc.yml", ".pnpmfile.cjs", ".pnpmfile.mjs",
		"bunfig.toml", "pip.conf", "uv.toml", ".gemrc", ".condarc")
	add("it chooses or configures the programs that run in this folder", "mise.toml", ".mise.toml", "mise.local.toml", ".mise.local.toml", ".config/mise.toml", ".tool-versions", ".nvmrc", ".node-version",
		".python-version", ".ruby-version", "rust-toolchain", "rust-toolchain.toml")
	add("it names programs that the next build runs", ".cargo/config.toml", ".cargo/config", ".bazelrc", ".mvn/jvm.config", ".mvn/maven.config",
		".mvn/extensions.xml", ".sbtopts", ".jvmopts")
	add("git runs the filters and drivers that it chooses", ".gitattributes", ".lfsconfig")
	add("it names what git hooks run", ".pre-commit-config.yaml", "lefthook.yml", "lefthook.yaml", ".lefthook.yml", ".lefthook.yaml", "lefthook-local.yml", ".pre-commit-hooks.yaml", ".overcommit.yml")
	add("Python runs it whenever it starts in this environment", "sitecustomize.py", "usercustomize.py", "*.pth")
	add("debuggers and editors run it when they start in this folder", ".gdbinit", ".lldbinit", ".pdbrc", ".exrc", ".vimrc", ".nvimrc", ".lvimrc",
		".nvim.lua", ".dir-locals.el", ".dir-locals-2.el", ".helix/config.toml", ".helix/languages.toml", "*.code-workspace")
	add("coding agents follow it at their next start", "CLAUDE.local.md", ".cursorrules", ".windsurfrules", ".clinerules", ".aider.conf.yml",
		"opencode.json", ".github/copilot-instructions.md", ".gemini/settings.json", ".claude/skills", ".claude/plugins")
	add("editors build or open the container that it describes", ".devcontainer.json", "*.sublime-project")
	add("containers and machines are started as it says", "docker-compose.override.yml", "compose.override.yaml", "compose.override.yml", "Vagrantfile")
	add("it runs on entering the folder, where direnv or nix is set up", "flake.nix", "shell.nix")
	add("CI runs it with the secrets of the project", ".gitlab-ci.yml", ".circleci/config.yml", ".buildkite/pipeline.yml")
	add("interpreters run it when they start in this folder", ".Rprofile", ".irbrc", ".pryrc")
	return out
}
