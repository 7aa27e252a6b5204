package proxy

import (
	"net"
	"net/netip"
	"slices"
)

// Recheck has open connections judged by rules that have changed. It asks
// Decide again about every tunnel, every plain request under way and every idle
// upstream connection, and where the answer is a refusal now, by name or by the
// address, it closes the connection. It returns when all of them are closed;
// what it allows again stays as it is.
//
// Call it when Decide already answers by the new rules. A connection that is
// being made at that moment is judged by them too, as soon as it stands. OnDeny
// is told of each tunnel and request that ends so, and not of connections that
// nobody was using.
func (s *Server) Recheck() {
	s.mu.Lock()
	runs := slices.Clone(s.runs)
	s.mu.Unlock()
	for _, r := range runs {
		r.recheck()
	}
}

// judge asks Decide again about what was admitted and has the address addr; nil
// means that it is still allowed.
func (r *run) judge(rt *route, addr netip.Addr) *Denial {
	v := r.Decide(r.ctx, rt.req)
	if !v.Allow {
		return &Denial{Request: rt.req, Reason: v.reason()}
	}
	if v.Guard != nil && addr.IsValid() {
		if err := v.Guard(addr); err != nil {
			return &Denial{Request: rt.req, Reason: err.Error(), Guarded: true, Addr: addr}
		}
	}
	return nil
}

func (r *run) recheck() {
	type idle struct {
		u  *upstream
		rt *route
	}
	used, unused := map[net.Conn]*route{}, []idle(nil)
	// Whoever is not there to be seen now finds another number than it began
	// with, and asks itself.
	r.rules.Add(1)
	r.mu.Lock()
	for conn, rt := range r.open {
		if rt != nil {
			used[conn] = rt
		}
	}
	r.pool.each(func(u *upstream) { unused = append(unused, idle{u, u.rt}) })
	r.mu.Unlock()

	for conn, rt := range used {
		if rt.refused.Load() != nil {
			continue // closed by the rules before, and on its way out
		}
		if d := r.judge(rt, rt.peer(conn)); d != nil {
			rt.refused.Store(r.deny(*d))
			_ = conn.Close() // which ends whoever copies from it
		}
	}
	for _, i := range unused {
		if r.judge(i.rt, i.u.addr) != nil {
			r.pool.drop(i.u)
		}
	}
}
