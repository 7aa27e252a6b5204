package core

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/srt-sh/srt/core/policy"
	"github.com/srt-sh/srt/sandbox"
	"github.com/srt-sh/srt/sandbox/inner"
)

// ScriptShell is the name of srt where npm takes it for the shell of scripts.
const ScriptShell = "srt-script-shell"

// ScriptVariables tell npm and pnpm which shell runs scripts. They beat every file of a
// project, but for those that [Undoing] is about.
func ScriptVariables() []string {
	return []string{"npm_config_script_shell", "pnpm_config_script_shell"}
}

// ScriptShellPath is the link to srt by which srt hook npm makes it that shell.
func ScriptShellPath(home string, getenv func(string) string) string {
	data := getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(data) {
		data = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(data, "srt", "shells", ScriptShell)
}

// Presets of scripts that are started outside of any sandbox, by what [scripts] network
// says.
const (
	ScriptPreset        = "npm-script"
	ScriptNetworkPreset = "npm-online"
)

// scriptsVariable hands a run's word on scripts down to the shell of scripts.
const scriptsVariable = "SRT_SCRIPTS"

// scriptUser is who the proxy takes scripts for that have no network.
const scriptUser = "srt-scripts"

// scriptOrder is what a run says about the scripts in it. It reaches srt, as the shell
// of scripts, by way of npm's environment. What a script itself changes there narrows at
// most what it starts: it is behind a wall already.
type scriptOrder struct {
	Network bool     `json:"network,omitempty"`
	Roots   []string `json:"roots,omitempty"`   // what the command may write, but for caches
	Write   []string `json:"write,omitempty"`   // what the scripts of all packages may
	Secrets []string `json:"secrets,omitempty"` // variables that hold a registry's credentials
	Shell   string   `json:"shell,omitempty"`   // the one that npm's settings name
	Node    string   `json:"node,omitempty"`    // options of node that the project's settings name
	Temp    string   `json:"temp,omitempty"`    // the private folder of the run, with files of npm's
	Token   string   `json:"token,omitempty"`   // of the proxy, which scripts do not get
	Open    bool     `json:"open,omitempty"`    // files have no rules at all
}

// registryVariables hold credentials of registries; the presets leave them to the tools.
func registryVariables() []string {
	return []string{"NPM_TOKEN", "NODE_AUTH_TOKEN", "YARN_NPM_AUTH_TOKEN", "BUN_AUTH_TOKEN"}
}

// secretSetting reports whether a variable is a setting of npm's that is a secret.
func secretSetting(name string) bool {
	lower := strings.ToLower(name)
	for _, prefix := range []string{"npm_config_", "pnpm_config_", "yarn_npm_auth", "bun_config_token"} {
		if key, found := strings.CutPrefix(lower, prefix); found {
			return !strings.Contains(prefix, "_config_") || credentialKey(key) || strings.Contains(key, ":_") ||
				strings.Contains(key, "authtoken") || strings.HasPrefix(key, "_")
		}
	}
	return false
}

// npmSetting reports whether a variable is a setting of npm's or pnpm's.
func npmSetting(name string) bool {
	lower := strings.ToLower(name)
	return strings.HasPrefix(lower, "npm_config_") || strings.HasPrefix(lower, "pnpm_config_")
}

// scriptToken is the token that stands for that of a run where a script would have it.
func scriptToken(token string) string {
	sum := sha256.Sum256([]byte("scripts " + token))
	return hex.EncodeToString(sum[:])
}

// scripts prepares a run in which npm starts its scripts by srt: it keeps credentials
// where npm finds them and scripts do not, and says what scripts may do.
func (e *engine) scripts(env *environment) error {
	if slices.Contains(e.parts, "npm") || slices.Contains(e.parts, "pnpm") {
		// A shell that is older than the guard does not tell npm of it.
		if shell := ScriptShellPath(e.o.Home, env.get); isThere(shell) {
			for _, name := range ScriptVariables() {
				if env.get(name) == "" {
					env.set(name, shell)
				}
			}
			// npm reads either case.
			env.remove(func(name string) bool { return name == "NPM_CONFIG_SCRIPT_SHELL" || name == "PNPM_CONFIG_SCRIPT_SHELL" })
		}
	}
	if !slices.ContainsFunc(ScriptVariables(), func(name string) bool { return filepath.Base(env.get(name)) == ScriptShell }) {
		return nil
	}
	order := scriptOrder{Network: e.cfg.Scripts.Network.Value, Temp: e.spec.TempDir, Token: e.token, Open: e.spec.OpenFiles}
	if e.runsScript() {
		// The command is a script itself.
		order.Temp, order.Token = "", ""
	}
	files := npmFiles(e.o.Home, e.o.Dir, env.get, readSmall)
	order.Shell = scriptShellOf(files)
	order.Node = e.nodeOptions(env, files)
	for _, r := range e.spec.Rules {
		if r.Op == sandbox.AllowWrite && !r.Cache && r.Match == nil && !slices.Contains(order.Roots, r.Path) {
			order.Roots = append(order.Roots, r.Path)
		}
	}
	for _, w := range e.cfg.Scripts.AllowWrite {
		p, err := w.Resolve(policy.Roots{Home: e.o.Home, Dir: e.o.Dir})
		if err != nil {
			return err //nolint:wrapcheck // names the entry
		}
		order.Write = append(order.Write, p)
	}
	if order.Network && e.preset != nil {
		// What node-gyp and the like fetch, they keep.
		for _, r := range e.spec.Rules {
			if r.Op == sandbox.AllowWrite && r.Cache && filepath.Base(r.Path) == "node-gyp" {
				order.Write = append(order.Write, r.Path)
			}
		}
	}
	secrets := e.credentials(env, files)
	order.Secrets = secretVariables(env, files, secrets)
	e.correct(env, files)
	text, err := json.Marshal(order)
	if err != nil {
		return fmt.Errorf("bug: %w", err)
	}
	env.set(scriptsVariable, string(text))
	return nil
}

// runsScript reports whether the command is a script that started outside.
func (e *engine) runsScript() bool {
	return e.preset != nil && (e.preset.Name == ScriptPreset || e.preset.Name == ScriptNetworkPreset)
}

// scriptsOnly reports whether a request comes from a script that has no network.
func (e *engine) scriptsOnly(user string) bool {
	return user == scriptUser || e.preset != nil && e.preset.Name == ScriptPreset
}

// credentials hides the files of npm's that hold secrets and that the policy lets the
// command read, and gives npm what they say in a file that scripts cannot read. It
// returns the secrets of all files.
func (e *engine) credentials(env *environment, files []npmFile) []string {
	var secrets []string
	merged, hidden := "", false
	pol := e.policy.Load()
	for _, f := range files {
		secrets = append(secrets, f.secrets...)
		if e.spec.OpenFiles || !pol.Read(f.path).Allow {
			continue
		}
		if len(f.secrets) == 0 {
			if !f.project { // npm reads one file of the user's, which is the new one then
				merged += f.body
			}
			continue
		}
		if e.cfg.NPM || strings.ContainsRune(f.body, 0) {
			e.o.Warnf("scripts can read %q: with settings in the npm form srt has no place for what it says that only npm knows", f.path)
			continue
		}
		hidden = true
		merged += f.body
		e.spec.Rules = append(e.spec.Rules, sandbox.PathRule{
			Op: sandbox.DenyRead, Path: f.path, Final: true, Reason: "it holds credentials, which npm gets in another file and scripts do not",
		})
	}
	if !hidden {
		return secrets
	}
	file := filepath.Join(e.spec.TempDir, "npm", "npmrc")
	e.spec.Files = append(e.spec.Files, sandbox.File{Path: file, Data: merged})
	// pnpm 11 and later have a variable of their own.
	for _, name := range []string{"npm_config_userconfig", "pnpm_config_npmrc_auth_file"} {
		env.set(name, file)
	}
	env.remove(func(name string) bool { return name == "NPM_CONFIG_USERCONFIG" })
	return secrets
}

// secretVariables names the variables that npm's files take credentials from, those
// that hold one that stands there, and those that are known to.
func secretVariables(env *environment, files []npmFile, secrets []string) []string {
	names := registryVariables()
	for _, f := range files {
		names = append(names, f.vars...)
	}
	var out []string
	for _, name := range env.names {
		if slices.Contains(names, name) || slices.Contains(secrets, env.get(name)) {
			out = append(out, name)
		}
	}
	return out
}

// noNodeOptions are options of node that change nothing: npm passes over a variable with
// nothing in it.
const noNodeOptions = "--stack-trace-limit=10"

// nodeOptions keeps options that a project names, such as --require, to its scripts, and
// returns them: npm would hand them to another npm as well, which it starts in the clone
// of a git dependency. The same goes for those that the clone's own .npmrc names, and for
// the git that npm runs there.
func (e *engine) nodeOptions(env *environment, files []npmFile) string {
	if !slices.Contains(e.parts, "npm") {
		return ""
	}
	pin := func(key, value string) bool {
		name := "npm_config_" + strings.ReplaceAll(key, "-", "_")
		if env.get(name) != "" || env.get(strings.ToUpper(name)) != "" {
			return false // the caller's word, which beats files
		}
		env.set(name, value)
		return true
	}
	pin("git", userSetting(files, "git", "git"))
	options := env.get("NODE_OPTIONS")
	if options == "" {
		options = noNodeOptions
	}
	if !pin("node-options", userSetting(files, "node-options", options)) {
		return ""
	}
	for _, f := range slices.Backward(files) {
		if v := f.get("node-options"); f.project && v != "" {
			return v
		}
	}
	return ""
}

// userSetting is what files of the user or the machine say of a key.
func userSetting(files []npmFile, key, otherwise string) string {
	for _, f := range slices.Backward(files) {
		if v := f.get(key); !f.project && v != "" {
			return v
		}
	}
	return otherwise
}

// correct puts settings of the project back that would have npm run something of the
// project's by itself, and tells of what it cannot put back.
func (e *engine) correct(env *environment, files []npmFile) {
	for _, u := range append(undoings(files), workspaceUndoings(e.o.Dir, e.o.Home, readSmall)...) {
		key, _, _ := strings.Cut(u.Text, " ")
		var names []string
		value := ""
		switch {
		case key == "git":
			names, value = []string{"npm_config_git"}, userSetting(files, "git", "git")
		case key == "shell-emulator":
			names, value = []string{"npm_config_shell_emulator"}, "false"
		case u.Held:
			names, value = []string{"npm_config_init_module"}, userSetting(files, "init-module", filepath.Join(e.o.Home, ".npm-init.js"))
		case !slices.Contains(e.parts, "pnpm"):
			continue
		}
		said := "it does not count"
		for _, name := range names {
			if env.get(name) == "" {
				env.set(name, value)
			}
		}
		if names == nil {
			said = "the stricter rules for scripts do not hold here"
		}
		e.o.Warnf("%s:%d: %s: %s; %s", u.File, u.Line, u.Text, u.What, said)
	}
}

func isThere(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// maxNpmrc bounds a file of npm's settings, in bytes.
const maxNpmrc = 1 << 20

// readSmall reads a regular file of a size that settings have.
func readSmall(name string) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err //nolint:wrapcheck // the caller passes over it
	case !info.Mode().IsRegular() || info.Size() > maxNpmrc:
		return nil, fs.ErrInvalid
	}
	return os.ReadFile(name) //nolint:wrapcheck // likewise
}

