package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// out ADDRESS PORT tries to get a packet to an address by every kind of socket and
// call, and prints what the kernel answered to each, "reached" for what was sent.
func out(args []string) error {
	addr, err := netip.ParseAddr(args[0])
	if err != nil {
		return err
	}
	port, err := strconv.ParseUint(args[1], 10, 16)
	if err != nil {
		return err
	}
	family := unix.AF_INET6
	var to unix.Sockaddr = &unix.SockaddrInet6{Port: int(port), Addr: addr.As16()}
	if addr.Is4() {
		family, to = unix.AF_INET, &unix.SockaddrInet4{Port: int(port), Addr: addr.As4()}
	}
	connect := func(fd int) error { return unix.Connect(fd, to) }
	send := func(fd int) error { return unix.Sendto(fd, []byte("probe"), 0, to) }
	fast := func(fd int) error { return unix.Sendto(fd, []byte("probe"), unix.MSG_FASTOPEN, to) }
	icmp := unix.IPPROTO_ICMP
	echo := []byte{8, 0, 0xf7, 0xff, 0, 0, 0, 0}
	if family == unix.AF_INET6 {
		icmp, echo[0] = unix.IPPROTO_ICMPV6, 128
	}
	const mptcp, dccp, udplite, smc = 262, 33, 136, 43
	for _, try := range []struct {
		name                   string
		family, kind, protocol int
		do                     func(fd int) error
	}{
		{"tcp", family, unix.SOCK_STREAM, 0, connect},
		{"tcp-late", family, unix.SOCK_STREAM, 0, func(fd int) error { // connects with the first write
			if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_FASTOPEN_CONNECT, 1); err != nil {
				return err
			}
			if err := connect(fd); err != nil {
				return err
			}
			_, err := unix.Write(fd, []byte("probe"))
			return err
		}},
		{"fastopen", family, unix.SOCK_STREAM, 0, fast},
		{"fastopen-sendmsg", family, unix.SOCK_STREAM, 0, func(fd int) error {
			return unix.Sendmsg(fd, []byte("probe"), nil, to, unix.MSG_FASTOPEN)
		}},
		{"mptcp", family, unix.SOCK_STREAM, mptcp, connect},
		{"mptcp-fastopen", family, unix.SOCK_STREAM, mptcp, fast},
		{"udp", family, unix.SOCK_DGRAM, 0, send},
		{"udp-connected", family, unix.SOCK_DGRAM, 0, func(fd int) error {
			if err := connect(fd); err != nil {
				return err
			}
			_, err := unix.Write(fd, []byte("probe"))
			return err
		}},
		{"udp-sendmsg", family, unix.SOCK_DGRAM, 0, func(fd int) error { return unix.Sendmsg(fd, []byte("probe"), nil, to, 0) }},
		{"udp-sendmmsg", family, unix.SOCK_DGRAM, 0, func(fd int) error { return sendmmsg(fd, addr, uint16(port)) }},
		{"udp-bound", family, unix.SOCK_DGRAM, 0, func(fd int) error {
			if err := unix.SetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE, "lo"); err != nil {
				return err
			}
			return send(fd)
		}},
		{"udplite", family, unix.SOCK_DGRAM, udplite, send},
		{"icmp", family, unix.SOCK_DGRAM, icmp, func(fd int) error { return unix.Sendto(fd, echo, 0, to) }},
		{"icmp-raw", family, unix.SOCK_RAW, icmp, func(fd int) error { return unix.Sendto(fd, echo, 0, to) }},
		{"raw", family, unix.SOCK_RAW, unix.IPPROTO_RAW, send},
		{"sctp", family, unix.SOCK_STREAM, unix.IPPROTO_SCTP, connect},
		{"dccp", family, 6, dccp, connect},
		{"smc", smc, unix.SOCK_STREAM, 0, connect},
		{"packet", unix.AF_PACKET, unix.SOCK_DGRAM, 8, func(fd int) error {
			return unix.Sendto(fd, make([]byte, 64), 0, &unix.SockaddrLinklayer{Protocol: 8, Ifindex: 1})
		}},
	} {
		fmt.Printf("%s: %s\n", try.name, attempt(try.family, try.kind, try.protocol, try.do))
	}
	os.Exit(0) // without the line that main prints
	return nil
}

