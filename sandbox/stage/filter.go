package stage

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"golang.org/x/net/bpf"
)

// FilterOptions are the switches of the system call filter.
type FilterOptions struct {
	UnixSockets  bool // allow socket(AF_UNIX)
	PathSockets  bool // allow those that have to be connected, which srt does: see Watch
	NestedUserns bool // allow new namespaces and mounts in them
	// FileCaps says that the command could give capabilities to files, which would
	// hold outside too: setting extended attributes is then refused.
	FileCaps bool
}

func (o FilterOptions) String() string {
	word := map[bool]string{true: "allowed", false: "refused"}
	sockets := word[o.UnixSockets]
	if o.PathSockets && !o.UnixSockets {
		sockets = "by path"
	}
	return fmt.Sprintf("unix sockets %s, namespaces %s", sockets, word[o.NestedUserns])
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
	actAllow  = 0x7fff0000
	actKill   = 0x80000000 // SECCOMP_RET_KILL_PROCESS
	actErrno  = 0x00050000
	actNotify = 0x7fc00000 // SECCOMP_RET_USER_NOTIF
)

// Errors that a refused call answers, of asm-generic/errno.h.
const (
	ePerm           = 1
	eAccess         = 13
	eNoSys          = 38
	eProtoNoSupport = 93
	eOpNotSupp      = 95
)

// lastSyscall is the highest number whose meaning was looked at. Newer ones
// answer ENOSYS, as on the older kernel that programs can run on anyway.
const lastSyscall = 471

// unused are the numbers below it that no kernel gives a meaning. New calls have
// the same number on every architecture since Linux 5.1, but those of one
// architecture alone still get theirs here: uretprobe and uprobe, 335 and 336 on
// amd64, are such. (These two are made by the kernel's own probes, in any process
// that the administrator looks into, and have to go through.)
var unused = [2][][2]uint32{
	{{337, 423}},
	{{244, 259}, {295, 423}},
}

// absent marks a call that an architecture does not have.
const absent = -1

// callNumbers are those of amd64 and arm64.
type callNumbers [2]int