// scriptPlaces says where a script in a folder may write, and whether it belongs to a
// dependency: a package of a folder node_modules. Those of the project itself may write
// what the command may. A package elsewhere, such as one that npm has cloned, has its
// own folder, or that of the workspace around it.
func (s *scriptOrder) scriptPlaces(dir, prefix string) (places []string, dependency bool) {
	if slices.Contains(strings.Split(dir, "/"), "node_modules") {
		return []string{dir}, true
	}
	for _, root := range s.Roots {
		if beneath(dir, root) {
			return s.Roots, false
		}
	}
	if filepath.IsAbs(prefix) && prefix != "/" && strings.HasPrefix(dir, filepath.Clean(prefix)+"/") {
		return []string{filepath.Clean(prefix)}, false
	}
	return []string{dir}, false
}

// checkFolder refuses a script that does not start in the folder of its package. A
// package may put a link in the place of one that lies within its own folder, and the
// script of that one would start where the link leads, with the rights of that place.
func (s *scriptOrder) checkFolder(dir string, environ []string) error {
	file, _ := lookupEnv(environ, "npm_package_json")
	if !filepath.IsAbs(file) {
		return nil // a tool that does not say
	}
	meant := filepath.Dir(filepath.Clean(file))
	// What no package can replace: the folder that npm works in, or that of node_modules.
	base, _, nested := strings.Cut(meant, "/node_modules/")
	prefix, _ := lookupEnv(environ, "npm_config_local_prefix")
	if filepath.IsAbs(prefix) && beneath(meant, filepath.Clean(prefix)) {
		base = filepath.Clean(prefix)
	}
	top, err := filepath.EvalSymlinks(base)
	if err != nil {
		return err //nolint:wrapcheck // names the folder
	}
	// What such a script starts elsewhere by another tool still has its variable.
	folder := filepath.Join(top, strings.TrimPrefix(meant, base))
	if beneath(dir, folder) {
		return nil
	}
	within := func(p string) bool {
		return slices.ContainsFunc(s.Roots, func(root string) bool { return beneath(p, root) })
	}
	if !nested && within(folder) && within(dir) && !slices.Contains(strings.Split(dir, "/"), "node_modules") {
		return nil // a workspace that is a link, of a project whose scripts may write both
	}
	return fmt.Errorf("%w: it started in %q, and its package is %q", ErrScriptFolder, dir, folder)
}

