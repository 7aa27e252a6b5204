package proxy

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
)

// greet is a SOCKS5 greeting with these methods.
func greet(methods ...byte) string {
	return string(append([]byte{5, byte(len(methods))}, methods...))
}

func login(user, password string) string {
	return "\x01" + string([]byte{byte(len(user))}) + user + string([]byte{byte(len(password))}) + password
}

// socksTo is a request for a host, by address if it is one.
func socksTo(command byte, host, port string) string {
	b := []byte{5, command, 0}
	if ip := net.ParseIP(host); ip.To4() != nil {
		b = append(append(b, 1), ip.To4()...)
	} else if ip != nil {
		b = append(append(b, 4), ip...)
	} else {
		b = append(append(b, 3, byte(len(host))), host...)
	}
	n, _ := strconv.Atoi(port)
	return string(binary.BigEndian.AppendUint16(b, uint16(n)))
}

func socksAnswer(code byte) string { return string([]byte{5, code, 0, 1, 0, 0, 0, 0, 0, 0}) }

func TestSocksAllowed(t *testing.T) {
	w := newWorld(t, nil, nil)
	port := echo(t, w)
	for _, host := range []string{"allowed.test", "ALLOWED.test.", "127.0.0.1"} {
		c := w.dial().send(greet(0, 1, 2)) // has to use the password
		c.expect("\x05\x02")
		c.send(login("srt.ZWNobw==", token)).expect("\x01\x00")
		c.send(socksTo(1, host, port) + "early ").expect(socksAnswer(0) + "hi\nearly ")
		c.send("late").expect("late")
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if rest := c.closed(); rest != "" {
			t.Errorf("rest %q", rest)
		}
	}
	if req := w.asked[0]; req.User != "srt.ZWNobw==" || req.Protocol != SOCKS || req.Method != "" || req.Host != "allowed.test" || len(w.asked) != 3 {
		t.Errorf("asked %+v", w.asked)
	}
	if strings.Join(w.resolved, " ") != "allowed.test allowed.test" {
		t.Errorf("resolved %q", w.resolved)
	}
}

func TestSocksAllAtOnce(t *testing.T) {
	w := newWorld(t, nil, nil)
	port := echo(t, w)
	c := w.dial().send(greet(2) + login("srt", token) + socksTo(1, "allowed.test", port) + "early")
	c.expect("\x05\x02\x01\x00" + socksAnswer(0) + "hi\nearly")
}

func TestSocksRefused(t *testing.T) {
	for _, tt := range []struct {
		name, send, want string
		denials          int
	}{
		{"wrong password", greet(2) + login("srt", "x"), "\x05\x02\x01\x01", 0},
		{"empty password", greet(2) + login("srt", ""), "\x05\x02\x01\x01", 0},
		{"wrong user", greet(2) + login("root", token), "\x05\x02\x01\x01", 0},
		{"denied", greet(2) + login("srt", token) + socksTo(1, "evil.test", "443"), "\x05\x02\x01\x00" + socksAnswer(2), 1},
		{"denied address", greet(2) + login("srt", token) + socksTo(1, "169.254.169.254", "80"), "\x05\x02\x01\x00" + socksAnswer(2), 1},
		{"denied ipv6", greet(2) + login("srt", token) + socksTo(1, "fd00:ec2::254", "80"), "\x05\x02\x01\x00" + socksAnswer(2), 1},
		{"NUL in the name", greet(2) + login("srt", token) + socksTo(1, "evil.test\x00.allowed.test", "80"), "\x05\x02\x01\x00" + socksAnswer(2), 1},
		{"empty name", greet(2) + login("srt", token) + socksTo(1, "", "80"), "\x05\x02\x01\x00" + socksAnswer(2), 1},
		{"port 0", greet(2) + login("srt", token) + socksTo(1, "allowed.test", "0"), "\x05\x02\x01\x00" + socksAnswer(2), 1},
		{"bind", greet(2) + login("srt", token) + socksTo(2, "allowed.test", "80"), "\x05\x02\x01\x00" + socksAnswer(2), 1},
		{"udp associate", greet(2) + login("srt", token) + socksTo(3, "allowed.test", "80"), "\x05\x02\x01\x00" + socksAnswer(2), 1},
		{"unknown address type", greet(2) + login("srt", token) + "\x05\x01\x00\x09", "\x05\x02\x01\x00" + socksAnswer(8), 0},
		{"SOCKS4", "\x04\x01\x00\x50\x7f\x00\x00\x01srt\x00", "", 0},
		{"SOCKS4a", "\x04\x01\x00\x50\x00\x00\x00\x01srt\x00allowed.test\x00", "", 0},
		{"no method known", greet(1, 3), "\x05\xff", 0},
		{"no method at all", greet(), "\x05\xff", 0},
		{"no password, allowed host", greet(0) + socksTo(1, "allowed.test", "443"), "\x05\x00" + socksAnswer(2), 0},
		{"no password, denied host", greet(0) + socksTo(1, "evil.test", "443"), "\x05\x00" + socksAnswer(2), 0},
		{"no password, listed host", greet(0) + socksTo(1, "listed.test", "443"), "\x05\x00" + socksAnswer(2), 1},
		{"no password, bind", greet(0) + socksTo(2, "allowed.test", "22"), "\x05\x00" + socksAnswer(2), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, nil, nil)
			if got := w.dial().send(tt.send).closed(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			w.untouched()
			if n := len(w.denials()); n != tt.denials {
				t.Errorf("%d denials, want %d", n, tt.denials)
			}
		})
	}
}

