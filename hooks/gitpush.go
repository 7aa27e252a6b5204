package hooks

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/srt-sh/srt/core"
)

// A push to a path of this machine runs the hooks of the repository there, and what its
// configuration says. git starts receive-pack for that and hands no settings on. So srt
// git takes the place of git there, by a setting of the remote.

// receiver is the value of that setting. git gives it to a shell, with the path behind.
func (v Views) receiver() string { return quoteSh(v.Srt) + " git -- receive-pack" }

// served is the repository that a command works in which is given it as its argument, as
// receive-pack is. The first result tells whether the command is one of those.
func (l GitLine) served(dir string) (bool, *core.GitRepository, error) {
	if l.Command != "receive-pack" && l.Command != "upload-pack" && l.Command != "upload-archive" || len(l.Args) == 0 {
		return false, nil, nil
	}
	path := l.Args[len(l.Args)-1]
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	// In git's own order (path.c, enter_repo).
	for _, suffix := range []string{"/.git", "", ".git/.git", ".git"} {
		r, err := core.GitAt(path + suffix)
		if r != nil || err != nil {
			return true, r, err //nolint:wrapcheck // names the file
		}
	}
	return true, nil, nil
}

// localRemotes names the remotes of a push, all of whose URLs are paths of this machine:
// what a setting of the remote then says is meant for no other.
func localRemotes(l GitLine, settings []core.GitSetting) []string {
	if l.Command != "push" {
		return nil
	}
	target, receiver := pushTarget(l.Args)
	if receiver || intoSubmodules(l.Args, settings) {
		return nil
	}
	type urls struct {
		fetch, push []string
		own         bool // the user has set who receives
	}
	remotes := map[string]*urls{}
	for _, s := range settings {
		rest, ok := strings.CutPrefix(s.Key, "remote.")
		at := strings.LastIndexByte(rest, '.')
		if !ok || at < 0 {
			continue
		}
		name := rest[:at]
		u := remotes[name]
		if u == nil {
			u = &urls{}
			remotes[name] = u
		}
		switch rest[at+1:] {
		case "url":
			u.fetch = append(u.fetch, s.Value)
		case "pushurl":
			u.push = append(u.push, s.Value)
		case "receivepack":
			u.own = true
		}
	}
	if target != "" && remotes[target] == nil {
		remotes[target] = &urls{fetch: []string{target}}
	}
	var names []string
	for name, u := range remotes {
		list := u.push
		if len(list) == 0 {
			list = u.fetch
		}
		if len(list) > 0 && !u.own && !slices.ContainsFunc(list, func(url string) bool { return !localURL(rewrite(url, len(u.push) == 0, settings)) }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// pushTarget finds the repository among the words behind push, and whether they name a
// program to receive it.
func pushTarget(args []string) (target string, receiver bool) {
	for i := 0; i < len(args); i++ {
		name, value, joined := strings.Cut(args[i], "=")
		switch name {
		case "--receive-pack", "--exec":
			return "", true
		case "--repo":
			if !joined && i+1 < len(args) {
				i++
				value = args[i]
			}
			target = value
			continue
		case "-o", "--push-option", "--recurse-submodules":
			if !joined {
				i++
			}
			continue
		case "--":
			if i+1 < len(args) {
				return args[i+1], false
			}
			return target, false
		}
		if !strings.HasPrefix(args[i], "-") {
			return args[i], false
		}
	}
	return target, false
}

// intoSubmodules reports whether a push goes on in submodules, which have remotes of
// their own under the same names, and get the settings too.
func intoSubmodules(args []string, settings []core.GitSetting) bool {
	deep := func(value string) bool { return value == "on-demand" || value == "only" }
	for i, word := range args {
		value, ok := strings.CutPrefix(word, "--recurse-submodules")
		if ok && (deep(strings.TrimPrefix(value, "=")) || value == "" && i+1 < len(args) && deep(args[i+1])) {
			return true
		}
	}
	for _, s := range settings {
		if s.Key == "push.recursesubmodules" && deep(s.Value) || s.Key == "submodule.recurse" {
			return true
		}
	}
	return false
}

// rewrite applies url.BASE.insteadOf and, for a URL that is not for pushing alone,
// pushInsteadOf: the longest that fits.
func rewrite(url string, fetch bool, settings []core.GitSetting) string {
	best, base := "", ""
	for _, key := range []string{".pushinsteadof", ".insteadof"} {
		if key == ".pushinsteadof" && !fetch {
			continue
		}
		for _, s := range settings {
			if strings.HasPrefix(s.Key, "url.") && strings.HasSuffix(s.Key, key) && len(s.Value) > len(best) && strings.HasPrefix(url, s.Value) {
				best, base = s.Value, strings.TrimSuffix(strings.TrimPrefix(s.Key, "url."), key)
			}
		}
		if best != "" {
			return base + strings.TrimPrefix(url, best)
		}
	}
	return url
}

// localURL reports whether git takes a URL for a path of this machine (connect.c,
// url_is_local_not_ssh).
func localURL(url string) bool {
	if strings.HasPrefix(url, "file://") {
		return true
	}
	colon, slash := strings.IndexByte(url, ':'), strings.IndexByte(url, '/')
	return colon < 0 || slash >= 0 && slash < colon
}
