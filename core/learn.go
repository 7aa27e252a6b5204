package core

import (
	"path"
	"slices"
	"strings"

	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/core/event"
)

// caches are folders in the home that tools keep what they could fetch again in; a * at
// the end stands for the folders in it.
func caches() []string {
	return []string{
		".cache/*", "Library/Caches/*", ".npm", ".yarn/berry", ".yarn/cache", ".pnpm-store", ".local/share/pnpm/store", ".bun/install/cache", ".node-gyp", ".electron-gyp",
		".cargo/registry", ".cargo/git", "go/pkg/mod", ".m2/repository", ".gradle/caches", ".gradle/wrapper", ".gradle/native", ".gradle/daemon", ".ivy2/cache", ".nuget/packages",
		".composer/cache", ".bundle/cache", ".hex/packages", ".cabal/packages", ".stack/pantry", ".conda/pkgs", ".local/share/NuGet", ".ccache", ".sccache",
	}
}

// cacheOf is the cache that a path belongs to, "" if it belongs to none.
func cacheOf(home, name string) string {
	rest, ok := strings.CutPrefix(name, path.Clean(home)+"/")
	if !ok {
		return ""
	}
	for _, c := range caches() {
		if dir, many := strings.CutSuffix(c, "/*"); many {
			inside, ok := strings.CutPrefix(rest, dir+"/")
			if ok {
				first, _, _ := strings.Cut(inside, "/")
				return path.Join(home, dir, first)
			}
			continue
		}
		if rest == c || strings.HasPrefix(rest, c+"/") {
			return path.Join(home, c)
		}
	}
	return ""
}

// Learn finds the smallest sensible rules for what a command was refused: the working
// folder where it writes there, caches as a whole, hosts by name. What else it wanted,
// such as secrets, other places in the home and sockets, is left for the user to decide,
// with the reason in Never or Careful.
func (d *Decided) Learn(events []event.Event) (rules, left []Proposal) {
	home := path.Clean(d.Config.Home)
	for _, e := range events {
		if !e.Kind.Blocked() {
			continue
		}
		p := d.Propose(e)
		cache := cacheOf(home, p.Path)
		switch {
		case p.Already:
			continue
		case p.Never != "" || p.Careful != "":
		case e.Kind == event.Connect:
			rules = append(rules, p)
			continue
		case e.Kind != event.Write:
			p.Careful = "it is hidden, and nothing that learns opens it"
		case inFolder(e.Target, d.Dir) && d.wide(d.Dir) == "":
			p.Path, p.Make, p.MakeDir = d.Dir, "", false
			p.Addition = config.Addition{Table: "filesystem", Key: "allow_write", Entry: `"."`}
			rules = append(rules, p)
			continue
		case cache != "" && d.Config.Sensitive(cache) == "":
			p.Path, p.Make, p.MakeDir = cache, cache, true
			p.Addition = config.Addition{Table: "filesystem", Key: "allow_write", Entry: d.Policy.Spell(cache)}
			rules = append(rules, p)
			continue
		default:
			p.Careful = "it is neither in this folder nor in a cache"
		}
		left = append(left, p)
	}
	return Smallest(rules), left
}

func inFolder(name, dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") }

// With adds rules to the options of a run, for that run.
func (o Options) With(rules []Proposal) Options {
	o.Flags.AllowDomain, o.Flags.AllowWrite = slices.Clone(o.Flags.AllowDomain), slices.Clone(o.Flags.AllowWrite)
	for _, p := range rules {
		switch {
		case p.Addition.Key == "allowed_domains":
			o.Flags.AllowDomain = append(o.Flags.AllowDomain, strings.Trim(p.Addition.Entry, `"`))
		case p.Addition.Entry == `"."`:
			o.Flags.AllowWrite = append(o.Flags.AllowWrite, ".")
		case p.Addition.Key == "allow_write":
			o.Flags.AllowWrite = append(o.Flags.AllowWrite, p.Path)
		}
	}
	return o
}
