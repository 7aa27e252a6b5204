package stage

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/net/bpf"
)

// machine runs a filter as the kernel does. The kernel loads words in the order
// of the processor, the machine of x/net in network order.
func machine(tb testing.TB, raw []bpf.RawInstruction) func(arch uint32, nr uint32, args ...uint64) uint32 {
	tb.Helper()
	code, ok := bpf.Disassemble(raw)
	if !ok {
		tb.Fatal("the filter has an instruction that is not known")
	}
	vm, err := bpf.NewVM(code)
	if err != nil {
		tb.Fatal(err)
	}
	return func(arch, nr uint32, args ...uint64) uint32 {
		data := binary.BigEndian.AppendUint32(nil, nr)
		data = binary.BigEndian.AppendUint32(data, arch)
		data = append(data, make([]byte, 8)...)
		for i := range 6 {
			var v uint64
			if i < len(args) {
				v = args[i]
			}
			data = binary.BigEndian.AppendUint32(data, uint32(v))
			data = binary.BigEndian.AppendUint32(data, uint32(v>>32))
		}
		verdict, err := vm.Run(data)
		if err != nil {
			tb.Fatal(err)
		}
		return uint32(verdict)
	}
}

func mustFilter(tb testing.TB, arch Arch, o FilterOptions) func(uint32, uint32, ...uint64) uint32 {
	tb.Helper()
	raw, err := Filter(arch, o)
	if err != nil {
		tb.Fatal(err)
	}
	return machine(tb, raw)
}

const (
	allow  = actAllow
	eperm  = actErrno | ePerm
	enosys = actErrno | eNoSys
)

