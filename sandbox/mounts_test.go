package sandbox

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/srt-sh/srt/sandbox/stage"
)

// effect is the access of a path under a list of mounts: the last one that
// covers it.
func effect(mounts []Mount, base access, path string) access {
	for _, m := range slices.Backward(mounts) {
		if !beneath(path, m.Path) {
			continue
		}
		switch m.Kind {
		case stage.Writable:
			return writable
		case stage.ReadOnly:
			return readOnly
		case stage.HideDir, stage.HideFile:
			return hidden
		case stage.Pin, stage.Private:
		}
	}
	return base
}

// want is the same from the rules directly.
func want(points []point, base access, path string) access {
	allow, deny, hide, final, depth := base == writable, false, false, false, -1
	protect, protectDepth := false, -1
	for _, p := range points {
		if !beneath(path, p.path) {
			continue
		}
		allow = allow || p.allowWrite
		deny = deny || p.denyWrite
		if d := len(p.path); d > protectDepth && (p.protect || p.exempt) {
			protectDepth, protect = d, p.protect
		}
		final = final || p.denyRead && p.final
		if d := len(p.path); d > depth && (p.denyRead || p.allowRead || p.allowWrite) {
			depth, hide = d, p.denyRead
		}
	}
	switch {
	case hide || final:
		return hidden
	case allow && !deny && !protect:
		return writable
	default:
		return readOnly
	}
}

// TestPlanMountsProperty compares the mounts of random rules with what the rules
// say of every path.
func TestPlanMountsProperty(t *testing.T) {
	var paths []string
	for _, a := range []string{"/a", "/a-b", "/b"} {
		paths = append(paths, a)
		for _, b := range []string{"/c", "/c.d", "/e"} {
			paths = append(paths, a+b)
			for _, c := range []string{"/f", "/g"} {
				paths = append(paths, a+b+c, a+b+c+"/h")
			}
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 20_000 {
		base := readOnly
		if round%7 == 0 {
			base = writable
		}
		var points []point
		for _, path := range paths {
			if r.IntN(4) != 0 {
				continue
			}
			points = append(points, point{
				path: path, dir: true, allowWrite: r.IntN(3) == 0, denyWrite: r.IntN(4) == 0,
				protect: r.IntN(5) == 0, exempt: r.IntN(5) == 0,
				allowRead: r.IntN(4) == 0, denyRead: r.IntN(4) == 0, final: r.IntN(3) == 0,
			})
		}
		mounts, pins := planMounts(slices.Clone(points), base)
		for _, path := range paths {
			if got, want := effect(mounts, base, path), want(points, base, path); got != want {
				t.Fatalf("round %d: %s is %d, want %d\npoints %+v\nmounts %+v", round, path, got, want, points, mounts)
			}
		}
		for _, p := range points {
			if (p.denyWrite || p.protect) && want(points, base, parent(p.path)) == writable {
				checkPinned(t, points, base, pins, p.path)
			}
		}
	}
}

// checkPinned asserts that every folder above a denied path, up to where nothing
// is writable, cannot be renamed.
func checkPinned(t *testing.T, points []point, base access, pins []Mount, path string) {
	t.Helper()
	for dir := parent(path); dir != "/"; dir = parent(dir) {
		if want(points, base, parent(dir)) != writable {
			return // the folder that holds it is not writable, so it cannot be renamed
		}
		// A write root is a mount itself.
		if slices.ContainsFunc(points, func(p point) bool { return p.path == dir && p.allowWrite }) {
			return
		}
		if !slices.ContainsFunc(pins, func(m Mount) bool { return m.Path == dir }) {
			t.Fatalf("%s is not pinned for %s: points %+v pins %+v", dir, path, points, pins)
		}
	}
}

func TestPlanMountsIsLinear(t *testing.T) {
	// 20,000 denied paths next to each other and as deep as they come; were the
	// time their square, this would not end.
	points := []point{{path: "/w", dir: true, allowWrite: true}}
	path := "/w"
	for i := range 20_000 {
		points = append(points, point{path: "/w/f" + string(rune('a'+i%26)) + "/" + string(rune(0x4e00+i)), denyWrite: true})
		if i < 1000 {
			path += "/d"
			points = append(points, point{path: path, dir: true, denyWrite: i == 999})
		}
	}
	mounts, pins := planMounts(points, readOnly)
	if len(mounts) != 20_002 || len(pins) != 26+999 {
		t.Errorf("%d mounts and %d pins", len(mounts), len(pins))
	}
}

func TestComparePaths(t *testing.T) {
	sorted := []string{"/", "/a", "/a/b", "/a/b/c", "/a/c", "/a-b", "/a.b", "/ab"}
	got := slices.Clone(sorted)
	slices.Reverse(got)
	slices.SortFunc(got, comparePaths)
	if !slices.Equal(got, sorted) {
		t.Errorf("sorted to %q, want what is beneath a path right after it: %q", got, sorted)
	}
}
