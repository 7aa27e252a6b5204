package stage

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
)

// Kept is a descriptor that the command inherits, where the stage has it and
// where the command expects it: the way into the sandbox needs the lowest ones.
type Kept struct{ At, As int }

// Order is what srt tells the stage to do, in the form of one memfd of
// NUL-terminated fields.
type Order struct {
	Writable     bool // leave everything as writable as it is
	Pins, Mounts []Mount
	Buried       bool     // the pins come before the mounts
	Nested       bool     // the command may make user namespaces
	Watch        Watch    // what srt is asked about
	Keep         []Kept   // descriptors that it inherits
	Listen       []string // of further listeners, see [Addresses]
	Sockets      int      // sockets to connect with that srt gets, of each family
	// Outside names srt's own namespaces, as the links of /proc/self/ns: the command
	// must have others.
	Outside   []string
	Limits    Limits
	Files     []File // made when all is mounted
	TempSize  uint64 // bytes of each file system in memory that the command can write; 0: a quarter of the memory
	Dir       string // where it starts
	Program   string // the file to execute
	Args, Env []string
}

// File is one that the stage makes, for its owner to read, and the folders on the way.
type File struct{ Path, Data string }

// Limits are those that the stage enforces. 0 is no limit.
type Limits struct {
	Memory    uint64   // RLIMIT_AS, bytes
	Processes int      // RLIMIT_NPROC
	PIDMax    int      // of the PID namespace; Linux 6.14
	Cgroups   []string // mounts of cgroups, which must not be written to
}

// Encode writes the fields that decode reads.
func (o *Order) Encode() []byte {
	var b bytes.Buffer
	field := func(s string) { b.WriteString(s); b.WriteByte(0) }
	mounts := func(list []Mount) {
		field(strconv.Itoa(len(list)))
		for _, m := range list {
			b.WriteString(strconv.Itoa(int(m.Kind)))
			for _, flag := range []struct {
				letter string
				set    bool
			}{{"d", m.Dir}, {"r", m.Reveal}, {"o", m.Open}} {
				if flag.set {
					b.WriteString(flag.letter)
				}
			}
			b.WriteByte(0)
			field(m.Path)
		}
	}
	words := func(list []string) {
		field(strconv.Itoa(len(list)))
		for _, word := range list {
			field(word)
		}
	}
	field(strconv.FormatBool(o.Writable))
	field(strconv.FormatBool(o.Buried))
	field(strconv.FormatBool(o.Nested))
	field(o.Watch.encode())
	mounts(o.Pins)
	mounts(o.Mounts)
	field(strconv.Itoa(len(o.Keep)))
	for _, k := range o.Keep {
		field(strconv.Itoa(k.At))
		field(strconv.Itoa(k.As))
	}
	words(o.Listen)
	field(strconv.Itoa(o.Sockets))
	words(o.Outside)
	field(strconv.FormatUint(o.Limits.Memory, 10))
	field(strconv.Itoa(o.Limits.Processes))
	field(strconv.Itoa(o.Limits.PIDMax))
	words(o.Limits.Cgroups)
	field(strconv.FormatUint(o.TempSize, 10))
	field(strconv.Itoa(len(o.Files)))
	for _, f := range o.Files {
		field(f.Path)
		field(f.Data)
	}
	field(o.Dir)
	field(o.Program)
	words(o.Args)
	words(o.Env)
	return b.Bytes()
}

func (o *Order) decode(data []byte) error {
	failed := false
	field := func() string {
		text, rest, ok := bytes.Cut(data, []byte{0})
		failed = failed || !ok
		data = rest
		return string(text)
	}
	number := func() int {
		n, err := strconv.Atoi(field())
		failed = failed || err != nil
		return n
	}
	size := func() uint64 {
		n, err := strconv.ParseUint(field(), 10, 64)
		failed = failed || err != nil
		return n
	}
	mounts := func() []Mount {
		n := number()
		var list []Mount
		for i := 0; i < n && !failed; i++ {
			kind := field()
			digits := strings.TrimRight(kind, "dro")
			k, err := strconv.ParseUint(digits, 10, 8)
			failed = failed || err != nil
			list = append(list, Mount{
				Kind: Kind(k), Path: field(),
				Dir: strings.Contains(kind, "d"), Reveal: strings.Contains(kind, "r"), Open: strings.Contains(kind, "o"),
			})
		}
		return list
	}
	words := func() []string {
		n := number()
		list := make([]string, 0, min(max(n, 0), len(data)))
		for ; n > 0 && !failed; n-- {
			list = append(list, field())
		}
		return list
	}
	o.Writable = field() == "true"
	o.Buried = field() == "true"
	o.Nested = field() == "true"
	watch, ok := decodeWatch(field())
	o.Watch, failed = watch, failed || !ok
	o.Pins, o.Mounts = mounts(), mounts()
	for n := number(); n > 0 && !failed; n-- {
		o.Keep = append(o.Keep, Kept{At: number(), As: number()})
	}
	o.Listen = words()
	o.Sockets = number()
	o.Outside = words()
	o.Limits = Limits{Memory: size(), Processes: number(), PIDMax: number(), Cgroups: words()}
	o.TempSize = size()
	for n := number(); n > 0 && !failed; n-- {
		o.Files = append(o.Files, File{Path: field(), Data: field()})
	}
	o.Dir, o.Program = field(), field()
	o.Args, o.Env = words(), words()
	if failed || len(data) > 0 {
		return errors.New("bug: the stage cannot read its order")
	}
	return nil
}
