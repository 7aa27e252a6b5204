package stage

import (
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/net/bpf"
)

// FilterOptions are the switches of the system call filter.
type FilterOptions struct {
	UnixSockets  bool // allow socket(AF_UNIX)
	NestedUserns bool // allow new namespaces and mounts in them
}

func (o FilterOptions) String() string {
	word := map[bool]string{true: "allowed", false: "refused"}
	return fmt.Sprintf("unix sockets %s, namespaces %s", word[o.UnixSockets], word[o.NestedUserns])
}

// Arch is a processor architecture that the filter knows.
type Arch struct {
	Name  string // as in GOARCH
	audit uint32 // AUDIT_ARCH_* of linux/audit.h
	col   int    // column of the tables below
}

// The architectures.
var (
	AMD64 = Arch{Name: "amd64", audit: 0xc000003e, col: 0}
	ARM64 = Arch{Name: "arm64", audit: 0xc00000b7, col: 1}
)

// ArchOf finds an architecture by its GOARCH name.
func ArchOf(goarch string) (Arch, error) {
	switch goarch {
	case AMD64.Name:
		return AMD64, nil
	case ARM64.Name:
		return ARM64, nil
	}
	return Arch{}, fmt.Errorf("no system call filter for the architecture %s", goarch)
}

// Actions of seccomp(2).
const (
	actAllow = 0x7fff0000
	actKill  = 0x80000000 // SECCOMP_RET_KILL_PROCESS
	actErrno = 0x00050000
)

// Errors that a refused call answers, of asm-generic/errno.h.
const (
	ePerm           = 1
	eNoSys          = 38
	eProtoNoSupport = 93
)

// lastSyscall is the highest number whose meaning was looked at. Newer ones
// answer ENOSYS, as on the older kernel that programs can run on anyway; since
// Linux 5.1 new calls have the same number on every architecture.
const lastSyscall = 469

// absent marks a call that an architecture does not have.
const absent = -1

// callNumbers are those of amd64 and arm64.
type callNumbers [2]int

// refused are calls that no command in a sandbox needs.
var refused = []struct {
	name    string
	numbers callNumbers
}{
	{"add_key", callNumbers{248, 217}},
	{"request_key", callNumbers{249, 218}},
	{"keyctl", callNumbers{250, 219}},
	{"bpf", callNumbers{321, 280}},
	{"perf_event_open", callNumbers{298, 241}},
	{"userfaultfd", callNumbers{323, 282}},
	{"open_by_handle_at", callNumbers{304, 265}},
	{"io_uring_setup", callNumbers{425, 425}},
	{"io_uring_enter", callNumbers{426, 426}},
	{"io_uring_register", callNumbers{427, 427}},
	{"pidfd_getfd", callNumbers{438, 438}},
	{"kexec_load", callNumbers{246, 104}},
	{"kexec_file_load", callNumbers{320, 294}},
	{"init_module", callNumbers{175, 105}},
	{"finit_module", callNumbers{313, 273}},
	{"delete_module", callNumbers{176, 106}},
	{"acct", callNumbers{163, 89}},
	{"quotactl", callNumbers{179, 60}},
	{"quotactl_fd", callNumbers{443, 443}},
	{"swapon", callNumbers{167, 224}},
	{"swapoff", callNumbers{168, 225}},
	{"reboot", callNumbers{169, 142}},
}

// mounting are refused once the mounts are made, unless nested namespaces are
// allowed.
var mounting = []struct {
	name    string
	numbers callNumbers
}{
	{"mount", callNumbers{165, 40}},
	{"umount2", callNumbers{166, 39}},
	{"pivot_root", callNumbers{155, 41}},
	{"chroot", callNumbers{161, 51}},
	{"setns", callNumbers{308, 268}},
	{"open_tree", callNumbers{428, 428}},
	{"move_mount", callNumbers{429, 429}},
	{"fsopen", callNumbers{430, 430}},
	{"fsconfig", callNumbers{431, 431}},
	{"fsmount", callNumbers{432, 432}},
	{"fspick", callNumbers{433, 433}},
	{"mount_setattr", callNumbers{442, 442}},
	{"open_tree_attr", callNumbers{467, 467}},
}

