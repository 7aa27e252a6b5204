package stage

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// decision is a line of testdata/calls.tsv.
type decision struct {
	name    string
	numbers callNumbers
	what    string
}

// decisions reads what is to become of each system call. The table was made from the
// kernel's headers and not from the filter.
func decisions(tb testing.TB) []decision {
	tb.Helper()
	text, err := os.ReadFile("testdata/calls.tsv")
	if err != nil {
		tb.Fatal(err)
	}
	var all []decision
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(cells) != 4 {
			tb.Fatalf("calls.tsv: %q", line)
		}
		d := decision{name: cells[0], what: cells[3]}
		for col, cell := range cells[1:3] {
			d.numbers[col] = absent
			if cell == "-" {
				continue
			}
			if d.numbers[col], err = strconv.Atoi(cell); err != nil {
				tb.Fatal(err)
			}
		}
		all = append(all, d)
	}
	return all
}

// model says what the filters should answer, by names and in plain Go.
type model map[uint32]decision

func newModel(tb testing.TB, arch Arch) model {
	tb.Helper()
	m := model{}
	for _, d := range decisions(tb) {
		if n := d.numbers[arch.col]; n != absent {
			m[uint32(n)] = d
		}
	}
	return m
}

func (m model) first(o FilterOptions, nr uint32, args [6]uint64) uint32 {
	d, ok := m[nr]
	switch {
	case !ok || d.what == "gone":
		return enosys
	case d.what == "refuse":
		return eperm
	case d.what == "attribute" && o.FileCaps:
		return actErrno | eOpNotSupp
	case d.what == "judge":
		return judged(d.name, o, args)
	}
	return allow
}

func (m model) second(o FilterOptions, nr uint32) uint32 {
	d := m[nr]
	switch {
	case d.name == "openat2":
		return enosys
	case d.what == "mount" && !o.NestedUserns:
		return eperm
	}
	return allow
}

// judged is the verdict on a call whose arguments count; the kernel takes the low 32
// bits of all that count.
func judged(name string, o FilterOptions, args [6]uint64) uint32 {
	var a [6]uint32
	for i, v := range args {
		a[i] = uint32(v)
	}
	refuseIf := func(bad bool) uint32 {
		if bad {
			return eperm
		}
		return allow
	}
	const (
		setID    = 0o6000
		creating = 0o100 | 0o20000000 // O_CREAT, and the bit of O_TMPFILE
		// All of CLONE_NEW*, but for the time namespace.
		namespaces = 0x7e020000
	)
	switch name {
	case "socket":
		return judgedSocket(o, a)
	case "socketpair":
		kind := a[1] & 15
		return refuseIf(a[0] != 1 || !o.UnixSockets && kind != 1 && kind != 5)
	case "ioctl":
		return refuseIf(slices.Contains([]uint32{
			0x5412, 0x541c, 0x541d, 0x5423, // the terminal
			0x50009401, 0x50009417, 0x4020bc10, // snapshots
			0xc0506617, 0xc0406618, 0xc0406619, // keys of file systems
		}, a[1]) || a[1]>>8 == 'K' || a[1]>>8 == 'V')
	case "chmod", "fchmod", "creat", "mknod":
		return refuseIf(a[1]&setID != 0)
	case "fchmodat", "fchmodat2", "mknodat":
		return refuseIf(a[2]&setID != 0)
	case "open":
		return refuseIf(a[1]&creating != 0 && a[2]&setID != 0)
	case "openat":
		return refuseIf(a[2]&creating != 0 && a[3]&setID != 0)
	case "ptrace":
		return refuseIf(a[1] == 1)
	case "process_vm_readv", "process_vm_writev", "move_pages", "migrate_pages":
		return refuseIf(a[0] == 1)
	case "kcmp":
		return refuseIf(a[0] == 1 || a[1] == 1)
	case "setpriority":
		return refuseIf(a[0] == 1)
	case "ioprio_set":
		return refuseIf(a[0] == 2)
	case "clone":
		return refuseIf(!o.NestedUserns && a[0]&namespaces != 0)
	case "unshare":
		return refuseIf(!o.NestedUserns && a[0]&(namespaces|0x80) != 0)
	case "clone3":
		if !o.NestedUserns {
			return enosys
		}
	case "openat2": // the second filter's
	default:
		panic(name + " is to be judged, and how is not known")
	}
	return allow
}

func judgedSocket(o FilterOptions, a [6]uint32) uint32 {
	switch a[0] {
	case 1: // unix
		if o.UnixSockets {
			return allow
		}
	case 2, 10: // IP
		if a[1]&15 == 10 { // means AF_PACKET
			return eperm
		}
		switch a[2] {
		case 0, 1, 6, 17, 58, 255:
			return allow
		}
		return actErrno | eProtoNoSupport
	case 16: // netlink
		if a[2] == 0 {
			return allow
		}
	}
	return eperm
}

