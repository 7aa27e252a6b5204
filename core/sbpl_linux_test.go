package core

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// This reads and evaluates profiles of sandbox-exec(1) as its documents and those who have
// looked into it describe the language, and knows nothing of what writes them here.

// profile is one that has been read.
type profile struct {
	allow bool // what no rule speaks of
	rules []profileRule
}

type profileRule struct {
	allow   bool
	ops     []string
	filters []profileFilter // any of them; none: always
}

type profileFilter func(q profileQuestion) bool

// profileQuestion is one access.
type profileQuestion struct {
	op     string // "file-read-data"
	path   string // of a file or socket
	name   string // of a service or variable
	local  string // "host:port"
	remote string
}

// node is a list, or a word of the kind that its first byte says: s string, r raw string,
// w anything else.
type sbplNode struct {
	word string
	list []sbplNode
}

// maxSBPL is the length that strings of the language stay below, in bytes.
const maxSBPL = 1024

type sbplReader struct {
	text string
	at   int
}

func (r *sbplReader) space() {
	for r.at < len(r.text) {
		switch r.text[r.at] {
		case ';':
			for r.at < len(r.text) && r.text[r.at] != '\n' {
				r.at++
			}
		case ' ', '\n', '\t':
			r.at++
		default:
			return
		}
	}
}

func (r *sbplReader) node() (sbplNode, error) {
	r.space()
	if r.at == len(r.text) {
		return sbplNode{}, fmt.Errorf("the text ends")
	}
	rest := r.text[r.at:]
	switch {
	case rest[0] == '(':
		r.at++
		n := sbplNode{list: []sbplNode{}}
		for {
			if r.space(); r.at < len(r.text) && r.text[r.at] == ')' {
				r.at++
				return n, nil
			}
			inner, err := r.node()
			if err != nil {
				return n, err
			}
			n.list = append(n.list, inner)
		}
	case strings.HasPrefix(rest, `#"`):
		end := strings.IndexByte(rest[2:], '"')
		if end < 0 || end > maxSBPL {
			return sbplNode{}, fmt.Errorf("raw string without an end or too long: %.80s", rest)
		}
		r.at += end + 3
		return sbplNode{word: "r" + rest[2:end+2]}, nil
	case rest[0] == '"':
		word := "s"
		for i := 1; i < len(rest); i++ {
			switch c := rest[i]; {
			case c == '"':
				if i > maxSBPL {
					return sbplNode{}, fmt.Errorf("string of %d bytes", i)
				}
				r.at += i + 1
				return sbplNode{word: word}, nil
			case c == '\\':
				if i++; i == len(rest) || rest[i] != '"' && rest[i] != '\\' {
					return sbplNode{}, fmt.Errorf("escape in %.80s", rest)
				}
				word += rest[i : i+1]
			case c < ' ' || c == 0x7f:
				return sbplNode{}, fmt.Errorf("control character in %.80s", rest)
			default:
				word += rest[i : i+1]
			}
		}
		return sbplNode{}, fmt.Errorf("string without an end")
	case rest[0] == ')':
		return sbplNode{}, fmt.Errorf("a parenthesis too many at %d", r.at)
	}
	end := strings.IndexAny(rest, " \n\t();\"")
	if end < 0 {
		end = len(rest)
	}
	r.at += end
	return sbplNode{word: "w" + rest[:end]}, nil
}

func (n sbplNode) head() string {
	if len(n.list) == 0 {
		return ""
	}
	return n.list[0].word
}

func (n sbplNode) text() (string, bool) {
	if n.list != nil || n.word == "" || n.word[0] == 'w' {
		return "", false
	}
	return n.word[1:], true
}

// sbplOps are the operations that there are.
var sbplOps = strings.Fields(`appleevent-send default distributed-notification-post file-ioctl file-read-data
 file-read-metadata file-read-xattr file-write-create file-write-data file-write-flags file-write-mode
 file-write-owner file-write-times file-write-unlink file-write-xattr iokit-get-properties iokit-open
 ipc-posix-sem ipc-posix-shm job-creation lsopen mach-lookup mach-priv-task-port mach-register
 network-bind network-inbound network-outbound process-exec process-fork process-info-pidinfo pseudo-tty
 signal sysctl-read sysctl-write system-socket user-preference-read user-preference-write`)

func opMatches(pattern, op string) bool {
	start, open := strings.CutSuffix(pattern, "*")
	return pattern == op || open && strings.HasPrefix(op, start)
}

// readProfile reads a profile, or says what would be refused.
func readProfile(text string) (*profile, error) {
	r := &sbplReader{text: text}
	p := &profile{}
	for first := true; ; first = false {
		if r.space(); r.at == len(text) {
			return p, nil
		}
		n, err := r.node()
		if err != nil {
			return nil, err
		}
		if first {
			if n.head() != "wversion" || len(n.list) != 2 || n.list[1].word != "w1" {
				return nil, fmt.Errorf("it does not begin with its version")
			}
			continue
		}
		if err := p.add(n); err != nil {
			return nil, err
		}
	}
}

