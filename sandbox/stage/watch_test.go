package stage

import (
	"testing"
)

func watching(tb testing.TB, arch Arch, w Watch) func(nr int, args ...uint64) uint32 {
	tb.Helper()
	raw, err := secondFilter(arch, true, w)
	if err != nil {
		tb.Fatal(err)
	}
	run := machine(tb, raw)
	return func(nr int, args ...uint64) uint32 { return run(arch.audit, uint32(nr), args...) }
}

// What is asked about, and what is not: that plain reads and descriptors never wait is
// what keeps the cost low.
func TestWatchFilter(t *testing.T) {
	const ask = actNotify
	path := uint64(0x7f00_0000_1000)
	for _, arch := range []Arch{AMD64, ARM64} {
		openat, utimensat := callOpenat[arch.col], callUtimensat[arch.col]
		fchmod, write := callFchmod[arch.col], [2]int{1, 64}[arch.col]
		unlinkat, connect := [2]int{263, 35}[arch.col], [2]int{42, 203}[arch.col]
		files := watching(t, arch, Watch{Files: true})
		reads := watching(t, arch, Watch{Files: true, Reads: true})
		sockets := watching(t, arch, Watch{Sockets: true})
		none := watching(t, arch, Watch{})
		for _, c := range []struct {
			name string
			run  func(int, ...uint64) uint32
			nr   int
			args []uint64
			want uint32
		}{
			{"read", files, openat, []uint64{0, path, 0}, allow},
			{"read, O_CLOEXEC", files, openat, []uint64{0, path, 0o2000000}, allow},
			{"write", files, openat, []uint64{0, path, 1}, ask},
			{"read and write", files, openat, []uint64{0, path, 2}, ask},
			{"read, and make", files, openat, []uint64{0, path, 0o100}, ask},
			{"read, and truncate", files, openat, []uint64{0, path, 0o1000}, ask},
			{"write, bits above that the kernel cuts off", files, openat, []uint64{0, path, 1<<32 | 1}, ask},
			{"a place, with write flags", files, openat, []uint64{0, path, oPath | 2}, allow},
			{"read", reads, openat, []uint64{0, path, 0}, ask},
			{"a place", reads, openat, []uint64{0, path, oPath}, allow},
			{"write", reads, openat, []uint64{0, path, 0o101}, ask},
			{"unlinkat", files, unlinkat, []uint64{0, path}, ask},
			{"utimensat of a path", files, utimensat, []uint64{0, path}, ask},
			{"utimensat of a path at 4 GiB", files, utimensat, []uint64{0, 1 << 32}, ask},
			{"utimensat of a descriptor", files, utimensat, []uint64{3, 0}, allow},
			{"fchmod", files, fchmod, []uint64{3, 0o600}, allow},
			{"write to a descriptor", files, write, []uint64{3, path, 1}, allow},
			{"connect", files, connect, []uint64{3, path, 16}, allow},
			{"connect", sockets, connect, []uint64{3, path, 16}, ask},
			{"write", sockets, openat, []uint64{0, path, 1}, allow},
			{"unlinkat", none, unlinkat, []uint64{0, path}, allow},
			{"openat2", reads, callOpenat2[arch.col], nil, enosys},
		} {
			if got := c.run(c.nr, c.args...); got != c.want {
				t.Errorf("%s, %s: %#x, want %#x", arch.Name, c.name, got, c.want)
			}
		}
	}
}

// Each call that is watched is asked about by its own number.
func TestWatchedCalls(t *testing.T) {
	for _, arch := range []Arch{AMD64, ARM64} {
		run := watching(t, arch, Watch{Files: true, Reads: true, Sockets: true})
		calls := WatchedCalls(arch)
		for nr := range lastSyscall + 1 {
			_, watched := calls[nr]
			if got := run(nr, 1, 1, 1); (got == actNotify) != watched {
				t.Errorf("%s, call %d: %#x, watched: %v", arch.Name, nr, got, watched)
			}
		}
		if len(calls) < 15 {
			t.Errorf("%s: %d calls", arch.Name, len(calls))
		}
		for nr, c := range calls {
			for _, name := range c.Names {
				if name.Act != 0 && name.Act < Connect && (name.Path < 0 || name.Path > 5 || name.Dir > 5) {
					t.Errorf("%s: call %d, %s: %+v", arch.Name, nr, c.Call, name)
				}
			}
		}
	}
}

// A call that the first filter refuses is not asked about.
func TestRefusalIsStronger(t *testing.T) {
	if actErrno >= actNotify || actNotify >= actAllow {
		t.Error("the kernel takes the lowest action as the strongest")
	}
}

func TestWatchCode(t *testing.T) {
	for _, w := range []Watch{{}, {Files: true}, {Files: true, Reads: true}, {Sockets: true}, {true, true, true}} {
		got, ok := decodeWatch(w.encode())
		if !ok || got != w {
			t.Errorf("%+v: %+v, %v", w, got, ok)
		}
	}
	if _, ok := decodeWatch("x"); ok {
		t.Error("a letter that is not known was taken")
	}
}

// By path there are unix sockets that have to be connected, and no others.
func TestSocketsByPath(t *testing.T) {
	for _, arch := range []Arch{AMD64, ARM64} {
		raw, err := Filter(arch, FilterOptions{PathSockets: true})
		if err != nil {
			t.Fatal(err)
		}
		run := machine(t, raw)
		socket, pair := uint32(callSocket[arch.col]), uint32(callSocketpair[arch.col])
		const cloexec = 0o2000000
		for _, c := range []struct {
			call               uint32
			family, kind, rest uint64
			want               uint32
		}{
			{socket, afUnix, 1, 0, allow},
			{socket, afUnix, 1 | cloexec, 0, allow},
			{socket, 1<<32 | afUnix, 5, 0, allow},
			{socket, afUnix, 2, 0, eperm}, // of datagrams
			{socket, afUnix, 2 | cloexec, 0, eperm},
			{socket, afUnix, 3, 0, eperm}, // which the kernel takes for those of datagrams
			{socket, afUnix, 1<<32 | 2, 0, eperm},
			{socket, afUnix, 4, 0, eperm},
			{socket, afInet, 1, 0, allow},
			{socket, 40, 1, 0, eperm},
			{pair, afUnix, 1, 0, allow},
			{pair, afUnix, 2, 0, eperm},
		} {
			if got := run(arch.audit, c.call, c.family, c.kind, c.rest); got != c.want {
				t.Errorf("%s: call %d of family %d, kind %d: %#x, want %#x", arch.Name, c.call, c.family, c.kind, got, c.want)
			}
		}
	}
}

// Where srt connects sockets, a domain of Landlock within the sandbox would not be asked.
func TestOlderRefusesSockets(t *testing.T) {
	for _, arch := range []Arch{AMD64, ARM64} {
		for _, refuses := range []bool{true, false} {
			raw, err := OlderFilter(arch, Older{Sockets: refuses, Signal: true})
			if err != nil {
				t.Fatal(err)
			}
			run := machine(t, raw)
			for _, family := range []uint64{afUnix, afInet, afInet6} {
				if got := run(arch.audit, uint32(callSocket[arch.col]), family, 1, 0); (got == actErrno|eAccess) != refuses {
					t.Errorf("%s, family %d: %#x", arch.Name, family, got)
				}
			}
		}
	}
}
