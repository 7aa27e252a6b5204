package preset

import (
	"encoding/json"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ageTool is how a tool is told to pass over releases that are too young.
type ageTool struct {
	variable string // set for every command, since a Makefile may run any of them
	preset   string // but if this is not empty, under that preset only
	fold     bool   // the tool reads the name in capitals as well
	format   func(age time.Duration, now time.Time) string
	listens  func(Env) bool // where older versions fail over the variable; nil: they take no notice

	// What else says it. The variable takes the place of it all, so what is there and
	// says more is what the variable has to say.
	unit      time.Duration // of a plain number
	variables []string      // in capitals
	keys      []string      // of the files
	user      []string      // files below the home folder
	project   []string      // files in the working folder and above
}

// ageTools are the tools that can be told by a variable; docs/presets.md has the versions
// that listen.
func ageTools() []ageTool {
	npm := ageTool{
		// npm's own min-release-age has no effect beside before, of an npmrc neither.
		variable: "npm_config_before", fold: true, format: ageDate, unit: day,
		variables: []string{"NPM_CONFIG_BEFORE", "NPM_CONFIG_MIN_RELEASE_AGE"},
		keys:      []string{"before", "min-release-age"},
		user:      []string{".npmrc"}, project: []string{".npmrc"},
	}
	pnpm := ageTool{
		variable: "pnpm_config_minimum_release_age", fold: true, format: ageMinutes, unit: time.Minute,
		variables: []string{"PNPM_CONFIG_MINIMUM_RELEASE_AGE", "NPM_CONFIG_MINIMUM_RELEASE_AGE"},
		keys:      []string{"minimum-release-age", "minimumReleaseAge"},
		user:      []string{".npmrc", ".config/pnpm/rc", ".config/pnpm/config.yaml", "Library/Preferences/pnpm/rc", "Library/Preferences/pnpm/config.yaml"},
		project:   []string{".npmrc", "pnpm-workspace.yaml"},
	}
	// pnpm 10 reads this one, and npm complains of it.
	pnpm10 := pnpm
	pnpm10.variable, pnpm10.preset = "npm_config_minimum_release_age", "pnpm"
	return []ageTool{
		npm, pnpm, pnpm10,
		{
			variable: "YARN_NPM_MINIMAL_AGE_GATE", listens: yarnListens, format: ageMinutes, unit: time.Minute, // its first versions misread days
			variables: []string{"YARN_NPM_MINIMAL_AGE_GATE"}, keys: []string{"npmMinimalAgeGate"},
			user: []string{".yarnrc.yml"}, project: []string{".yarnrc.yml"},
		},
		{
			variable: "PIP_UPLOADED_PRIOR_TO", format: ageDate, unit: day,
			variables: []string{"PIP_UPLOADED_PRIOR_TO"}, keys: []string{"uploaded-prior-to"},
			user: []string{".config/pip/pip.conf", ".pip/pip.conf", "Library/Application Support/pip/pip.conf"},
		},
		{
			variable: "UV_EXCLUDE_NEWER", format: ageMidnight, unit: day,
			variables: []string{"UV_EXCLUDE_NEWER"}, keys: []string{"exclude-newer"},
			user: []string{".config/uv/uv.toml"}, project: []string{"uv.toml", "pyproject.toml"},
		},
		{
			variable: "POETRY_SOLVER_MIN_RELEASE_AGE", format: ageDays, unit: day,
			variables: []string{"POETRY_SOLVER_MIN_RELEASE_AGE"}, keys: []string{"min-release-age"},
			user: []string{".config/pypoetry/config.toml", "Library/Application Support/pypoetry/config.toml"}, project: []string{"poetry.toml"},
		},
		{
			variable: "BUNDLE_COOLDOWN", format: ageDays, unit: day,
			variables: []string{"BUNDLE_COOLDOWN"}, keys: []string{"BUNDLE_COOLDOWN", ":cooldown"},
			user: []string{".bundle/config", ".gemrc"}, project: []string{".bundle/config"},
		},
	}
}

type agelessTool struct {
	preset, instead string
	matches         string // patterns, with | between
	unless          func(Env) bool
}

// ageless are the tools that no variable can tell: the presets, the commands that pick
// releases, and what a user can do. What only builds from a lock file is left out, so
// that the warning stays rare enough to be read.
func ageless() []agelessTool {
	return []agelessTool{
		{"bun", "set minimumReleaseAge (seconds) of [install] in bunfig.toml", "bun {a,add,c,create,i,install,update,x} *|bunx *", nil},
		{"cargo", "look at what changes in Cargo.lock, and build with --locked", "cargo {add,fetch,generate-lockfile,install,update} *|cargo +* {add,fetch,generate-lockfile,install,update} *", nil},
		{"go", "look at what changes in go.mod, and name versions in place of @latest", "go {get,install,mod} *|go {run,tool} *@*", nil},
		{"composer", "use the cooldown policy of Composer 2.11 in composer.json", "composer {create-project,global,i,install,r,require,u,update,upgrade} *", nil},
		{"pdm", "lock with pdm lock --exclude-newer 3d (2.26.8; a date before), and install with pdm sync", "pdm {add,install,lock,update} *|python{,3,3.*} -m pdm {add,install,lock,update} *", nil},
		{"yarn", "name Yarn 4.10 or newer as packageManager in package.json", "{yarn,yarnpkg}|{yarn,yarnpkg} {-*,add,create,dlx,init,install,up,upgrade} *", yarnListens},
	}
}

const day = 24 * time.Hour

func ageDate(age time.Duration, now time.Time) string {
	return now.Add(-age).UTC().Format(time.RFC3339)
}

// ageMidnight is the last midnight before the date: uv writes it into its lock file,
// which is to change once a day and not with each run.
func ageMidnight(age time.Duration, now time.Time) string {
	return now.Add(-age).UTC().Truncate(day).Format(time.RFC3339)
}

func ageMinutes(age time.Duration, _ time.Time) string { return ageIn(age, time.Minute) }
func ageDays(age time.Duration, _ time.Time) string    { return ageIn(age, day) }

// ageIn rounds up: a release is rather too old than too young.
func ageIn(age, unit time.Duration) string {
	return strconv.FormatInt(int64((age+unit-1)/unit), 10)
}

// Parts are the names of a preset and of all that it extends.
func (s *Set) Parts(p *Preset) []string {
	chain, err := s.chain(p)
	if err != nil {
		return []string{p.Name} // Config says what is wrong
	}
	var names []string
	for _, part := range chain {
		names = append(names, part.Name)
	}
	return names
}

// Ages are the variables, as NAME=value, that make tools pass over releases younger
// than age, for a command under a preset of those parts; and the names that would stand
// in their way, which the command must not have. A variable of the user's that says more
// stays as it is, and what a tool's own files say counts where it is longer.
func Ages(age time.Duration, now time.Time, parts, environ []string, env Env) (set, drop []string) {
	for _, t := range ageTools() {
		if t.preset != "" && !slices.Contains(parts, t.preset) {
			continue
		}
		if t.listens != nil && !t.listens(env) && env.getenv(t.variable) == "" {
			continue
		}
		longest, kept := max(age, t.inFiles(now, env)), ""
		var same []string
		for _, entry := range environ {
			name, value, _ := strings.Cut(entry, "=")
			folded := name
			if t.fold {
				folded = strings.ToUpper(name)
			}
			if name == t.variable || t.fold && folded == strings.ToUpper(t.variable) {
				same = append(same, name)
			}
			if !slices.Contains(t.variables, folded) {
				continue
			}
			if said := statedAge(value, t.unit, now); said >= longest {
				longest, kept = said, entry
			}
		}
		value := t.variable + "=" + t.format(longest, now)
		if name, said, ok := strings.Cut(kept, "="); ok && slices.Contains(same, name) {
			value = t.variable + "=" + said
		}
		set = append(set, value)
		for _, name := range same {
			if name != t.variable {
				drop = append(drop, name)
			}
		}
	}
	return set, drop
}

// Ageless says which tool that cannot be told an age a command picks releases with, and
// what to do instead; both are "" if it is not such a command. Without a command it is
// about the preset.
func Ageless(parts, argv []string, env Env) (tool, instead string) {
	for _, t := range ageless() {
		if !slices.Contains(parts, t.preset) || t.unless != nil && t.unless(env) {
			continue
		}
		matches := func(pattern string) bool { return MatchCommand(pattern, argv) }
		if argv == nil || slices.ContainsFunc(strings.Split(t.matches, "|"), matches) {
			return t.preset, t.instead
		}
	}
	return "", ""
}

// yarnListens reports whether the project says that its yarn is one that knows
// npmMinimalAgeGate, 4.10 or newer. Those of 2 and later that do not know it refuse to
// run with its variable, and yarn 1 takes no notice.
func yarnListens(env Env) bool {
	if !path.IsAbs(env.Dir) {
		return false
	}
	for dir := path.Clean(env.Dir); ; dir = path.Dir(dir) {
		var versions []string
		if data, err := env.read(path.Join(dir, "package.json")); err == nil {
			var file struct{ PackageManager string }
			if json.Unmarshal(data, &file) == nil && strings.HasPrefix(file.PackageManager, "yarn@") {
				versions = append(versions, strings.TrimPrefix(file.PackageManager, "yarn@"))
			}
		}
		if data, err := env.read(path.Join(dir, ".yarnrc.yml")); err == nil {
			for line := range strings.Lines(string(data)) {
				if file, ok := strings.CutPrefix(line, "yarnPath:"); ok {
					_, version, _ := strings.Cut(path.Base(unquote(strings.TrimSpace(file))), "yarn-")
					versions = append(versions, version)
				}
			}
		}
		if len(versions) > 0 {
			return !slices.ContainsFunc(versions, func(v string) bool { return !atLeast(v, 4, 10) })
		}
		if dir == "/" {
			return false
		}
	}
}

// atLeast compares the first two numbers of a version.
func atLeast(version string, major, minor int) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	a, errA := strconv.Atoi(parts[0])
	b, errB := strconv.Atoi(parts[1])
	return errA == nil && errB == nil && (a > major || a == major && b >= minor)
}

