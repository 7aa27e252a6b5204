package sandbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/srt-sh/srt/sandbox/stage"
)

// SeatbeltOptions are what a profile of macOS says beside the rules on files. Each
// switch widens it.
type SeatbeltOptions struct {
	Tag     string   // letters, digits and _, in the message of each denial; "" for none
	Proxies []uint16 // ports of the loopback interface on which srt's proxies listen
	Forward []uint16 // further ports there that can be connected to
	Bind    []uint16 // ports there that can be listened on

	LocalBinding   bool     // listen on any port, and connect to any of the loopback interface
	UnixSockets    []string // absolute paths of sockets that can be connected to
	AllUnixSockets bool
	Trust          bool     // com.apple.trustd.agent, which fetches from any host
	AppleEvents    bool     // other applications can be told what to do
	Pty            bool     // new terminals
	Mach           []string // further services by name, a * at the end for any ending
}

const (
	// maxSeatbelt bounds one string of a profile, in bytes: some 1025 are too many.
	maxSeatbelt = 1000
	// maxPattern bounds a regular expression before what goes around it.
	maxPattern = 850
)

// ErrSeatbelt says that a profile cannot express a rule that opens something.
var ErrSeatbelt = errors.New("a Seatbelt profile cannot hold it")

// seatbelt is a profile that is being written.
type seatbelt struct {
	strings.Builder
	tag string
	err error
}

// Seatbelt translates a plan into a profile for sandbox-exec(1). The spec must be the
// one that the plan was made of. What cannot be said exactly is denied where it is a
// denial, and else an error.
//
// In a profile the last rule that matches wins, as the mount that was made last does.
// So the mounts of a plan, outermost first, are rules in the same order. Beyond them,
// denied patterns and protected names hold for files that are made later: there are no
// placeholders.
func Seatbelt(spec *Spec, plan *Plan, o SeatbeltOptions) (string, error) {
	if strings.ContainsFunc(o.Tag, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) {
		return "", fmt.Errorf("bug: tag %q", o.Tag)
	}
	s := &seatbelt{}
	if o.Tag != "" {
		s.tag = ` (with message "` + o.Tag + `")`
	}
	s.line("(version 1)")
	s.line("(deny default%s)", s.tag)
	s.line("%s", strings.TrimSuffix(seatbeltBase, "\n"))
	s.services(o)
	s.network(o)
	s.files(spec, plan)
	if o.Pty {
		s.title("terminals: allow_pty")
		s.line("(allow pseudo-tty)")
		s.line(`(allow file-ioctl file-read* file-write* (literal "/dev/ptmx") (regex #"^/dev/ttys"))`)
	}
	return s.String(), s.err
}

func (s *seatbelt) line(format string, args ...any) { fmt.Fprintf(s, format+"\n", args...) }

// title begins a group of rules.
func (s *seatbelt) title(text string) { s.line("\n;; %s", comment(text)) }

// comment makes text fit for the rest of a line.
func comment(text string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

// quote makes a string of the profile's language. It keeps an error for what that
// cannot hold.
func (s *seatbelt) quote(text string) string {
	quoted, ok := seatbeltString(text)
	if !ok && s.err == nil {
		s.err = fmt.Errorf("%w: %q has control characters, is not UTF-8 or is longer than %d bytes", ErrSeatbelt, text, maxSeatbelt)
	}
	return quoted
}

func seatbeltString(text string) (string, bool) {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return "", false
	}
	quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
	return quoted, len(quoted) <= maxSeatbelt
}