// pair is one combination of options and its filters.
type pair struct {
	arch          Arch
	options       FilterOptions
	first, second func(uint32, uint32, ...uint64) uint32
	model         model
}

func pairs(tb testing.TB) []pair {
	tb.Helper()
	var all []pair
	for _, arch := range []Arch{AMD64, ARM64} {
		m := newModel(tb, arch)
		for bits := range 8 {
			o := FilterOptions{UnixSockets: bits&1 != 0, NestedUserns: bits&2 != 0, FileCaps: bits&4 != 0}
			raw, err := secondFilter(arch, o.NestedUserns, Watch{})
			if err != nil {
				tb.Fatal(err)
			}
			all = append(all, pair{arch, o, mustFilter(tb, arch, o), machine(tb, raw), m})
		}
	}
	return all
}

func (p pair) check(t *testing.T, nr uint32, args [6]uint64) {
	t.Helper()
	if got, want := p.first(p.arch.audit, nr, args[:]...), p.model.first(p.options, nr, args); got != want {
		t.Errorf("%s, %+v: call %d %#x: %#x, want %#x", p.arch.Name, p.options, nr, args, got, want)
	}
	if got, want := p.second(p.arch.audit, nr, args[:]...), p.model.second(p.options, nr); got != want {
		t.Errorf("%s, %+v: call %d %#x in the second filter: %#x, want %#x", p.arch.Name, p.options, nr, args, got, want)
	}
}

// TestEveryCallIsDecided: each number has the verdict of the table, and there is no
// call that nobody looked at.
func TestEveryCallIsDecided(t *testing.T) {
	for _, p := range pairs(t) {
		for nr := range uint32(lastSyscall + 40) {
			p.check(t, nr, [6]uint64{})
		}
		for nr, d := range p.model {
			if nr > lastSyscall {
				t.Errorf("%s, %d, is above the last number that the filter lets through", d.name, nr)
			}
		}
	}
}

// TestTableIsComplete compares the table with the headers that x/sys was made from:
// a new version of it may bring calls to decide on.
func TestTableIsComplete(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys").Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		t.Skip("the source of golang.org/x/sys is not here")
	}
	line := regexp.MustCompile(`^\s+SYS_(\w+)\s*=\s*(\d+)`)
	for _, arch := range []Arch{AMD64, ARM64} {
		m := newModel(t, arch)
		f, err := os.Open(filepath.Join(dir, "unix", "zsysnum_linux_"+arch.Name+".go"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		seen := 0
		for lines := bufio.NewScanner(f); lines.Scan(); {
			match := line.FindStringSubmatch(lines.Text())
			if match == nil || match[1] == "ARCH_SPECIFIC_SYSCALL" {
				continue
			}
			seen++
			nr, err := strconv.ParseUint(match[2], 10, 32)
			if err != nil {
				t.Fatal(err)
			}
			if got := m[uint32(nr)].name; got != strings.ToLower(match[1]) {
				t.Errorf("%s: call %d is %s, and the table has %q", arch.Name, nr, strings.ToLower(match[1]), got)
			}
		}
		if seen != len(m) {
			t.Errorf("%s: the headers have %d calls, the table %d", arch.Name, seen, len(m))
		}
	}
}

// FuzzFilter: for any architecture, number and arguments the programs answer what
// the model does.
func FuzzFilter(f *testing.F) {
	all := pairs(f)
	for _, d := range decisions(f) {
		for col, p := range []pair{all[0], all[8]} {
			if n := d.numbers[col]; n != absent {
				f.Add(p.arch.audit, uint32(n), uint64(1), uint64(1), uint64(0o4755), uint64(0o2000))
			}
		}
	}
	for _, request := range []uint64{0x5412, 1<<32 | 0x541c, 0x4b4b, 0x5605, 0x50009401, 0xc0406618} {
		f.Add(AMD64.audit, uint32(16), uint64(0), request, uint64(0), uint64(0))
	}
	for _, family := range []uint64{1, 2, 10, 16, 17, 38, 40} {
		f.Add(ARM64.audit, uint32(198), family, uint64(0x80002), uint64(262), uint64(0))
		f.Add(AMD64.audit, uint32(53), family, uint64(2), uint64(0), uint64(0))
	}
	f.Add(AMD64.audit, uint32(56), uint64(0x10000011), uint64(0), uint64(0), uint64(0))
	f.Add(uint32(0x40000003), uint32(5), uint64(0), uint64(0), uint64(0), uint64(0))
	f.Fuzz(func(t *testing.T, arch, nr uint32, a, b, c, d uint64) {
		args := [6]uint64{a, b, c, d}
		for _, p := range all {
			p.check(t, nr, args)
			// Any number is near one that is known.
			p.check(t, nr%(lastSyscall+2), args)
			if got := p.first(arch, nr, args[:]...); arch != p.arch.audit && got != actKill {
				t.Errorf("%s, architecture %#x: %#x, want the process killed", p.arch.Name, arch, got)
			}
		}
	})
}
