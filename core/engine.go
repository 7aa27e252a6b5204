package core

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/core/event"
	"github.com/srt-sh/srt/core/policy"
	"github.com/srt-sh/srt/core/preset"
	"github.com/srt-sh/srt/proxy"
	"github.com/srt-sh/srt/sandbox"
)

// engine is one command with all that was decided about it.
type engine struct {
	o       Options
	program string // how the command is called in its folder, with a slash
	preset  *preset.Preset
	parts   []string // names of the preset and of what it extends
	ageless string   // see Explanation
	matched string   // the rule of the preset that matches, "" if it was named
	rule    *matchedRule
	cfg     *config.Config
	policy  atomic.Pointer[policy.Policy]
	spec    *sandbox.Spec
	plan    *sandbox.Plan
	limits  []Limit
	bounds  *sandbox.LimitPlan // how those of the kernel are enforced
	token   string
	sockets []string // unix sockets, or folders with some, that may be connected to

	socketsThere []sandbox.Socket // those of them that are there at the start
	files        *policy.Policy   // what the mounts were made by: they do not change with the settings

	dropped []string // variables that the command does not get
	events  event.Recorder
	log     *event.Log // nil: none
	asks    asks

	server    *proxy.Server // set before anything can call reload
	reloading sync.Mutex    // the settings read last are the ones that stay
}

// open reads the settings for a command.
func open(o Options) (*engine, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	e := &engine{o: o}
	e.observe()
	return e, e.load()
}

// decide does the rest of what can be done without changing anything: it finds
// the command and plans the sandbox.
func (e *engine) decide() (err error) {
	if e.program, err = findCommand(e.o.Args[0], e.o.Dir, e.o.Environ); err != nil {
		return err
	}
	if e.token, err = newToken(); err != nil {
		return err
	}
	if err := e.makeSpec(); err != nil {
		return err
	}
	if e.plan, err = sandbox.NewPlan(e.spec); err != nil {
		return fmt.Errorf("planning the sandbox: %w", err)
	}
	for _, note := range e.plan.Notes {
		e.o.Logf("%s", note)
	}
	for _, warning := range e.plan.Warnings {
		e.o.Warnf("%s", warning)
	}
	return nil
}

// load reads the settings and makes the policy of them.
func (e *engine) load() error {
	var err error
	if e.cfg, err = config.Load(e.configOptions()); err != nil {
		return err //nolint:wrapcheck // names file, line and key itself
	}
	for _, note := range e.cfg.Notes {
		e.o.Warnf("%s", note)
	}
	if dir := e.cfg.Narrowed; dir != "" {
		// What a start-up file reads the output of, as in eval "$(npm completion)", must
		// not speak in each new shell.
		say := e.o.Logf
		if Terminal(e.o.Stdout) && Terminal(e.o.Stderr) {
			say = e.o.Warnf
		}
		say("%q stays read-only, since \".\" would open all of it: go into a project, or give it with srt run --yes", dir)
	}
	e.cfg.LocalAddrs = localAddrs
	openTrees(e.cfg, e.o.Trees)
	openRepositories(e.cfg)
	decided, err := e.cfg.Policy()
	if err != nil {
		return err //nolint:wrapcheck // likewise
	}
	e.policy.Store(decided)
	e.bounds, e.limits = planLimits(&e.cfg.Limits)
	return nil
}

// Terminal reports whether a stream is one.
func Terminal(f *os.File) bool {
	_, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	return err == nil
}

// configOptions says which layers apply.
func (e *engine) configOptions() config.Options {
	get := func(name string) string { return getenv(e.o.Environ, name) }
	options := config.Options{
		Home: e.o.Home, Dir: e.o.Dir, Getenv: get,
		Settings: e.o.Settings, SettingsSet: e.o.Settings != "",
		NoProject: e.o.NoProject, Repository: Repository, Contents: e.o.Contents,
		Flags: e.o.Flags, Yes: e.o.Yes, Unasked: e.o.Preset == "" || e.o.Unasked,
	}
	if e.o.Preset != "none" && (e.o.Preset != "" || e.o.Settings == "" && e.o.Line == "") {
		options.Preset = func(rules []config.Command) (*config.Preset, error) {
			p, notes, err := e.choose(rules, get)
			for _, note := range notes {
				e.o.Warnf("%s", note)
			}
			return p, err
		}
	}
	return options
}

