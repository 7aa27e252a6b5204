package main

import (
	"bufio"
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"
)

// internet DIR COMMAND... runs a command on a machine for which this process is the
// whole of the network: in a network namespace where every address leads back to it.
// It needs no privilege but that to make namespaces, and no packet leaves it.
//
// DIR/zone holds what its name server knows: lines "NAME ADDRESS...", of which a
// later one for the same name is the answer to the next time that it is asked for.
// Port 80, 3128 and 8080 are an HTTP server that echoes, 443 the same with TLS, 53
// the name server; 22, 25, 2375, 5432 and 8081 take what comes. DIR/ca.pem is the
// authority behind the certificates.
//
// At the end DIR/seen has every destination to which a packet was sent, sorted, each
// once: "dns NAME", "tcp ADDRESS:PORT", "udp ADDRESS:PORT", "icmp ADDRESS", and what
// the servers got: "http HOST METHOD PATH", "tls NAME", "raw PORT BYTES". The status
// is the command's.
func internet(args []string) error {
	attr := &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		Sys: &syscall.SysProcAttr{
			Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL,
		},
	}
	if os.Getuid() != 0 {
		attr.Sys.Cloneflags |= unix.CLONE_NEWUSER
		attr.Sys.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
		attr.Sys.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
		attr.Sys.AmbientCaps = []uintptr{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_NET_BIND_SERVICE, unix.CAP_SYS_ADMIN}
	}
	runtime.LockOSThread() // the death signal is that of the thread's end
	process, err := os.StartProcess("/proc/self/exe", append([]string{"probe", "internet-inside"}, args...), attr)
	if err != nil {
		return err
	}
	state, err := process.Wait()
	if err != nil {
		return err
	}
	os.Exit(state.ExitCode())
	return nil
}

// web is the network that internet makes.
type web struct {
	dir   string
	zone  map[string][][]netip.Addr
	asked map[dnsmessage.Question]int

	mu   sync.Mutex
	seen map[string]bool
}

func internetInside(args []string) error {
	w := &web{dir: args[0], zone: map[string][][]netip.Addr{}, asked: map[dnsmessage.Question]int{}, seen: map[string]bool{}}
	if err := w.readZone(); err != nil {
		return err
	}
	if err := w.build(); err != nil {
		return err
	}
	packets, err := w.sniff()
	if err != nil {
		return err
	}
	if err := w.serve(); err != nil {
		return err
	}
	cmd := exec.CommandContext(context.Background(), args[1], args[2:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread()
	// What is made ambient again for a child is what SysProcAttr says: nothing.
	if os.Getuid() != 0 {
		if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
			return err
		}
	}
	err = cmd.Run()
	if cmd.ProcessState == nil {
		return err
	}
	packets()
	if err := w.report(); err != nil {
		return err
	}
	os.Exit(cmd.ProcessState.ExitCode())
	return nil
}

func (w *web) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[fmt.Sprintf(format, args...)] = true
}

func (w *web) report() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var text strings.Builder
	lines := make([]string, 0, len(w.seen))
	for line := range w.seen {
		lines = append(lines, line)
	}
	slices.Sort(lines)
	for _, line := range lines {
		text.WriteString(line + "\n")
	}
	return os.WriteFile(filepath.Join(w.dir, "seen"), []byte(text.String()), 0o600)
}

func (w *web) readZone() error {
	text, err := os.ReadFile(filepath.Join(w.dir, "zone"))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		var addrs []netip.Addr
		for _, word := range words[1:] {
			addr, err := netip.ParseAddr(word)
			if err != nil {
				return err
			}
			addrs = append(addrs, addr)
		}
		w.zone[words[0]] = append(w.zone[words[0]], addrs)
	}
	return nil
}

// build brings the loopback interface up, leads every address there, and makes this
// process the name server.
func (w *web) build() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("raising the interface: %w", err)
	}
	if err := everywhere(unix.AF_INET); err != nil {
		return fmt.Errorf("leading every address here: %w", err)
	}
	_ = everywhere(unix.AF_INET6) // a kernel may have no IPv6
	if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keeping mounts private: %w", err)
	}
	for path, text := range map[string]string{
		"/etc/resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
		"/etc/hosts":       "127.0.0.1 localhost\n::1 localhost\n",
	} {
		file := filepath.Join(w.dir, filepath.Base(path))
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
		if err := unix.Mount(file, path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mounting %s: %w", path, err)
		}
	}
	return w.ownBwrap()
}