// inFiles is the longest age that the tool's own files say.
func (t *ageTool) inFiles(now time.Time, env Env) time.Duration {
	var longest time.Duration
	look := func(dir string, names []string) {
		for _, name := range names {
			data, err := env.read(path.Join(dir, name))
			if err != nil || len(data) > maxFile {
				continue
			}
			for line := range strings.Lines(string(data)) {
				longest = max(longest, t.inLine(line, now))
			}
		}
	}
	if path.IsAbs(env.Home) {
		look(env.Home, t.user)
	}
	if path.IsAbs(env.Dir) && len(t.project) > 0 {
		for dir := path.Clean(env.Dir); ; dir = path.Dir(dir) {
			look(dir, t.project)
			if dir == "/" {
				break
			}
		}
	}
	return longest
}

// inLine reads a line of an ini, TOML or YAML file: a key of the tool's, = or :, and a
// value. In which table it stands makes no difference: what is read too much makes
// releases older than they need to be.
func (t *ageTool) inLine(line string, now time.Time) time.Duration {
	line = strings.TrimSpace(line)
	for _, key := range t.keys {
		rest, ok := strings.CutPrefix(strings.TrimLeft(line, `"'`), key)
		rest = strings.TrimLeft(rest, "\"' \t")
		if !ok || rest == "" || rest[0] != '=' && rest[0] != ':' {
			continue
		}
		return statedAge(unquote(strings.TrimSpace(rest[1:])), t.unit, now)
	}
	return 0
}

