// Command srt runs untrusted commands behind a wall that the kernel enforces.
package main

import (
	"os"

	"github.com/srt-sh/srt/cmd"
)

func main() { os.Exit(cmd.Main(os.Args, os.Stdin, os.Stdout, os.Stderr)) }