// refused are calls that no command in a sandbox needs, by what speaks against
// them. What is not listed, in any of the tables, was looked at too; it stays for
// one of these reasons:
//
//   - it concerns the process itself, its children, and what it has open already:
//     vmsplice, process_madvise, pidfd_send_signal (which keeps to the PID
//     namespace), personality, mbind, memfd_secret, mseal, cachestat, userspace
//     dispatch;
//   - it can only take away: landlock, seccomp, lsm_set_self_attr (under
//     no_new_privs);
//   - it concerns a namespace that is the sandbox's own: sethostname, System V IPC,
//     message queues, statmount;
//   - it is judged by what it is used on, in which it does not differ from its older
//     forms: setxattrat, file_setattr, name_to_handle_at (a handle is of no use
//     without open_by_handle_at).
var refused = []struct {
	name    string
	numbers callNumbers
}{
	// The keys of the caller's session, of which the kernel has no namespace.
	{"add_key", callNumbers{248, 217}},
	{"request_key", callNumbers{249, 218}},
	{"keyctl", callNumbers{250, 219}},
	// Programs in the kernel and a look at it; much surface.
	{"bpf", callNumbers{321, 280}},
	{"perf_event_open", callNumbers{298, 241}},
	{"userfaultfd", callNumbers{323, 282}},
	{"modify_ldt", callNumbers{154, absent}},
	// What io_uring does, no filter sees.
	{"io_uring_setup", callNumbers{425, 425}},
	{"io_uring_enter", callNumbers{426, 426}},
	{"io_uring_register", callNumbers{427, 427}},
	// Files by another way than their path, and of a whole mount.
	{"open_by_handle_at", callNumbers{304, 265}},
	{"fanotify_init", callNumbers{300, 262}},
	{"fanotify_mark", callNumbers{301, 263}},
	// What others have open, or are in.
	{"pidfd_getfd", callNumbers{438, 438}},
	{"listns", callNumbers{470, 470}},
	// The whole machine: its log, clock, ports, terminals and modules. Most take a
	// capability as well; the log often does not.
	{"syslog", callNumbers{103, 116}},
	{"settimeofday", callNumbers{164, 170}},
	{"clock_settime", callNumbers{227, 112}},
	{"adjtimex", callNumbers{159, 171}},
	{"clock_adjtime", callNumbers{305, 266}},
	{"iopl", callNumbers{172, absent}},
	{"ioperm", callNumbers{173, absent}},
	{"vhangup", callNumbers{153, 58}},
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

// gone are calls that kernels have no more, or never had except by additions to
// them; they answer as if that were so everywhere.
var gone = []struct {
	name    string
	numbers callNumbers
}{
	{"uselib", callNumbers{134, absent}},
	{"_sysctl", callNumbers{156, absent}},
	{"create_module", callNumbers{174, absent}},
	{"get_kernel_syms", callNumbers{177, absent}},
	{"query_module", callNumbers{178, absent}},
	{"nfsservctl", callNumbers{180, 42}},
	{"getpmsg", callNumbers{181, absent}},
	{"putpmsg", callNumbers{182, absent}},
	{"afs_syscall", callNumbers{183, absent}},
	{"tuxcall", callNumbers{184, absent}},
	{"security", callNumbers{185, absent}},
	{"lookup_dcookie", callNumbers{212, 18}},
	{"epoll_ctl_old", callNumbers{214, absent}},
	{"epoll_wait_old", callNumbers{215, absent}},
	{"vserver", callNumbers{236, absent}},
}

// attributes set extended attributes, file capabilities among them.
var attributes = []struct {
	name    string
	numbers callNumbers
}{
	{"setxattr", callNumbers{188, 5}},
	{"lsetxattr", callNumbers{189, 6}},
	{"fsetxattr", callNumbers{190, 7}},
	{"setxattrat", callNumbers{463, 463}},
}

// requests of ioctl(2) that are refused, by what speaks against them.
var requests = []struct {
	name   string
	number uint32
}{
	// They type for the user, redirect the console's output, or give the terminal
	// to a driver that may have to be loaded first.
	{"TIOCSTI", 0x5412},
	{"TIOCLINUX", 0x541c},
	{"TIOCCONS", 0x541d},
	{"TIOCSETD", 0x5423},
	// A snapshot has everything that mounts hide or protect, under another path.
	{"BTRFS_IOC_SNAP_CREATE", 0x50009401},
	{"BTRFS_IOC_SNAP_CREATE_V2", 0x50009417},
	{"BCH_IOCTL_SUBVOLUME_CREATE", 0x4020bc10},
	// The keys of encrypted folders are the user's, and of the whole file system:
	// without them folders outside are locked.
	{"FS_IOC_ADD_ENCRYPTION_KEY", 0xc0506617},
	{"FS_IOC_REMOVE_ENCRYPTION_KEY", 0xc0406618},
	{"FS_IOC_REMOVE_ENCRYPTION_KEY_ALL_USERS", 0xc0406619},
}

// The requests of virtual consoles, KD* and VT_*, change the keyboard and the
// screen for everybody. Those of other drivers with these letters have more bits.
var consoleRequests = []uint32{0x4b00, 0x5600}

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
	callSetpriority     = callNumbers{141, 140}
	callIoprioSet       = callNumbers{251, 30}
	callUnshare         = callNumbers{272, 97}
	callMigratePages    = callNumbers{256, 238}
	callMovePages       = callNumbers{279, 239}
	callProcessVMReadv  = callNumbers{310, 270}
	callProcessVMWritev = callNumbers{311, 271}
	callKcmp            = callNumbers{312, 272}
	callClone3          = callNumbers{435, 435}
	callOpenat2         = callNumbers{437, 437}
	callFchmodat2       = callNumbers{452, 452}
)

// Numbers of the kernel's interface that are the same on both architectures.
const (
	afUnix, afInet, afInet6, afNetlink = 1, 2, 10, 16
	netlinkRoute                       = 0
	sockStream, sockSeqpacket          = 1, 5
	sockPacket                         = 10
	sockTypes                          = 0xf // the rest of the type are flags
	setIDBits                          = 0o6000
	newTime                            = 0x80
	prioGroup, ioprioGroup             = 1, 2 // PRIO_PGRP, IOPRIO_WHO_PGRP
	// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
	namespaceFlags = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
)

// protocols of internet sockets: the default of the type, ICMP, TCP, UDP, ICMPv6,
// and IPPROTO_RAW, which is for root in a network namespace of its own. Others load
// modules into the kernel (SCTP, DCCP, L2TP, SMC), or pass by rules on TCP
// (multipath TCP).
var protocols = []uint32{0, 1, 6, 17, 58, 255}

// oCreat is O_CREAT|__O_TMPFILE: with either of them open(2) looks at the mode.
const oCreat = 0o100 | 0o20000000

