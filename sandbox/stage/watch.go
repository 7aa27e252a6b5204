package stage

import (
	"strings"

	"golang.org/x/net/bpf"
)

// Watch says which calls wait until srt has looked at them. For files that serves
// reports only: srt answers that the kernel goes on, and it is the mounts that refuse.
type Watch struct {
	Files   bool // what would make, change, rename or remove a file by its path
	Reads   bool // besides: every open by a path
	Sockets bool // connect and bind, which srt then makes or refuses itself
}

// None reports that nothing is watched.
func (w Watch) None() bool { return !w.Files && !w.Reads && !w.Sockets }

// encode writes the letters that decodeWatch reads.
func (w Watch) encode() string {
	var b strings.Builder
	for _, flag := range []struct {
		letter byte
		set    bool
	}{{'f', w.Files}, {'r', w.Reads}, {'s', w.Sockets}} {
		if flag.set {
			b.WriteByte(flag.letter)
		}
	}
	return b.String()
}

func decodeWatch(s string) (w Watch, ok bool) {
	w = Watch{Files: strings.Contains(s, "f"), Reads: strings.Contains(s, "r"), Sockets: strings.Contains(s, "s")}
	return w, w.encode() == s
}

// Act is what a watched call does to a path.
type Act uint8

// The acts.
const (
	Open    Act = iota + 1 // as the flags say
	Make                   // a name that must not be there yet
	Remove                 // a name
	Replace                // a name is made, over what has it
	Change                 // the file's attributes or length
	Connect                // not by a path but by an address
	Bind                   // likewise
)

// NoArg marks an argument that a call does not have.
const NoArg = -1

// PathArg is where a call has one of its paths: the numbers of the arguments with the
// folder that it begins in and the path itself.
type PathArg struct {
	Dir, Path int8
	Act       Act
}

// Watched is a call that is watched. Flags is the number of the argument with its
// flags; those of open(2) for Open, AT_SYMLINK_NOFOLLOW counts for others. NoFollow is
// that without flags.
type Watched struct {
	Call     string
	numbers  callNumbers
	Names    [2]PathArg // of the second Act is 0 where there is none
	Flags    int8
	NoFollow bool
}

// More flags of open(2), the same on both architectures.
const (
	oPath = 0o10000000

	// OpenWrites are those by which opening a file can change something: O_WRONLY and
	// O_RDWR, O_CREAT and O_TRUNC. (O_TMPFILE goes with one of them.)
	OpenWrites = oAccMode | 0o100 | oTrunc
)

func one(path int8, act Act) [2]PathArg        { return [2]PathArg{{NoArg, path, act}} }
func oneAt(dir, path int8, act Act) [2]PathArg { return [2]PathArg{{dir, path, act}} }

