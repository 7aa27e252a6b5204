package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/srt-sh/srt/core/policy"
)

// file is a settings file that was read and found valid.
type file struct {
	shown string // its path as users see it
	toml  bool
	root  *node
}

// readFile reads a settings file, the format by its name's extension. A file
// that is not there is fs.ErrNotExist; every other fault is a *RefusedError, a
// symbolic link that leads nowhere among them.
func readFile(name, shown string) (*file, error) {
	data, err := ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// Anything else has come in between, such as a placeholder of another run.
		if info, gone := os.Lstat(name); gone == nil && info.Mode()&fs.ModeSymlink != 0 {
			return nil, refuse(lostFile, nil, "%s is a symbolic link to a file that does not exist.", shown)
		}
		return nil, err
	case errors.Is(err, syscall.ENXIO):
		// A socket, as another run puts where no settings are while its command may
		// write around there.
		return nil, fs.ErrNotExist
	case errors.Is(err, errTooBig):
		return nil, refuse(lostFile, err, "%s is larger than %d MiB.", shown, maxFile>>20)
	case errors.Is(err, errNotFile):
		return nil, refuse(lostFile, err, "%s is not a file.", shown)
	case err != nil:
		return nil, refuse(lostFile, err, "%s could not be read (%s).", shown, errnoName(err))
	}
	return parseFile(data, shown, isTOML(name), false)
}

var (
	errTooBig  = errors.New("file too large")
	errNotFile = errors.New("not a file")
)

// pipeTime is how long a pipe may take to give settings.
const pipeTime = 10 * time.Second

// ReadFile reads a file that a user names or keeps: a regular one, or a pipe as
// of a shell's <(…), for which it waits no longer than ten seconds. What is
// larger than settings can be, or neither, is an error.
func ReadFile(name string) ([]byte, error) {
	// Without O_NONBLOCK a named pipe that nobody writes to would never open.
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	switch mode := info.Mode(); {
	case mode.IsRegular():
	case mode.IsDir():
		return nil, syscall.EISDIR
	case mode&fs.ModeNamedPipe != 0:
		if err := f.SetReadDeadline(time.Now().Add(pipeTime)); err != nil {
			return nil, err
		}
	default:
		return nil, errNotFile
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = errTooBig
	}
	return data, err
}

func isTOML(name string) bool { return strings.EqualFold(filepath.Ext(name), ".toml") }

// parseFile parses and checks the bytes of a settings file. A preset's own
// table is let through for presets only.
func parseFile(data []byte, shown string, toml, preset bool) (*file, error) {
	if len(bytes.TrimSpace(bytes.ReplaceAll(data, []byte("\ufeff"), nil))) == 0 {
		return nil, refuse(lostFile, nil, "%s is empty. Delete it, or put a config in it.", shown)
	}
	if bytes.HasPrefix(data, []byte("\ufeff")) && toml {
		return nil, refuseAt(&Error{File: shown, Line: 1, Msg: "not valid TOML: the file begins with a byte order mark", Hint: "save it without"})
	}
	v := validator{toml: toml}
	if !toml {
		root, err := parseJSON(data)
		if err != nil {
			return nil, refuse(lostFile, err, "%s is not valid JSON: %s", shown, inLine(err))
		}
		v.value(root, rootSpec(), nil)
		if !v.aborted {
			v.crossCheck(root)
		}
		if len(v.issues) > 0 {
			return nil, refuse(lostFile, v.first(shown), "%s does not hold a valid config — %s", shown, v.all())
		}
		return &file{shown, false, root}, nil
	}
	root, err := parseTOML(data)
	if err != nil {
		e, ok := errors.AsType[*Error](err)
		if !ok {
			e = &Error{Msg: err.Error()}
		}
		e.File = shown
		return nil, refuseAt(e)
	}
	if preset {
		delete(root.fields, "preset")
		root.keys = withoutKey(root.keys, "preset")
	}
	v.value(root, rootSpec(), nil)
	if !v.aborted {
		v.crossCheck(root)
	}
	if len(v.issues) == 0 {
		v.tomlOnly(root)
	}
	if len(v.issues) > 0 {
		return nil, refuseAt(v.first(shown))
	}
	return &file{shown, true, root}, nil
}

