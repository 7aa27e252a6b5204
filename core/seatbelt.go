package core

import (
	"path/filepath"

	"github.com/srt-sh/srt/core/policy"
	"github.com/srt-sh/srt/sandbox"
)

// Seatbelt gives the profile of macOS's sandbox-exec(1) for a command, with the files that
// are there now, on any system. It has no way to a proxy, since none runs, and starts
// nothing.
func Seatbelt(o Options) (string, error) {
	e, err := open(o)
	if err != nil {
		return "", err
	}
	if err := e.decide(); err != nil {
		return "", err
	}
	return sandbox.Seatbelt(e.spec, e.plan, e.seatbeltOptions()) //nolint:wrapcheck // names the rule
}

// seatbeltOptions are what the settings say of the system beside files.
func (e *engine) seatbeltOptions() sandbox.SeatbeltOptions {
	n := e.cfg.Network
	o := sandbox.SeatbeltOptions{
		LocalBinding: n.AllowLocalBinding.Value, AllUnixSockets: n.AllowAllUnixSockets.Value,
		Trust: e.cfg.EnableWeakerNetworkIsolation.Value, AppleEvents: e.cfg.AllowAppleEvents.Value, Pty: e.cfg.AllowPty.Value,
	}
	for _, p := range n.ForwardLoopback {
		o.Forward = append(o.Forward, uint16(p.Number)) //nolint:gosec // the settings have checked it
	}
	for _, p := range n.Listen {
		o.Bind = append(o.Bind, uint16(p.Number)) //nolint:gosec // likewise
	}
	for _, r := range n.AllowMachLookup {
		o.Mach = append(o.Mach, r.Text)
	}
	roots := policy.Roots{Home: e.o.Home, Dir: e.o.Dir}
	for _, r := range n.AllowUnixSockets {
		if path, err := roots.Resolve(r.Text); err == nil && filepath.IsAbs(path) {
			o.UnixSockets = append(o.UnixSockets, path)
		}
	}
	return o
}