// beneath reports whether a path is another one or lies beneath it.
func beneath(p, top string) bool {
	return p == top || strings.HasPrefix(p, strings.TrimSuffix(top, "/")+"/")
}

// scriptEnv is the environment of a script: that of the tool without credentials, with
// a temporary folder of its own.
func (s *scriptOrder) scriptEnv(environ []string, temp string) []string {
	token, own := s.Token, ""
	if token != "" && !s.Network {
		own = scriptToken(token)
	}
	var out []string
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		switch {
		case slices.Contains(s.Secrets, name), slices.Contains(registryVariables(), name), secretSetting(name):
			continue
		case s.Temp != "" && strings.HasSuffix(value, "/npm/npmrc") && strings.HasPrefix(value, s.Temp+"/"):
			continue // npm's own file
		case npmSetting(name) && urlPassword(value) && (token == "" || !strings.Contains(value, token)):
			entry = name + "=" + password().ReplaceAllString(value, "://")
		case name == scriptsVariable, name == "TMPDIR":
			continue
		case strings.EqualFold(name, "npm_config_cache"):
			continue
		case (name == "NODE_OPTIONS" || name == "npm_config_node_options") && (s.Node != "" || value == noNodeOptions):
			continue
		case own != "" && strings.Contains(value, token):
			value = strings.ReplaceAll(value, "//srt:"+token, "//"+scriptUser+":"+own)
			value = strings.ReplaceAll(value, "srt:"+token, scriptUser+":"+own)
			entry = name + "=" + strings.ReplaceAll(value, token, own)
		case own != "" && name == "CLOUDSDK_PROXY_USERNAME":
			entry = name + "=" + scriptUser
		}
		out = append(out, entry)
	}
	if !s.Network {
		out = quietNpm(out)
	}
	if s.Node != "" {
		out = append(out, "NODE_OPTIONS="+s.Node, "npm_config_node_options="+s.Node)
	}
	next := *s
	next.Token = ""
	if s.Temp != "" {
		next.Temp = temp
	}
	text, err := json.Marshal(next)
	if err != nil {
		panic("bug: " + err.Error())
	}
	// A script that starts npm itself has no business in the cache that all projects share.
	return append(out, scriptsVariable+"="+string(text), "TMPDIR="+temp, "npm_config_cache="+filepath.Join(temp, "npm-cache"))
}