func TestSocksGuardAndFailure(t *testing.T) {
	w := newWorld(t, nil, nil)
	for host, code := range map[string]byte{"rebind.test": 2, "nowhere.test": 4, "127.0.0.1": 4} {
		c := w.dial().send(greet(2) + login("srt", token) + socksTo(1, host, "1"))
		if got, want := c.closed(), "\x05\x02\x01\x00"+socksAnswer(code); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
	if d := w.denials(); len(d) != 1 || !d[0].Guarded {
		t.Errorf("denials %+v", d)
	}
}

func TestSSHIsToldWhy(t *testing.T) {
	for host, want := range map[string]string{
		"listed.test":  "not for us — ask ☃  X-Injected: 1",
		"evil.test":    sshReason,
		"allowed.test": sshReason, // never relayed, whatever Decide says
	} {
		t.Run(host, func(t *testing.T) {
			w := newWorld(t, nil, nil)
			c := w.dial().send(greet(0) + socksTo(1, host, "22"))
			c.expect("\x05\x00" + socksAnswer(0) + "SSH-2.0-policy_refusal\r\n")
			packet := []byte(c.closed())
			if len(packet) < 16 || len(packet)%8 != 0 || int(binary.BigEndian.Uint32(packet)) != len(packet)-4 || packet[4] < 4 {
				t.Fatalf("packet %q", packet)
			}
			payload := packet[5 : len(packet)-int(packet[4])]
			text := append(binary.BigEndian.AppendUint32([]byte{1, 0, 0, 0, 1}, uint32(len(want))), want...)
			if !bytes.Equal(payload, append(text, 0, 0, 0, 0)) {
				t.Errorf("payload %q, want %q", payload, text)
			}
			w.untouched()
			if n := len(w.denials()); (n == 1) != (host == "listed.test") {
				t.Errorf("%d denials", n)
			}
		})
	}
}

func FuzzSocks(f *testing.F) {
	f.Add([]byte(greet(2) + login("srt", token) + socksTo(1, "allowed.test", "443") + "x"))
	f.Add([]byte(greet(0, 2) + login("srt", token) + socksTo(1, "evil.test", "443")))
	f.Add([]byte(greet(0) + socksTo(1, "listed.test", "22")))
	f.Add([]byte(greet(2) + login("srt", token) + socksTo(3, "::1", "443")))
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) == 0 || in[0] != 5 {
			return
		}
		front(t, in)
	})
}

// front feeds a proxy that allows one name only, and checks that nothing else
// is resolved or dialled, and that nothing panics.
func front(t *testing.T, in []byte) {
	t.Helper()
	allowed := false
	check := func(what, got, want string) {
		if !allowed || got != want {
			t.Errorf("%s %q after %q", what, got, in)
		}
	}
	s := fuzzServer(check, &allowed)
	s.Logf = func(f string, a ...any) {
		if strings.Contains(f, "bug") {
			t.Errorf(f, a...)
		}
	}
	r := newRun(context.Background(), s)
	here, there := net.Pipe()
	c := &client{run: r, conn: there}
	if !r.enter(c) {
		t.Fatal("no room")
	}
	r.serving.Go(c.serve)
	drained := make(chan struct{})
	go func() { defer close(drained); _, _ = io.Copy(io.Discard, here) }() // until it is closed
	_, _ = here.Write(in)
	_ = here.Close()
	r.serving.Wait()
	r.closeAll()
	<-drained
}
