package policy

// Sensitive tells why a path should not be opened lightly, whatever the settings say:
// what is written there would run later outside, or it holds secrets. It is "" for any
// other path, which is absolute and clean.
func Sensitive(roots Roots, own []string, target string) string {
	for _, x := range protectedNames(roots, own, nil) {
		if x.Path != "" {
			root := PathRule{Path: target}
			if hit, _ := x.covers(&root, target, nil); hit {
				return x.Reason
			}
			continue
		}
		if x.FileOnly {
			continue
		}
		for range x.matches(target) {
			return x.Reason
		}
	}
	return Secret(roots, target)
}

// Secret tells what a path holds that is hidden unless settings say otherwise, "" for
// any other.
func Secret(roots Roots, target string) string {
	p, err := New(Input{Roots: roots, Paths: CredentialRules()})
	if err != nil {
		return err.Error()
	}
	if d := p.Read(target); !d.Allow {
		return d.Reason
	}
	return ""
}

// Spell is how settings name a path, as TOML has it: the home as ~, and marked as a name
// where it could be taken for a pattern.
func (p *Policy) Spell(target string) string {
	if HasGlob(target) {
		return "{ path = " + Quote(p.tilde(target)) + ", literal = true }"
	}
	return Quote(p.tilde(target))
}
