package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The benchmarks compare the way through the proxy with the direct one. The
// client and the server are processes of their own, started from the test
// binary, so that only the proxy's share of the work is in this one. Each
// reports "of-direct-%"; what they are to reach stands beside them.

const (
	roleVar   = "SRT_PROXY_BENCH_ROLE"
	benchAuth = "srt.YmVuY2g="
	bulkSize  = 1 << 30
	smallSize = 100
	clients   = 8
)

func TestMain(m *testing.M) {
	switch os.Getenv(roleVar) {
	case "server":
		benchServer()
	case "client":
		benchClient(os.Args[1:])
	default:
		os.Exit(m.Run()) //nolint:forbidigo // TestMain has to
	}
}

// benchServer answers /N with N bytes until its input ends.
func benchServer() {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	chunk := make([]byte, 256<<10)
	s := &http.Server{ReadHeaderTimeout: patient, Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		n, err := strconv.Atoi(strings.TrimPrefix(req.URL.Path, "/"))
		if err != nil {
			panic(err)
		}
		w.Header().Set("Content-Length", strconv.Itoa(n))
		for ; n > 0; n -= len(chunk) {
			_, _ = w.Write(chunk[:min(n, len(chunk))])
		}
	})}
	go s.Serve(l) //nolint:errcheck // ends with the process
	fmt.Println(l.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// benchClient fetches /SIZE from a server COUNT times with N clients at once,
// each time over a new connection, and prints the nanoseconds it took.
// args: how proxy server size count n
func benchClient(args []string) {
	how, proxy, server := args[0], args[1], args[2]
	size, _ := strconv.Atoi(args[3])
	count, _ := strconv.Atoi(args[4])
	n, _ := strconv.Atoi(args[5])
	work := make(chan struct{}, count)
	for range count {
		work <- struct{}{}
	}
	close(work)
	start := time.Now()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			buf := make([]byte, 256<<10)
			for range work {
				if err := fetch(how, proxy, server, size, buf); err != nil {
					panic(err)
				}
			}
		})
	}
	wg.Wait()
	fmt.Println(time.Since(start).Nanoseconds())
}

func fetch(how, proxy, server string, size int, buf []byte) error {
	addr := proxy
	if how == "direct" {
		addr = server
	}
	c, err := new(net.Dialer).DialContext(context.Background(), "tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	target, auth := "/"+strconv.Itoa(size), ""
	handshake := func(send string, answer int) {
		if _, err = io.WriteString(c, send); err == nil {
			_, err = io.ReadFull(c, buf[:answer])
		}
	}
	switch how {
	case "http":
		target, auth = "http://"+server+target, "Proxy-Authorization: "+basic(benchAuth, token)+"\r\n"
	case "connect":
		handshake(connectTo(server), len("HTTP/1.1 200 Connection Established\r\n\r\n"))
	case "socks":
		host, port, _ := net.SplitHostPort(server)
		handshake(greet(2)+login(benchAuth, token)+socksTo(1, host, port), 2+2+10)
	}
	if err != nil {
		return err
	}
	if _, err := io.WriteString(c, "GET "+target+" HTTP/1.1\r\nHost: x\r\n"+auth+"Connection: close\r\n\r\n"); err != nil {
		return err
	}
	got := 0
	for {
		n, err := c.Read(buf)
		got += n
		if err == io.EOF { //nolint:errorlint // the connection's own
			break
		}
		if err != nil {
			return err
		}
	}
	if got < size {
		return fmt.Errorf("%s: %d bytes of %d: %.80q", how, got, size, buf[:min(got, 80)])
	}
	return nil
}

func self(b *testing.B, role string, args ...string) *exec.Cmd {
	b.Helper()
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), exe, args...)
	cmd.Env = append(os.Environ(), roleVar+"="+role)
	cmd.Stderr = os.Stderr
	return cmd
}

func benchUpstream(b *testing.B) string {
	b.Helper()
	cmd := self(b, "server")
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _, _ = in.Close(), cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line)
}

func timed(b *testing.B, args ...string) time.Duration {
	b.Helper()
	out, err := self(b, "client", args...).Output()
	if err != nil {
		b.Fatal(err)
	}
	ns, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return time.Duration(ns)
}

// compare runs one kind of load directly and through the proxy in turns.
func compare(b *testing.B, how string, size, count, n int) {
	b.Helper()
	server := benchUpstream(b)
	allow := func(context.Context, Request) Verdict { return Verdict{Allow: true} }
	proxy := serve(b, &Server{Decide: allow, Token: token})
	load := func(how string) time.Duration {
		return timed(b, how, proxy, server, strconv.Itoa(size), strconv.Itoa(count), strconv.Itoa(n))
	}
	var direct, proxied time.Duration
	for b.Loop() {
		direct += load("direct")
		proxied += load(how)
	}
	b.ReportMetric(100*direct.Seconds()/proxied.Seconds(), "of-direct-%")
	per := float64(count) * float64(b.N) / proxied.Seconds()
	if size >= 1<<20 {
		b.ReportMetric(per*float64(size)/(1<<20), "MiB/s")
	} else {
		b.ReportMetric(per, "conns/s")
	}
	b.ReportMetric(0, "ns/op")
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		_, peak, _ := strings.Cut(string(status), "VmHWM:")
		if kib, err := strconv.Atoi(strings.Fields(peak)[0]); err == nil {
			b.ReportMetric(float64(kib)/1024, "peak-MiB")
		}
	}
}

func BenchmarkBulkConnect(b *testing.B) { compare(b, "connect", bulkSize, 1, 1) } // 33 %
func BenchmarkBulkSocks(b *testing.B)   { compare(b, "socks", bulkSize, 1, 1) }   // 33 %
func BenchmarkBulkHTTP(b *testing.B)    { compare(b, "http", bulkSize, 1, 1) }    // 25 %

func BenchmarkSmallHTTP(b *testing.B)    { compare(b, "http", smallSize, 20000, clients) } // 70 %
func BenchmarkSmallConnect(b *testing.B) { compare(b, "connect", smallSize, 20000, clients) }
func BenchmarkSmallSocks(b *testing.B)   { compare(b, "socks", smallSize, 20000, clients) }