func TestFilterAMD64(t *testing.T) {
	const high = 0xffffffff << 32
	run := mustFilter(t, AMD64, FilterOptions{})
	nested := mustFilter(t, AMD64, FilterOptions{NestedUserns: true, UnixSockets: true})
	for _, c := range []struct {
		what   string
		nr     uint32
		args   []uint64
		want   uint32
		nested uint32 // verdict with everything switched on
	}{
		{"read", 0, nil, allow, allow},
		{"socket inet", 41, []uint64{2, 1, 0}, allow, allow},
		{"socket inet6", 41, []uint64{10, 1, 6}, allow, allow},
		{"socket inet mptcp", 41, []uint64{2, 1, 262}, actErrno | eProtoNoSupport, actErrno | eProtoNoSupport},
		{"socket unix", 41, []uint64{1, 1, 0}, eperm, allow},
		{"socket unix, high bits set", 41, []uint64{high | 1, 1, 0}, eperm, allow},
		{"socketpair", 53, []uint64{1, 1, 0}, allow, allow},
		{"socketpair, flags", 53, []uint64{1, 0o2004001, 0}, allow, allow},
		{"socketpair of packets", 53, []uint64{1, 5, 0}, allow, allow},
		{"socketpair of datagrams", 53, []uint64{1, 2, 0}, eperm, allow},
		{"socketpair of datagrams, flags", 53, []uint64{1, 0o2004002, 0}, eperm, allow},
		{"socketpair of datagrams, high bits set", 53, []uint64{high | 1, high | 2, 0}, eperm, allow},
		{"socketpair raw", 53, []uint64{1, 3, 0}, eperm, allow},
		{"socket vsock", 41, []uint64{40, 1, 0}, eperm, eperm},
		{"socket packet", 41, []uint64{17, 3, 0}, eperm, eperm},
		{"socket alg", 41, []uint64{38, 5, 0}, eperm, eperm},
		{"socket inet of an old type, which is packet", 41, []uint64{2, 10, 0x300}, eperm, eperm},
		{"the same with flags", 41, []uint64{2, 0x80000 | 10, 0}, eperm, eperm},
		{"socket inet ping", 41, []uint64{2, 2, 1}, allow, allow},
		{"socket inet sctp", 41, []uint64{2, 1, 132}, actErrno | eProtoNoSupport, actErrno | eProtoNoSupport},
		{"socketpair tipc", 53, []uint64{30, 1, 0}, eperm, eperm},
		{"netlink route", 41, []uint64{16, 3, 0}, allow, allow},
		{"netlink netfilter", 41, []uint64{16, 3, 12}, eperm, eperm},
		{"TIOCSTI", 16, []uint64{0, 0x5412}, eperm, eperm},
		{"TIOCSTI, high bits set", 16, []uint64{0, high | 0x5412}, eperm, eperm},
		{"TIOCLINUX", 16, []uint64{0, 0x541c}, eperm, eperm},
		{"TIOCSETD", 16, []uint64{0, 0x5423}, eperm, eperm},
		{"KDSKBDIACR", 16, []uint64{0, 0x4b4b}, eperm, eperm},
		{"VT_LOCKSWITCH", 16, []uint64{0, high | 0x560b}, eperm, eperm},
		{"VIDIOC_QUERYCAP, which has the letter of consoles", 16, []uint64{0, 0x80685600}, allow, allow},
		{"btrfs snapshot", 16, []uint64{0, 0x50009417}, eperm, eperm},
		{"FICLONE", 16, []uint64{0, 0x40049409}, allow, allow},
		{"TIOCGWINSZ", 16, []uint64{0, 0x5413}, allow, allow},
		{"chmod 755", 90, []uint64{0, 0o755}, allow, allow},
		{"chmod 4755", 90, []uint64{0, 0o4755}, eperm, eperm},
		{"fchmodat 2755", 268, []uint64{0, 0, 0o2755}, eperm, eperm},
		{"fchmodat2 6755", 452, []uint64{0, 0, 0o6755}, eperm, eperm},
		{"openat to read, mode left over", 257, []uint64{0, 0, 0, 0o6755}, allow, allow},
		{"openat to create 644", 257, []uint64{0, 0, 0o101, 0o644}, allow, allow},
		{"openat to create 4755", 257, []uint64{0, 0, 0o101, 0o4755}, eperm, eperm},
		{"ptrace a child", 101, []uint64{16, 77}, allow, allow},
		{"ptrace the first process", 101, []uint64{16, 1}, eperm, eperm},
		{"process_vm_writev the first process", 311, []uint64{1}, eperm, eperm},
		{"kcmp with the first process", 312, []uint64{77, 1}, eperm, eperm},
		{"move_pages of its own", 279, []uint64{0}, allow, allow},
		{"move_pages of the first process", 279, []uint64{1}, eperm, eperm},
		{"fanotify_init", 300, nil, eperm, eperm},
		{"syslog", 103, nil, eperm, eperm},
		{"uretprobe, which the kernel's probes make", 335, nil, allow, allow},
		{"a number without a call", 400, nil, enosys, enosys},
		{"setxattr", 188, nil, allow, allow},
		{"pidfd_getfd", 438, nil, eperm, eperm},
		{"keyctl", 250, nil, eperm, eperm},
		{"io_uring_setup", 425, nil, eperm, eperm},
		{"bpf", 321, nil, eperm, eperm},
		{"open_by_handle_at", 304, nil, eperm, eperm},
		{"fork", 57, nil, allow, allow},
		{"clone of a thread", 56, []uint64{0x3d0f00}, allow, allow},
		{"clone with a user namespace", 56, []uint64{0x10000000 | 17}, eperm, allow},
		{"unshare of files", 272, []uint64{0x400}, allow, allow},
		{"unshare of the network", 272, []uint64{0x40000000}, eperm, allow},
		{"unshare of time", 272, []uint64{0x80}, eperm, allow},
		{"clone3", 435, nil, enosys, allow},
		{"x32 read", 0x40000000, nil, enosys, enosys},
		{"one after the last known", lastSyscall + 1, nil, enosys, enosys},
		{"the last known", lastSyscall, nil, allow, allow},
	} {
		if got := run(AMD64.audit, c.nr, c.args...); got != c.want {
			t.Errorf("%s: %#x, want %#x", c.what, got, c.want)
		}
		if got := nested(AMD64.audit, c.nr, c.args...); got != c.nested {
			t.Errorf("%s with everything switched on: %#x, want %#x", c.what, got, c.nested)
		}
		if got := run(0x40000003, c.nr, c.args...); got != actKill {
			t.Errorf("%s as i386: %#x, want the process killed", c.what, got)
		}
	}
}

func TestFilterARM64(t *testing.T) {
	run := mustFilter(t, ARM64, FilterOptions{})
	for _, c := range []struct {
		what string
		nr   uint32
		args []uint64
		want uint32
	}{
		{"read", 63, nil, allow},
		{"socket unix", 198, []uint64{1}, eperm},
		{"socketpair of datagrams", 199, []uint64{1, 2}, eperm},
		{"TIOCSTI", 29, []uint64{0, 0x5412}, eperm},
		{"keyctl", 219, nil, eperm},
		{"clone with a user namespace", 220, []uint64{0x10000011}, eperm},
		{"number of chmod on amd64", 90, []uint64{0, 0o4755}, allow},
		{"openat to create 4755", 56, []uint64{0, 0, 0o101, 0o4755}, eperm},
	} {
		if got := run(ARM64.audit, c.nr, c.args...); got != c.want {
			t.Errorf("%s: %#x, want %#x", c.what, got, c.want)
		}
	}
	if got := run(0x40000028, 4); got != actKill {
		t.Errorf("32-bit ARM: %#x, want the process killed", got)
	}
}

