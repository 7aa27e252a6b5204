// Command srt-otlp sends the events of srt to an OpenTelemetry collector: it reads what
// srt violations --json prints from its standard input, and srt events export starts it.
//
// It is a program of its own since every package that srt is linked with is initialized
// at each of its starts, and those of OpenTelemetry take longer for that than all of
// srt's own.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: srt violations --json | srt-otlp ENDPOINT")
		os.Exit(2)
	}
	sent, err := export(ctx, os.Args[1], os.Stdin)
	if err != nil {
		fmt.Fprintf(os.Stderr, "srt: error: after %d events: %v\n", sent, err)
		os.Exit(1)
	}
}
