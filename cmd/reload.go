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
	for _, place := range config.Paths(layers(o.Settings)) {
		var stat unix.Stat_t
		if place.Used && unix.Stat(place.Path, &stat) == nil && time.Unix(stat.Ctim.Unix()).After(since) {
			return true
		}
	}
	return false
}

// layers says where settings are read from. What cannot be found out here stops a
// run in core.
func layers(settings string) config.Options {
	home := os.Getenv("HOME")
	if home == "" {
		home, _ = os.UserHomeDir()
	}
	dir, _ := os.Getwd()
	return config.Options{Home: home, Dir: dir, Getenv: os.Getenv, Settings: settings, SettingsSet: settings != ""}
}
