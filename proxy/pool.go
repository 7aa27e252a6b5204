package proxy

import (
	"bufio"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"
)

// maxResponseHead bounds what is read of an upstream before its head is
// complete.
const maxResponseHead = 256 << 10

var errResponseHead = errors.New("response head is too large")

// upstream is a connection for plain HTTP requests.
type upstream struct {
	conn   net.Conn // bare, for splice
	peek   *peeker  // nil if conn cannot be looked into
	br     *bufio.Reader
	key    poolKey
	rt     *route     // the latest that it was used for
	addr   netip.Addr // rt.peer
	budget int        // bytes that may still be read into br
	glance time.Duration
	stay   func() bool // asked at a glance without a byte: is it worth waiting on?
	moved  bool        // a byte came since the last glance
	used   time.Time   // when it was put into the pool
	reused bool
}

// Read is what br reads through, to keep endless heads out of memory and to end
// waiting for what nobody wants any more.
func (u *upstream) Read(p []byte) (int, error) {
	if u.budget <= 0 {
		return 0, errResponseHead
	}
	for {
		n, err := u.conn.Read(p)
		u.budget -= n
		u.moved = u.moved || n > 0
		if n > 0 || !u.glanced(err) {
			return n, err
		}
	}
}

// glanced reports whether err, of reading from conn, says no more than that it
// was time for a glance, and reading goes on.
func (u *upstream) glanced(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) || !u.moved && !u.stay() {
		return false
	}
	return u.watch() == nil
}

// watch sets the time of the next glance.
func (u *upstream) watch() error {
	u.moved = false
	return u.conn.SetReadDeadline(time.Now().Add(u.glance))
}

// poolKey names the destination that a connection was checked for: a request
// can only get one that its own host and port would have got, over the same
// parent proxy or none.
type poolKey struct {
	parent string
	host   string
	port   uint16
}

func (rt *route) key() poolKey {
	k := poolKey{host: rt.host, port: rt.req.Port}
	if rt.parent != nil {
		k.parent = rt.parent.Host
	}
	return k
}

// pool keeps idle upstream connections, the latest used on top. No goroutine
// watches them: whether one is still good is looked up when it is wanted.
type pool struct {
	mu     sync.Mutex
	keep   time.Duration
	idle   map[poolKey][]*upstream
	n      int
	timer  *time.Timer // nil while nothing is idle
	closed bool
}

const (
	maxIdle     = 128
	maxIdleHost = 32
)

func (p *pool) init(keep time.Duration) {
	p.keep = keep
	p.idle = make(map[poolKey][]*upstream)
}

// get takes the latest used connection for key, nil if there is none.
func (p *pool) get(key poolKey) *upstream {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.idle[key]
	if len(list) == 0 {
		return nil
	}
	u := list[len(list)-1]
	list[len(list)-1] = nil
	p.idle[key] = list[:len(list)-1]
	p.n--
	u.reused = true
	return u
}

// each calls f for all that is idle. f must not call the pool.
func (p *pool) each(f func(*upstream)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, list := range p.idle {
		for _, u := range list {
			f(u)
		}
	}
}

// drop closes u, unless somebody has taken it.
func (p *pool) drop(u *upstream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.idle[u.key], u); i >= 0 {
		p.idle[u.key] = slices.Delete(p.idle[u.key], i, i+1)
		p.n--
		_ = u.conn.Close()
		freeReader(u.br)
	}
}

// put keeps u for later and reports whether it did.
func (p *pool) put(u *upstream) bool {
	u.used = time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.n >= maxIdle || len(p.idle[u.key]) >= maxIdleHost {
		return false
	}
	p.idle[u.key] = append(p.idle[u.key], u)
	p.n++
	if p.timer == nil {
		p.timer = time.AfterFunc(p.keep, p.sweep)
	}
	return true
}

// sweep closes what has not been used for long.
func (p *pool) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = nil
	now := time.Now()
	next := now.Add(p.keep)
	for key, list := range p.idle {
		stale := 0
		for stale < len(list) && now.Sub(list[stale].used) >= p.keep {
			_ = list[stale].conn.Close()
			freeReader(list[stale].br)
			stale++
		}
		p.n -= stale
		if stale == len(list) {
			delete(p.idle, key)
			continue
		}
		p.idle[key] = append(list[:0:0], list[stale:]...)
		if end := list[stale].used.Add(p.keep); end.Before(next) {
			next = end
		}
	}
	if p.n > 0 && !p.closed {
		p.timer = time.AfterFunc(next.Sub(now), p.sweep)
	}
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.timer != nil {
		p.timer.Stop()
	}
	for _, list := range p.idle {
		for _, u := range list {
			_ = u.conn.Close()
		}
	}
	clear(p.idle)
	p.n = 0
}

// connect returns a connection for the request: one from the pool that is
// still quiet and whose address the guard would still pass, or a new one.
func (r *run) connect(rt *route) (*upstream, error) {
	key := rt.key()
	for u := r.pool.get(key); u != nil; u = r.pool.get(key) {
		if !u.quiet() || rt.guard != nil && u.addr.IsValid() && rt.guard(u.addr) != nil {
			r.discard(u)
			continue
		}
		u.rt = rt
		if err := r.track(u.conn, rt); err != nil {
			r.discard(u)
			return nil, err
		}
		return u, nil
	}
	var conn net.Conn
	var err error
	if rt.parent != nil {
		conn, err = r.dialParent(rt.parent)
	} else {
		conn, err = r.dial(rt)
	}
	if err != nil {
		return nil, err
	}
	if err := r.track(conn, rt); err != nil {
		return nil, err
	}
	u := &upstream{conn: conn, key: key, rt: rt, addr: rt.peer(conn), peek: newPeeker(conn), glance: r.glance}
	u.br = newReader(u)
	return u, nil
}

// discard closes u.
func (r *run) discard(u *upstream) {
	r.drop(u.conn)
	freeReader(u.br)
}

// release puts u into the pool, or closes it if there is no use for it.
func (r *run) release(u *upstream) {
	if u.br.Buffered() == 0 && r.shelve(u) {
		return
	}
	r.discard(u)
}

// shelve hands u over to the pool, which closes it from then on. It is one step
// for everybody else: who takes u at once must find it forgotten already, or
// would have its own mark in open taken away.
func (r *run) shelve(u *upstream) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.pool.put(u) {
		return false
	}
	delete(r.open, u.conn)
	return true
}
