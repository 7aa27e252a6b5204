package main

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	red, plain := palette[1], style{}
	for _, c := range []struct {
		line string
		want []run
	}{
		{"", nil},
		{"plain", []run{{plain, "plain"}}},
		{"\x1b[31mred\x1b[39m rest", []run{{style{colour: red}, "red"}, {plain, " rest"}}},
		{"\x1b[1;91ma\x1b[22mb\x1b[mc", []run{{style{colour: palette[9], bold: true}, "a"}, {style{colour: palette[9]}, "b"}, {plain, "c"}}},
		{"\x1b[2mdim\x1b[0m", []run{{style{dim: true}, "dim"}}},
		{"\x1b[38;5;1ma\x1b[38;5;200mb", []run{{style{colour: red}, "a"}, {style{colour: red}, "b"}}},
		// The numbers of a colour that is not drawn are no parameters of their own.
		{"\x1b[48;5;1ma\x1b[38;2;1;2;31mb\x1b[48;2;1;1;1;31mc", []run{{plain, "a"}, {plain, "b"}, {style{colour: red}, "c"}}},
		{"a\x1b[Kb\x1b[3", []run{{plain, "a"}, {plain, "b"}}},
	} {
		var now style
		if got := split(c.line, &now); !slices.Equal(got, c.want) {
			t.Errorf("split(%q) = %+v, want %+v", c.line, got, c.want)
		}
	}
}

// A style goes on in the next line.
func TestSplitGoesOn(t *testing.T) {
	var now style
	split("a\x1b[1mb", &now)
	if got := split("c", &now); len(got) != 1 || !got[0].bold {
		t.Errorf("the next line is %+v, want it bold", got)
	}
}

func TestEscape(t *testing.T) {
	if got, want := escape("a<b>&\"c\"\x0f\x1b\u0085"), "a&lt;b&gt;&amp;&quot;c&quot;"; got != want {
		t.Errorf("escape = %q, want %q", got, want)
	}
}

func FuzzDraw(f *testing.F) {
	f.Add("\x1b[1;32m~/app\x1b[0m % npm install\n<&>\x1b[")
	f.Add("\x1b[38;5\x0e\n\n\xff")
	f.Fuzz(func(t *testing.T, text string) {
		var out strings.Builder
		if err := draw(strings.NewReader(text), &out, text, 80); err != nil {
			t.Fatal(err)
		}
		decoder := xml.NewDecoder(strings.NewReader(out.String()))
		for {
			if _, err := decoder.Token(); errors.Is(err, io.EOF) {
				return
			} else if err != nil {
				t.Fatalf("%v in %s", err, out.String())
			}
		}
	})
}
