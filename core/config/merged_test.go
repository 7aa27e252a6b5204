package config

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMerged(t *testing.T) {
	npm, err := os.ReadFile("testdata/npm.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		prep func(*host)
	}{
		{"toml", func(h *host) {
			h.user(fullTOML)
			h.env["SRT_ALLOW_READ"] = "/env"
			h.opts.Flags.AllowDomain = []string{"[2001:db8::1]:443"}
			h.managed("[network]\ndenied_domains = ['evil.test']\n")
		}},
		{"npm", func(h *host) { h.npm(string(npm)) }},
		{"odd", func(h *host) {
			h.user("[filesystem]\nallow_write = [\"a\\\"b\\\\c\\n\\u001b\\u202ed\", 'é']\ndeny_read = ['[x']\n")
		}},
	} {
		for _, origin := range []bool{false, true} {
			h := newHost(t)
			c.prep(h)
			cfg, _ := h.load()
			got := strings.ReplaceAll(cfg.Merged(origin), filepath.Dir(h.opts.Home), "/T")
			name := c.name
			if origin {
				name += ".origin"
			}
			golden := filepath.Join("testdata", name+".golden.toml")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
			}
			if _, err := parseFile([]byte(got), "merged", true, false); err != nil {
				t.Errorf("%s is not accepted: %v", name, err)
			}
		}
	}
}

func TestSchema(t *testing.T) {
	var s struct {
		Properties map[string]struct {
			Properties map[string]any
		}
	}
	if err := json.Unmarshal(Schema(), &s); err != nil {
		t.Fatal(err)
	}
	if s.Properties["network"].Properties["allowed_domains"] == nil || s.Properties["windows"].Properties != nil {
		t.Error("the schema is not that of the TOML form")
	}
	for section, p := range s.Properties {
		for key, v := range p.Properties {
			if m, ok := v.(map[string]any); !ok || m["description"] == nil {
				t.Errorf("%s.%s has no description", section, key)
			}
		}
	}
}

// Denies that nothing re-opens stay such when the merged settings are read.
func TestMergedFirm(t *testing.T) {
	h := newHost(t)
	h.managed("[filesystem]\ndeny_read = ['~/a', { path = '/x/b*', literal = true }]\n")
	h.user("[permissions]\ndeny = ['Read(~/c)', 'Read(//d)']\n")
	c, _ := h.load()
	h.managed("[network]\n")
	h.user(c.Merged(true) + "[filesystem]\nallow_read = ['~/a/x', '/x/b*/x', '~/c/x', '/d/x']\n")
	_, pol := h.load()
	for _, p := range []string{h.home("a/x"), "/x/b*/x", h.home("c/x"), "/d/x"} {
		if pol.Read(p).Allow {
			t.Errorf("%s is open", p)
		}
	}
	if !pol.Read("/x/bc/x").Allow {
		t.Error("a name became a pattern")
	}
}

func TestSchemaRequired(t *testing.T) {
	var s struct {
		Required   []string
		Properties struct {
			Command struct{ Items struct{ Required []string } }
			Network struct {
				Required   []string
				Properties struct {
					Proxy struct{ Required []string } `json:"mitm_proxy"`
				}
			}
		}
	}
	if err := json.Unmarshal(Schema(), &s); err != nil {
		t.Fatal(err)
	}
	p := s.Properties
	if !slices.Equal(p.Command.Items.Required, []string{"match"}) || !slices.Equal(p.Network.Properties.Proxy.Required, []string{"socket_path", "domains"}) {
		t.Errorf("the schema does not require what Load does: %+v", p)
	}
	if s.Required != nil || p.Network.Required != nil {
		t.Error("the schema requires what Load does not")
	}
}
