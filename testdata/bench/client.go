package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// clients are the commands that run inside the sandbox, and outside for
// comparison.
var clients = map[string]func(args []string) error{
	// client-get direct|http|connect URL prints the bytes per second of a download
	"client-get": get,
	// client-many direct|http|connect URL CLIENTS SECONDS prints the answers per
	// second of clients that make a new connection for each
	"client-many": many,
	// client-sleep MARK waits a minute
	"client-sleep": func([]string) error { time.Sleep(time.Minute); return nil },
}

// transport reaches servers in one of three ways: directly, by the proxy's plain
// HTTP, or by a tunnel through it.
func transport(way string, keep bool) (*http.Transport, error) {
	t := &http.Transport{DisableKeepAlives: !keep, DisableCompression: true, ReadBufferSize: 64 << 10}
	if way == "direct" {
		return t, nil
	}
	proxy, err := url.Parse(os.Getenv("HTTP_PROXY"))
	if err != nil {
		return nil, err
	}
	if proxy.Host == "" {
		return nil, errors.New("no HTTP_PROXY")
	}
	if way == "http" {
		t.Proxy = http.ProxyURL(proxy)
		return t, nil
	}
	password, _ := proxy.User.Password()
	auth := base64.StdEncoding.EncodeToString([]byte(proxy.User.Username() + ":" + password))
	t.DialContext = func(ctx context.Context, _, address string) (net.Conn, error) {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "tcp", proxy.Host)
		if err != nil {
			return nil, err
		}
		if _, err := fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\nProxy-Authorization: Basic %s\r\n\r\n", address, address, auth); err != nil {
			return nil, err
		}
		// The server speaks only when spoken to: nothing of it is in the buffer.
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return nil, err
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("CONNECT: %s", response.Status)
		}
		return conn, nil
	}
	return t, nil
}

func fetch(client *http.Client, address string, buffer []byte) (int64, error) {
	response, err := client.Get(address)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("status %s", response.Status)
	}
	return io.CopyBuffer(struct{ io.Writer }{io.Discard}, response.Body, buffer)
}

func get(args []string) error {
	t, err := transport(args[0], true)
	if err != nil {
		return err
	}
	from := time.Now()
	n, err := fetch(&http.Client{Transport: t}, args[1], make([]byte, 256<<10))
	if err != nil {
		return err
	}
	fmt.Println(float64(n) / time.Since(from).Seconds())
	return nil
}

func many(args []string) error {
	t, err := transport(args[0], false)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseFloat(args[3], 64)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: t}
	var answers atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	from := time.Now()
	end := from.Add(time.Duration(seconds * float64(time.Second)))
	for range number {
		all.Go(func() {
			buffer := make([]byte, 4<<10)
			for time.Now().Before(end) {
				if _, err := fetch(client, args[1], buffer); err != nil {
					failed.Store(&err)
					return
				}
				answers.Add(1)
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	fmt.Println(float64(answers.Load()) / time.Since(from).Seconds())
	return nil
}
