// Command picture draws what a terminal shows as SVG: text with the escape sequences
// for colours, as tmux capture-pane -e prints it, from standard input to standard
// output. scripts/picture.sh makes the README's picture with it.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Sizes in units of the picture.
const (
	charWidth  = 8.4
	lineHeight = 19
	margin     = 16
	barHeight  = 34
)

// palette is the sixteen colours of a terminal, in the order of their numbers.
var palette = [16]string{
	"#484f58", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#b1bac4",
	"#6e7681", "#ffa198", "#56d364", "#e3b341", "#79c0ff", "#d2a8ff", "#56d4dd", "#ffffff",
}

// style is how a run of characters looks.
type style struct {
	colour    string // "" for that of the text
	bold, dim bool
}

func main() {
	title := flag.String("title", "", "what stands above the picture")
	columns := flag.Int("columns", 80, "how wide the terminal was")
	flag.Parse()
	if err := draw(os.Stdin, os.Stdout, *title, *columns); err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

func draw(in io.Reader, out io.Writer, title string, columns int) error {
	data, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimRight(string(data), "\n "), "\n")
	width := float64(columns)*charWidth + 2*margin
	height := barHeight + len(lines)*lineHeight + margin
	w := bufio.NewWriter(out)
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %d" width="%.0f" height="%d" font-family="ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14">`+"\n",
		width, height, width, height)
	fmt.Fprintf(w, `<rect width="100%%" height="100%%" rx="8" fill="#0d1117"/>`+"\n")
	for i, colour := range []string{"#ff5f57", "#febc2e", "#28c840"} {
		fmt.Fprintf(w, `<circle cx="%d" cy="17" r="5.5" fill="%s"/>`+"\n", 20+18*i, colour)
	}
	fmt.Fprintf(w, `<text x="50%%" y="21" text-anchor="middle" fill="#8b949e" font-size="12">%s</text>`+"\n", escape(title))
	var now style
	for i, line := range lines {
		var column int
		for _, run := range split(line, &now) {
			// Where a run begins is a number, and not up to how spaces are drawn.
			text := strings.TrimLeft(run.text, " ")
			column += len(run.text) - len(text)
			n := utf8.RuneCountInString(text)
			if strings.TrimSpace(text) != "" {
				fmt.Fprintf(w, `<text x="%.1f" y="%d" textLength="%.1f" xml:space="preserve"%s>%s</text>`+"\n",
					margin+float64(column)*charWidth, barHeight+i*lineHeight+14, float64(n)*charWidth, run.attributes(), escape(text))
			}
			column += n
		}
	}
	fmt.Fprintln(w, "</svg>")
	return w.Flush()
}

// run is characters of one style.
type run struct {
	style
	text string
}

func (r run) attributes() string {
	colour := r.colour
	if colour == "" {
		colour = "#e6edf3"
	}
	text := fmt.Sprintf(` fill="%s"`, colour)
	if r.bold {
		text += ` font-weight="bold"`
	}
	if r.dim {
		text += ` opacity="0.6"`
	}
	return text
}

// split takes a line apart where its style changes. now is the style that it begins
// with, and then the one that it ends with.
func split(line string, now *style) []run {
	var runs []run
	for len(line) > 0 {
		text, rest, found := strings.Cut(line, "\x1b[")
		if text != "" {
			runs = append(runs, run{*now, text})
		}
		if !found {
			break
		}
		end := strings.IndexFunc(rest, func(r rune) bool { return r >= '@' && r <= '~' })
		if end < 0 {
			break
		}
		if rest[end] == 'm' {
			now.change(strings.Split(rest[:end], ";"))
		}
		line = rest[end+1:]
	}
	return runs
}

// change applies the parameters of one sequence (ECMA-48, SGR). Backgrounds and what
// else there is are not drawn.
func (s *style) change(words []string) {
	for i := 0; i < len(words); i++ {
		n, _ := strconv.Atoi(words[i]) // an empty one is 0
		switch {
		case n == 0:
			*s = style{}
		case n == 1:
			s.bold = true
		case n == 2:
			s.dim = true
		case n == 22:
			s.bold, s.dim = false, false
		case n >= 30 && n <= 37:
			s.colour = palette[n-30]
		case n >= 90 && n <= 97:
			s.colour = palette[n-90+8]
		case n == 39:
			s.colour = ""
		case (n == 38 || n == 48) && i+2 < len(words) && words[i+1] == "5":
			if k, err := strconv.Atoi(words[i+2]); err == nil && n == 38 && k >= 0 && k < len(palette) {
				s.colour = palette[k]
			}
			i += 2
		case (n == 38 || n == 48) && i+1 < len(words) && words[i+1] == "2":
			i += 4 // red, green and blue
		}
	}
}

var markup = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

// escape makes text fit for XML, in which control characters and the like may not be at all.
func escape(s string) string {
	return markup.Replace(strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return -1
		}
		return r
	}, s))
}
