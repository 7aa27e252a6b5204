// Package policy decides what a sandboxed command may do, and explains it.
//
// A Policy is made once from an Input whose every entry knows its origin, and
// never changes: it can be asked from many goroutines at once. Each answer is
// a Decision that names the rule behind it, or no rule when the default
// decided.
//
// Decisions are lexical. The package reads no file, resolves no name and opens
// no socket; what it has to know about the disk comes through Roots and
// Input.Lstat. Whoever enforces a Policy resolves symbolic links first and
// asks about the path that is really meant.
//
// Current limits: paths are compared byte by byte, so two spellings of one
// name on a file system that folds case or normalises Unicode are two paths
// here, except for the protected names, which compare without case. A name
// protected at any depth is decided as protected whether or not it exists; the
// mechanism can protect below a write root only what is there when it looks
// (see Decision.Nested).
package policy
