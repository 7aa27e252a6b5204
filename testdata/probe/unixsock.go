package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// unixserve DIR starts one server of each kind of unix socket in DIR, and an abstract
// one for each, writes DIR/ready, and a line into DIR/log for whatever arrives.
// Standing in for the services of a desktop, each of them obeys: the line "touch NAME"
// makes DIR/NAME. It ends with the file DIR/ready.
func unixServe(args []string) error {
	dir := args[0]
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	obey := func(from, line string) {
		_, _ = fmt.Fprintf(log, "%s: %s\n", from, strings.TrimSpace(line))
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "touch "); ok {
			_ = os.WriteFile(filepath.Join(dir, filepath.Base(name)), nil, 0o600)
		}
	}
	names := map[string]string{}
	for _, kind := range []string{"unix", "unixgram", "unixpacket"} {
		names[filepath.Join(dir, kind)] = kind
		names["@"+filepath.Join(dir, kind)] = kind
	}
	for name, kind := range names {
		if kind == "unixgram" {
			conn, err := net.ListenUnixgram(kind, &net.UnixAddr{Name: name, Net: kind})
			if err != nil {
				return err
			}
			go func() {
				buf := make([]byte, 4096)
				for {
					n, _, err := conn.ReadFrom(buf)
					if err != nil {
						return
					}
					obey(name, string(buf[:n]))
				}
			}()
			continue
		}
		l, err := net.ListenUnix(kind, &net.UnixAddr{Name: name, Net: kind})
		if err != nil {
			return err
		}
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					_, _ = fmt.Fprintf(log, "%s: connection\n", name)
					buf := make([]byte, 4096)
					n, _ := conn.Read(buf)
					obey(name, string(buf[:n]))
					_, _ = io.WriteString(conn, "HOSTDATA\n")
					_ = conn.Close()
				}()
			}
		}()
	}
	ready := filepath.Join(dir, "ready")
	if err := os.WriteFile(ready, nil, 0o600); err != nil {
		return err
	}
	for err == nil {
		time.Sleep(20 * time.Millisecond)
		_, err = os.Stat(ready)
	}
	return nil
}

// unixtry NAME LINE [WAY...] tries to get LINE to the sockets of unixserve at NAME, by
// every way there is or by those named, and says of each what came of it.
func unixTry(args []string) error {
	var last error
	worked := false
	for _, way := range unixWays {
		if len(args) > 2 && !strings.Contains(" "+strings.Join(args[2:], " ")+" ", " "+way.name+" ") {
			continue
		}
		err := way.do(args[0], []byte(args[1]+"\n"))
		if err == nil {
			worked = true
			fmt.Printf("%s: ok\n", way.name)
			continue
		}
		fmt.Printf("%s: %s\n", way.name, name(err))
		last = err
	}
	if worked {
		return nil
	}
	return last
}

