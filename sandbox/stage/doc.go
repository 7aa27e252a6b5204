// Package stage is what happens between bubblewrap and the command. Bubblewrap
// makes the namespaces and starts this very program again as the stage, with a
// few capabilities in them. The stage makes the listening sockets and hands them to srt,
// makes the mounts that srt orders, checks what it stands in, gives up what it
// has, and becomes the command.
//
// It is told what to do by an [Order] and knows no reasons. Whatever goes wrong
// ends it before the command starts.
package stage