// ownBwrap puts a copy of bubblewrap in its place that belongs to this user. Here root
// is a user that nobody knows, and srt starts no helper of such a one.
func (w *web) ownBwrap() error {
	const path = "/usr/bin/bwrap"
	program, err := os.ReadFile(path)
	if os.Getuid() == 0 || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	file := filepath.Join(w.dir, "bwrap")
	if err := os.WriteFile(file, program, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(file, path, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mounting %s: %w", path, err)
	}
	return nil
}

// everywhere makes all addresses of a family local: "ip route add local default dev lo".
func everywhere(family byte) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	const length, loopback = 16 + 12 + 8, 1
	b := binary.NativeEndian.AppendUint32(nil, length)
	b = binary.NativeEndian.AppendUint16(b, unix.RTM_NEWROUTE)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST|unix.NLM_F_ACK|unix.NLM_F_CREATE)
	b = append(b, 1, 0, 0, 0, 0, 0, 0, 0) // sequence, port
	b = append(b, family, 0, 0, 0, unix.RT_TABLE_LOCAL, unix.RTPROT_BOOT, unix.RT_SCOPE_HOST, unix.RTN_LOCAL, 0, 0, 0, 0)
	b = binary.NativeEndian.AppendUint16(b, 8)
	b = binary.NativeEndian.AppendUint16(b, unix.RTA_OIF)
	b = binary.NativeEndian.AppendUint32(b, loopback)
	if err := unix.Sendto(fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil || n < 20 {
		return errors.Join(errors.New("no answer of the kernel"), err)
	}
	if code := int32(binary.NativeEndian.Uint32(answer[16:])); code != 0 {
		return unix.Errno(-code)
	}
	return nil
}

// sniff notes the destination of each packet. What it returns ends when all that
// were sent before are noted.
func (w *web) sniff() (drain func(), err error) {
	all := uint16(unix.ETH_P_ALL)<<8 | uint16(unix.ETH_P_ALL)>>8
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(all))
	if err != nil {
		return nil, fmt.Errorf("watching packets: %w", err)
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 32<<20)
	var mu sync.Mutex
	read := func(flags int) error {
		mu.Lock()
		defer mu.Unlock()
		b := make([]byte, 64<<10)
		for {
			n, _, err := unix.Recvfrom(fd, b, flags)
			if err != nil {
				return err
			}
			w.packet(b[:n])
		}
	}
	drain = func() { _ = read(unix.MSG_DONTWAIT) }
	go func() {
		for range time.Tick(20 * time.Millisecond) {
			drain()
		}
	}()
	return drain, nil
}

func (w *web) packet(b []byte) {
	var to netip.Addr
	var protocol byte
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		to, protocol, b = netip.AddrFrom4([4]byte(b[16:20])), b[9], b[int(b[0]&15)*4:]
	case len(b) >= 40 && b[0]>>4 == 6:
		to, protocol, b = netip.AddrFrom16([16]byte(b[24:40])), b[6], b[40:]
	default:
		return
	}
	if len(b) < 8 {
		return
	}
	target := func() string {
		return net.JoinHostPort(to.String(), strconv.Itoa(int(binary.BigEndian.Uint16(b[2:]))))
	}
	switch protocol {
	case unix.IPPROTO_TCP:
		if len(b) > 13 && b[13]&0x12 == 2 { // SYN without ACK
			w.note("tcp %s", target())
		}
	case unix.IPPROTO_UDP:
		const dns = 53
		if binary.BigEndian.Uint16(b) == dns {
			return // an answer
		}
		if binary.BigEndian.Uint16(b[2:]) == dns {
			var m dnsmessage.Message
			if m.Unpack(b[8:]) == nil && len(m.Questions) > 0 {
				w.note("dns %s", strings.TrimSuffix(m.Questions[0].Name.String(), "."))
				if to.IsLoopback() {
					return
				}
			}
		}
		w.note("udp %s", target())
	case unix.IPPROTO_ICMP, unix.IPPROTO_ICMPV6:
		if b[0] == 8 || b[0] == 128 { // echo request
			w.note("icmp %s", to)
		}
	default:
		w.note("protocol %d to %s", protocol, to)
	}
}

func (w *web) serve() error {
	resolver, err := net.ListenPacket("udp", ":53")
	if err != nil {
		return err
	}
	go w.answerNames(resolver)
	secure, err := w.certificates()
	if err != nil {
		return err
	}
	server := &http.Server{Handler: w, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	for _, port := range []int{80, 443, 3128, 8080, 22, 25, 2375, 5432, 8081} {
		l, err := net.Listen("tcp", ":"+strconv.Itoa(port))
		if err != nil {
			return err
		}
		switch port {
		case 443:
			go func() { _ = server.Serve(tls.NewListener(l, secure)) }()
		case 80, 3128, 8080:
			go func() { _ = server.Serve(l) }()
		default:
			go w.take(l, port)
		}
	}
	return nil
}

func (w *web) answerNames(conn net.PacketConn) {
	b := make([]byte, 4096)
	for {
		n, from, err := conn.ReadFrom(b)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(b[:n]) != nil || len(m.Questions) != 1 {
			continue
		}
		m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
		q := m.Questions[0]
		answers, known := w.zone[strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))]
		if !known {
			m.RCode = dnsmessage.RCodeNameError
		} else {
			turn := min(w.asked[q], len(answers)-1)
			w.asked[q]++
			for _, addr := range answers[turn] {
				head := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 0}
				switch {
				case q.Type == dnsmessage.TypeA && addr.Is4():
					m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AResource{A: addr.As4()}})
				case q.Type == dnsmessage.TypeAAAA && addr.Is6():
					m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AAAAResource{AAAA: addr.As16()}})
				}
			}
		}
		if reply, err := m.Pack(); err == nil {
			_, _ = conn.WriteTo(reply, from)
		}
	}
}

