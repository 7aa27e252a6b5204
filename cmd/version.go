package cmd

import (
	"runtime"
	"runtime/debug"
	"strings"
)

type versionVerb struct{}

// Run prints the version and what it was built from.
func (*versionVerb) Run(t streams) error {
	words := []string{"srt", buildVersion()}
	info, _ := debug.ReadBuildInfo()
	if info != nil {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision" && s.Value != "":
				words = append(words, "commit", s.Value[:min(12, len(s.Value))])
			case s.Key == "vcs.modified" && s.Value == "true":
				words = append(words, "(changed)")
			}
		}
	}
	t.answer(strings.Join(append(words, runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH), " "))
	return nil
}

// buildVersion is the version of the module that was built, "devel" for one
// without.
func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}
