package cmd

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/core/policy"
	"github.com/srt-sh/srt/shellinit"
)

type explainVerb struct {
	ruleFlags
	JSON     bool     `xor:"form" help:"Print JSON."`
	Seatbelt bool     `xor:"form" help:"Print the profile for macOS's sandbox-exec instead."`
	Command  []string `arg:"" optional:"" passthrough:"partial" name:"command" help:"The command and its words."`
}

// Run shows what a run would do.
func (v *explainVerb) Run(t streams, c *tree) error {
	line := c.runLine(v.ruleFlags, afterDashes(v.Command))
	if line.line == "" && len(line.command) == 0 {
		return usageError{text: sayNoCommand, status: statusFailed}
	}
	if line.settings != nil && *line.settings == "" {
		return usageError{text: sayEmptyValue("--settings")}
	}
	o := t.options(&line)
	if v.Seatbelt {
		profile, err := core.Seatbelt(o)
		if err != nil {
			return err //nolint:wrapcheck // says what it means
		}
		t.text(profile)
		return nil
	}
	x, err := core.Explain(o)
	if err != nil {
		return err //nolint:wrapcheck // says what it means
	}
	page := explain(x, o)
	if v.JSON {
		text, err := json.MarshalIndent(page, "", "  ")
		if err != nil {
			return fmt.Errorf("bug: %w", err)
		}
		t.text(string(text) + "\n")
		return nil
	}
	for _, section := range page {
		for i, entry := range section.Lines {
			title := ""
			if i == 0 {
				title = section.Title
			}
			t.answer(strings.TrimRight(pad(title, 13)+entry, " "))
		}
	}
	return nil
}

// section is a part of an explanation.
type section struct {
	Title string   `json:"title"`
	Lines []string `json:"lines"`
}

// explain puts an explanation into words.
func explain(x *core.Explanation, o core.Options) []section {
	var page []section
	add := func(title string, lines ...string) {
		if len(lines) > 0 {
			page = append(page, section{Title: title, Lines: lines})
		}
	}
	add("command", shellWords(x.Args))
	add("program", x.Program)
	add("folder", x.Dir)
	add("rule", chosenLines(x, o)...)
	add("preset", presetLine(x, o))
	add("settings", settingsLines(o, x.Config.Projects)...)
	add("network", slices.Concat(networkLines(x.Policy), portLines(x.Config))...)
	add("files", fileLines(x.Policy)...)
	add("protected", protectedLines(x.Policy)...)
	add("environment", environmentLines(x)...)
	add("guard", guardLines(x)...)
	add("kernel", kernelLines(x)...)
	add("limits", limitLines(x)...)
	add("plan", strings.Split(strings.TrimRight(x.Plan.String(), "\n"), "\n")...)
	add("notes", slices.Concat(x.Config.Notes, x.Plan.Notes)...)
	return page
}

func settingsLines(o core.Options, projects []config.ProjectFile) []string {
	var lines []string
	from, err := layers(o.Settings)
	if err != nil {
		return nil // the explanation would not have come about
	}
	from.NoProject = o.NoProject
	for _, place := range config.Paths(from) {
		lines = append(lines, pad(place.Layer.String(), 10)+placeState(place, projects))
	}
	return lines
}

func networkLines(p *policy.Policy) []string {
	var lines []string
	for _, r := range p.Denied() {
		lines = append(lines, ruleLine("denied_domains", r.Rule))
	}
	for _, r := range p.Allowed() {
		lines = append(lines, ruleLine("allowed_domains", r.Rule))
	}
	return append(lines, sayElseNoHost)
}

func portLines(c *config.Config) []string {
	var lines []string
	for _, list := range [][]config.Port{c.Network.ForwardLoopback, c.Network.Listen} {
		for _, p := range list {
			key := p.Origin.Key[strings.LastIndexByte(p.Origin.Key, '.')+1:]
			lines = append(lines, ruleLine(key, policy.Rule{Text: strconv.Itoa(p.Number), Origin: p.Origin}))
		}
	}
	return lines
}

func fileLines(p *policy.Policy) []string {
	if p.FilesDisabled() {
		return []string{sayFilesOpen}
	}
	var lines []string
	hidden := 0
	for _, r := range p.Paths() {
		if r.Rule.Origin.Layer == policy.LayerDefault {
			if r.Kind == policy.DenyRead {
				hidden++
			}
			continue
		}
		line := ruleLine(r.Kind.String(), r.Rule)
		if r.Path != r.Rule.Text {
			line += ", " + r.Path
		}
		lines = append(lines, line)
	}
	if hidden > 0 {
		lines = append(lines, sayHidden(hidden))
	}
	return append(lines, sayElseReadOnly)
}

// protectedLines names what counts in every write root, and counts the places
// that lie in one only if the home folder does.
func protectedLines(p *policy.Policy) []string {
	if p.FilesDisabled() {
		return nil
	}
	var names []string
	places := 0
	for _, n := range p.Protected() {
		switch {
		case n.Path != "":
			places++
		case !slices.Contains(names, n.Name) && !strings.Contains(n.Name, "*"):
			names = append(names, n.Name)
		}
	}
	return append(wrap(names), sayPlaces(places))
}

func environmentLines(x *core.Explanation) []string {
	var lines []string
	if len(x.Dropped) > 0 {
		lines = append(lines, wrap(append([]string{"without"}, x.Dropped...))...)
	}
	if len(x.Set) > 0 {
		lines = append(lines, wrap(append([]string{"with"}, x.Set...))...)
	}
	return lines
}

func guardLines(x *core.Explanation) []string {
	age := x.Config.Guard.MinReleaseAge
	if !age.Set {
		return nil
	}
	lines := []string{ruleLine("min_release_age", policy.Rule{Text: config.FormatDuration(age.Value), Origin: age.Origin})}
	if x.Ageless != "" {
		lines = append(lines, sayAgeless(x.Ageless))
	}
	return lines
}

// wrap puts words into lines.
func wrap(words []string) []string {
	const width = 66
	var lines []string
	for _, word := range words {
		last := len(lines) - 1
		if last < 0 || len(lines[last])+1+len(word) > width {
			lines = append(lines, word)
			continue
		}
		lines[last] += " " + word
	}
	return lines
}

// shellWords spells words as a shell reads them.
func shellWords(words []string) string {
	out := make([]string, len(words))
	for i, word := range words {
		out[i] = word
		if word == "" || strings.ContainsFunc(word, func(r rune) bool {
			return !strings.ContainsRune("_./:@+,-=%", r) && (r > 0x7f || !isAlnum(byte(r))) //nolint:gosec // below 0x80
		}) {
			out[i] = shellinit.Quote(word)
		}
	}
	return strings.Join(out, " ")
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// debugRun tells what a run is going to do.
func (t streams) debugRun(o core.Options) {
	t.debugf("srt %s", buildVersion())
	o.Logf, o.Warnf = nil, nil
	x, err := core.Explain(o)
	if err != nil {
		return // the run itself says so
	}
	for _, section := range explain(x, o) {
		for _, line := range section.Lines {
			t.debugf("%s: %s", section.Title, line)
		}
	}
}
