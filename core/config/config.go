package config

import (
	"io/fs"
	"net/netip"

	"github.com/srt-sh/srt/core/policy"
)

// Setting is a single value and where it was set.
type Setting[T any] struct {
	Value  T
	Set    bool // false: nobody said anything, and Value is the default
	Origin policy.Origin
}

// Config is the merged settings. Load makes it.
type Config struct {
	NPM   bool     // the user's rules come from a file of the npm form: its lists are complete, and the credential table does not apply
	Notes []string // what was dropped or is doubtful, in words for the user; one line each
	Home  string
	Dir   string

	// Narrowed is the folder that a preset which nobody named does not open, since it is
	// the home directory or more; empty: there is none.
	Narrowed string

	Network     Network
	Filesystem  Filesystem
	Environment Environment
	Credentials Credentials
	Commands    []Command // in the order in which they count
	Limits      Limits
	Guard       Guard
	Scripts     Scripts
	AllowWeaker []policy.Rule // names of WeakerNames

	IgnoreViolations             []IgnoreRule
	ReportFiles                  Setting[bool] // unset: true
	EnableWeakerNestedSandbox    Setting[bool]
	AllowNestedUserNamespaces    Setting[bool]
	EnableWeakerNetworkIsolation Setting[bool]
	AllowAppleEvents             Setting[bool]
	AllowPty                     Setting[bool]
	MandatoryDenySearchDepth     Setting[int] // unset: as the mechanism likes
	BwrapPath                    Setting[string]
	GitSafeDirectories           []policy.Rule

	// Projects are the files that the repository brings along, weakest first.
	Projects []ProjectFile

	// What whoever runs the command adds before asking for the Policy.
	Temp       string                            // private temporary directory: writable, no protected names in it; empty: none
	LocalAddrs func() []netip.Addr               // see policy.Input
	Lstat      func(string) (fs.FileInfo, error) // see policy.Input; Load sets it from Options

	goos        string
	own         []string
	events      string            // the event log of srt, which tells what other commands did; empty: none
	runLater    map[string]string // see policy.Input
	managedOnly bool              // no layer but the managed one widens anything, by its form neither
}

// Network is [network].
type Network struct {
	AllowedDomains         []policy.DomainRule
	DeniedDomains          []policy.DomainRule
	DeniedAddrs            []policy.AddrRule
	StrictAllowlist        Setting[bool]
	AllowUnixSockets       []policy.Rule
	AllowAllUnixSockets    Setting[bool]
	AllowLocalBinding      Setting[bool]
	AllowMachLookup        []policy.Rule
	HTTPProxyPort          Setting[int]
	SOCKSProxyPort         Setting[int]
	MITMProxy              *MITMProxy
	StripResponseHeaders   []policy.Rule
	RefuseOpaqueTunnels    Setting[bool]
	RequireHostMatch       Setting[bool]
	TLSTerminate           *TLSTerminate // nil: TLS is left alone
	ForwardLoopback        []Port        // of the host, reachable inside
	Listen                 []Port        // inside, reachable on the host
	ParentProxy            *ParentProxy  // nil: as HTTP_PROXY, HTTPS_PROXY and NO_PROXY of srt's environment say
	PlaintextHeaderSet     Setting[bool]
	AmbiguousRequestTarget Setting[string]
}

// Port is a TCP port of a list.
type Port struct {
	Number int
	Origin policy.Origin
}

// ProxyPorts are those that srt's proxies listen on inside every sandbox.
var ProxyPorts = []int{HTTPPort, SOCKSPort}

// The proxies' ports. Both speak HTTP and SOCKS5.
const (
	HTTPPort  = 3128
	SOCKSPort = 1080
)

// MITMProxy is [network.mitm_proxy].
type MITMProxy struct {
	SocketPath string
	Domains    []policy.DomainPattern
	Origin     policy.Origin
}

// TLSTerminate is [network.tls_terminate]. Paths are absolute.
type TLSTerminate struct {
	CACertPath, CAKeyPath string // both or none; none: a CA is made for the run
	ExcludeDomains        []policy.DomainPattern
	ExtraCACertPaths      []string
	MaxTunnels            int // 256 unless set
	HandshakeTimeoutMS    int // 10000 unless set
	Origin                policy.Origin
}

// ParentProxy is [network.parent_proxy].
type ParentProxy struct {
	HTTP, HTTPS, NoProxy string
	Origin               policy.Origin
}

// Filesystem is [filesystem].
type Filesystem struct {
	Disabled       Setting[bool]
	AllowGitConfig Setting[bool]
	Paths          []policy.PathEntry // the lists in one, weakest layer first
}

// Environment is [environment].
type Environment struct {
	Deny []policy.Rule // names or patterns
	Keep []policy.Rule
}

// Credentials is [credentials].
type Credentials struct {
	Files                []Credential
	EnvVars              []Credential
	AllowPlaintextInject Setting[bool]
	AWSPairs             []AWSPair
	SigV4                SigV4
}

// Credential is a file or a variable that holds a secret.
type Credential struct {
	Name             string // the path as spelled, or the variable
	Base             string // of a path: see policy.PathEntry
	Mask             bool   // false: denied
	Extract          string // a JavaScript regular expression, whose first group is the secret; empty: the whole
	OnExtractNoMatch string // warn, deny or error
	Decode           string // jwt or empty
	MaskClaims       []string
	MaskDuplicates   bool
	InjectHosts      []policy.DomainPattern // nil: every allowed host
	Rule             policy.Rule
}