func TestSecondFilter(t *testing.T) {
	for _, nested := range []bool{false, true} {
		raw, err := secondFilter(AMD64, nested, Watch{})
		if err != nil {
			t.Fatal(err)
		}
		run := machine(t, raw)
		for _, call := range mounting {
			want := uint32(eperm)
			if nested {
				want = allow
			}
			if got := run(AMD64.audit, uint32(call.numbers[0])); got != want {
				t.Errorf("nested %v: %s: %#x, want %#x", nested, call.name, got, want)
			}
		}
		if got := run(AMD64.audit, 437); got != enosys {
			t.Errorf("nested %v: openat2: %#x, want ENOSYS", nested, got)
		}
		if got := run(AMD64.audit, 1); got != allow {
			t.Errorf("write: %#x, want allowed", got)
		}
	}
}

// A file with capabilities has them outside too, if it was root's of outside who
// gave them.
func TestNoFileCapabilities(t *testing.T) {
	run := mustFilter(t, AMD64, FilterOptions{NestedUserns: true, FileCaps: true})
	for _, nr := range []uint32{188, 189, 190, 463} {
		if got := run(AMD64.audit, nr); got != actErrno|eOpNotSupp {
			t.Errorf("call %d: %#x, want EOPNOTSUPP", nr, got)
		}
	}
}

// TestFilterTotality: whatever a process calls, the verdict is one of the few that
// are meant, and another architecture is always killed.
func TestFilterTotality(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	known := []uint32{allow, eperm, enosys, actErrno | eProtoNoSupport, actErrno | eOpNotSupp}
	for _, o := range []FilterOptions{{}, {UnixSockets: true}, {NestedUserns: true}} {
		run := mustFilter(t, AMD64, o)
		for range 200_000 {
			nr, arch := uint32(r.IntN(600)), AMD64.audit
			if r.IntN(10) == 0 {
				nr = r.Uint32()
			}
			if r.IntN(10) == 0 {
				arch = r.Uint32()
			}
			got := run(arch, nr, r.Uint64(), r.Uint64N(64), r.Uint64N(300))
			switch {
			case arch != AMD64.audit && got != actKill:
				t.Fatalf("architecture %#x: %#x", arch, got)
			case arch == AMD64.audit && !slices.Contains(known, got):
				t.Fatalf("call %d: %#x", nr, got)
			case arch == AMD64.audit && nr > lastSyscall && got != enosys:
				t.Fatalf("unknown call %d: %#x", nr, got)
			}
		}
	}
}

func TestOrderSurvivesTheWay(t *testing.T) {
	in := Order{
		Writable: true, Buried: true, Nested: true, Dir: "/a b\n", Program: "/bin/sh",
		Pins:   []Mount{{Kind: Pin, Path: "/w/x", Dir: true}},
		Mounts: []Mount{{Kind: HideDir, Path: "/h", Dir: true, Open: true}, {Kind: Writable, Path: "/h/\"q", Reveal: true}},
		Limits: Limits{Memory: 1 << 63, Processes: 5, PIDMax: 400, Cgroups: []string{"/sys/fs/cgroup"}}, TempSize: 1 << 40,
		Keep: []Kept{{7, 3}, {63, 63}}, Args: []string{"sh", "-c", "", "a\nb"}, Env: []string{"A=", "B=c d"},
	}
	var out Order
	if err := out.decode(in.Encode()); err != nil {
		t.Fatal(err)
	}
	if got, want := out.Encode(), in.Encode(); !slices.Equal(got, want) {
		t.Errorf("decoded %+v, want %+v", out, in)
	}
}

func FuzzOrderDecode(f *testing.F) {
	f.Add((&Order{Args: []string{"a"}, Mounts: []Mount{{Kind: Pin, Path: "/x", Dir: true}}}).Encode())
	f.Add([]byte("true\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var o Order
		if o.decode(data) != nil {
			return
		}
		var again Order
		if err := again.decode(o.Encode()); err != nil || !slices.Equal(again.Encode(), o.Encode()) {
			t.Errorf("what can be decoded cannot be encoded and decoded again: %v", err)
		}
	})
}