// quietNpm keeps an npm that a script starts from asking for newer versions of itself
// where it has no network to ask by.
func quietNpm(environ []string) []string {
	const name = "npm_config_update_notifier"
	if slices.ContainsFunc(environ, func(entry string) bool {
		key, value, _ := strings.Cut(entry, "=")
		return strings.EqualFold(key, name) && value != "" // npm passes over an empty one
	}) {
		return environ
	}
	return append(environ, name+"=false")
}

// headersVariable tells node-gyp where node's headers are. npm does not warn of it.
const headersVariable = "npm_package_config_node_gyp_nodedir"

// nodeHeaders is that variable for headers that came with node itself, which need not be
// fetched then, "" where there are none or somebody has said where they are.
func nodeHeaders(environ []string) string {
	for _, name := range []string{headersVariable, "npm_config_nodedir", "NPM_CONFIG_NODEDIR"} {
		if _, set := lookupEnv(environ, name); set {
			return ""
		}
	}
	node, _ := lookupEnv(environ, "npm_node_execpath")
	prefix := filepath.Dir(filepath.Dir(node))
	if !filepath.IsAbs(node) || !isThere(filepath.Join(prefix, "include/node/node_version.h")) {
		return ""
	}
	return headersVariable + "=" + prefix
}

// readScriptOrder reads the word of the run from the environment. Without one, as where
// nobody has asked for the guard, a script gets the least.
func readScriptOrder(environ []string) (scriptOrder, error) {
	var s scriptOrder
	text, set := lookupEnv(environ, scriptsVariable)
	if !set {
		return s, nil
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("reading %s: %w", scriptsVariable, err)
	}
	return s, nil
}