func attempt(family, kind, protocol int, do func(fd int) error) string {
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return name(err)
	}
	defer func() { _ = unix.Close(fd) }()
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Usec: 300_000})
	if err := do(fd); err != nil {
		return name(err)
	}
	return "reached"
}

// sendmmsg is the call that a filter of sendto and sendmsg would forget.
func sendmmsg(fd int, addr netip.Addr, port uint16) error {
	data := []byte("probe")
	iov := unix.Iovec{Base: &data[0]}
	iov.SetLen(len(data))
	var message struct {
		head unix.Msghdr
		sent uint32
		_    uint32
	}
	var sa4 unix.RawSockaddrInet4
	var sa6 unix.RawSockaddrInet6
	big := port<<8 | port>>8
	if addr.Is4() {
		sa4 = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: big, Addr: addr.As4()}
		message.head.Name, message.head.Namelen = (*byte)(unsafe.Pointer(&sa4)), unix.SizeofSockaddrInet4
	} else {
		sa6 = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: big, Addr: addr.As16()}
		message.head.Name, message.head.Namelen = (*byte)(unsafe.Pointer(&sa6)), unix.SizeofSockaddrInet6
	}
	message.head.Iov = &iov
	message.head.SetIovlen(1)
	_, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&message)), 1, 0, 0, 0)
	return result(errno)
}

// maxrss MEGABYTES COMMAND... runs a command, and fails when it or anything that it
// waited for ever had more memory.
func maxrss(args []string) error {
	limit, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(context.Background(), args[1], args[2:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return err
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return errors.New("no usage is known")
	}
	if usage.Maxrss>>10 > limit {
		return fmt.Errorf("%d MB", usage.Maxrss>>10)
	}
	return nil
}

// flood KIND N opens N connections to the proxy that bring nothing to an end, and
// while they are open asks for one more thing: it is ok when that is answered. KIND
// is idle (nothing is sent), drip (the start of a request), head (a head of 1 MB),
// socks (half a greeting) or tunnels (those that can be had, then nothing).
func flood(args []string) error {
	a, err := newAsker()
	if err != nil {
		return err
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	text := map[string]string{
		"idle": "", "drip": "GET http://good.test/ HT", "socks": "\x05\x02\x00",
		"head":    "GET http://good.test/ HTTP/1.1\r\nX: " + strings.Repeat("x", 1<<20),
		"tunnels": "CONNECT bad.test:443 HTTP/1.1\r\n" + a.expand("$AUTH") + "\r\n",
	}[args[0]]
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	if args[0] == "head" {
		n /= 20
	}
	for range min(n, int(limit.Cur)-50) {
		conn, err := net.DialTimeout("tcp", a.address, 5*time.Second)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
		_, _ = io.WriteString(conn, text) // may be cut
	}
	if status := a.get("http://good.test/"); status != "200" {
		return errors.New(status)
	}
	return nil
}

// serve PORT READY DONE says hello to whoever comes, by TCP and UDP at every address
// of both families. It makes the file READY when it can, and ends once DONE is there.
func serve(args []string) error {
	for _, network := range []string{"tcp4", "tcp6"} {
		l, err := net.Listen(network, ":"+args[0])
		if err != nil && network == "tcp6" {
			continue // a kernel may have no IPv6
		}
		if err != nil {
			return err
		}
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = io.WriteString(conn, "hello\n")
				_ = conn.Close()
			}
		}()
	}
	packets, err := net.ListenPacket("udp", ":"+args[0])
	if err != nil {
		return err
	}
	go func() {
		for b := make([]byte, 64); ; {
			_, from, err := packets.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = packets.WriteTo([]byte("hello\n"), from)
		}
	}()
	if err := os.WriteFile(args[1], nil, 0o600); err != nil {
		return err
	}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(args[2]); err == nil {
			return nil
		}
	}
	return errors.New("nobody ended it")
}

// hello NETWORK ADDRESS is ok when serve is there.
func hello(args []string) error {
	conn, err := net.DialTimeout(args[0], args[1], 2*time.Second)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if args[0] == "udp" {
		if _, err := io.WriteString(conn, "x"); err != nil {
			return err
		}
	}
	b := make([]byte, 64)
	n, err := conn.Read(b)
	if err == nil && string(b[:n]) != "hello\n" {
		err = fmt.Errorf("%q", b[:n])
	}
	return err
}