// watched are the calls that take a path and could change what it leads to. Those that
// take a descriptor are judged when that is opened. openat2 does not exist inside.
func watched() []Watched {
	return []Watched{
		{Call: "open", numbers: callOpen, Names: one(0, Open), Flags: 1},
		{Call: "openat", numbers: callOpenat, Names: oneAt(0, 1, Open), Flags: 2},
		{Call: "creat", numbers: callCreat, Names: one(0, Open), Flags: NoArg},
		{Call: "mkdir", numbers: callNumbers{83, absent}, Names: one(0, Make), Flags: NoArg},
		{Call: "mkdirat", numbers: callNumbers{258, 34}, Names: oneAt(0, 1, Make), Flags: NoArg},
		{Call: "mknod", numbers: callMknod, Names: one(0, Make), Flags: NoArg},
		{Call: "mknodat", numbers: callMknodat, Names: oneAt(0, 1, Make), Flags: NoArg},
		{Call: "symlink", numbers: callNumbers{88, absent}, Names: one(1, Make), Flags: NoArg},
		{Call: "symlinkat", numbers: callNumbers{266, 36}, Names: oneAt(1, 2, Make), Flags: NoArg},
		{Call: "link", numbers: callNumbers{86, absent}, Names: one(1, Make), Flags: NoArg},
		{Call: "linkat", numbers: callNumbers{265, 37}, Names: oneAt(2, 3, Make), Flags: NoArg},
		{Call: "unlink", numbers: callNumbers{87, absent}, Names: one(0, Remove), Flags: NoArg},
		{Call: "unlinkat", numbers: callNumbers{263, 35}, Names: oneAt(0, 1, Remove), Flags: NoArg},
		{Call: "rmdir", numbers: callNumbers{84, absent}, Names: one(0, Remove), Flags: NoArg},
		{Call: "rename", numbers: callNumbers{82, absent}, Names: [2]PathArg{{NoArg, 0, Remove}, {NoArg, 1, Replace}}, Flags: NoArg},
		{Call: "renameat", numbers: callNumbers{264, 38}, Names: [2]PathArg{{0, 1, Remove}, {2, 3, Replace}}, Flags: NoArg},
		{Call: "renameat2", numbers: callNumbers{316, 276}, Names: [2]PathArg{{0, 1, Remove}, {2, 3, Replace}}, Flags: NoArg},
		{Call: "chmod", numbers: callChmod, Names: one(0, Change), Flags: NoArg},
		{Call: "fchmodat", numbers: callFchmodat, Names: oneAt(0, 1, Change), Flags: NoArg},
		{Call: "fchmodat2", numbers: callFchmodat2, Names: oneAt(0, 1, Change), Flags: 3},
		{Call: "chown", numbers: callNumbers{92, absent}, Names: one(0, Change), Flags: NoArg},
		{Call: "lchown", numbers: callNumbers{94, absent}, Names: one(0, Change), Flags: NoArg, NoFollow: true},
		{Call: "fchownat", numbers: callNumbers{260, 54}, Names: oneAt(0, 1, Change), Flags: 4},
		{Call: "utime", numbers: callNumbers{132, absent}, Names: one(0, Change), Flags: NoArg},
		{Call: "utimes", numbers: callNumbers{235, absent}, Names: one(0, Change), Flags: NoArg},
		{Call: "futimesat", numbers: callNumbers{261, absent}, Names: oneAt(0, 1, Change), Flags: NoArg},
		{Call: "utimensat", numbers: callUtimensat, Names: oneAt(0, 1, Change), Flags: 3},
		{Call: "truncate", numbers: callNumbers{76, 45}, Names: one(0, Change), Flags: NoArg},
		{Call: "setxattr", numbers: callNumbers{188, 5}, Names: one(0, Change), Flags: NoArg},
		{Call: "lsetxattr", numbers: callNumbers{189, 6}, Names: one(0, Change), Flags: NoArg, NoFollow: true},
		{Call: "setxattrat", numbers: callNumbers{463, 463}, Names: oneAt(0, 1, Change), Flags: 2},
		{Call: "removexattr", numbers: callNumbers{197, 14}, Names: one(0, Change), Flags: NoArg},
		{Call: "lremovexattr", numbers: callNumbers{198, 15}, Names: one(0, Change), Flags: NoArg, NoFollow: true},
		{Call: "removexattrat", numbers: callNumbers{466, 466}, Names: oneAt(0, 1, Change), Flags: 2},
		{Call: "connect", numbers: callNumbers{42, 203}, Names: one(NoArg, Connect), Flags: NoArg},
		{Call: "bind", numbers: callNumbers{49, 200}, Names: one(NoArg, Bind), Flags: NoArg},
	}
}

var callUtimensat = callNumbers{280, 88}

// sockets reports whether it is a call on a socket.
func (c *Watched) sockets() bool { return c.Names[0].Act >= Connect }

// WatchedCalls gives the calls that are watched, by their number.
func WatchedCalls(arch Arch) map[int]Watched {
	calls := map[int]Watched{}
	for _, c := range watched() {
		if n := c.numbers[arch.col]; n != absent {
			calls[n] = c
		}
	}
	return calls
}

// watch adds rules whose verdict on a watched call is to ask srt. Of the verdicts of
// several filters the kernel takes the strongest, and a refusal is stronger than a
// question, which is stronger than to allow: neither does asking open what the first
// filter refuses, nor can a filter of the command's own keep a call from being seen that
// then is made. A second filter that asks is not possible (seccomp(2), EBUSY).
func (p *program) watch(w Watch) {
	ask := bpf.RetConstant{Val: actNotify}
	for _, c := range watched() {
		switch {
		case c.sockets():
			if w.Sockets {
				p.on(c.numbers, ask)
			}
		case !w.Files && !w.Reads:
		case c.Names[0].Act == Open && c.Flags != NoArg:
			flags := uint32(c.Flags) //nolint:gosec // the number of an argument
			// What is opened as a place only is neither read nor written.
			body := []bpf.Instruction{arg(flags), bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: oPath, SkipTrue: 1}, ask}
			if !w.Reads {
				body = []bpf.Instruction{
					arg(flags),
					bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: oPath, SkipTrue: 2},
					bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: OpenWrites, SkipTrue: 1},
					ask,
				}
			}
			p.on(c.numbers, body...)
		case c.numbers == callUtimensat:
			// Without a path it is about a descriptor.
			p.on(c.numbers, arg(1), bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0, SkipTrue: 2},
				bpf.LoadAbsolute{Off: offArgs + 8 + 4, Size: 4}, bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 1}, ask)
		default:
			p.on(c.numbers, ask)
		}
	}
}