// Calls that are judged by their arguments.
var (
	callOpen            = callNumbers{2, absent}
	callIoctl           = callNumbers{16, 29}
	callSocket          = callNumbers{41, 198}
	callSocketpair      = callNumbers{53, 199}
	callClone           = callNumbers{56, 220}
	callCreat           = callNumbers{85, absent}
	callChmod           = callNumbers{90, absent}
	callFchmod          = callNumbers{91, 52}
	callPtrace          = callNumbers{101, 117}
	callMknod           = callNumbers{133, absent}
	callOpenat          = callNumbers{257, 56}
	callMknodat         = callNumbers{259, 33}
	callFchmodat        = callNumbers{268, 53}
	callUnshare         = callNumbers{272, 97}
	callProcessVMReadv  = callNumbers{310, 270}
	callProcessVMWritev = callNumbers{311, 271}
	callClone3          = callNumbers{435, 435}
	callFchmodat2       = callNumbers{452, 452}
)

// Numbers of the kernel's interface that are the same on both architectures.
const (
	afUnix, afInet, afInet6, afNetlink = 1, 2, 10, 16
	netlinkRoute                       = 0
	protoMPTCP                         = 262
	sockTypes                          = 0xf // the part of a socket's type that is not flags
	sockStream, sockSeqpacket          = 1, 5
	tiocSTI, tiocLinux                 = 0x5412, 0x541c
	setIDBits                          = 0o6000
	newTime                            = 0x80
	// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
	namespaceFlags = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
	x32Bit         = 0x40000000
)

// oCreat is O_CREAT|__O_TMPFILE: with either of them open(2) looks at the mode.
const oCreat = 0o100 | 0o20000000

// program collects the instructions of a filter. The accumulator holds the call
// number whenever a rule begins.
type program struct {
	arch Arch
	code []bpf.Instruction
}

// Offsets in struct seccomp_data; arguments are 64 bits wide, and both
// architectures store the low half first.
const (
	offNumber = 0
	offArch   = 4
	offArgs   = 16
)

func (p *program) ret(action uint32) { p.code = append(p.code, bpf.RetConstant{Val: action}) }

// on adds a rule for one call: the body runs for it and may end in a verdict;
// whatever falls through goes on with the next rule.
func (p *program) on(call callNumbers, body ...bpf.Instruction) {
	number := call[p.arch.col]
	if number == absent {
		return
	}
	body = append(body, bpf.LoadAbsolute{Off: offNumber, Size: 4})
	p.code = append(p.code, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(number), SkipTrue: uint8(len(body))}) //nolint:gosec // numbers and bodies are small constants
	p.code = append(p.code, body...)
}

// arg loads the low half of an argument. The kernel cuts the arguments that are
// judged here to 32 bits itself, so what stands above must not matter.
func arg(i uint32) bpf.Instruction { return bpf.LoadAbsolute{Off: offArgs + 8*i, Size: 4} }

func errno(e uint32) bpf.Instruction { return bpf.RetConstant{Val: actErrno | e} }

// notFirst refuses a call whose argument is the number of the first process.
func notFirst(i uint32) []bpf.Instruction {
	return []bpf.Instruction{arg(i), bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 1, SkipTrue: 1}, errno(ePerm)}
}

// refuseMode refuses a call whose mode argument has a setuid or setgid bit.
func refuseMode(i uint32) []bpf.Instruction {
	return []bpf.Instruction{
		arg(i),
		bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: setIDBits, SkipTrue: 1},
		errno(ePerm),
	}
}

// Filter assembles the system call filter. Its verdicts, in order: another
// architecture is killed; x32 and unknown calls answer ENOSYS; what the tables
// name answers EPERM; all else is allowed.
func Filter(arch Arch, o FilterOptions) ([]bpf.RawInstruction, error) {
	p := &program{arch: arch}
	p.code = append(
		p.code,
		bpf.LoadAbsolute{Off: offArch, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: arch.audit, SkipTrue: 1},
		bpf.RetConstant{Val: actKill},
		bpf.LoadAbsolute{Off: offNumber, Size: 4},
		// x32 numbers have bit 30 set, so they are above the last one too.
		bpf.JumpIf{Cond: bpf.JumpLessOrEqual, Val: lastSyscall, SkipTrue: 1},
		errno(eNoSys),
	)
	p.sockets(o.UnixSockets)
	p.on(callIoctl, arg(1),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: tiocSTI, SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: tiocLinux, SkipTrue: 1},
		errno(ePerm))
	p.modes()
	// The only process in the sandbox that the command did not start is its first.
	p.on(callPtrace, notFirst(1)...)
	p.on(callProcessVMReadv, notFirst(0)...)
	p.on(callProcessVMWritev, notFirst(0)...)
	for _, call := range refused {
		p.on(call.numbers, errno(ePerm))
	}
	if !o.NestedUserns {
		p.on(callClone, arg(0), bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: namespaceFlags, SkipTrue: 1}, errno(ePerm))
		p.on(callUnshare, arg(0), bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: namespaceFlags | newTime, SkipTrue: 1}, errno(ePerm))
		// Its flags are in memory, where a filter cannot look; libraries fall back to clone.
		p.on(callClone3, errno(eNoSys))
	}
	p.ret(actAllow)
	raw, err := bpf.Assemble(p.code)
	if err != nil {
		return nil, fmt.Errorf("bug: assembling the system call filter: %w", err)
	}
	return raw, nil
}