var unixWays = []struct {
	name string
	do   func(path string, line []byte) error
}{
	{"stream", func(p string, line []byte) error { return unixConnectSend(unix.SOCK_STREAM, p+"/unix", line) }},
	{"seqpacket", func(p string, line []byte) error { return unixConnectSend(unix.SOCK_SEQPACKET, p+"/unixpacket", line) }},
	{"dgram", func(p string, line []byte) error { return unixConnectSend(unix.SOCK_DGRAM, p+"/unixgram", line) }},
	{"raw", func(p string, line []byte) error { return unixConnectSend(unix.SOCK_RAW, p+"/unixgram", line) }},
	{"sendto", func(p string, line []byte) error {
		return unixOpen(unix.SOCK_DGRAM, func(fd int) error { return unix.Sendto(fd, line, 0, unixAddr(p+"/unixgram")) })
	}},
	{"sendmsg", func(p string, line []byte) error {
		return unixOpen(unix.SOCK_DGRAM, func(fd int) error { return unix.Sendmsg(fd, line, nil, unixAddr(p+"/unixgram"), 0) })
	}},
	{"sendmmsg", func(p string, line []byte) error {
		return unixOpen(unix.SOCK_DGRAM, func(fd int) error { return unixSendmmsg(fd, p+"/unixgram", line) })
	}},
	// A pair may be made: its ends are sockets of the family, which could go elsewhere.
	{"pair-sendto", func(p string, line []byte) error {
		return unixPair(unix.SOCK_DGRAM, func(fd int) error { return unix.Sendto(fd, line, 0, unixAddr(p+"/unixgram")) })
	}},
	{"pair-sendmsg", func(p string, line []byte) error {
		return unixPair(unix.SOCK_DGRAM, func(fd int) error { return unix.Sendmsg(fd, line, nil, unixAddr(p+"/unixgram"), 0) })
	}},
	{"pair-sendmmsg", func(p string, line []byte) error {
		return unixPair(unix.SOCK_DGRAM, func(fd int) error { return unixSendmmsg(fd, p+"/unixgram", line) })
	}},
	{"pair-connect-dgram", func(p string, line []byte) error {
		return unixPair(unix.SOCK_DGRAM, func(fd int) error { return connectSend(fd, p+"/unixgram", line) })
	}},
	{"pair-unconnect-dgram", func(p string, line []byte) error {
		return unixPair(unix.SOCK_DGRAM, func(fd int) error {
			unspec := unix.RawSockaddr{Family: unix.AF_UNSPEC}
			if err := raw(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&unspec)), 16, 0); err != nil {
				return err
			}
			return unix.Sendto(fd, line, 0, unixAddr(p+"/unixgram"))
		})
	}},
	{"pair-connect-stream", func(p string, line []byte) error {
		return unixPair(unix.SOCK_STREAM, func(fd int) error { return connectSend(fd, p+"/unix", line) })
	}},
	{"pair-connect-seqpacket", func(p string, line []byte) error {
		return unixPair(unix.SOCK_SEQPACKET, func(fd int) error { return connectSend(fd, p+"/unixpacket", line) })
	}},
	{"pair-accept", func(p string, line []byte) error {
		return unixPair(unix.SOCK_STREAM, func(fd int) error {
			if err := unix.Listen(fd, 1); err != nil {
				return err
			}
			got, _, err := unix.Accept(fd)
			if err != nil {
				return err
			}
			return connectSend(got, p+"/unix", line)
		})
	}},
	{"io_uring", uringConnect},
}

func unixAddr(path string) *unix.SockaddrUnix { return &unix.SockaddrUnix{Name: path} }

func unixOpen(kind int, do func(fd int) error) error {
	fd, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	return do(fd)
}

func unixPair(kind int, do func(fd int) error) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _, _ = unix.Close(pair[0]), unix.Close(pair[1]) }()
	return do(pair[0])
}

func unixConnectSend(kind int, path string, line []byte) error {
	return unixOpen(kind, func(fd int) error { return connectSend(fd, path, line) })
}

func connectSend(fd int, path string, line []byte) error {
	if err := unix.Connect(fd, unixAddr(path)); err != nil {
		return err
	}
	_, err := unix.Write(fd, line)
	return err
}

// rawUnixAddr is a path as the kernel takes it; a leading @ makes it abstract.
func rawUnixAddr(path string) (addr unix.RawSockaddrUnix, size uintptr) {
	addr.Family = unix.AF_UNIX
	for i := range len(path) {
		addr.Path[i] = int8(path[i])
	}
	if path[0] == '@' {
		addr.Path[0] = 0
		return addr, uintptr(2 + len(path))
	}
	return addr, uintptr(2 + len(path) + 1)
}

func unixSendmmsg(fd int, path string, line []byte) error {
	addr, size := rawUnixAddr(path)
	iov := unix.Iovec{Base: &line[0]}
	iov.SetLen(len(line))
	msg := struct {
		head unix.Msghdr
		n    uint32
	}{}
	msg.head.Name, msg.head.Namelen = (*byte)(unsafe.Pointer(&addr)), uint32(size)
	msg.head.Iov = &iov
	msg.head.SetIovlen(1)
	return raw(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), 1, 0)
}

