package cmd

import "github.com/srt-sh/srt/core/policy"

const hintScriptWall = "srt hook npm status shows what this system can do; srt hook npm uninstall goes without"

func sayScriptWall(event string, err error) string {
	if event == "" {
		return err.Error()
	}
	return "script " + policy.Quote(event) + ": " + err.Error()
}
