package policy

import (
	"strconv"
	"strings"
)

// Layer is a source of rules. Layers are ordered from the weakest to the
// strongest.
type Layer uint8

// The layers. The zero value is LayerDefault, what is built into srt.
const (
	LayerDefault Layer = iota
	LayerPreset
	LayerUser
	LayerProject
	LayerLocal
	LayerEnv
	LayerFlag
	LayerSettings // the file of --settings, which stands for user, project and local
	LayerManaged  // the machine-wide file: its denies cannot be lifted
)

// String returns the layer's name as users read it.
func (l Layer) String() string {
	switch l {
	case LayerDefault:
		return "default"
	case LayerPreset:
		return "preset"
	case LayerUser:
		return "user"
	case LayerProject:
		return "project"
	case LayerLocal:
		return "local"
	case LayerEnv:
		return "environment"
	case LayerFlag:
		return "flag"
	case LayerSettings:
		return "settings"
	case LayerManaged:
		return "managed"
	}
	return "layer " + strconv.Itoa(int(l))
}

// Trusted reports whether a layer may open a protected name. A repository's
// own files may not.
func (l Layer) Trusted() bool { return l != LayerProject && l != LayerLocal }

// Origin tells where a rule was written.
type Origin struct {
	Layer Layer
	File  string // as shown to the user, the home as ~; "preset NAME" for an entry of a preset; empty for default, environment and flags
	Line  int    // from 1; 0 when unknown
	Key   string // the key, variable or flag, such as filesystem.deny_read, SRT_ALLOW_WRITE or --allow-write
}

// String returns the place in the form file:line, or the name of the
// variable, flag or preset.
func (o Origin) String() string {
	switch o.Layer {
	case LayerDefault:
		return "built-in"
	case LayerEnv:
		return "$" + o.Key
	case LayerFlag:
		return o.Key
	case LayerPreset:
		if o.File == "" {
			return "$" + o.Key
		}
	case LayerUser, LayerProject, LayerLocal, LayerSettings, LayerManaged:
	}
	if o.Line == 0 {
		return o.File
	}
	return o.File + ":" + strconv.Itoa(o.Line)
}

// Rule is an entry of a list as it was written.
type Rule struct {
	Text   string // as spelled
	Origin Origin
	Reason string // why it is there, in words for the user; empty when nobody said
}

// String returns the rule's text and origin.
func (r Rule) String() string {
	var b strings.Builder
	b.WriteString(r.Text)
	b.WriteString(" (")
	b.WriteString(r.Origin.String())
	b.WriteString(")")
	return b.String()
}

// Decision is the answer to one question.
type Decision struct {
	Allow  bool
	Host   string // canonical host; empty for files and for a malformed host
	Rule   *Rule  // the rule that decided; nil when the default did
	Reason string // in words; for the network those that npm srt gives
	Hint   string // the setting that would allow it, such as allowed_domains = ["x.example"]; empty when there is none
	Nested bool   // the rule is a name protected at any depth, which holds for what was there at the start only
}
