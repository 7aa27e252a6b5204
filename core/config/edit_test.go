package config

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestAdd(t *testing.T) {
	host := Addition{"network", "allowed_domains", `"x.example"`}
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "[network]\nallowed_domains = [\"x.example\"]\n"},
		{"another table", "# mine\n[filesystem]\nallow_write = ['.'] # here", "# mine\n[filesystem]\nallow_write = ['.'] # here\n\n[network]\nallowed_domains = [\"x.example\"]\n"},
		{"empty list", "[network]\nallowed_domains = []\n", "[network]\nallowed_domains = [\"x.example\"]\n"},
		{"one line", "[network]\nallowed_domains = [ \"a,]#\", 'b' ] # why\nx = 1\n", "[network]\nallowed_domains = [ \"a,]#\", 'b', \"x.example\" ] # why\nx = 1\n"},
		{"comma at the end", "[network]\nallowed_domains = [\"a\",]\n", "[network]\nallowed_domains = [\"a\", \"x.example\",]\n"},
		{
			"lines", "[network]\nallowed_domains = [\n  # first\n  \"a\", # one\n  \"b\" # two ]\n  # last\n]\n",
			"[network]\nallowed_domains = [\n  # first\n  \"a\", # one\n  \"b\", # two ]\n  # last\n  \"x.example\",\n]\n",
		},
		{"lines with a comma", "[network]\nallowed_domains = [\n\t\"a\",\n]\n", "[network]\nallowed_domains = [\n\t\"a\",\n\t\"x.example\",\n]\n"},
		{"empty lines", "[network]\nallowed_domains = [\n  # none\n]\n", "[network]\nallowed_domains = [\n  # none\n    \"x.example\",\n]\n"},
		{"windows", "[network]\r\nallowed_domains = [\r\n  \"a\"\r\n]\r\n", "[network]\r\nallowed_domains = [\r\n  \"a\",\r\n  \"x.example\",\r\n]\r\n"},
		{"end of the last line", "[network]\nstrict_allowlist = true", "[network]\nstrict_allowlist = true\nallowed_domains = [\"x.example\"]\n"},
		{"key missing", "[network]\nstrict_allowlist = true\n\n# about files\n[filesystem]\n", "[network]\nstrict_allowlist = true\nallowed_domains = [\"x.example\"]\n\n# about files\n[filesystem]\n"},
		{"empty table", "[network] # net\n[filesystem]\n", "[network] # net\nallowed_domains = [\"x.example\"]\n[filesystem]\n"},
		{"dotted", "network.denied_domains = ['*']\nx = 1\n", "network.denied_domains = ['*']\nnetwork.allowed_domains = [\"x.example\"]\nx = 1\n"},
		{"dotted list", "network . \"allowed_domains\" = ['*']\n", "network . \"allowed_domains\" = ['*', \"x.example\"]\n"},
		{"quoted header", "[\"net\\u0077ork\"]\nallowed_domains = ['''a\n''']\n", "[\"net\\u0077ork\"]\nallowed_domains = ['''a\n''', \"x.example\"]\n"},
		{"below only", "[network.parent_proxy]\nhttp = 'x'\n", "[network.parent_proxy]\nhttp = 'x'\n\n[network]\nallowed_domains = [\"x.example\"]\n"},
		{"there already", "[network]\nallowed_domains = ['x.example']\n", "[network]\nallowed_domains = ['x.example']\n"},
		{"of a rule", "[[command]]\nmatch = ['a']\n", "[[command]]\nmatch = ['a']\n\n[network]\nallowed_domains = [\"x.example\"]\n"},
		{"strings", "a = \"\"\"[network]\n\\\"\"\"\"\"\nb = '''\n[network]'''\n", "a = \"\"\"[network]\n\\\"\"\"\"\"\nb = '''\n[network]'''\n\n[network]\nallowed_domains = [\"x.example\"]\n"},
		{"inline", "network = { allowed_domains = [] }\n", ""},
		{"no list", "[network]\nallowed_domains = 1\n", ""},
		{"no TOML", "[network\n", ""},
	} {
		got, err := Add([]byte(c.text), []Addition{host})
		if c.want == "" && err == nil || c.want != "" && (err != nil || string(got) != c.want) {
			t.Errorf("%s: %v\n%s\nwant\n%s", c.name, err, got, c.want)
		}
	}
	both, err := Add([]byte("[filesystem]\nallow_write = [\n    '.',\n]\n"), []Addition{host, {"filesystem", "allow_write", `{ path = "/a*", literal = true }`}})
	if want := "[filesystem]\nallow_write = [\n    '.',\n    { path = \"/a*\", literal = true },\n]\n\n[network]\nallowed_domains = [\"x.example\"]\n"; err != nil || string(both) != want {
		t.Errorf("%v\n%s", err, both)
	}
}

func TestDiff(t *testing.T) {
	before := "a\nb\nc\nd\ne\n[network]\nx = [1]\n"
	after := "a\nb\nc\nd\ne\n[network]\nx = [1, 2]\n\n[y]\n"
	want := "--- f\n+++ f\n@@ line 4 @@\n d\n e\n [network]\n-x = [1]\n+x = [1, 2]\n+\n+[y]\n"
	if got := Diff("f", []byte(before), []byte(after)); got != want {
		t.Errorf("got\n%s", got)
	}
	if got := Diff("f", nil, []byte("x\n")); got != "--- f\n+++ f\n@@ line 1 @@\n+x\n" {
		t.Errorf("got\n%s", got)
	}
}

// What Add gives says what the text said and the addition, keeps every line of it that
// has no list in it, and can be read.
func FuzzAdd(f *testing.F) {
	for _, text := range []string{
		"", "[network]\nallowed_domains = ['a', # b\n]\n", "network.x = 1", "[[network]]\n", "a.b = \"\"\"x\"\"\"\"\n[network]#", "[network]\nallowed_domains = [[1], {a = 2}]",
		"[\"network\"]\r\n\"allowed_domains\" = [\r\n]", "x = 1979-05-27 07:32:00\n[ network ]\nallowed_domains=[]",
	} {
		f.Add(text, "x.example")
	}
	f.Fuzz(func(t *testing.T, text, entry string) {
		if !utf8.ValidString(entry) {
			return // TOML has no such strings
		}
		quoted := quote(entry)
		got, err := Add([]byte(text), []Addition{{"network", "allowed_domains", quoted}})
		if err != nil {
			if errors.Is(err, ErrEdit) {
				return
			}
			if _, bad := parseTOML([]byte(text)); bad == nil && !strings.Contains(err.Error(), "bug: the entry") {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		root, err := parseTOML(got)
		if err != nil {
			t.Fatalf("%q became %q: %v", text, got, err)
		}
		list := root.get("network", "allowed_domains").items()
		found := false
		for _, n := range list {
			found = found || n.text() == entry
		}
		if !found {
			t.Fatalf("%q became %q without %q", text, got, entry)
		}
		again, err := Add(got, []Addition{{"network", "allowed_domains", quoted}})
		if err != nil || string(again) != string(got) {
			t.Fatalf("added twice: %q, %v", again, err)
		}
		_ = Diff("f", []byte(text), got)
	})
}
