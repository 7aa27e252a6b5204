package preset

import (
	"io/fs"
	"maps"
	"slices"
	"testing"
	"time"
)

var ageNow = time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)

// ageEnv is a user with files, working in /home/u/p/sub.
func ageEnv(files map[string]string) Env {
	return Env{Home: "/home/u", Dir: "/home/u/p/sub", ReadFile: func(name string) ([]byte, error) {
		if text, ok := files[name]; ok {
			return []byte(text), nil
		}
		return nil, fs.ErrNotExist
	}}
}

// ageYarn has a new yarn too.
func ageYarn(files map[string]string) Env {
	all := map[string]string{"/package.json": `{"packageManager": "yarn@4.10.0"}`}
	maps.Copy(all, files)
	return ageEnv(all)
}

func TestAgesOfAllTools(t *testing.T) {
	yarn := ageYarn(nil)
	set, drop := Ages(73*time.Hour, ageNow, []string{"base", "make"}, nil, yarn)
	want := []string{
		"npm_config_before=2026-03-11T14:09:26Z",
		"pnpm_config_minimum_release_age=4380",
		"YARN_NPM_MINIMAL_AGE_GATE=4380",
		"PIP_UPLOADED_PRIOR_TO=2026-03-11T14:09:26Z",
		"UV_EXCLUDE_NEWER=2026-03-11T00:00:00Z",
		"POETRY_SOLVER_MIN_RELEASE_AGE=4",
		"BUNDLE_COOLDOWN=4",
	}
	if !slices.Equal(set, want) || len(drop) > 0 {
		t.Errorf("set %q\nwant %q\ndrop %q", set, want, drop)
	}
	set, _ = Ages(time.Second, ageNow, []string{"base", "pnpm"}, nil, yarn)
	if !slices.Contains(set, "npm_config_minimum_release_age=1") || len(set) != len(want)+1 {
		t.Errorf("under pnpm: %q", set)
	}
}

// A yarn that does not know the setting fails over it.
func TestAgesOfYarn(t *testing.T) {
	for _, c := range []struct {
		manifest, rc string
		want         bool
	}{
		{"", "", false},
		{`{"packageManager": "yarn@4.10.0+sha512.00"}`, "", true},
		{`{"packageManager": "yarn@5.0.0"}`, "nodeLinker: pnp\n", true},
		{`{"packageManager": "yarn@4.9.4"}`, "", false},
		{`{"packageManager": "yarn@1.22.22"}`, "", false},
		{`{"packageManager": "yarn@stable"}`, "", false},
		{`{"packageManager": "pnpm@10.0.0"}`, "", false},
		{`{"packageManager": 4}`, "", false},
		{"", "yarnPath: .yarn/releases/yarn-4.12.0.cjs\n", true},
		{"", "yarnPath: \".yarn/releases/yarn-3.8.7.cjs\"\n", false},
		{`{"packageManager": "yarn@4.10.0"}`, "yarnPath: .yarn/releases/yarn-3.8.7.cjs\n", false},
	} {
		env := ageEnv(map[string]string{"/home/u/p/package.json": c.manifest, "/home/u/p/.yarnrc.yml": c.rc})
		set, _ := Ages(time.Hour, ageNow, nil, nil, env)
		tool, _ := Ageless([]string{"yarn"}, []string{"yarn", "install"}, env)
		if got := slices.Contains(set, "YARN_NPM_MINIMAL_AGE_GATE=60"); got != c.want || (tool == "") != c.want {
			t.Errorf("%s %s: set %v, warned of %q; want %v", c.manifest, c.rc, got, tool, c.want)
		}
	}
}

// Variables of the user's that say more stay, in whatever case npm reads them; those
// that say less or nothing that can be read do not.
func TestAgesBesideVariables(t *testing.T) {
	for _, c := range []struct {
		has, want, drop string
	}{
		{"npm_config_before=2026-01-01", "npm_config_before=2026-01-01", ""},
		{"npm_config_before=2026-03-13", "npm_config_before=2026-03-11T15:09:26Z", ""},
		{"npm_config_before=soon", "npm_config_before=2026-03-11T15:09:26Z", ""},
		{"NPM_CONFIG_BEFORE=2026-01-01", "npm_config_before=2026-01-01", "NPM_CONFIG_BEFORE"},
		{"NPM_CONFIG_BEFORE=2027-01-01", "npm_config_before=2026-03-11T15:09:26Z", "NPM_CONFIG_BEFORE"},
		{"NPM_CONFIG_MIN_RELEASE_AGE=7", "npm_config_before=2026-03-07T15:09:26Z", ""},
		{"npm_config_min_release_age=1", "npm_config_before=2026-03-11T15:09:26Z", ""},
		{"pnpm_config_minimum_release_age=10080", "pnpm_config_minimum_release_age=10080", ""},
		{"npm_config_minimum_release_age=10080", "pnpm_config_minimum_release_age=10080", ""},
		{"YARN_NPM_MINIMAL_AGE_GATE=7d", "YARN_NPM_MINIMAL_AGE_GATE=7d", ""},
		{"YARN_NPM_MINIMAL_AGE_GATE=0", "YARN_NPM_MINIMAL_AGE_GATE=4320", ""},
		{"UV_EXCLUDE_NEWER=P7D", "UV_EXCLUDE_NEWER=P7D", ""},
		{"UV_EXCLUDE_NEWER=24 hours", "UV_EXCLUDE_NEWER=2026-03-11T00:00:00Z", ""},
		{"UV_EXCLUDE_NEWER=false", "UV_EXCLUDE_NEWER=2026-03-11T00:00:00Z", ""},
		{"pip_uploaded_prior_to=2020-01-01", "PIP_UPLOADED_PRIOR_TO=2026-03-11T15:09:26Z", ""}, // no name that pip reads
		{"POETRY_SOLVER_MIN_RELEASE_AGE=14", "POETRY_SOLVER_MIN_RELEASE_AGE=14", ""},
		{"BUNDLE_COOLDOWN=2", "BUNDLE_COOLDOWN=3", ""},
	} {
		set, drop := Ages(72*time.Hour, ageNow, nil, []string{"A=b", c.has}, ageYarn(nil))
		if !slices.Contains(set, c.want) || len(drop) > 0 != (c.drop != "") || c.drop != "" && drop[0] != c.drop {
			t.Errorf("%s: set %q, drop %q; want %s", c.has, set, drop, c.want)
		}
	}
}