// seatbeltBase is what programs need of the system, whatever the settings say. There is
// no way to the keychain, to LaunchServices or to launchd in it.
const seatbeltBase = `
;; processes: only those of this sandbox
(allow process-exec)
(allow process-fork)
(allow process-info* (target same-sandbox))
(allow signal (target same-sandbox))
(allow mach-priv-task-port (target same-sandbox))
(allow user-preference-read)
(allow ipc-posix-shm)
(allow ipc-posix-sem)
(allow distributed-notification-post)
(allow iokit-get-properties)
(allow iokit-open
  (iokit-registry-entry-class "IOSurfaceRootUserClient")
  (iokit-registry-entry-class "RootDomainUserClient")
  (iokit-user-client-class "IOSurfaceSendRight"))
(allow system-socket (require-all (socket-domain AF_SYSTEM) (socket-protocol 2)))

;; services: fonts, logs, users and folders
(allow mach-lookup
  (global-name "com.apple.FontObjectsServer")
  (global-name "com.apple.PowerManagement.control")
  (global-name "com.apple.bsd.dirhelper")
  (global-name "com.apple.distributed_notifications@Uv3")
  (global-name "com.apple.fonts")
  (global-name "com.apple.logd")
  (global-name "com.apple.lsd.mapdb")
  (global-name "com.apple.system.logger")
  (global-name "com.apple.system.notification_center")
  (global-name "com.apple.system.opendirectoryd.libinfo")
  (global-name "com.apple.system.opendirectoryd.membership"))

;; facts about the machine
(allow sysctl-read
  (sysctl-name-prefix "hw.")
  (sysctl-name-prefix "kern.proc.all")
  (sysctl-name-prefix "kern.proc.pgrp.")
  (sysctl-name-prefix "kern.proc.pid.")
  (sysctl-name-prefix "machdep.cpu.")
  (sysctl-name-prefix "net.routetable.")
  (sysctl-name "kern.argmax")
  (sysctl-name "kern.bootargs")
  (sysctl-name "kern.hostname")
  (sysctl-name "kern.maxfiles")
  (sysctl-name "kern.maxfilesperproc")
  (sysctl-name "kern.maxproc")
  (sysctl-name "kern.ngroups")
  (sysctl-name "kern.osproductversion")
  (sysctl-name "kern.osrelease")
  (sysctl-name "kern.ostype")
  (sysctl-name "kern.osvariant_status")
  (sysctl-name "kern.osversion")
  (sysctl-name "kern.secure_kernel")
  (sysctl-name "kern.tcsm_available")
  (sysctl-name "kern.tcsm_enable")
  (sysctl-name "kern.usrstack64")
  (sysctl-name "kern.version")
  (sysctl-name "kern.willshutdown")
  (sysctl-name "machdep.ptrauth_enabled")
  (sysctl-name "security.mac.lockdown_mode_state")
  (sysctl-name "sysctl.proc_cputype")
  (sysctl-name "vm.loadavg"))
(allow sysctl-write (sysctl-name "kern.tcsm_enable"))
`

// services opens what the settings name of the system.
func (s *seatbelt) services(o SeatbeltOptions) {
	if o.Trust {
		s.title("certificates: enable_weaker_network_isolation")
		s.line(`(allow mach-lookup (global-name "com.apple.trustd.agent"))`)
	}
	if o.AppleEvents {
		s.title("other applications: allow_apple_events")
		s.line("(allow appleevent-send)\n(allow lsopen)")
		for _, name := range []string{"com.apple.coreservices.appleevents", "com.apple.CoreServices.coreservicesd", "com.apple.coreservices.launchservicesd", "com.apple.coreservices.quarantine-resolver"} {
			s.line("(allow mach-lookup (global-name %q))", name)
		}
	}
	if len(o.Mach) > 0 {
		s.title("services: network.allow_mach_lookup")
	}
	for _, name := range o.Mach {
		kind := "global-name"
		start, open := strings.CutSuffix(name, "*")
		if open {
			kind = "global-name-prefix"
		}
		s.line("(allow mach-lookup (%s %s))", kind, s.quote(start))
	}
}

