package proxy

import (
	"container/list"
	"context"
	"errors"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// run is one call of Serve: the server's settings with their defaults, and
// everything it has open.
type run struct {
	*Server
	ctx     context.Context
	socks   socksParts
	pool    pool
	work    chan *client   // takes a client if a worker is idle; closed after the last
	workers atomic.Int32   // serving or idle
	serving sync.WaitGroup // the workers
	rules   atomic.Uint64  // how often Recheck was called

	mu      sync.Mutex
	room    sync.Cond           // a client connection ended or can be closed, or the run ended
	open    map[net.Conn]*route // with the route of those that lead out, nil for clients
	clients int
	waiting list.List // of *client without a complete request, oldest first
	closed  bool
}

func newRun(ctx context.Context, s *Server) *run {
	r := &run{Server: s.withDefaults(), ctx: ctx, open: make(map[net.Conn]*route), work: make(chan *client)}
	r.room.L = &r.mu
	r.pool.init(r.IdleTimeout)
	r.socks = r.newSocksParts()
	return r
}

// accept serves the connections of one listener, each in its own goroutine,
// until the run ends.
func (r *run) accept(l net.Listener) error {
	const firstDelay, lastDelay = 5 * time.Millisecond, time.Second
	delay := firstDelay
	for {
		conn, err := l.Accept()
		if err != nil {
			if r.ctx.Err() != nil {
				return nil //nolint:nilerr // closed because the run ended
			}
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			// Out of descriptors, or the client is gone already: the listener
			// is still good. Giving up here would cut the sandbox off.
			r.Logf("proxy: accepting: %v", err)
			r.mu.Lock()
			r.evict()
			r.mu.Unlock()
			select {
			case <-r.ctx.Done():
			case <-time.After(delay):
			}
			delay = min(2*delay, lastDelay)
			continue
		}
		delay = firstDelay
		c := &client{run: r, conn: conn}
		if !r.enter(c) {
			_ = conn.Close()
			return nil
		}
		select {
		case r.work <- c:
		default:
			r.serving.Go(func() { r.worker(c) })
		}
	}
}

// worker serves c and then whoever else comes. A goroutine that has served
// has the stack for it already; growing that of a new one for each short
// connection stands out in a profile.
func (r *run) worker(c *client) {
	const mostIdle = 64
	defer r.workers.Add(-1)
	for r.workers.Add(1); ; {
		c.serve()
		if r.workers.Load() > mostIdle {
			return
		}
		var ok bool
		if c, ok = <-r.work; !ok {
			return
		}
	}
}

// enter makes room for one more client, waiting if it must, and counts it. It
// reports whether the run still goes on.
func (r *run) enter(c *client) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.clients >= r.MaxConns && !r.closed {
		// An evicted client leaves when its goroutine notices, so the count
		// falls a moment later: room is signalled then.
		r.evict()
		r.room.Wait()
	}
	if r.closed {
		return false
	}
	r.clients++
	r.open[c.conn] = nil
	c.waiting = r.waiting.PushBack(c)
	return true
}

// leave undoes enter.
func (r *run) leave(c *client) {
	_ = c.conn.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.waiting != nil {
		r.waiting.Remove(c.waiting)
		c.waiting = nil
	}
	delete(r.open, c.conn)
	r.clients--
	r.room.Signal()
}

// evict closes the client that has waited longest without a complete request.
// r.mu must be held.
func (r *run) evict() {
	if e := r.waiting.Front(); e != nil {
		c := r.waiting.Remove(e).(*client) //nolint:errcheck // the list holds nothing else
		c.waiting = nil
		_ = c.conn.Close()
	}
}

// wait says that c has no complete request at the moment, and may be closed to
// make room for others.
func (r *run) wait(c *client) {
	r.mu.Lock()
	if c.waiting == nil {
		c.waiting = r.waiting.PushBack(c)
		r.room.Signal() // somebody may have found nobody to close
	}
	r.mu.Unlock()
}

// busy says that c has sent a complete request.
func (r *run) busy(c *client) {
	r.mu.Lock()
	if c.waiting != nil {
		r.waiting.Remove(c.waiting)
		c.waiting = nil
	}
	r.mu.Unlock()
}

// track has c closed when the run ends, and when the rules come to refuse rt.
// After an error c is closed: the run has ended already, or the rules have come
// to refuse rt since it was admitted, and then it is a *refusedError.
func (r *run) track(c net.Conn, rt *route) error {
	r.mu.Lock()
	closed := r.closed
	if !closed {
		r.open[c] = rt
	}
	r.mu.Unlock()
	if closed {
		_ = c.Close()
		return net.ErrClosed
	}
	if rt.rules == r.rules.Load() {
		return nil
	}
	// Recheck may have looked before c was there to be seen.
	if d := r.judge(rt, rt.peer(c)); d != nil {
		r.drop(c)
		return r.deny(*d)
	}
	return nil
}

// drop closes c and forgets it.
func (r *run) drop(c net.Conn) {
	_ = c.Close()
	r.mu.Lock()
	delete(r.open, c)
	r.mu.Unlock()
}

// closeAll ends the run: it closes everything open, which ends the goroutines
// that read from it.
func (r *run) closeAll() {
	r.mu.Lock()
	r.closed = true
	for c := range r.open {
		_ = c.Close()
	}
	clear(r.open)
	r.room.Broadcast()
	r.mu.Unlock()
	r.pool.close()
}

// rescue keeps a bug, ours or a library's, to the connection that met it: the
// process is also the supervisor of the sandbox. Nothing fails open by it, for
// the connection is closed.
func (r *run) rescue() {
	if p := recover(); p != nil {
		r.Logf("proxy: bug: panic: %v\n%s", p, debug.Stack())
	}
}