// ErrScriptWall says that a script was not started, since it could not be kept in.
var ErrScriptWall = errors.New("the script did not run")

// ErrScriptFolder says that a link stood where the folder of its package should be.
var ErrScriptFolder = errors.New("a link has taken the place of its folder")

// ExecScript becomes the shell of a script, with arguments as npm gives them to the
// shell, behind an inner wall: it may write its package and a temporary folder, and has
// neither credentials nor, unless the settings say so, a network. It is for a process
// that is [Inside] a sandbox already, and returns only on failure.
func ExecScript(args []string) error {
	environ := os.Environ()
	order, err := readScriptOrder(environ)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrScriptWall, err)
	}
	dir, err := realWorkingDir()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrScriptWall, err)
	}
	if err := order.checkFolder(dir, environ); err != nil {
		return fmt.Errorf("%w: %w", ErrScriptWall, err)
	}
	prefix, _ := lookupEnv(environ, "npm_config_local_prefix")
	places, dependency := order.scriptPlaces(dir, prefix)
	if len(places) == 1 && places[0] == dir {
		places = []string{"."} // what lies at its path could be a link by now
	}
	temp, err := order.scriptTemp(environ, dependency)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrScriptWall, err)
	}
	rules := inner.Rules{Write: slices.Concat(places, order.Write, []string{temp}), Closed: order.Temp, OpenFiles: order.Open}
	if dependency {
		rules.Ports = listenPorts
	}
	shell := shellPath(order.Shell, environ)
	env := order.scriptEnv(environ, temp)
	if headers := nodeHeaders(environ); headers != "" && !order.Network {
		env = append(env, headers)
	}
	return becomeScript(rules, shell, append([]string{filepath.Base(shell)}, args...), env)
}

// scriptTemp makes the temporary folder of a script. Those of the project share one, as
// "npm test" and what runs before it may: that of the run, if npm has nothing there.
func (s *scriptOrder) scriptTemp(environ []string, dependency bool) (string, error) {
	base, _ := lookupEnv(environ, "TMPDIR")
	if !filepath.IsAbs(base) {
		return "", fmt.Errorf("TMPDIR is %q, which is no place for its temporary files", base)
	}
	if dependency {
		return os.MkdirTemp(base, "srt-script-") //nolint:wrapcheck // names the folder
	}
	const shared = "srt-scripts"
	if filepath.Base(base) == shared || s.Temp == "" {
		return base, nil // one of them starts another
	}
	temp := filepath.Join(base, shared)
	if err := os.Mkdir(temp, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err //nolint:wrapcheck // likewise
	}
	info, err := os.Lstat(temp)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%q is not a folder", temp)
	}
	return temp, err
}