// program collects the instructions of a filter: what comes first for all calls, and
// rules for single ones. The accumulator holds the call number when they begin.
type program struct {
	arch  Arch
	code  []bpf.Instruction
	rules []rule
}

// rule is what is done about one call.
type rule struct {
	number uint32
	body   []bpf.Instruction
}

// Offsets in struct seccomp_data; arguments are 64 bits wide, and both
// architectures store the low half first.
const (
	offNumber = 0
	offArch   = 4
	offArgs   = 16
)

// on adds a rule for one call: the body runs for it and may end in a verdict;
// whatever falls through goes on with the next rule for that call, and is allowed after
// the last one.
func (p *program) on(call callNumbers, body ...bpf.Instruction) {
	if number := call[p.arch.col]; number != absent {
		p.rules = append(p.rules, rule{uint32(number), body}) //nolint:gosec // not negative
	}
}

// assemble puts the rules behind the rest. They are found by halving: the kernel goes
// through a filter for every number there is when it is installed (it remembers which
// calls are always allowed), and one by one that took longer than the whole of the stage.
func (p *program) assemble() ([]bpf.RawInstruction, error) {
	slices.SortStableFunc(p.rules, func(a, b rule) int { return cmp.Compare(a.number, b.number) })
	var merged []rule
	for _, r := range p.rules {
		if n := len(merged); n > 0 && merged[n-1].number == r.number {
			merged[n-1].body = slices.Concat(merged[n-1].body, r.body)
			continue
		}
		merged = append(merged, r)
	}
	return bpf.Assemble(append(p.code, branches(merged)...)) //nolint:wrapcheck // the callers say which filter
}

// branches finds the rule of a number.
func branches(rules []rule) []bpf.Instruction {
	allow := bpf.RetConstant{Val: actAllow}
	switch len(rules) {
	case 0:
		return []bpf.Instruction{allow}
	case 1:
		// What is skipped is the body and what ends it.
		code := unless(bpf.JumpNotEqual, rules[0].number, len(rules[0].body)+1)
		return append(append(append(code, rules[0].body...), allow), allow)
	}
	half := len(rules) / 2
	below := branches(rules[:half])
	code := unless(bpf.JumpGreaterOrEqual, rules[half].number, len(below))
	return append(append(code, below...), branches(rules[half:])...)
}

// unless skips instructions where the accumulator compares so with a value. A
// conditional jump has eight bits for how far.
func unless(cond bpf.JumpTest, value uint32, skip int) []bpf.Instruction {
	if skip <= math.MaxUint8 {
		return []bpf.Instruction{bpf.JumpIf{Cond: cond, Val: value, SkipTrue: uint8(skip)}} //nolint:gosec // looked at
	}
	return []bpf.Instruction{bpf.JumpIf{Cond: cond, Val: value, SkipFalse: 1}, bpf.Jump{Skip: uint32(skip)}} //nolint:gosec // the length of a program
}

// when runs a body where the accumulator has a value.
func when(value uint32, body ...bpf.Instruction) []bpf.Instruction {
	return append([]bpf.Instruction{bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: value, SkipTrue: uint8(len(body))}}, body...) //nolint:gosec // bodies are short
}

// arg loads the low half of an argument. The kernel cuts the arguments that are
// judged here to 32 bits itself, so what stands above must not matter.
func arg(i uint32) bpf.Instruction { return bpf.LoadAbsolute{Off: offArgs + 8*i, Size: 4} }

func errno(e uint32) bpf.Instruction { return bpf.RetConstant{Val: actErrno | e} }