// choose finds the preset that was named or that governs the command.
func (e *engine) choose(rules []config.Command, get func(string) string) (*config.Preset, []string, error) {
	set, err := preset.Open(PresetEnv(e.o.Home, e.o.Dir, get))
	if err != nil {
		return nil, nil, err //nolint:wrapcheck // names file, line and key
	}
	if e.o.Preset == "" {
		e.rule = matchRule(rules, e.o.As)
	}
	rule := e.rule
	switch {
	case e.o.Preset != "":
		if e.preset, err = set.Get(e.o.Preset); err != nil {
			return nil, nil, err //nolint:wrapcheck // says which names there are
		}
	case rule == nil || rule.Preset == "": // as without the rule
		e.preset, e.matched = set.Match(e.o.As)
	case rule.Preset == "none":
		e.matched = rule.String()
	default:
		e.matched = rule.String()
		if e.preset, err = set.Get(rule.Preset); err != nil {
			return nil, nil, ruleFault(rule.Command, err)
		}
	}
	if e.preset == nil {
		return nil, nil, nil
	}
	e.parts = set.Parts(e.preset)
	return set.Config(e.preset) //nolint:wrapcheck // names file, line and key
}

// PresetEnv is what presets may look at for a user with a home folder, working in a
// folder, with an environment.
func PresetEnv(home, dir string, getenv func(string) string) preset.Env {
	return preset.Env{Home: home, Dir: dir, Getenv: getenv, ReadFile: config.ReadFile, ReadDir: func(name string) ([]string, error) {
		entries, err := os.ReadDir(name)
		if errors.Is(err, syscall.ENOTDIR) {
			// A socket, as another run puts where no settings are.
			if info, err := os.Lstat(name); err != nil || info.Mode()&fs.ModeSocket != 0 {
				return nil, fs.ErrNotExist
			}
		}
		names := make([]string, 0, len(entries))
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names, err
	}}
}

// Governs reports whether a [[command]] rule or the pattern of a preset fits the
// command of o: those are the commands that the shell integration runs in a sandbox.
// It is an error where [Run] would find one in the files that say so.
func Governs(o Options) (bool, error) {
	o, err := o.complete()
	if err != nil {
		return false, err
	}
	e := &engine{o: o}
	rules, err := config.Commands(e.configOptions())
	if err != nil {
		return false, err //nolint:wrapcheck // names file, line and key itself
	}
	set, err := preset.Open(PresetEnv(o.Home, o.Dir, func(name string) string { return getenv(o.Environ, name) }))
	if err != nil {
		return false, err //nolint:wrapcheck // likewise
	}
	if matchRule(rules, o.As) != nil {
		return true, nil
	}
	found, _ := set.Match(o.As)
	return found != nil, nil
}

// matchedRule is a [[command]] rule and the pattern of it that matched.
type matchedRule struct {
	config.Command
	pattern policy.Rule
}

func (r *matchedRule) String() string { return r.pattern.String() }

// matchRule finds the rule that decides about a command, nil if none does.
func matchRule(rules []config.Command, argv []string) *matchedRule {
	for _, rule := range rules {
		for _, pattern := range rule.Match {
			if preset.MatchCommand(pattern.Text, argv) {
				return &matchedRule{rule, pattern}
			}
		}
	}
	return nil
}

// CheckRules reports the first [[command]] rule whose preset does not exist.
func CheckRules(rules []config.Command, set *preset.Set) error {
	for _, rule := range rules {
		if rule.Preset == "none" || rule.Preset == "" {
			continue
		}
		if _, err := set.Get(rule.Preset); err != nil {
			return ruleFault(rule, err)
		}
	}
	return nil
}

func ruleFault(rule config.Command, err error) error {
	return &config.Error{File: rule.Origin.File, Line: rule.Origin.Line, Key: "command.preset", Msg: err.Error()}
}