// shellPath is the shell of scripts: the one of npm's settings, else npm's own choice.
func shellPath(named string, environ []string) string {
	if filepath.IsAbs(named) {
		return named
	}
	if named != "" && !strings.Contains(named, "/") {
		if call, err := findCommand(named, "/", environ); err == nil && filepath.IsAbs(call) {
			return call
		}
	}
	return "/bin/sh"
}

// ScriptRun turns the start of a script outside of any sandbox into a run in one of its
// own, under [ScriptPreset].
func ScriptRun(o Options, args []string) (Options, error) {
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	home, dir, err := o.Roots()
	if err != nil {
		return o, err
	}
	get := func(name string) string { return getenv(o.Environ, name) }
	files := npmFiles(home, dir, get, readSmall)
	order := scriptOrder{Shell: scriptShellOf(files)}
	if err := order.checkFolder(dir, o.Environ); err != nil {
		return o, fmt.Errorf("%w: %w", ErrScriptWall, err)
	}
	env := newEnvironment(o.Environ)
	var secrets []string
	for _, f := range files {
		secrets = append(secrets, f.secrets...)
		if len(f.secrets) > 0 {
			o.Flags.DenyRead = append(o.Flags.DenyRead, f.path)
		}
	}
	order.Secrets = secretVariables(env, files, secrets)
	env.remove(func(name string) bool { return slices.Contains(order.Secrets, name) || secretSetting(name) })
	for _, name := range env.names {
		if value := env.get(name); npmSetting(name) && urlPassword(value) {
			env.set(name, password().ReplaceAllString(value, "://"))
		}
	}
	o.Environ = env.list()
	places, _ := order.scriptPlaces(dir, get("npm_config_local_prefix"))
	for _, p := range places {
		// The home folder is no package.
		if p == home || strings.HasPrefix(home, strings.TrimSuffix(p, "/")+"/") {
			continue
		}
		o.Flags.AllowWrite = append(o.Flags.AllowWrite, p)
	}
	shell := shellPath(order.Shell, o.Environ)
	o.Args = append([]string{shell}, args...)
	o.Preset = ScriptPreset
	// The settings say which preset it is, and what else it may write.
	silent := o
	silent.Warnf, silent.Logf = nil, nil
	e, err := open(silent)
	if err != nil {
		return o, err
	}
	for _, w := range e.cfg.Scripts.AllowWrite {
		p, err := w.Resolve(policy.Roots{Home: home, Dir: dir})
		if err != nil {
			return o, err //nolint:wrapcheck // names the entry
		}
		o.Flags.AllowWrite = append(o.Flags.AllowWrite, p)
	}
	if e.cfg.Scripts.Network.Value {
		o.Preset = ScriptNetworkPreset
		return o, nil
	}
	o.Environ = quietNpm(o.Environ)
	if headers := nodeHeaders(o.Environ); headers != "" {
		o.Environ = append(o.Environ, headers)
	}
	return o, nil
}

// ScriptMeasures names what this kernel lacks for the inner wall, nil when it lacks
// nothing; an error says that scripts would not run at all.
func ScriptMeasures() ([]string, error) {
	version, err := inner.Version()
	if err != nil {
		return nil, err //nolint:wrapcheck // says what it means
	}
	if version < 2 {
		return nil, inner.ErrNoLandlock
	}
	return inner.Weaker(version), nil
}

// Undoings are the settings with which the project around a folder gets past the guard
// of scripts, or would.
func Undoings(o Options) ([]Undoing, error) {
	home, dir, err := o.Roots()
	if err != nil {
		return nil, err
	}
	files := npmFiles(home, dir, os.Getenv, readSmall)
	return append(undoings(files), workspaceUndoings(dir, home, readSmall)...), nil
}

// scriptHint is what gives scripts their network.
const scriptHint = "[scripts] network = true"

// scriptReason says why a script does not reach a host.
const scriptReason = "scripts of packages have no network"
