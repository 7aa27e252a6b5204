package cmd

import (
	"syscall"
	"testing"
	"time"

	"github.com/srt-sh/srt/core"
)

// Whoever tells srt to end is not left waiting for a sandbox that does not come
// about; a command that runs decides for itself.
func TestPatience(t *testing.T) {
	died := make(chan syscall.Signal, 1)
	begin := func() *handler {
		var o core.Options
		h := newHandler(&o)
		defer o.Ready()
		h.wait, h.die = 50*time.Millisecond, func(sig syscall.Signal) { died <- sig }
		return h
	}
	h := begin()
	h.incoming <- syscall.SIGUSR1 // ends nothing here
	h.incoming <- syscall.SIGTERM
	select {
	case sig := <-died:
		t.Fatalf("died by %v before it was told to", sig)
	case <-time.After(200 * time.Millisecond):
	}
	<-h.signals
	h.stop()

	h = begin()
	h.incoming <- syscall.SIGTERM
	select {
	case sig := <-died:
		if sig != syscall.SIGTERM {
			t.Errorf("died by %v", sig)
		}
	case <-time.After(5 * time.Second):
		t.Error("waits for ever")
	}
	h.stop()

	h = begin()
	h.started()
	h.incoming <- syscall.SIGTERM
	select {
	case sig := <-died:
		t.Errorf("died by %v although the command runs", sig)
	case <-time.After(200 * time.Millisecond):
	}
	h.stop()
}