const (
	uringSQEs, uringCQ      = 0x10000000, 0x8000000
	uringConnectOp          = 16
	uringSocketOp           = 45
	uringEnterGetEvents     = 1
	uringParamsSize         = 120
	uringSQTail, uringSQArr = 44, 64 // offsets in struct io_uring_params
	uringCQHead, uringCQEs  = 80, 100
)

// uringConnect makes a socket and connects it by a ring alone.
func uringConnect(path string, line []byte) error {
	params := make([]byte, uringParamsSize)
	fd, _, errno := unix.RawSyscall(unix.SYS_IO_URING_SETUP, 4, uintptr(pointer(params)), 0)
	if errno != 0 {
		return errno
	}
	defer func() { _ = unix.Close(int(fd)) }()
	u32 := func(b []byte, at uint32) *uint32 { return (*uint32)(unsafe.Pointer(&b[at])) }
	sq, err := unix.Mmap(int(fd), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return err
	}
	cq, err := unix.Mmap(int(fd), uringCQ, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return err
	}
	sqes, err := unix.Mmap(int(fd), uringSQEs, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return err
	}
	submit := func(op byte, on int32, off, addr uint64, size uint32) (int32, error) {
		clear(sqes[:64])
		sqes[0] = op
		*(*int32)(unsafe.Pointer(&sqes[4])) = on
		*(*uint64)(unsafe.Pointer(&sqes[8])) = off
		*(*uint64)(unsafe.Pointer(&sqes[16])) = addr
		*u32(sqes, 24) = size
		*u32(sq, *u32(params, uringSQArr)) = 0
		*u32(sq, *u32(params, uringSQTail))++
		if _, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, fd, 1, 1, uringEnterGetEvents, 0, 0); errno != 0 {
			return 0, errno
		}
		head := u32(cq, *u32(params, uringCQHead))
		entry := *u32(params, uringCQEs) + 16*(*head&7)
		*head++
		res := *(*int32)(unsafe.Pointer(&cq[entry+8]))
		if res < 0 {
			return 0, syscall.Errno(-res)
		}
		return res, nil
	}
	sock, err := submit(uringSocketOp, unix.AF_UNIX, unix.SOCK_STREAM, 0, 0)
	if err != nil {
		return err
	}
	addr, size := rawUnixAddr(path + "/unix")
	if _, err := submit(uringConnectOp, sock, uint64(size), uint64(uintptr(unsafe.Pointer(&addr))), 0); err != nil {
		return err
	}
	runtime.KeepAlive(&addr)
	_, err = unix.Write(int(sock), line)
	return err
}

// unixbind PATH makes a socket with a name.
func unixBind(args []string) error {
	return unixOpen(unix.SOCK_STREAM, func(fd int) error { return unix.Bind(fd, unixAddr(args[0])) })
}

// pairbind PATH gives a name to an end of a pair, which makes it one to send to.
func pairBind(args []string) error {
	var errs []error
	for _, kind := range []int{unix.SOCK_DGRAM, unix.SOCK_STREAM, unix.SOCK_SEQPACKET} {
		err := unixPair(kind, func(fd int) error { return unix.Bind(fd, unixAddr(args[0])) })
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// passfd passes an open file through a pair and reads it: what programs do.
func passFD([]string) error {
	f, err := os.Open("/etc/passwd")
	if err != nil {
		return err
	}
	return unixPairBoth(func(a, b int) error {
		if err := unix.Sendmsg(a, []byte("x"), unix.UnixRights(int(f.Fd())), nil, 0); err != nil {
			return err
		}
		oob := make([]byte, 64)
		_, n, _, _, err := unix.Recvmsg(b, make([]byte, 1), oob, 0)
		if err != nil {
			return err
		}
		messages, err := unix.ParseSocketControlMessage(oob[:n])
		if err != nil {
			return err
		}
		fds, err := unix.ParseUnixRights(&messages[0])
		if err != nil {
			return err
		}
		_, err = unix.Read(fds[0], make([]byte, 1))
		return err
	})
}

func unixPairBoth(do func(a, b int) error) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _, _ = unix.Close(pair[0]), unix.Close(pair[1]) }()
	return do(pair[0], pair[1])
}
