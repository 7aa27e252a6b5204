package cmd

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/srt-sh/srt/core"
)

type eventsVerb struct {
	Export eventsExport `cmd:"" help:"Send what was blocked to an OpenTelemetry collector."`
}

type eventsExport struct {
	OTLP   string `name:"otlp" required:"" placeholder:"URL" help:"The collector, such as http://localhost:4318."`
	Since  string `placeholder:"TIME" help:"Only what was blocked since TIME: 1h, 2d or 2006-01-02."`
	Follow bool   `short:"f" help:"Go on with what is blocked from now on; without --since, only with that."`
}

// exporter is the program that sends. It is one of its own, since what it is linked with
// would take as long at each start of srt as all the rest.
const exporter = "srt-otlp"

// Run has the exporter send what srt violations --json prints.
func (v *eventsExport) Run(t streams) error {
	program, err := findExporter()
	if err != nil {
		return usageError{text: sayNoExporter, hint: hintExporter, status: statusFailed}
	}
	list := violationsVerb{JSON: true, All: !v.Follow || v.Since != "", Since: v.Since, Follow: v.Follow}
	if v.Since != "" {
		if _, err := list.filter(); err != nil {
			return err
		}
	}
	in, out, err := os.Pipe()
	if err != nil {
		return err //nolint:wrapcheck // names the call
	}
	cmd := exec.CommandContext(context.Background(), program, v.OTLP)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, t.out, t.err
	err = cmd.Start()
	_ = in.Close()
	if err != nil {
		_ = out.Close()
		return err //nolint:wrapcheck // names the program
	}
	to := streams{in: t.in, out: out, err: t.err, lost: new(error)}
	err = list.Run(to)
	_ = out.Close()
	ended := cmd.Wait()
	if _, failed := errors.AsType[*exec.ExitError](ended); failed {
		return exitError(statusFailed) // it has said why
	}
	return errors.Join(err, ended)
}

// findExporter finds the program beside srt, or on the PATH.
func findExporter() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err //nolint:wrapcheck // looked at only
	}
	beside := filepath.Join(filepath.Dir(self), exporter)
	if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
		return beside, nil
	}
	return core.FindProgram(exporter) //nolint:wrapcheck // likewise
}