// network opens the ways out: by the address that is connected to, never by the one that
// is connected from, which would open all.
func (s *seatbelt) network(o SeatbeltOptions) {
	out := func(ports []uint16) {
		for _, port := range ports {
			s.line(`(allow network-outbound (remote ip "localhost:%d"))`, port)
		}
	}
	s.title("network: srt's proxies")
	out(o.Proxies)
	if len(o.Forward) > 0 {
		s.title("network.forward_loopback")
		out(o.Forward)
	}
	if len(o.Bind) > 0 {
		s.title("network.listen")
		for _, port := range o.Bind {
			s.line(`(allow network-bind network-inbound (local ip "localhost:%d"))`, port)
		}
	}
	if o.LocalBinding {
		s.title("network.allow_local_binding")
		s.line(`(allow network-bind network-inbound (local ip "*:*"))`)
		s.line(`(allow network-outbound (remote ip "localhost:*"))`)
	}
	switch {
	case o.AllUnixSockets:
		s.title("network.allow_all_unix_sockets")
		s.line("(allow system-socket (socket-domain AF_UNIX))")
		s.line(`(allow network-bind (local unix-socket (path-regex #"^/")))`)
		s.line(`(allow network-outbound (remote unix-socket (path-regex #"^/")))`)
	case len(o.UnixSockets) > 0:
		s.title("network.allow_unix_sockets")
		s.line("(allow system-socket (socket-domain AF_UNIX))")
		for _, path := range o.UnixSockets {
			for _, name := range spellings(path) {
				s.line("(allow network-bind (local unix-socket (path-literal %[1]s)))\n(allow network-outbound (remote unix-socket (path-literal %[1]s)))", s.quote(name))
			}
		}
	}
}

// spellings are a path and its other name: some folders at the top are links into /private.
func spellings(path string) []string {
	for _, top := range []string{"/tmp", "/var", "/etc"} {
		if beneath(path, top) {
			return []string{path, "/private" + path}
		}
		if beneath(path, "/private"+top) {
			return []string{path, strings.TrimPrefix(path, "/private")}
		}
	}
	return []string{path}
}

// files writes the rules on files.
func (s *seatbelt) files(spec *Spec, plan *Plan) {
	s.title("devices")
	s.line(`(allow file-ioctl file-read* file-write*
  (literal "/dev/null") (literal "/dev/zero") (literal "/dev/random") (literal "/dev/urandom")
  (literal "/dev/dtracehelper") (literal "/dev/tty") (literal "/dev/autofs_nowait")
  (literal "/dev/stdin") (literal "/dev/stdout") (literal "/dev/stderr") (subpath "/dev/fd"))`)
	if spec.OpenFiles {
		s.title("files: filesystem.disabled")
		s.line("(allow file*)")
		return
	}
	s.title("files: all can be read")
	s.line("(allow file-read*)")
	if plan.BaseWritable {
		s.title("files: all can be written")
		s.line("(allow file-write*)")
	}
	s.title("files: the rules, the outer ones first")
	for _, m := range plan.Mounts {
		s.mount(m)
	}
	s.patterns(spec, plan)
	s.names(spec, plan)
	if len(plan.Pins) > 0 {
		s.title("files: what is on the way to a protected path stays where it is")
	}
	for _, m := range plan.Pins {
		s.line("; %s: %s", comment(m.Path), comment(m.Reason))
		s.line("(deny file-write-create file-write-unlink%s%s)", s.denied(m.Path, true), s.tag)
	}
	s.shownWays(plan)
}

func (s *seatbelt) mount(m Mount) {
	s.line("; %s: %s", m.Kind, comment(m.Reason))
	switch m.Kind {
	case stage.Writable, stage.Private:
		s.line("(allow file-read* file-write*%s)", s.opened(m.Path))
		if m.Dir {
			// Moved into another root it would lose what is denied in it.
			s.line("(deny file-write-create file-write-unlink%s%s)", s.denied(m.Path, true), s.tag)
		}
	case stage.ReadOnly:
		s.line("(deny file-write*%s%s)", s.denied(m.Path, false), s.tag)
		if m.Reveal {
			s.line("(allow file-read*%s)", s.opened(m.Path))
		}
	case stage.HideDir, stage.HideFile:
		s.line("(deny file-read* file-write*%s%s)", s.denied(m.Path, false), s.tag)
	case stage.Pin:
	}
}

