package core

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/core/event"
	"github.com/srt-sh/srt/core/policy"
)

// Proposal is the smallest rule that would allow what was blocked.
type Proposal struct {
	Event    event.Event
	Addition config.Addition // the zero value: there is none
	Flag     string          // the option of srt run that would do for once, "" if there is none
	Path     string          // the path that the rule names, "" if it names none

	// Make is what has to be made for the rule to hold: a folder, or an empty file, since
	// nothing that is not there can be opened. "" if it is there.
	Make    string
	MakeDir bool

	Already bool   // it is allowed by now
	Never   string // why no rule allows it
	Careful string // why it should not be allowed lightly
}

// Allowable reports whether the hint of an event is a rule that [Decided.Propose] finds.
func Allowable(hint string) bool {
	for _, list := range []string{"allowed_domains = [", "allow_write = [", "allow_read = [", "allow_unix_sockets = ["} {
		if strings.HasPrefix(hint, list) {
			return true
		}
	}
	return false
}

// Propose finds the rule for an event of a command that d is about.
func (d *Decided) Propose(e event.Event) Proposal {
	p := Proposal{Event: e}
	switch e.Kind {
	case event.Connect:
		d.proposeHost(&p)
	case event.Write:
		d.proposeWrite(&p)
	case event.Read:
		d.proposeRead(&p)
	case event.Unix:
		d.proposeSocket(&p)
	case event.Changed, event.Later, event.Limit, event.More:
		p.Never = "nothing was refused"
	}
	return p
}

// Allows reports whether the settings allow now what an event tells.
func (d *Decided) Allows(e event.Event) policy.Decision {
	switch e.Kind {
	case event.Connect:
		host, port := splitTarget(e.Target)
		return d.Host(host, port)
	case event.Write:
		return d.Write(e.Target)
	case event.Read:
		return d.Read(e.Target)
	case event.Unix:
		for i := range d.Config.Network.AllowUnixSockets {
			r := &d.Config.Network.AllowUnixSockets[i]
			if place, err := d.Place(r.Text); err == nil && place == e.Target {
				return policy.Decision{Allow: true, Rule: r}
			}
		}
		if all := d.Config.Network.AllowAllUnixSockets; all.Value {
			return policy.Decision{Allow: true, Rule: &policy.Rule{Text: "allow_all_unix_sockets", Origin: all.Origin}}
		}
		return policy.Decision{Reason: e.Reason, Hint: "allow_unix_sockets = [" + d.Policy.Spell(e.Target) + "]"}
	case event.Changed, event.Later, event.Limit, event.More:
	}
	return policy.Decision{Reason: e.Reason}
}

// splitTarget takes a host and its port apart.
func splitTarget(target string) (string, uint16) {
	host, port, err := net.SplitHostPort(target)
	if err != nil {
		return target, 0
	}
	n, _ := strconv.ParseUint(port, 10, 16) // of no port there is no rule
	return host, uint16(n)
}

// ruled fills in what a rule of the settings keeps from being allowed by another one.
func (p *Proposal) ruled(dec policy.Decision) bool {
	if dec.Rule == nil || dec.Hint != "" {
		return false
	}
	p.Never = "a rule of yours denies it, " + dec.Rule.String() + ": take that out"
	if dec.Rule.Origin.Layer == policy.LayerManaged {
		p.Never = "the machine-wide settings deny it, by " + dec.Rule.String() + ", and no other can lift that"
	}
	if dec.Rule.Origin.Layer == policy.LayerDefault {
		p.Never = dec.Reason + ", and nothing opens it"
	}
	return true
}

func (d *Decided) proposeHost(p *Proposal) {
	host, port := splitTarget(p.Event.Target)
	dec := d.Host(host, port)
	entry, ok := strings.CutPrefix(dec.Hint, "allowed_domains = [")
	switch {
	case p.Event.Hint != "" && !Allowable(p.Event.Hint):
		p.Never = p.Event.Reason + "; it is allowed by " + p.Event.Hint
	case dec.Allow && p.Event.Hint != "":
		p.Already = true
	case dec.Allow: // it was not the name that was refused
		p.Never = p.Event.Reason
	case p.ruled(dec):
	case !ok:
		p.Never = dec.Reason + ", and it is no name that could be there"
	default:
		entry = strings.TrimSuffix(entry, "]")
		p.Addition = config.Addition{Table: "network", Key: "allowed_domains", Entry: entry}
		p.Flag = "--allow-domain=" + strings.Trim(entry, `"`)
		if addr := net.ParseIP(dec.Host); addr != nil && addr.IsLinkLocalUnicast() {
			p.Careful = "the addresses of a link give out the credentials of machines in a cloud"
		}
	}
}

// settled reports whether nothing can be proposed about a path, and notes why.
func (p *Proposal) settled(dec policy.Decision) bool {
	switch {
	case dec.Allow:
		p.Already = true
	case !path.IsAbs(p.Event.Target):
		p.Never = "its path is not known"
	default:
		return p.ruled(dec)
	}
	return true
}

