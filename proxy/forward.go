package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Forward accepts the connections of a listener until ctx ends, connects each to what
// dial gives, and copies in both directions until both have ended. Of the two networks
// that it joins it knows nothing. At most conns are open at once; others wait in the
// listener's queue. It closes the listener and returns when all has ended; failed, if
// not nil, is told of each connection that dial refuses.
func Forward(ctx context.Context, l net.Listener, conns int, dial func(context.Context) (net.Conn, error), failed func(error)) {
	var open sync.WaitGroup
	defer open.Wait()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	room := make(chan struct{}, conns)
	for {
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			return
		}
		near, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			// Out of descriptors, or the client is gone already.
			<-room
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
			continue
		}
		open.Go(func() {
			defer func() { <-room }()
			defer near.Close() //nolint:errcheck // the copies have told
			far, err := dial(ctx)
			if err != nil {
				if tcp, ok := near.(*net.TCPConn); ok {
					_ = tcp.SetLinger(0) // the client hears that it was not answered
				}
				if failed != nil && ctx.Err() == nil {
					failed(err)
				}
				return
			}
			defer far.Close() //nolint:errcheck // likewise
			join(ctx, near, far)
		})
	}
}

// join copies between two connections until both directions have ended, or ctx has.
func join(ctx context.Context, a, b net.Conn) {
	stop := context.AfterFunc(ctx, func() {
		_ = a.Close()
		_ = b.Close()
	})
	defer stop()
	back := make(chan struct{})
	go func() {
		defer close(back)
		_, err := io.Copy(a, b)
		finish(a, b, err)
	}()
	_, err := io.Copy(b, a)
	finish(b, a, err)
	<-back
}