// opened gives the filters that match a path and all beneath it, and no more.
func (s *seatbelt) opened(path string) string {
	var filters strings.Builder
	for _, name := range spellings(path) {
		filters.WriteString(" (subpath " + s.quote(name) + ")")
	}
	return filters.String()
}

// shownWays shows that the folders are there which lead from a hidden one to what is open
// in it: programs look at each of them.
func (s *seatbelt) shownWays(plan *Plan) {
	shown := map[string]bool{}
	for _, m := range plan.Mounts {
		if m.Reveal || m.Kind == stage.Writable {
			for dir := parent(m.Path); dir != "/" && !shown[dir]; dir = parent(dir) {
				shown[dir] = true
			}
		}
	}
	ways := make([]string, 0, len(shown))
	for _, m := range plan.Mounts {
		if m.Kind != stage.HideDir || !m.Open {
			continue
		}
		for dir := range shown {
			if beneath(dir, m.Path) && !slices.Contains(ways, dir) {
				ways = append(ways, dir)
			}
		}
	}
	slices.Sort(ways)
	if len(ways) > 0 {
		s.title("files: the folders on the way to what is open in a hidden one")
	}
	for _, dir := range ways {
		s.line("(allow file-read-metadata (literal %s))", s.quote(dir))
	}
}

// denied gives the filters that match a path and, unless it is alone, all beneath it: as it
// is spelled where the language can say so, and in every spelling that a volume without
// case or with normal forms could take for it.
func (s *seatbelt) denied(path string, alone bool) string {
	kind, end := "subpath", "(/.*)?$"
	if alone {
		kind, end = "literal", "$"
	}
	filters := ""
	if exact, ok := seatbeltString(path); ok {
		filters = " (" + kind + " " + exact + ")"
	}
	if path == "/" {
		return filters
	}
	return filters + ` (regex #"` + foldPath(path) + end + `")`
}

// foldPath is a pattern for all spellings of a path: without case, in any normal form, with
// and without the names of firmlinks and of /private. One that would be too long is cut at
// the front, and then holds for more.
func foldPath(path string) string {
	path = strings.TrimPrefix(path, "/System/Volumes/Data")
	for _, top := range []string{"/private/tmp", "/private/var", "/private/etc"} {
		if beneath(path, top) {
			path = strings.TrimPrefix(path, "/private")
		}
	}
	names := strings.Split(strings.Trim(path, "/"), "/")
	pattern := ""
	for i, name := range slices.Backward(names) {
		folded := foldName(name)
		if len(pattern)+len(folded)+1 > maxPattern {
			if pattern == "" {
				pattern = "/[^/]+"
			}
			return "^(/.*)?" + pattern
		}
		pattern = "/" + folded + pattern
		if i == 0 {
			break
		}
	}
	return "^(/System/Volumes/Data)?(/private)?" + pattern
}

// foldName is a pattern for all spellings of a name. Characters beyond ASCII have several
// forms, some of which are letters of ASCII and marks; and some of them are letters of ASCII
// to a volume without case, as U+017F is s and U+FB01 is fi. From the first one on, a name
// may be any.
func foldName(name string) string {
	if first := strings.IndexFunc(name, notASCII); first >= 0 {
		last := strings.LastIndexFunc(name, notASCII)
		_, size := utf8.DecodeRuneInString(name[last:])
		if first > 0 {
			first-- // the letter that a mark belongs to
		}
		return fold(name[:first]) + "[^/]+" + fold(name[last+size:])
	}
	pattern := ""
	for i := len(name) - 1; i >= 0; i-- {
		pattern = fold(name[i:i+1]) + pattern
		if hasOther(strings.ToLower(name[i:])) {
			pattern = "(" + pattern + "|[^ -~][^/]*)"
		}
	}
	return pattern
}

