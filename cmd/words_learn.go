package cmd

import (
	"fmt"
	"strings"

	"github.com/srt-sh/srt/core"
)

// What srt learn says.
const (
	sayLearnAsk      = "run it again with that?"
	sayLearnStops    = "srt: these are the rules so far; it may want more once it has them"
	sayLearntNothing = "srt: nothing was refused that rules should open"
)

func sayLearnEnds(rounds int) string {
	return fmt.Sprintf("after %d runs it still wants more", rounds)
}

// sayLearnt tells of a rule that would be added.
func sayLearnt(p core.Proposal) string {
	return "srt: it wants " + p.Addition.Key + " = [" + p.Addition.Entry + "], for " + string(p.Event.Kind) + " " + p.Event.Target
}

// sayLearntFrom is the comment above rules.
func sayLearntFrom(args []string, line string) string {
	return "# learnt from: " + strings.Map(func(r rune) rune {
		if unclean(r) {
			return '?'
		}
		return r
	}, shellWords(lineWords(args, line))) + "\n"
}
