package sandbox

import (
	"cmp"
	"slices"
	"strings"

	"github.com/srt-sh/srt/sandbox/stage"
)

// Mount is one step of a plan.
type Mount = stage.Mount

// point is what the rules say of one existing path.
type point struct {
	path       string
	dir        bool
	allowWrite bool
	denyWrite  bool
	protect    bool // denied too, but for what lies below and is exempt
	exempt     bool
	allowRead  bool
	denyRead   bool
	final      bool
	link       bool // a symlink on the way to something denied: it must stay what it is
	reason     string
}

// access is the effect of the rules on a path.
type access uint8

const (
	readOnly access = iota
	writable
	hidden
)

// comparePaths orders paths so that each stands right before what is beneath it.
func comparePaths(a, b string) int {
	for i := 0; i < len(a) && i < len(b); i++ {
		if a[i] == b[i] {
			continue
		}
		switch {
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		}
		return cmp.Compare(a[i], b[i])
	}
	return cmp.Compare(len(a), len(b))
}

// beneath reports whether path is dir or lies below it.
func beneath(path, dir string) bool {
	return dir == "/" || path == dir ||
		len(path) > len(dir) && path[len(dir)] == '/' && strings.HasPrefix(path, dir)
}

// planMounts turns the points into the fewest mounts with the same effect: one
// wherever the access of a point differs from that of the point around it. It
// takes time in proportion to the number of points but for sorting them.
//
// Pins are returned apart, since they are placed either before the writable
// mounts (buried: they cost nothing, but a nested user namespace could dig them
// out) or after them.
func planMounts(points []point, base access) (mounts, pins []Mount) {
	slices.SortFunc(points, func(a, b point) int { return comparePaths(a.path, b.path) })
	type level struct {
		path       string
		allowWrite bool
		denyWrite  bool
		protect    bool
		hidden     bool
		final      bool
		access     access
		mount      int // index of the mount that made access, -1 for the root
		writeRoot  string
	}
	stack := []level{{path: "/", access: base, mount: -1, allowWrite: base == writable, writeRoot: "/"}}
	pinned := map[string]bool{}
	for _, p := range points {
		for len(stack) > 1 && !beneath(p.path, stack[len(stack)-1].path) {
			stack = stack[:len(stack)-1]
		}
		up := stack[len(stack)-1]
		at := level{
			path: p.path, access: up.access, mount: up.mount, writeRoot: up.writeRoot,
			allowWrite: up.allowWrite || p.allowWrite,
			denyWrite:  up.denyWrite || p.denyWrite,
			protect:    up.protect && !p.exempt || p.protect,
			final:      up.final || p.denyRead && p.final,
			hidden:     up.hidden,
		}
		switch {
		case at.final || p.denyRead:
			at.hidden = true
		case p.allowRead || p.allowWrite:
			at.hidden = false
		}
		if p.allowWrite && !up.allowWrite {
			at.writeRoot = p.path
		}
		switch {
		case at.hidden:
			at.access = hidden
		case at.allowWrite && !at.denyWrite && !at.protect:
			at.access = writable
		default:
			at.access = readOnly
		}
		if (p.denyWrite || p.protect || p.denyRead || p.link) && up.access == writable {
			pins = appendPins(pins, pinned, p, at.writeRoot)
		}
		if p.link && up.access == writable {
			pins = append(pins, Mount{Kind: stage.Pin, Path: p.path, Reason: p.reason})
		}
		if at.access != up.access && p.path != "/" {
			mounts = append(mounts, mountFor(p, at.access, up.access == hidden))
			at.mount = len(mounts) - 1
			if up.access == hidden && up.mount >= 0 {
				mounts[up.mount].Open = true
			}
		}
		stack = append(stack, at)
	}
	return mounts, pins
}

// appendPins pins every folder between a denied path and the write root that it
// is in: without, the folder could be moved away and made anew.
func appendPins(pins []Mount, pinned map[string]bool, p point, root string) []Mount {
	var chain []string
	for dir := parent(p.path); dir != root && beneath(dir, root) && dir != "/"; dir = parent(dir) {
		if pinned[dir] {
			break
		}
		pinned[dir] = true
		chain = append(chain, dir)
	}
	for _, dir := range slices.Backward(chain) {
		pins = append(pins, Mount{Kind: stage.Pin, Path: dir, Dir: true, Reason: "holds " + p.path})
	}
	return pins
}

func mountFor(p point, a access, reveal bool) Mount {
	m := Mount{Path: p.path, Dir: p.dir, Reveal: reveal, Reason: p.reason}
	switch {
	case a == writable:
		m.Kind = stage.Writable
	case a == readOnly:
		m.Kind = stage.ReadOnly
	case p.dir:
		m.Kind = stage.HideDir
		m.Reveal = false
	default:
		m.Kind = stage.HideFile
		m.Reveal = false
	}
	return m
}

// parent is the folder that holds an absolute path.
func parent(path string) string {
	i := strings.LastIndexByte(path, '/')
	if i <= 0 {
		return "/"
	}
	return path[:i]
}
