package cmd

import (
	"cmp"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/core/policy"
)

type trustVerb struct {
	Yes  bool   `help:"Do not ask."`
	List bool   `help:"List what is trusted, since when, and whether it is still the same."`
	Dir  string `arg:"" optional:"" help:"The folder; without, the current one."`
}

// Run records that files of a repository are trusted as they are now.
func (v *trustVerb) Run(t streams) error {
	o, err := layersOf(v.Dir)
	if err != nil {
		return err
	}
	if v.List {
		return t.listTrusted(o)
	}
	if info, err := os.Stat(o.Dir); err != nil || !info.IsDir() {
		return usageError{text: sayNoFolder(o.Dir), status: statusFailed}
	}
	o.Distrust = true
	merged, err := config.Load(o)
	if err != nil {
		return err //nolint:wrapcheck // names file, line and key
	}
	for _, note := range merged.Notes {
		t.warn(note)
	}
	if len(merged.Projects) == 0 {
		return usageError{text: sayNoProject(o.Dir), hint: hintNoProject, status: statusFailed}
	}
	var files []*config.ProjectFile
	for i := range merged.Projects {
		p := &merged.Projects[i]
		asks := slices.Concat(p.Held, p.Names)
		if len(asks) == 0 {
			t.answer(sayOpensNothing(p.Shown))
			continue
		}
		files = append(files, p)
		t.answer(sayAsksFor(p.Shown))
		slices.SortStableFunc(asks, func(a, b config.Held) int { return cmp.Compare(a.Origin.Line, b.Origin.Line) })
		t.held(asks)
	}
	if len(files) == 0 {
		return nil
	}
	if !v.Yes {
		if !t.canAsk() {
			return usageError{text: sayTrustsNothing, hint: hintTrustYes, status: statusFailed}
		}
		if !t.ask(sayTrustQuestion(len(files))) {
			return usageError{text: sayNotTrusted, status: statusFailed}
		}
	}
	for _, p := range files {
		if err := p.Trust(o); err != nil {
			return err //nolint:wrapcheck // says what it means
		}
	}
	return nil
}

// layersOf is layers for a folder.
func layersOf(dir string) (config.Options, error) {
	o, err := layers("")
	if err != nil || dir == "" {
		return o, err
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(o.Dir, dir)
	}
	if place, err := filepath.EvalSymlinks(dir); err == nil {
		dir = place
	}
	o.Dir = filepath.Clean(dir)
	return o, nil
}

// held lists entries that trust lets count, and what each does.
func (t streams) held(list []config.Held) {
	width := 0
	entries := make([]string, len(list))
	for i, h := range list {
		entries[i] = h.Origin.Key
		if h.Text != "" {
			text := h.Text
			if !strings.HasPrefix(text, "= ") {
				text = policy.Quote(text)
			}
			entries[i] += " " + text
		}
		width = min(max(width, len(entries[i])), 50)
	}
	for i, h := range list {
		t.answer("  " + pad(sayLine(h.Origin.Line), 10) + pad(entries[i], width+2) + sayOpens(h))
	}
}

// canAsk reports whether somebody sees what is asked about, and can answer.
func (t streams) canAsk() bool {
	return core.Terminal(t.in) && core.Terminal(t.out) && core.Terminal(t.err)
}

// ask asks a question whose answer is no unless it is yes. It reads no more than a line.
func (t streams) ask(question string) bool {
	if _, err := io.WriteString(t.err, "srt: "+clean(question)+" [y/N] "); err != nil {
		return false
	}
	var answer []byte
	for one := make([]byte, 1); len(answer) < 100; {
		n, err := t.in.Read(one)
		if n == 0 || err != nil || one[0] == '\n' {
			break
		}
		answer = append(answer, one[0])
	}
	text := strings.ToLower(strings.TrimSpace(string(answer)))
	return text == "y" || text == "yes"
}

// listTrusted prints what is trusted, a line each.
func (t streams) listTrusted(o config.Options) error {
	files, broken, err := config.TrustedFiles(o)
	if err != nil {
		return err //nolint:wrapcheck // says what it means
	}
	for _, f := range files {
		t.answer(pad(f.Time.Local().Format(time.DateTime), 21) + pad(sayTrustState(f.State), 9) + f.File)
	}
	for _, name := range broken {
		t.warn(sayBrokenRecord(name))
	}
	return nil
}

type untrustVerb struct {
	Dir string `arg:"" optional:"" help:"The folder; without, the current one."`
}

// Run takes back the trust in files of a repository.
func (v *untrustVerb) Run() error {
	o, err := layersOf(v.Dir)
	if err != nil {
		return err
	}
	files, err := config.Untrust(o)
	if err != nil {
		return err //nolint:wrapcheck // says what it means
	}
	if len(files) == 0 {
		return usageError{text: sayNothingTrusted(o.Dir), hint: hintTrustList, status: statusFailed}
	}
	return nil
}