// statedAge reads what any of the tools takes for an age or a date, 0 for what is
// neither: a number of the unit, 7d and the like, 7 days, P7D and PT36H, and dates.
func statedAge(s string, unit time.Duration, now time.Time) time.Duration {
	s = strings.Trim(strings.TrimSpace(s), `"'`)
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", time.DateOnly} {
		// Those without a zone are in that of the user.
		if date, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return clampAge(now.Sub(date))
		}
	}
	text := strings.ToLower(s)
	if iso, ok := strings.CutPrefix(text, "p"); ok {
		text = iso
		if days, hours, ok := strings.Cut(iso, "t"); ok && days == "" {
			text = hours
		}
	}
	digits := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyz ")
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || !(n > 0) {
		return 0
	}
	if word := strings.TrimSpace(text[len(digits):]); word != "" {
		units := map[string]time.Duration{"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": day, "w": 7 * day}
		for name, long := range map[string]string{"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week"} {
			units[long], units[long+"s"] = units[name], units[name]
		}
		if unit = units[word]; unit == 0 {
			return 0
		}
	}
	if n > float64(maxAge/unit) {
		return maxAge
	}
	return clampAge(time.Duration(n * float64(unit)))
}

// maxAge is what the settings allow at most too.
const maxAge = 36500 * day

func clampAge(age time.Duration) time.Duration { return max(0, min(age, maxAge)) }
