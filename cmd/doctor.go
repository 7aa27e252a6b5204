package cmd

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/srt-sh/srt/core"
)

type doctorVerb struct {
	JSON bool `help:"Print JSON."`
}

// Run tries out what this system can enforce. It fails if something is missing
// without which srt refuses to run.
func (v *doctorVerb) Run(t streams) error {
	report := core.Platform(context.Background())
	if v.JSON {
		text, err := json.MarshalIndent(report, "", "  ")
		if err != nil {
			return fmt.Errorf("bug: %w", err)
		}
		t.text(string(text) + "\n")
	} else {
		for _, m := range report.Measures {
			t.answer(measureLine(m))
			if !m.OK && m.Fix != "" {
				t.answer(pad("", 6) + sayFix(m.Fix))
			}
		}
	}
	if !report.OK {
		return exitError(statusFailed)
	}
	return nil
}