// makeSpec translates the policy into what the sandbox understands.
func (e *engine) makeSpec() error {
	pol, cfg := e.policy.Load(), e.cfg
	e.files = pol
	if err := e.unsupported(); err != nil {
		return err
	}
	openFiles := cfg.Filesystem.Disabled.Value
	e.spec = &sandbox.Spec{
		Program: e.program, Args: e.o.Args, Dir: e.o.Dir,
		OpenFiles:    openFiles,
		NestedUserns: cfg.AllowNestedUserNamespaces.Value,
		TempSize:     cfg.Limits.Tmp.Value,
		StateDir:     filepath.Join(stateHome(e.o), journalDir),
	}
	if !openFiles {
		e.spec.Rules = pathRules(pol)
		e.spec.Protect = protectedNames(pol)
		e.lockPnpm()
		e.spec.Later = laterNames()
		git := gitPaths{home: e.o.Home, get: func(name string) string { return getenv(e.o.Environ, name) }}
		e.spec.RepoPaths, e.spec.RepoRuns = git.protect, git.runs
		if err := e.prepareTemp(); err != nil {
			return err
		}
	}
	if err := e.planPorts(); err != nil {
		return err
	}
	if err := e.openSockets(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding srt's own file: %w", err)
	}
	kept, dropped := cfg.Env(e.o.Environ)
	e.dropped = dropped
	env := newEnvironment(kept)
	e.maskVariables(env)
	env.mark(e.spec.TempDir)
	env.proxies(e.token, self)
	var safe []string
	for _, dir := range cfg.GitSafeDirectories {
		safe = append(safe, dir.Text)
	}
	env.safeDirectories(safe)
	e.releaseAges(env)
	if err := e.scripts(env); err != nil {
		return err
	}
	if err := e.builds(env, self); err != nil {
		return err
	}
	e.spec.Env = env.list()
	return nil
}

// releaseAges has tools pass over releases that are younger than the settings want, as
// far as variables can, and says where they cannot.
func (e *engine) releaseAges(env *environment) {
	age := e.cfg.Guard.MinReleaseAge
	if !age.Set {
		return
	}
	user := PresetEnv(e.o.Home, e.o.Dir, env.get)
	user.ReadFile = func(name string) ([]byte, error) {
		// What a repository puts in place of a file of a tool's is not to be waited for.
		if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
			return nil, fs.ErrNotExist
		}
		return config.ReadFile(name)
	}
	set, drop := preset.Ages(age.Value, time.Now(), e.parts, env.list(), user)
	env.remove(func(name string) bool { return slices.Contains(drop, name) })
	for _, entry := range set {
		name, value, _ := strings.Cut(entry, "=")
		env.set(name, value)
	}
	e.ageless, _ = preset.Ageless(e.parts, nil, user)
	if tool, instead := preset.Ageless(e.parts, e.o.As, user); tool != "" {
		e.o.Warnf("guard.min_release_age does not reach %s: %s", tool, instead)
	}
}

// maskVariables takes variables out that should be shown in a masked form only:
// until masking is there, not showing them at all is what keeps them secret. The
// policy hides such files for the same reason.
func (e *engine) maskVariables(env *environment) {
	for _, c := range e.cfg.Credentials.Files {
		if c.Mask {
			e.o.Warnf("credentials.files %q: masking is not supported yet, so the command cannot read the file at all", c.Name)
		}
	}
	for _, c := range e.cfg.Credentials.EnvVars {
		if _, set := env.values[c.Name]; c.Mask && set {
			env.remove(func(name string) bool { return name == c.Name })
			e.dropped = append(e.dropped, c.Name)
			e.o.Warnf("credentials.envVars %q: masking is not supported yet, so the command does not get the variable at all", c.Name)
		}
	}
}

// unsupported refuses settings that would be silently without effect.
func (e *engine) unsupported() error {
	n := e.cfg.Network
	switch {
	case n.HTTPProxyPort.Set || n.SOCKSProxyPort.Set:
		return errors.New("network.httpProxyPort and socksProxyPort are not supported yet: srt's own proxy cannot be replaced")
	case n.MITMProxy != nil:
		return errors.New("network.mitmProxy is not supported yet")
	case n.RefuseOpaqueTunnels.Value:
		return errors.New("network.refuseOpaqueTunnels needs TLS termination, which is not supported yet")
	case len(n.StripResponseHeaders) > 0:
		return errors.New("network.stripResponseHeaders is not supported yet")
	}
	if n.TLSTerminate != nil {
		e.o.Warnf("network.tlsTerminate is not supported yet: TLS connections are judged by host and port only")
	}
	return nil
}