// hasOther reports whether text, which is in lower case, begins with what a character
// beyond ASCII may stand for.
func hasOther(text string) bool {
	return strings.IndexByte("sk;`", text[0]) >= 0 ||
		text[0] == 'f' && len(text) > 1 && strings.IndexByte("fil", text[1]) >= 0
}

func notASCII(r rune) bool { return r < ' ' || r > '~' }

// fold is a pattern for printable ASCII without case. It has no backslash and no quote.
func fold(text string) string {
	var b strings.Builder
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
			b.WriteString("[" + strings.ToLower(string(c)) + strings.ToUpper(string(c)) + "]")
		case '0' <= c && c <= '9', strings.IndexByte("/_-, :;=@%~!#&'<>", c) >= 0:
			b.WriteByte(c)
		case strings.IndexByte(".*+?()|{}$[", c) >= 0:
			b.WriteString("[" + string(c) + "]")
		default: // of quote, backslash, ^, ] and ` nobody says how they are spelled
			b.WriteByte('.')
		}
	}
	return b.String()
}

// patterns denies what will match a rule later, and the spelled name of what is a link now.
// Where something is open below, it stays with what was there at the start, which is among
// the mounts.
func (s *seatbelt) patterns(spec *Spec, plan *Plan) {
	known := make(map[string]bool, len(plan.Mounts))
	for _, m := range plan.Mounts {
		known[m.Path] = m.Kind != stage.Writable
	}
	first := true
	for _, r := range spec.Rules {
		ops := "file-write*"
		switch {
		case r.Match == nil && (known[r.Path] || len(r.Except) > 0):
			continue
		case r.Op == DenyRead:
			ops = "file-read* file-write*"
			if !r.Final && slices.ContainsFunc(spec.Rules, func(o PathRule) bool {
				return (o.Op == AllowRead || o.Op == AllowWrite) && o.Path != r.Path && beneath(o.Path, r.Path)
			}) {
				continue
			}
		case r.Op != DenyWrite || !slices.ContainsFunc(spec.Rules, func(o PathRule) bool {
			return o.Op == AllowWrite && (beneath(o.Path, r.Path) || beneath(r.Path, o.Path))
		}):
			continue
		}
		if first {
			s.title("files: what matches a rule, then and later")
			first = false
		}
		s.line("; %s", comment(r.Reason))
		if r.Match == nil {
			s.line("(deny %s%s%s)", ops, s.denied(r.Path, false), s.tag)
			continue
		}
		s.line(`(deny %s (regex #"%s(/.*)?$")%s)`, ops, s.foldRule(r), s.tag)
	}
}

// foldRule is a pattern for what a rule with a glob matches.
func (s *seatbelt) foldRule(r PathRule) string {
	base, pattern := foldPath(r.Path), foldGlob(r.Glob)
	if len(pattern) > maxPattern {
		s.fail("%w: the pattern of %s is too long", ErrSeatbelt, r.Reason)
	}
	switch {
	case r.Path == "/":
		base = "^"
	case len(base)+len(pattern) > maxPattern:
		base = "^(/.*)?"
	}
	return base + "/" + pattern
}

func (s *seatbelt) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
	}
}