func (p *profile) add(n sbplNode) error {
	rule := profileRule{allow: n.head() == "wallow"}
	if !rule.allow && n.head() != "wdeny" {
		return fmt.Errorf("neither allow nor deny: %q", n.head())
	}
	for _, part := range n.list[1:] {
		switch {
		case part.list == nil && part.word[0] == 'w' && len(rule.filters) == 0:
			op := part.word[1:]
			if !slices.ContainsFunc(sbplOps, func(known string) bool { return opMatches(op, known) }) {
				return fmt.Errorf("unknown operation %q", op)
			}
			rule.ops = append(rule.ops, op)
		case part.head() == "wwith":
			if len(part.list) != 3 || part.list[1].word != "wmessage" || rule.allow {
				return fmt.Errorf("a message that is none")
			}
		default:
			f, err := readFilter(part)
			if err != nil {
				return err
			}
			rule.filters = append(rule.filters, f)
		}
	}
	if len(rule.ops) == 0 {
		return fmt.Errorf("a rule about nothing")
	}
	if rule.ops[0] == "default" {
		p.allow = rule.allow
		return nil
	}
	p.rules = append(p.rules, rule)
	return nil
}

// sbplCompiled keeps expressions, most of which stand in every profile.
var sbplCompiled = map[string]*regexp.Regexp{}

func readFilter(n sbplNode) (profileFilter, error) {
	if len(n.list) < 2 {
		return nil, fmt.Errorf("a filter without a value: %v", n)
	}
	text, isText := n.list[1].text()
	raw := isText && n.list[1].word[0] == 'r'
	switch head := n.head(); head {
	case "wrequire-all", "wrequire-any", "wrequire-not":
		var inner []profileFilter
		for _, part := range n.list[1:] {
			f, err := readFilter(part)
			if err != nil {
				return nil, err
			}
			inner = append(inner, f)
		}
		return func(q profileQuestion) bool {
			held := 0
			for _, f := range inner {
				if f(q) {
					held++
				}
			}
			return head == "wrequire-all" && held == len(inner) || head == "wrequire-any" && held > 0 || head == "wrequire-not" && held == 0
		}, nil
	case "wliteral", "wpath-literal", "wsubpath", "wprefix":
		if !isText || raw || !strings.HasPrefix(text, "/") || head != "wprefix" && len(text) > 1 && strings.HasSuffix(text, "/") {
			return nil, fmt.Errorf("%s of %q", head[1:], text)
		}
		return func(q profileQuestion) bool {
			switch head {
			case "wprefix":
				return strings.HasPrefix(q.path, text)
			case "wsubpath":
				return q.path == text || strings.HasPrefix(q.path, strings.TrimSuffix(text, "/")+"/")
			}
			return q.path == text
		}, nil
	case "wregex", "wpath-regex":
		// What is beyond the plainest of expressions is not documented.
		if !raw || strings.ContainsAny(text, "\\{}") || strings.Contains(text, "(?") || !strings.HasPrefix(text, "^") {
			return nil, fmt.Errorf("regular expression %q", text)
		}
		re := sbplCompiled[text]
		if re == nil {
			var err error
			if re, err = regexp.Compile("(?s)" + text); err != nil {
				return nil, err
			}
			sbplCompiled[text] = re
		}
		return func(q profileQuestion) bool { return q.path != "" && re.MatchString(q.path) }, nil
	case "wglobal-name", "wsysctl-name":
		return func(q profileQuestion) bool { return q.name == text }, nil
	case "wglobal-name-prefix", "wsysctl-name-prefix":
		return func(q profileQuestion) bool { return q.name != "" && strings.HasPrefix(q.name, text) }, nil
	case "wlocal", "wremote":
		return readAddress(n)
	case "wtarget", "wsocket-domain", "wsocket-protocol", "wiokit-registry-entry-class", "wiokit-user-client-class":
		return func(profileQuestion) bool { return true }, nil
	}
	return nil, fmt.Errorf("unknown filter %q", n.head())
}

var sbplAddress = regexp.MustCompile(`^(localhost|\*):(\*|[0-9]{1,5})$`)

func readAddress(n sbplNode) (profileFilter, error) {
	side := func(q profileQuestion) string { return q.local }
	if n.head() == "wremote" {
		side = func(q profileQuestion) string { return q.remote }
	}
	switch n.list[1].word {
	case "wunix-socket":
		if len(n.list) != 3 {
			return nil, fmt.Errorf("sockets of any path")
		}
		inner, err := readFilter(n.list[2])
		return func(q profileQuestion) bool { return q.local == "" && q.remote == "" && inner(q) }, err
	case "wip", "wtcp", "wudp":
		text, _ := n.list[2].text()
		parts := sbplAddress.FindStringSubmatch(text)
		if parts == nil {
			return nil, fmt.Errorf("an address has to be localhost or *: %q", text)
		}
		return func(q profileQuestion) bool {
			host, port, ok := strings.Cut(side(q), ":")
			return ok && (parts[1] == "*" || parts[1] == host) && (parts[2] == "*" || parts[2] == port)
		}, nil
	}
	return nil, fmt.Errorf("unknown kind of address %q", n.list[1].word)
}

// allows decides: the last rule that matches wins.
func (p *profile) allows(q profileQuestion) bool {
	for _, r := range slices.Backward(p.rules) {
		if !slices.ContainsFunc(r.ops, func(op string) bool { return opMatches(op, q.op) }) {
			continue
		}
		if len(r.filters) == 0 || slices.ContainsFunc(r.filters, func(f profileFilter) bool { return f(q) }) {
			return r.allow
		}
	}
	return p.allow
}

func (p *profile) file(op, path string) bool {
	return p.allows(profileQuestion{op: op, path: path})
}
