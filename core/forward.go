package core

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/proxy"
	"github.com/srt-sh/srt/sandbox"
)

const (
	maxPorts     = 50 // of each of the lists
	forwardConns = 64 // open at once, for each port and for all that lead inside
)

// planPorts puts the ports of the settings into the plan.
func (e *engine) planPorts() error {
	in, out := e.cfg.Network.Listen, e.cfg.Network.ForwardLoopback
	for key, list := range map[string][]config.Port{"listen": in, "forward_loopback": out} {
		if len(list) > maxPorts {
			return fmt.Errorf("network.%s has %d ports, which is more than %d", key, len(list), maxPorts)
		}
	}
	for _, p := range out {
		for _, q := range in {
			if p.Number == q.Number {
				return &hintError{
					text: fmt.Sprintf("port %d would lead out of the sandbox and into it", p.Number),
					err:  fmt.Errorf("%s: %s, and %s: %s", p.Origin, p.Origin.Key, q.Origin, q.Origin.Key),
					hint: "take it out of one of the two lists",
				}
			}
		}
		e.spec.Listen = append(e.spec.Listen, uint16(p.Number)) //nolint:gosec // the settings have checked it
	}
	if len(in) > 0 {
		e.spec.Sockets = forwardConns
	}
	return nil
}

// hostPort is a port of the host that leads into the sandbox.
type hostPort struct {
	number uint16
	socks  []net.Listener
}

// openPorts listens on the loopback interface of the host, by IPv4 and IPv6, before
// anything is started: a port in use is an error.
func (e *engine) openPorts(ctx context.Context) (ports []hostPort, err error) {
	defer func() {
		if err != nil {
			closePorts(ports)
			ports = nil
		}
	}()
	var lc net.ListenConfig
	for _, p := range e.cfg.Network.Listen {
		ports = append(ports, hostPort{number: uint16(p.Number)}) //nolint:gosec // the settings have checked it
		last := &ports[len(ports)-1]
		for _, host := range []string{"127.0.0.1", "::1"} {
			sock, err := lc.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(p.Number)))
			if host == "::1" && (errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)) {
				continue
			}
			if err != nil {
				return ports, portError(p, err)
			}
			last.socks = append(last.socks, sock)
		}
	}
	return ports, nil
}

func portError(p config.Port, err error) error {
	failed := &hintError{
		text: fmt.Sprintf("%s: %s: port %d of this machine cannot be listened on", p.Origin, p.Origin.Key, p.Number), err: err,
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		failed.err = errors.New("it is in use")
		failed.hint = "end what listens on it, or let the command and the settings use another port"
	}
	return failed
}

func closePorts(ports []hostPort) {
	for _, p := range ports {
		for _, sock := range p.socks {
			_ = sock.Close()
		}
	}
}

// forward joins the ports of the settings until ctx ends, calling run for each
// listener.
func (e *engine) forward(ctx context.Context, inside sandbox.Network, ports []hostPort, run func(func())) {
	failed := func(err error) { e.o.Logf("forwarding: %v", err) }
	for _, sock := range inside.More {
		addr, ok := sock.Addr().(*net.TCPAddr)
		if !ok {
			continue
		}
		dial := func(ctx context.Context) (net.Conn, error) { return dialLoopback(ctx, addr.Port) }
		run(func() { proxy.Forward(ctx, sock, forwardConns, dial, failed) })
	}
	for _, p := range ports {
		dial := func(ctx context.Context) (net.Conn, error) { return inside.Dial(ctx, p.number) }
		for _, sock := range p.socks {
			run(func() { proxy.Forward(ctx, sock, forwardConns, dial, failed) })
		}
	}
}

// dialLoopback connects to a port of the host's loopback interface.
func dialLoopback(ctx context.Context, port int) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if errors.Is(err, syscall.ECONNREFUSED) {
		conn, err = d.DialContext(ctx, "tcp", net.JoinHostPort("::1", strconv.Itoa(port)))
	}
	return conn, err //nolint:wrapcheck // names the address
}
