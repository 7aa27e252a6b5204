package cmd

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/core/config"
)

// settingsChanged reports whether a settings file has changed since a moment: a
// SIGHUP then means to read them again. Else it means what it means to every
// program, that the terminal is gone, and belongs to the command.
func settingsChanged(o core.Options, since time.Time) bool {
	from, err := layers(o.Settings)
	if err != nil {
		return false
	}
	from.NoProject = o.NoProject
	// What is trusted decides what the files of a repository mean.
	places := append(config.Paths(from), config.LayerPath{Path: config.TrustDir(from), Used: o.Settings == "" && !o.NoProject})
	for _, place := range places {
		var stat unix.Stat_t
		if place.Used && unix.Stat(place.Path, &stat) == nil && time.Unix(stat.Ctim.Unix()).After(since) {
			return true
		}
	}
	return false
}

// layers says where settings are read from. What is missing for that stops a run
// in core.
func layers(settings string) (config.Options, error) {
	home, dir, err := core.Options{}.Roots()
	return config.Options{Home: home, Dir: dir, Getenv: os.Getenv, Settings: settings, SettingsSet: settings != "", Repository: core.Repository}, err //nolint:wrapcheck // says what it means
}