// foldGlob is a pattern for at least what a glob matches.
func foldGlob(glob string) string {
	var b strings.Builder
	for glob != "" {
		at := strings.IndexAny(glob, "*?[")
		if at < 0 {
			at = len(glob)
		}
		text, special := glob[:at], glob[at:]
		for i, name := range strings.Split(text, "/") {
			if i > 0 {
				b.WriteByte('/')
			}
			b.WriteString(foldName(name))
		}
		switch {
		case special == "":
		case strings.HasPrefix(special, "**/") && !strings.HasPrefix(special, "***"):
			b.WriteString("(.*/)?")
			special = special[3:]
		case strings.HasPrefix(special, "**"):
			b.WriteString(".*")
			special = strings.TrimLeft(special, "*/")
		case special[0] == '*':
			b.WriteString("[^/]*")
			special = special[1:]
		case special[0] == '?':
			b.WriteString("[^/][^/]?[^/]?[^/]?") // a character may be four bytes
			special = special[1:]
		default:
			set, rest, ok := strings.Cut(special[1:], "]")
			if !ok || !plainSet(set) {
				return b.String() + ".*"
			}
			b.WriteString("([" + strings.ToLower(set) + strings.ToUpper(set) + "]|[^ -~]+)")
			special = rest
		}
		glob = special
	}
	return b.String()
}

// plainSet reports whether the members of a set are letters, digits and rising ranges of one
// kind of them.
func plainSet(set string) bool {
	kind := func(c byte) int {
		switch {
		case 'a' <= c && c <= 'z':
			return 1
		case 'A' <= c && c <= 'Z':
			return 2
		case '0' <= c && c <= '9':
			return 3
		}
		return 0
	}
	for i := 0; i < len(set); i++ {
		if kind(set[i]) == 0 {
			return false
		}
		if i+2 < len(set) && set[i+1] == '-' {
			if kind(set[i]) != kind(set[i+2]) || set[i] > set[i+2] {
				return false
			}
			i += 2
		}
	}
	return set != ""
}

// names denies the protected names at any depth, but in the stores of tools and in the
// private folder. Those of git stay with the repositories that were there at the start,
// since a new one is made of them.
func (s *seatbelt) names(spec *Spec, plan *Plan) {
	var free []string
	for _, r := range spec.Rules {
		if r.Op == AllowWrite && r.Cache {
			free = append(free, r.Path)
		}
	}
	if spec.TempDir != "" {
		free = append(free, spec.TempDir)
	}
	first := true
	for _, p := range spec.Protect {
		if p.RootOnly || strings.HasPrefix(p.Name, ".git/") || strings.Contains(p.Name, "*") {
			continue
		}
		opened := slices.Clone(p.Except)
		for _, m := range plan.Mounts {
			// A root that lies in something of the name has been opened.
			if m.Kind == stage.Writable && holdsNames(m.Path, p.Name) {
				opened = append(opened, m.Path)
			}
		}
		if first {
			s.title("files: protected names, at any depth, there or not")
			first = false
		}
		var names []string
		for name := range strings.SplitSeq(p.Name, "/") {
			names = append(names, foldName(name))
		}
		s.line("; %s: %s", comment(p.Name), comment(p.Reason))
		s.line("(deny file-write* (require-all")
		s.line(`  (regex #"^/(.*/)?%s(/.*)?$")`, strings.Join(names, "/"))
		slices.Sort(opened)
		opened = slices.Compact(opened)
		for _, path := range slices.Concat(free, opened) {
			// What cannot be said to be free is not.
			if exact, ok := seatbeltString(path); ok {
				s.line("  (require-not (subpath %s))", exact)
			}
		}
		s.line(" )%s)", s.tag)
		for _, path := range opened {
			if slices.ContainsFunc(free, func(f string) bool { return beneath(path, f) }) {
				continue
			}
			below := foldPath(path) + "/(.*/)?" + strings.Join(names, "/")
			if len(below) > maxPattern+100 {
				s.fail("%w: %q is too long", ErrSeatbelt, path)
			}
			s.line(`(deny file-write* (regex #"%s(/.*)?$")%s)`, below, s.tag)
		}
	}
}

// holdsNames reports whether a path leads through a name of several components.
func holdsNames(path, name string) bool {
	return strings.Contains(strings.ToLower(path)+"/", "/"+strings.ToLower(name)+"/")
}