// AWSPair names the variables of an AWS key pair.
type AWSPair struct {
	AccessKeyID, SecretAccessKey, SessionToken string
	Origin                                     policy.Origin
}

// SigV4 says which AWS requests that cannot be signed again pass through
// nevertheless.
type SigV4 struct {
	Streaming, Presigned, SigV4A bool
	Origin                       policy.Origin
}

// Command is an element of [[command]].
type Command struct {
	Match  []policy.Rule
	Preset string // "": the one that would apply without the rule
	Origin policy.Origin
	Held   bool // of a repository's file that is not trusted, so that Preset does not count and is empty
}

// IgnoreRule names violations that are not reported.
type IgnoreRule struct {
	Command string   // a part of the command, or * for every command
	Parts   []string // parts of the report's line
	Origin  policy.Origin
}

// Policy makes the policy that the settings describe. Each call makes a new
// one.
func (c *Config) Policy() (*policy.Policy, error) {
	in := policy.Input{
		Roots:      policy.Roots{Home: c.Home, Dir: c.Dir},
		Allowed:    c.Network.AllowedDomains,
		Denied:     c.Network.DeniedDomains,
		Addrs:      c.Network.DeniedAddrs,
		NoFiles:    c.Filesystem.Disabled.Value,
		GitConfig:  c.Filesystem.AllowGitConfig.Value,
		NPM:        c.NPM,
		Own:        c.own,
		RunLater:   c.runLater,
		WriteGlobs: c.goos == "darwin",
		Lstat:      c.Lstat,
		LocalAddrs: c.LocalAddrs,
	}
	if !c.NPM || c.managedOnly {
		in.Paths = append(in.Paths, policy.CredentialRules()...)
		if c.events != "" {
			in.Paths = append(in.Paths, policy.PathEntry{Kind: policy.DenyRead, Literal: true, Rule: policy.Rule{
				Text: c.events, Reason: "it holds commands typed, secrets among them", Origin: policy.Origin{Key: "credentials"},
			}})
		}
	}
	in.Paths = append(in.Paths, c.Filesystem.Paths...)
	for _, f := range c.Credentials.Files {
		// Until files can be masked, those that should be are hidden too.
		in.Paths = append(in.Paths, policy.PathEntry{Kind: policy.DenyRead, Firm: true, Base: f.Base, Rule: f.Rule})
	}
	if c.Temp != "" {
		in.Paths = append(in.Paths, policy.PathEntry{
			Kind: policy.AllowWrite, Literal: true, Cache: true,
			Rule: policy.Rule{Text: c.Temp, Reason: "temporary files", Origin: policy.Origin{Key: "temp"}},
		})
	}
	pol, err := policy.New(in)
	if err != nil || !c.NPM || c.managedOnly || in.NoFiles {
		return pol, err
	}
	return c.withDefaultWrites(in, pol)
}

// npmDefaultWrites are what npm srt lets every command write besides devices.
func npmDefaultWrites() []string {
	return []string{"/tmp/claude", "/private/tmp/claude", "~/.npm/_logs", "~/.claude/debug"}
}

// withDefaultWrites adds them, less those that a read deny covers: a write
// root can be read.
func (c *Config) withDefaultWrites(in policy.Input, pol *policy.Policy) (*policy.Policy, error) {
	for _, p := range npmDefaultWrites() {
		abs, err := in.Roots.Resolve(p)
		if err != nil || !pol.Read(abs).Allow {
			continue
		}
		in.Paths = append(in.Paths, policy.PathEntry{
			Kind: policy.AllowWrite, Literal: true, Cache: true,
			Rule: policy.Rule{Text: p, Origin: policy.Origin{Key: "npm defaults"}},
		})
	}
	return policy.New(in)
}

// Env returns the variables that the command gets, in their order, and the
// names of those that it does not. A keep beats a deny of its own layer or of
// a weaker one; a deny of the managed layer and a denied credential beat any
// keep. Masked variables are left in: replacing them is the business of
// whoever masks.
func (c *Config) Env(environ []string) (kept, dropped []string) {
	for _, kv := range environ {
		name := kv
		for i := range len(kv) {
			if kv[i] == '=' && i > 0 {
				name = kv[:i]
				break
			}
		}
		if c.EnvDenied(name) != nil {
			dropped = append(dropped, name)
		} else {
			kept = append(kept, kv)
		}
	}
	return kept, dropped
}

// EnvDenied returns the rule that hides a variable from the command, or nil.
func (c *Config) EnvDenied(name string) *policy.Rule {
	for i := range c.Credentials.EnvVars {
		if v := &c.Credentials.EnvVars[i]; !v.Mask && v.Name == name {
			return &v.Rule
		}
	}
	var deny, keep *policy.Rule
	for i := range c.Environment.Deny {
		if r := &c.Environment.Deny[i]; policy.MatchGlob(r.Text, name) {
			deny = r
		}
	}
	if deny == nil || deny.Origin.Layer == policy.LayerManaged {
		return deny
	}
	for i := range c.Environment.Keep {
		if r := &c.Environment.Keep[i]; policy.MatchGlob(r.Text, name) {
			keep = r
		}
	}
	if keep != nil && keep.Origin.Layer >= deny.Origin.Layer {
		return nil
	}
	return deny
}