func (d *Decided) proposeWrite(p *Proposal) {
	target := p.Event.Target
	dec := d.Write(target)
	if p.settled(dec) {
		return
	}
	protected := dec.Rule != nil
	if p.Path = target; !protected {
		d.writeRoot(p)
	}
	p.Careful = d.Config.Sensitive(target)
	if p.Careful == "" {
		p.Careful = d.wide(p.Path)
	}
	p.Addition = config.Addition{Table: "filesystem", Key: "allow_write", Entry: d.Policy.Spell(p.Path)}
	p.Flag = "--allow-write=" + p.Path
}

// writeRoot finds the smallest thing that is there or can be made and lets the target
// be written: a file cannot be made where only the file could be opened, but in its
// folder, unless that holds much else.
func (d *Decided) writeRoot(p *Proposal) {
	if _, err := os.Lstat(p.Path); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	if strings.HasPrefix(p.Event.Call, "mkdir") {
		p.Make, p.MakeDir = p.Path, true
		return
	}
	parent := path.Dir(p.Path)
	if info, err := os.Lstat(parent); err == nil && info.IsDir() && d.wide(parent) == "" && d.Config.Sensitive(parent) == "" {
		p.Path = parent
		return
	}
	p.Make = p.Path
}

// wide tells why a path opens more than one thing of one program, "" if it does not.
func (d *Decided) wide(name string) string {
	home := path.Clean(d.Config.Home)
	if name == "/" || home == name || strings.HasPrefix(home, name+"/") {
		return "it holds the home folder"
	}
	for _, sub := range []string{".cache", ".config", ".local", ".local/share", ".local/state", "Library", "Library/Caches", "Documents", "Desktop", "Downloads"} {
		if name == path.Join(home, sub) {
			return "all programs keep something there"
		}
	}
	switch name {
	case "/tmp", "/var/tmp", "/var", "/opt", "/srv", "/mnt", "/media", "/run", "/home", "/Users":
		return "all programs keep something there"
	}
	for _, system := range []string{"/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/sbin", "/sys", "/usr", "/run", "/System", "/Library", "/Applications", "/private/etc"} {
		if (name == system || strings.HasPrefix(name, system+"/")) && !strings.HasPrefix(name, home+"/") && !strings.HasPrefix(name, "/usr/local/") {
			return "it belongs to the system"
		}
	}
	return ""
}

func (d *Decided) proposeRead(p *Proposal) {
	target := p.Event.Target
	dec := d.Read(target)
	if p.settled(dec) {
		return
	}
	p.Path = target
	if p.Careful = d.Config.Secret(target); p.Careful == "" && dec.Rule != nil && dec.Rule.Origin.Layer == policy.LayerDefault {
		p.Careful = dec.Reason
	}
	p.Addition = config.Addition{Table: "filesystem", Key: "allow_read", Entry: d.Policy.Spell(target)}
	p.Flag = "--allow-read=" + target
}

func (d *Decided) proposeSocket(p *Proposal) {
	target := p.Event.Target
	switch {
	case d.Allows(p.Event).Allow:
		p.Already = true
		return
	case !path.IsAbs(target):
		p.Never = "only sockets that have a path can be allowed"
		return
	}
	p.Path = target
	p.Careful = socketDanger(target)
	p.Addition = config.Addition{Table: "network", Key: "allow_unix_sockets", Entry: policy.Quote(target)}
}

// socketDanger tells what somebody can do who reaches a socket, as far as its name tells.
func socketDanger(target string) string {
	base := filepath.Base(target)
	engines := []string{"docker.sock", "podman.sock", "containerd.sock", "crio.sock", "buildkitd.sock", "libvirt-sock", "lxd.socket", "incus.socket", "snapd.socket"}
	switch {
	case slices.Contains(engines, base) || base == "bus" || base == "system_bus_socket" || base == "private" && strings.Contains(target, "/systemd/") || strings.HasPrefix(base, "tmux-") || strings.Contains(target, "/tmux-"):
		return "whoever reaches it starts programs outside of the sandbox"
	case base == "X0" || strings.Contains(target, "/.X11-unix/") || strings.HasPrefix(base, "wayland-"):
		return "whoever reaches it sees and types what you do"
	case strings.Contains(base, "agent") || strings.Contains(target, "/gnupg/") || strings.Contains(target, "/keyring/"):
		return "whoever reaches it uses your keys"
	}
	return ""
}

// Smallest takes out what another one opens too.
func Smallest(list []Proposal) []Proposal {
	var out []Proposal
	for i, p := range list {
		covered := slices.ContainsFunc(list[:i], func(q Proposal) bool { return q.Addition == p.Addition })
		for _, q := range list {
			covered = covered || p.Addition.Key == "allow_write" && q.Addition.Key == "allow_write" && strings.HasPrefix(p.Path, q.Path+"/") && p.Careful == ""
		}
		if !covered {
			out = append(out, p)
		}
	}
	return out
}