// prepareTemp finds the place of the private TMPDIR. An empty folder has to stand
// there; it is left behind, since sandboxes of other users may rest on it.
func (e *engine) prepareTemp() error {
	var last error
	for _, dir := range []string{tempDir, tempDir + "-" + strconv.Itoa(os.Getuid())} {
		err := os.Mkdir(dir, 0o755) //nolint:gosec // what is mounted on it is private
		if err != nil && !errors.Is(err, fs.ErrExist) {
			last = err
			continue
		}
		info, err := os.Lstat(dir)
		if err == nil && info.IsDir() {
			e.spec.TempDir = dir
			return nil
		}
		last = fmt.Errorf("%q is not a folder", dir)
	}
	return fmt.Errorf("making the place of the private TMPDIR: %w", last)
}

// journalDir is below the folder for state.
const journalDir = "srt/placeholders"

// stateHome is where programs keep what must outlast a restart.
func stateHome(o Options) string {
	if dir := getenv(o.Environ, "XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join(o.Home, ".local", "state")
}

// newToken makes the password of this run's proxy.
func newToken() (string, error) {
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		return "", fmt.Errorf("making the proxy's password: %w", err)
	}
	return hex.EncodeToString(raw), nil
}

// localAddrs are the addresses of this host's interfaces.
func localAddrs() []netip.Addr {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var addrs []netip.Addr
	for _, a := range list {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			addrs = append(addrs, prefix.Addr())
		}
	}
	return addrs
}

// makeProxy makes the proxy that asks the policy in force at each request.
func (e *engine) makeProxy() error {
	parent, err := e.parentProxy()
	if err != nil {
		return err
	}
	e.server = &proxy.Server{
		Token:  e.token,
		Guests: map[string]string{scriptUser: scriptToken(e.token)},
		Parent: parent,
		Logf:   e.o.Logf,
		Decide: func(ctx context.Context, r proxy.Request) proxy.Verdict {
			pol := e.policy.Load()
			d := pol.Host(r.Host, r.Port)
			if e.scriptsOnly(r.User) {
				return proxy.Verdict{Host: d.Host, Reason: scriptReason}
			}
			if e.asked(ctx, d, r.Port) {
				d.Allow, d.Reason = true, ""
			}
			return proxy.Verdict{
				Allow: d.Allow, Host: d.Host, Reason: d.Reason, Listed: d.Rule != nil,
				Guard: func(addr netip.Addr) error {
					if d := pol.Addr(r.Host, r.Port, addr); !d.Allow {
						return errors.New(d.Reason)
					}
					return nil
				},
			}
		},
		OnDeny: e.denied,
	}
	return nil
}

// parentProxy is the proxy that srt itself has to go through.
func (e *engine) parentProxy() (*proxy.Parent, error) {
	var parent *proxy.Parent
	var err error
	if set := e.cfg.Network.ParentProxy; set != nil {
		parent, err = proxy.NewParent(set.HTTP, set.HTTPS, set.NoProxy)
	} else {
		parent, err = proxy.ParentFromEnv(func(name string) string { return getenv(e.o.Environ, name) })
	}
	if err != nil {
		return nil, fmt.Errorf("reading the parent proxy: %w", err)
	}
	return parent, nil
}

// maxShownHost is how much of a host an event holds, in bytes: as long as names
// are. Events are kept until the end of the run, and the sandbox makes them.
const maxShownHost = 255

// denied records a connection that the proxy refused, with what would allow it
// as the policy says.
func (e *engine) denied(d proxy.Denial) {
	r := d.Request
	decision := e.policy.Load().Host(r.Host, r.Port)
	if d.Guarded {
		decision = e.policy.Load().Addr(r.Host, r.Port, d.Addr)
	}
	host := r.Host
	if len(host) > maxShownHost { // malformed, and as long as a request's head may be
		host = host[:maxShownHost] + "…"
	}
	ev := event.Event{
		Time: d.Time, Kind: event.Connect, Reason: d.Reason,
		Target: net.JoinHostPort(host, strconv.Itoa(int(r.Port))),
	}
	// A policy that allows it did not speak: the proxy refused by itself, and the
	// rule that allows is not what blocked.
	switch {
	case e.scriptsOnly(r.User):
		ev.Hint = scriptHint
	case !decision.Allow:
		ev.Hint = decision.Hint
		if decision.Rule != nil {
			ev.Rule = strconv.Quote(decision.Rule.Text) + " of " + decision.Rule.Origin.String()
		}
	}
	e.events.Add(ev)
}
