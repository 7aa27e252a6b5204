package cmd

import (
	"fmt"
	"strconv"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/core/policy"
)

// What srt why and srt allow say.
const (
	sayWhyOne      = "why explains one thing at a time"
	sayWhyEvent    = "event"
	sayWhyRules    = "rules of"
	sayNothingHere = "nothing was blocked in this folder"
	hintViolations = "srt violations lists what was"
	whyWidth       = 10

	sayAllowWhat     = "allow needs a number of srt violations, or --last"
	sayAllowOne      = "--user, --project and --once are one or the other"
	sayAllowNothing  = "there is nothing to allow"
	sayAllowedByNow  = "it is allowed by now"
	hintForce        = "--force allows it all the same"
	sayAllowAsk      = "this is no terminal, so nothing is asked and nothing is allowed"
	hintAllowYes     = "--yes allows it without a question"
	sayNotAllowed    = "nothing was allowed"
	sayOnceAsk       = "run it?"
	sayOnceSocket    = "a socket cannot be allowed for once"
	sayForEveryone   = "it holds for all of your commands, wherever; --project is for this folder alone"
	sayForRepository = "it holds for commands in this folder, and is trusted"
)

func sayClipped(n int) string {
	return fmt.Sprintf("number %d is not whole in the event log, so that the command is not known", n)
}

func sayNotRepeatable(n int) string {
	return fmt.Sprintf("the command of number %d is not known", n)
}
func sayNoViolation(n int) string      { return fmt.Sprintf("there is no number %d", n) }
func sayKeepWith(keep string) string   { return "kept as it is by " + keep }
func sayNotLightly(why string) string  { return "not to be opened lightly: " + why }
func sayWouldAllow(hint string) string { return "allowed by " + hint }

// whyRules says which rules an answer is about.
func whyRules(d *core.Decided) string {
	text := "any command that no preset fits"
	if len(d.Args) > 0 {
		text = shellWords(d.Args)
	}
	if d.Preset != "" {
		text += ", preset " + d.Preset
	}
	return text + ", in " + d.Dir
}

// whyLines spell an answer.
func whyLines(a answer) []string {
	verdict := "no"
	if a.Allow {
		verdict = "yes"
	}
	line := pad(a.Act, whyWidth) + a.Target + ": " + verdict
	if a.Reason != "" {
		line += ", " + a.Reason
	}
	if a.Rule != "" {
		place := a.File
		if a.Line > 0 {
			place += ":" + strconv.Itoa(a.Line)
		}
		line += ", by " + strconv.Quote(a.Rule) + " of " + place
	} else if a.Allow {
		line += ", since no rule denies it"
	}
	lines := []string{line}
	if a.Change != "" {
		lines = append(lines, pad("", whyWidth)+a.Change)
	}
	return lines
}

// whyChange says what would change a decision.
func whyChange(d policy.Decision) string {
	switch {
	case d.Allow:
		return ""
	case d.Hint != "":
		return sayWouldAllow(d.Hint)
	case d.Rule == nil:
		return "no setting allows it"
	case d.Rule.Origin.Layer == policy.LayerManaged:
		return "the machine-wide settings say so, and no other can lift that"
	case d.Rule.Origin.Layer == policy.LayerDefault:
		return "no setting allows it"
	case d.Rule.Origin.Layer == policy.LayerFlag, d.Rule.Origin.Layer == policy.LayerEnv:
		return "allowed without " + d.Rule.Origin.String() + ", if another rule allows it"
	}
	return "allowed without " + d.Rule.Origin.String() + ", if another rule allows it"
}

func sayLeftOut(p core.Proposal, why string) string {
	return "left out " + string(p.Event.Kind) + " " + p.Event.Target + ": " + why
}

func sayStillDenied(d policy.Decision) string {
	text := "it would still be refused: " + d.Reason
	if d.Rule != nil {
		text += ", by " + d.Rule.String()
	}
	return text
}

func sayMakes(p core.Proposal) string {
	if p.MakeDir {
		return "and makes the folder " + p.Make
	}
	return "and makes the empty file " + p.Make
}

func sayAllowQuestion(c *config.Change, project bool) string {
	if project {
		return "write it to " + c.Shown + "? " + sayForRepository
	}
	return "write it to " + c.Shown + "? " + sayForEveryone
}
func sayUndo(c *config.Change) string { return "to undo it, take these lines out of " + c.Shown }

func sayTold(n int) string {
	if n == 1 {
		return "srt: the command that runs has got it"
	}
	return fmt.Sprintf("srt: %d commands that run have got it", n)
}

const hintAllowLast = "srt allow --last"

const hintAllowSettings = "add it to that file, or run the command without --settings"

func sayAllowSettings(file string) string {
	return "the command was run with --settings " + file + ", for which your settings do not count"
}
