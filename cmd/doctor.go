package cmd

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/srt-sh/srt/core"
)

type doctorVerb struct {
	JSON bool `help:"Print JSON."`
}

// doctorReport is the answer in JSON.
type doctorReport struct {
	*core.PlatformReport
	Shell       []core.Measure `json:"shell"`       // the integration
	NeverCaught string         `json:"neverCaught"` // by it
}

// Run tries out what this system can enforce, and looks at the shell integration. It
// fails if something is missing without which srt refuses to run.
func (v *doctorVerb) Run(t streams) error {
	report := core.Platform(context.Background())
	if v.JSON {
		text, err := json.MarshalIndent(doctorReport{report, shellMeasures(theSession()), sayNeverCaught}, "", "  ")
		if err != nil {
			return fmt.Errorf("bug: %w", err)
		}
		t.text(string(text) + "\n")
	} else {
		for _, m := range slices.Concat(report.Measures, shellMeasures(theSession())) {
			t.answer(measureLine(m))
			if !m.OK && m.Fix != "" {
				t.answer(pad("", 6) + sayFix(m.Fix))
			}
		}
		t.answer(pad("", 6) + pad("never caught", 26) + sayNeverCaught)
	}
	if !report.OK {
		return exitError(statusFailed)
	}
	return nil
}
