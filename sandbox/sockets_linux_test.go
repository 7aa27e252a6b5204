package sandbox

import (
	"bytes"
	"encoding/binary"
	"os"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestUnixName(t *testing.T) {
	address := func(text string) []byte { return append(binary.NativeEndian.AppendUint16(nil, unix.AF_UNIX), text...) }
	for _, c := range []struct {
		address []byte
		name    string
		ok      bool
	}{
		{address("/run/x\x00"), "/run/x", true},
		{address("/run/x"), "/run/x", true}, // the end of the address ends it
		{address("/run/x\x00/run/y\x00"), "/run/x", true},
		{address("x\x00"), "x", true},
		{address("\x00abstract"), "", false},
		{address("\x00"), "", false},
		{address(""), "", false},
		{nil, "", false},
		{[]byte{1}, "", false},
		{append(binary.NativeEndian.AppendUint16(nil, unix.AF_INET), "/run/x\x00"...), "", false},
	} {
		if name, ok := unixName(c.address); name != c.name || ok != c.ok {
			t.Errorf("%q: %q, %v", c.address, name, ok)
		}
	}
}

// FuzzAddress reads addresses as a hostile process may give them.
func FuzzAddress(f *testing.F) {
	f.Add([]byte("\x01\x00/run/x\x00"), int64(9))
	f.Add([]byte("\x01\x00\x00abstract"), int64(11))
	f.Add([]byte(strings.Repeat("a", 200)), int64(129))
	f.Add([]byte{1}, int64(-1))
	f.Fuzz(func(t *testing.T, data []byte, length int64) {
		data = append(data, make([]byte, maxAddress)...)
		m := &mediator{n: notification{pid: uint32(os.Getpid())}}
		m.n.arguments[1], m.n.arguments[2] = uint64(uintptr(unsafe.Pointer(&data[0]))), uint64(length)
		got, err := m.address()
		runtime.KeepAlive(data)
		most := int32(length)
		if (err != nil) != (most < 0 || most > maxAddress) {
			t.Fatalf("length %d: %v", length, err)
		}
		if err != nil {
			return
		}
		if !bytes.Equal(got, data[:most]) {
			t.Errorf("%q, want %q", got, data[:most])
		}
		if name, ok := unixName(got); ok && (name == "" || strings.ContainsRune(name, 0) || len(name) > maxAddress-2) {
			t.Errorf("%q", name)
		}
	})
}