// mountFilter assembles the second filter. The stage installs it when its mounts
// are made; the first process of the sandbox, which is not under it, has no
// capability to mount with. It follows the first one, which has looked at the
// architecture and the numbers already.
func mountFilter(arch Arch) ([]bpf.RawInstruction, error) {
	p := &program{arch: arch, code: []bpf.Instruction{bpf.LoadAbsolute{Off: offNumber, Size: 4}}}
	for _, call := range mounting {
		p.on(call.numbers, errno(ePerm))
	}
	p.ret(actAllow)
	raw, err := bpf.Assemble(p.code)
	if err != nil {
		return nil, fmt.Errorf("bug: assembling the second filter: %w", err)
	}
	return raw, nil
}

// sockets allows the internet families, the part of netlink that lists
// interfaces, and AF_UNIX if asked. What is left out reaches past the network
// namespace (AF_VSOCK) or is kernel surface without use here.
func (p *program) sockets(unix bool) {
	families := []uint32{afInet, afInet6}
	if unix {
		families = append(families, afUnix)
	}
	var body []bpf.Instruction
	body = append(body, arg(0))
	// To the check of the protocol, or of netlink's, or to the refusal.
	for i, family := range families {
		body = append(body, bpf.JumpIf{Cond: bpf.JumpEqual, Val: family, SkipTrue: uint8(len(families) - i - 1 + 5)}) //nolint:gosec // at most 8
	}
	body = append(
		body,
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: afNetlink, SkipTrue: 3}, // → refuse
		arg(2),
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: netlinkRoute, SkipTrue: 1}, // → refuse
		bpf.RetConstant{Val: actAllow},
		errno(ePerm),
		arg(2), // an internet socket: multipath TCP would pass by rules on TCP
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: protoMPTCP, SkipTrue: 1},
		errno(eProtoNoSupport),
		bpf.RetConstant{Val: actAllow},
	)
	p.on(callSocket, body...)
	if unix {
		return
	}
	// An end of a pair of datagram sockets can send to, and be connected to, any name;
	// one of the others is at its peer for good.
	p.on(callSocketpair, arg(0),
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: afUnix, SkipTrue: 4},
		arg(1),
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: sockTypes},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: sockStream, SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: sockSeqpacket, SkipTrue: 1},
		errno(ePerm))
}

// modes refuses to make files that run with another's rights.
func (p *program) modes() {
	p.on(callChmod, refuseMode(1)...)
	p.on(callFchmod, refuseMode(1)...)
	p.on(callFchmodat, refuseMode(2)...)
	p.on(callFchmodat2, refuseMode(2)...)
	p.on(callCreat, refuseMode(1)...)
	p.on(callMknod, refuseMode(1)...)
	p.on(callMknodat, refuseMode(2)...)
	for _, open := range []struct {
		call  callNumbers
		flags uint32
	}{{callOpen, 1}, {callOpenat, 2}} {
		// The mode counts only with O_CREAT or O_TMPFILE.
		p.on(open.call, slices.Concat([]bpf.Instruction{
			arg(open.flags),
			bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: oCreat, SkipTrue: 3},
		}, refuseMode(open.flags+1))...)
	}
}

// Encode gives the bytes that bubblewrap reads: a struct sock_filter each.
func Encode(code []bpf.RawInstruction) []byte {
	out := make([]byte, 0, 8*len(code))
	for _, i := range code {
		out = binary.NativeEndian.AppendUint16(out, i.Op)
		out = append(out, i.Jt, i.Jf)
		out = binary.NativeEndian.AppendUint32(out, i.K)
	}
	return out
}