func withoutKey(keys []string, key string) []string {
	var out []string
	for _, k := range keys {
		if k != key {
			out = append(out, k)
		}
	}
	return out
}

// inLine adds the line to an error of syntax.
func inLine(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return fmt.Sprintf("%s (line %d)", e.Msg, e.Line)
	}
	return err.Error()
}

// all spells the issues as npm srt does, up to a length that a terminal bears.
func (v *validator) all() string {
	const most = 50
	var parts []string
	for i, is := range v.issues {
		if i == most {
			parts = append(parts, fmt.Sprintf("and %d more", len(v.issues)-most))
			break
		}
		parts = append(parts, is.key()+": "+is.msg)
	}
	return strings.Join(parts, "; ")
}

// first returns the issue that stands first in the file.
func (v *validator) first(shown string) *Error {
	first := v.issues[0]
	for _, is := range v.issues[1:] {
		if is.line > 0 && is.line < first.line {
			first = is
		}
	}
	return &Error{File: shown, Line: first.line, Key: strings.Join(first.path, "."), Msg: first.msg, Hint: first.hint}
}

// tomlOnly makes the checks that TOML, being strict, adds to those of npm srt.
func (v *validator) tomlOnly(root *node) {
	for _, list := range []string{"allowedDomains", "deniedDomains"} {
		for _, n := range root.get("network", list).items() {
			if msg := inertDomain(list == "deniedDomains")(n.text()); msg != "" {
				v.fail([]string{"network", Snake(list)}, n.line, msg, inertHint)
			}
		}
	}
	for _, list := range []string{"denyRead", "allowRead", "allowWrite", "allowCache", "denyWrite"} {
		for _, n := range root.get("filesystem", list).items() {
			if policy.OtherHome(n.text()) {
				v.fail([]string{"filesystem", Snake(list)}, n.line, otherHome(n.text()), otherHomeHint)
			}
		}
	}
	for _, n := range root.get("credentials", "files").items() {
		if p := n.get("path"); policy.OtherHome(p.text()) {
			v.fail([]string{"credentials", "files", "path"}, p.line, otherHome(p.text()), otherHomeHint)
		}
	}
	denied := map[string]bool{}
	for _, n := range root.get("network", "deniedDomains").items() {
		denied[n.text()] = true
	}
	if m := root.get("network", "deniedDomainReasons"); m != nil {
		for _, k := range m.keys {
			if !denied[k] {
				v.fail([]string{"network", "denied_domain_reasons", k}, m.lines[k], "no entry of denied_domains is spelled so", "")
			}
		}
	}
	for _, key := range [...][2]string{{"forwardLoopback", "forward_loopback"}, {"listen", "listen"}} {
		for _, n := range root.get("network", key[0]).items() {
			if !slices.Contains(ProxyPorts, int(n.num)) {
				continue
			}
			v.fail([]string{"network", key[1]}, n.line, fmt.Sprintf("srt's own proxy listens on port %v inside", n.num), "let the service listen on another port")
		}
	}
	if root.get("network", "mitmProxy") != nil && root.get("network", "tlsTerminate") != nil {
		v.fail([]string{"network", "mitm_proxy"}, root.get("network", "mitmProxy").line, "it cannot be combined with tls_terminate", "remove one of the two")
	}
	if cpu := root.get("limits", "cpu"); cpu != nil && !validCPU(cpu.num) {
		v.fail([]string{"limits", "cpu"}, cpu.line, cpuExpected, "write cpu = 2.0")
	}
	for _, list := range []string{"allow", "deny"} {
		for _, n := range root.get("permissions", list).items() {
			if _, err := policy.ParsePermission(n.text(), list == "deny"); err != nil {
				v.fail([]string{"permissions", list}, n.line, err.Error(), "")
			}
		}
	}
}

// Check reads a settings file and reports its first fault: nil, a
// *RefusedError, or an error that is fs.ErrNotExist.
func Check(name string) error {
	_, err := readFile(name, name)
	return err
}