// notFirst refuses a call whose argument is the number of the first process.
func notFirst(i uint32) []bpf.Instruction {
	return append([]bpf.Instruction{arg(i)}, when(1, errno(ePerm))...)
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
	for _, r := range unused[arch.col] {
		p.code = append(
			p.code,
			bpf.JumpIf{Cond: bpf.JumpLessThan, Val: r[0], SkipTrue: 2},
			bpf.JumpIf{Cond: bpf.JumpGreaterThan, Val: r[1], SkipTrue: 1},
			errno(eNoSys),
		)
	}
	p.sockets(o.UnixSockets, o.PathSockets)
	p.ioctl()
	p.modes()
	// The only process in the sandbox that the command did not start is its first.
	p.on(callPtrace, notFirst(1)...)
	p.on(callProcessVMReadv, notFirst(0)...)
	p.on(callProcessVMWritev, notFirst(0)...)
	p.on(callMovePages, notFirst(0)...)
	p.on(callMigratePages, notFirst(0)...)
	p.on(callKcmp, append(notFirst(0), notFirst(1)...)...)
	// The process group is the caller's.
	p.on(callSetpriority, append([]bpf.Instruction{arg(0)}, when(prioGroup, errno(ePerm))...)...)
	p.on(callIoprioSet, append([]bpf.Instruction{arg(0)}, when(ioprioGroup, errno(ePerm))...)...)
	for _, call := range refused {
		p.on(call.numbers, errno(ePerm))
	}
	for _, call := range gone {
		p.on(call.numbers, errno(eNoSys))
	}
	if o.FileCaps {
		for _, call := range attributes {
			p.on(call.numbers, errno(eOpNotSupp))
		}
	}
	if !o.NestedUserns {
		p.on(callClone, arg(0), bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: namespaceFlags, SkipTrue: 1}, errno(ePerm))
		p.on(callUnshare, arg(0), bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: namespaceFlags | newTime, SkipTrue: 1}, errno(ePerm))
		// Its flags are in memory, where a filter cannot look; libraries fall back to clone.
		p.on(callClone3, errno(eNoSys))
	}
	raw, err := p.assemble()
	if err != nil {
		return nil, fmt.Errorf("bug: assembling the system call filter: %w", err)
	}
	return raw, nil
}

// secondFilter assembles the filter that the stage installs when its mounts are
// made: it refuses what the stage itself needed, and has srt asked about what is
// watched. The first process of the sandbox, which is not under it, has no capability to
// mount with. It follows the first filter, which has looked at the architecture and the
// numbers already.
func secondFilter(arch Arch, nested bool, w Watch) ([]bpf.RawInstruction, error) {
	p := &program{arch: arch, code: []bpf.Instruction{bpf.LoadAbsolute{Off: offNumber, Size: 4}}}
	// The mode is in memory: it could make a setuid file. Programs fall back to openat.
	p.on(callOpenat2, errno(eNoSys))
	if !nested {
		for _, call := range mounting {
			p.on(call.numbers, errno(ePerm))
		}
	}
	p.watch(w)
	raw, err := p.assemble()
	if err != nil {
		return nil, fmt.Errorf("bug: assembling the second filter: %w", err)
	}
	return raw, nil
}

// sockets allows the internet families, the part of netlink that lists
// interfaces, and AF_UNIX if asked. What is left out reaches past the network
// namespace (AF_VSOCK) or is kernel surface without use here.
func (p *program) sockets(unix, byPath bool) {
	refuse, allow := errno(ePerm), bpf.RetConstant{Val: actAllow}
	kind := []bpf.Instruction{arg(1), bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: sockTypes}}
	body := []bpf.Instruction{arg(0)}
	switch {
	case unix:
		body = append(body, when(afUnix, allow)...)
	case byPath:
		// Those of datagrams can be given an address with each message.
		body = append(body, when(afUnix, slices.Concat(kind, when(sockStream, allow), when(sockSeqpacket, allow), []bpf.Instruction{refuse})...)...)
	}
	body = slices.Concat(
		body,
		when(afNetlink, append(append([]bpf.Instruction{arg(2)}, when(netlinkRoute, allow)...), refuse)...),
		[]bpf.Instruction{
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: afInet, SkipTrue: 2},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: afInet6, SkipTrue: 1},
			refuse,
		},
		// For an old type the kernel takes AF_INET for AF_PACKET.
		kind, when(sockPacket, refuse),
		[]bpf.Instruction{arg(2)},
	)
	for _, protocol := range protocols {
		body = append(body, when(protocol, allow)...)
	}
	p.on(callSocket, append(body, errno(eProtoNoSupport))...)

	// A pair of datagram sockets is connected, and yet each can send to any path; the
	// others cannot be connected again. Of other families there are no pairs.
	body = []bpf.Instruction{arg(0), bpf.JumpIf{Cond: bpf.JumpEqual, Val: afUnix, SkipTrue: 1}, refuse}
	if !unix {
		body = slices.Concat(body, kind, when(sockStream, allow), when(sockSeqpacket, allow), []bpf.Instruction{refuse})
	}
	p.on(callSocketpair, body...)
}

// ioctl refuses the requests of the tables. The kernel takes 32 bits of them.
func (p *program) ioctl() {
	body := []bpf.Instruction{arg(1)}
	for _, r := range requests {
		body = append(body, when(r.number, errno(ePerm))...)
	}
	body = append(body, bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xffffff00})
	for _, letter := range consoleRequests {
		body = append(body, when(letter, errno(ePerm))...)
	}
	p.on(callIoctl, body...)
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
