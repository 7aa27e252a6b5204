// Package core is srt as a library: it reads the settings, decides, and runs a
// command behind what the kernel enforces.
//
//	report, err := core.Run(ctx, core.Options{Args: []string{"npm", "install"}})
//
// [Run] runs a command to its end, [Wrap] gives a command line that does,
// [Explain] shows what would run and why without running it, and [Platform] tries
// out what this system can enforce. [Options] has callbacks for what is blocked and for
// hosts that no rule names, and a logger. [Violations] and [Follow] read the event log,
// and [Decide] tells which rule decides about something, and what would allow it.
//
// It fails closed: a setting that cannot be read, understood or enforced is an
// error, and the command does not run. The sandbox
// is set up by a second process of the same executable, which takes over before
// main and does not return.
package core