// ServeHTTP echoes the request. A path /to?URL is a redirect, /endless a download; CONNECT and requests
// for another protocol are granted, and lead nowhere.
func (w *web) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.note("http %s %s %s", r.Host, r.Method, r.URL.RequestURI())
	for _, name := range []string{"Upgrade", "Http2-Settings", "Connection", "Proxy-Authorization", "Proxy-Connection", "X-Forwarded-For", "Via", "Forwarded"} {
		for _, value := range r.Header[name] {
			w.note("field %s: %s", name, value)
		}
	}
	switch {
	case r.URL.Path == "/to":
		rw.Header().Set("Location", r.URL.RawQuery)
		rw.WriteHeader(http.StatusFound)
		return
	case r.URL.Path == "/endless":
		for range time.Tick(10 * time.Millisecond) {
			if _, err := io.WriteString(rw, "more\n"); err != nil || http.NewResponseController(rw).Flush() != nil {
				return
			}
		}
	case r.Method == http.MethodConnect || r.Header.Get("Upgrade") != "":
		conn, rest, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			return
		}
		line := "HTTP/1.1 200 OK\r\n\r\n"
		if r.Method != http.MethodConnect {
			line = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + r.Header.Get("Upgrade") + "\r\n\r\n"
		}
		_, _ = io.WriteString(conn, line)
		w.record(conn, rest.Reader, "relay")
		return
	}
	body, _ := io.ReadAll(r.Body)
	if len(body) > 0 {
		w.note("content %d %.40q", len(body), body)
	}
	_, _ = fmt.Fprintf(rw, "%s %s\nHost: %s\n", r.Method, r.URL.RequestURI(), r.Host)
	_ = r.Header.Write(rw)
}

// take notes what each connection sends.
func (w *web) take(l net.Listener, port int) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go w.record(conn, bufio.NewReader(conn), strconv.Itoa(port))
	}
}

func (w *web) record(conn net.Conn, br *bufio.Reader, what string) {
	defer func() { _ = conn.Close() }()
	b := make([]byte, 4096)
	for {
		n, err := br.Read(b)
		if err != nil {
			return
		}
		w.note("raw %s %.60q", what, b[:n])
		_, _ = io.WriteString(conn, "taken\r\n")
		if what == "22" {
			return // ssh would wait for more
		}
	}
}

// certificates makes an authority, and server certificates by the name that a client
// asks for: right ones; for names that begin with expired., wrong. and self. others.
func (w *web) certificates() (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "probe"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	raw, err := x509.CreateCertificate(rand.Reader, authority, authority, key.Public(), key)
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
	if err := os.WriteFile(filepath.Join(w.dir, "ca.pem"), text, 0o600); err != nil {
		return nil, err
	}
	hidden, config, err := echKey("good.test")
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:               tls.VersionTLS12,
		EncryptedClientHelloKeys: []tls.EncryptedClientHelloKey{{Config: config, PrivateKey: hidden.Bytes()}},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			name := hello.ServerName
			w.note("tls %s", name)
			leaf := &x509.Certificate{
				SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
				NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			}
			parent := authority
			switch {
			case name == "":
				leaf.DNSNames = nil
				leaf.IPAddresses = []net.IP{net.IPv4(203, 0, 113, 1)}
			case strings.HasPrefix(name, "expired."):
				leaf.NotAfter = time.Now().Add(-time.Minute)
			case strings.HasPrefix(name, "wrong."):
				leaf.DNSNames = []string{"another.test"}
			case strings.HasPrefix(name, "self."):
				parent = leaf
			}
			raw, err := x509.CreateCertificate(rand.Reader, leaf, parent, key.Public(), key)
			return &tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, err
		},
	}, nil
}

// echKey makes the key for names that are hidden behind public, the same each time,
// and its ECHConfig (draft-ietf-tls-esni section 4).
func echKey(public string) (*ecdh.PrivateKey, []byte, error) {
	key, err := ecdh.X25519().NewPrivateKey([]byte("this key protects nothing at all"))
	if err != nil {
		return nil, nil, err
	}
	const version, x25519, sha256, aes128 = 0xfe0d, 0x20, 1, 1
	b := binary.BigEndian.AppendUint16([]byte{1}, x25519)
	b = binary.BigEndian.AppendUint16(b, uint16(len(key.PublicKey().Bytes())))
	b = append(append(b, key.PublicKey().Bytes()...), 0, 4, 0, sha256, 0, aes128, 0, byte(len(public)))
	b = append(append(b, public...), 0, 0)
	config := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, version), uint16(len(b)))
	return key, append(config, b...), nil
}
