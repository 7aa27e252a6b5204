package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/srt-sh/srt/core/event"
)

const (
	batch    = 256             // records that are sent at once
	waitFor  = 2 * time.Second // for more of them
	maxInput = 64 << 10        // bytes of a line
)

// export sends the events that it reads until the input or ctx ends, and counts those
// that the collector has taken. The first failure ends it.
func export(ctx context.Context, endpoint string, in io.Reader) (sent int, err error) {
	target, err := logsURL(endpoint)
	if err != nil {
		return 0, err
	}
	exporter, err := otlploghttp.New(ctx, otlploghttp.WithEndpointURL(target))
	if err != nil {
		return 0, fmt.Errorf("the exporter: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return 0, fmt.Errorf("the name of this machine: %w", err)
	}
	var failed firstError
	otel.SetErrorHandler(&failed)
	provider := sdklog.NewLoggerProvider(
		sdklog.WithResource(resource.NewSchemaless(attribute.String("service.name", "srt"), attribute.String("host.name", host))),
		sdklog.WithProcessor(sdklog.NewBatchProcessor(exporter, sdklog.WithExportMaxBatchSize(batch), sdklog.WithExportInterval(time.Hour))),
	)
	defer func() { err = errors.Join(err, provider.Shutdown(context.WithoutCancel(ctx))) }()
	logger := provider.Logger("github.com/srt-sh/srt")

	lines, readErr := read(ctx, in)
	waiting := 0
	flush := func() error {
		if waiting == 0 {
			return nil
		}
		if err := errors.Join(provider.ForceFlush(context.WithoutCancel(ctx)), failed.get()); err != nil {
			return fmt.Errorf("sending to %s: %w", target, err)
		}
		sent, waiting = sent+waiting, 0
		return nil
	}
	tick := time.NewTicker(waitFor)
	defer tick.Stop()
	for {
		select {
		case line, more := <-lines:
			if !more {
				return sent, errors.Join(flush(), *readErr)
			}
			var v event.Violation
			if err := json.Unmarshal(line, &v); err != nil || v.Kind == "" {
				return sent, fmt.Errorf("a line is no event: %.100q", line)
			}
			logger.Emit(ctx, record(v))
			if waiting++; waiting < batch {
				continue
			}
		case <-tick.C:
		case <-ctx.Done():
			return sent, flush()
		}
		if err := flush(); err != nil {
			return sent, err
		}
	}
}

// logsURL is where a collector takes logs: as given, or at the usual path where there is
// none (OTLP/HTTP, "Binary Protobuf Encoding").
func logsURL(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", fmt.Errorf("%q is no URL such as http://localhost:4318", endpoint)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/logs"
	}
	return u.String(), nil
}

// read gives the lines of the input. The error is there when the lines have ended.
func read(ctx context.Context, in io.Reader) (<-chan []byte, *error) {
	lines, failed := make(chan []byte), new(error)
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(in)
		scanner.Buffer(nil, maxInput)
		for scanner.Scan() {
			select {
			case lines <- append([]byte(nil), scanner.Bytes()...):
			case <-ctx.Done():
				return
			}
		}
		*failed = scanner.Err()
	}()
	return lines, failed
}

// record makes a log record of an event.
func record(v event.Violation) log.Record {
	var r log.Record
	r.SetTimestamp(v.Last)
	r.SetObservedTimestamp(time.Now())
	r.SetSeverity(log.SeverityWarn)
	r.SetSeverityText("WARN")
	r.SetEventName("srt.violation")
	r.SetBody(attribute.StringValue(string(v.Kind) + " " + v.Target + ": " + v.Reason))
	r.AddAttributes(attribute.String("srt.run", v.Run), attribute.String("srt.kind", string(v.Kind)), attribute.String("srt.target", v.Target), attribute.Int("srt.count", v.Count),
		attribute.String("srt.command", strings.Join(v.Command, " ")), attribute.String("srt.cwd", v.Dir))
	for _, a := range []struct{ key, value string }{
		{"srt.reason", v.Reason}, {"srt.rule", v.Rule}, {"srt.hint", v.Hint}, {"srt.keep", v.Keep}, {"srt.call", v.Call}, {"process.executable.name", v.Program},
	} {
		if a.value != "" {
			r.AddAttributes(attribute.String(a.key, a.value))
		}
	}
	if v.PID != 0 {
		r.AddAttributes(attribute.Int("process.pid", v.PID))
	}
	return r
}

// firstError keeps the first of the errors that the SDK reports.
type firstError struct {
	mu  sync.Mutex
	err error
}

// Handle takes an error of the SDK.
func (f *firstError) Handle(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

func (f *firstError) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}