// A variable beats the files of a tool, so that it must not say less than they do.
func TestAgesBesideFiles(t *testing.T) {
	for _, c := range []struct {
		file, text, want string
	}{
		{"/home/u/.npmrc", "registry=x\nmin-release-age = 7 ; days\n", "npm_config_before=2026-03-07T15:09:26Z"},
		{"/home/u/.npmrc", "min-release-age=1\n", "npm_config_before=2026-03-11T15:09:26Z"},
		{"/home/u/.npmrc", "# min-release-age=7\nmin-release-age-exclude=9\n", "npm_config_before=2026-03-11T15:09:26Z"},
		{"/home/u/p/.npmrc", "before=2026-01-01T00:00:00Z\n", "npm_config_before=2026-01-01T00:00:00Z"},
		{"/home/u/p/pnpm-workspace.yaml", "minimumReleaseAge: 10080 # a week\n", "pnpm_config_minimum_release_age=10080"},
		{"/home/u/.npmrc", "minimum-release-age=10080\n", "pnpm_config_minimum_release_age=10080"},
		{"/home/u/.yarnrc.yml", "npmMinimalAgeGate: '7d'\n", "YARN_NPM_MINIMAL_AGE_GATE=10080"},
		{"/home/u/p/sub/.yarnrc.yml", "npmMinimalAgeGate: 99999999999999\n", "YARN_NPM_MINIMAL_AGE_GATE=52560000"},
		{"/home/u/p/pyproject.toml", "[tool.uv]\nexclude-newer = \"1 week\"\n", "UV_EXCLUDE_NEWER=2026-03-07T00:00:00Z"},
		{"/home/u/.config/pip/pip.conf", "[install]\nuploaded-prior-to = 2026-01-01\n", "PIP_UPLOADED_PRIOR_TO=2026-01-01T00:00:00Z"},
		{"/home/u/p/.bundle/config", "---\nBUNDLE_COOLDOWN: \"14\"\n", "BUNDLE_COOLDOWN=14"},
	} {
		set, _ := Ages(72*time.Hour, ageNow, nil, nil, ageYarn(map[string]string{c.file: c.text}))
		if !slices.Contains(set, c.want) {
			t.Errorf("%s %q: %q\nwant %s", c.file, c.text, set, c.want)
		}
	}
}

func TestAgelessSaysWhatToDo(t *testing.T) {
	bun := []string{"base", "node-gyp", "bun"}
	for _, c := range []struct {
		parts, argv []string
		want        bool
	}{
		{bun, []string{"bun", "add", "x"}, true},
		{bun, []string{"/opt/bun", "install"}, true},
		{bun, []string{"bun", "run", "dev"}, false},
		{bun, nil, true},
		{[]string{"cargo"}, []string{"cargo", "+nightly", "update"}, true},
		{[]string{"cargo"}, []string{"cargo", "build"}, false},
		{[]string{"go"}, []string{"go", "run", "example.com/x@latest"}, true},
		{[]string{"go"}, []string{"go", "test", "./..."}, false},
		{[]string{"pdm"}, []string{"python3", "-m", "pdm", "lock"}, true},
		{[]string{"composer"}, []string{"composer", "require", "a/b"}, true},
		{[]string{"yarn"}, []string{"yarn"}, true},
		{[]string{"yarn"}, []string{"yarn", "add", "x"}, true},
		{[]string{"yarn"}, []string{"yarn", "test"}, false},
		{[]string{"npm"}, []string{"npm", "install"}, false},
	} {
		if tool, instead := Ageless(c.parts, c.argv, ageEnv(nil)); (tool != "") != c.want || (instead != "") != c.want {
			t.Errorf("%q under %q: %q, %q", c.argv, c.parts, tool, instead)
		}
	}
}

func FuzzStatedAge(f *testing.F) {
	for _, s := range []string{"7", "7d", "P7D", "PT36H", "1 week", "2026-01-01", "1e300", "NaN", "p", "-1d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if age := statedAge(s, day, ageNow); age < 0 || age > maxAge {
			t.Errorf("%q is %v", s, age)
		}
	})
}
