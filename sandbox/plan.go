package sandbox

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/srt-sh/srt/sandbox/launch"
	"github.com/srt-sh/srt/sandbox/stage"
)

// Plan is everything that will be done, as data. It can be printed, compared and
// run; making it reads the file system and changes nothing.
type Plan struct {
	Program string // the file that is executed
	Args    []string
	Dir     string
	Env     []string

	// Pins come before the writable mounts where Buried, else after them.
	Pins   []Mount
	Buried bool
	Mounts []Mount
	// BaseWritable leaves everything as writable as it is outside.
	BaseWritable bool

	Listen  []uint16 // see Spec
	Sockets int

	Make  []Make   // placeholders
	Watch []string // protected paths that are compared at the end
	on    rests

	ledger   ledger
	TempSize uint64 // see Spec
	Files    []File // likewise

	StateDir string
	Notes    []string // what the rules ask for and does not apply here, with the reason
	Warnings []string // what is closed although the rules open it
}

// maxMounts bounds a plan: for each mount the kernel looks at all others of the
// same folder. This many take some 0.3 s.
const maxMounts = 4000

// NewPlan resolves the rules of a Spec against the disk. Errors name the rule
// that cannot be enforced.
func NewPlan(spec *Spec) (*Plan, error) {
	if len(spec.Args) == 0 {
		return nil, fmt.Errorf("bug: no command to run")
	}
	if !filepath.IsAbs(spec.Dir) {
		return nil, fmt.Errorf("bug: working folder %q is not absolute", spec.Dir)
	}
	plan := &Plan{
		Program: spec.Program, Args: spec.Args, Dir: spec.Dir, Env: spec.Env,
		Listen: spec.Listen, Sockets: spec.Sockets,
		StateDir: spec.StateDir, TempSize: spec.TempSize, Buried: !spec.NestedUserns, BaseWritable: spec.OpenFiles,
	}
	if !spec.OpenFiles {
		r := resolver{
			spec: spec, places: places{known: map[string]*place{}},
			points: map[string]*point{}, planned: map[string]Placeholder{}, makeable: map[string]error{},
			bare: map[string]bool{}, gits: map[string][]string{},
		}
		if err := r.resolve(); err != nil {
			return nil, err
		}
		if err := r.fill(plan); err != nil {
			return nil, err
		}
	}
	private := spec.TempDir != "" && !spec.OpenFiles && plan.addTemp(spec.TempDir)
	if plan.Files = spec.Files; len(plan.Files) > 0 && !private {
		return nil, fmt.Errorf("%q has to be private, since there is to be something in it that only the command knows; a rule opens it, or the working folder is there", spec.TempDir)
	}
	return plan, nil
}

// fill turns what has been resolved into the steps of the plan.
func (r *resolver) fill(plan *Plan) error {
	points := make([]point, 0, len(r.points))
	base := readOnly
	for _, p := range r.points {
		points = append(points, *p)
		if p.denyWrite || p.protect || p.link {
			plan.Watch = append(plan.Watch, p.path)
		}
		if r.planned[p.path] == NoPlaceholder {
			plan.on.paths = append(plan.on.paths, p.path)
		}
		if p.path == "/" && p.allowWrite && !p.denyWrite {
			base = writable
		}
	}
	plan.BaseWritable = base == writable
	// Pins cannot be buried under a mount that is not made.
	plan.Buried = plan.Buried && !plan.BaseWritable
	plan.Mounts, plan.Pins = planMounts(points, base)
	if n := len(plan.Mounts) + len(plan.Pins); n > maxMounts {
		return fmt.Errorf("the rules need %d mounts, which is more than %d; name folders instead of what is in them", n, maxMounts)
	}
	plan.ledger = r.ledger
	plan.Make, plan.on.caches = r.placeholders, r.caches
	plan.Notes, plan.Warnings = r.notes, r.warnings
	slices.Sort(plan.Watch)
	plan.ledger.denied = plan.Watch
	return nil
}

// addTemp mounts the private folder, unless the rules give that place, or one
// beneath it, to the command already or it works there. It reports whether it is.
func (p *Plan) addTemp(dir string) bool {
	if beneath(p.Dir, dir) {
		return false
	}
	at := len(p.Mounts)
	for i, m := range p.Mounts {
		if beneath(m.Path, dir) && m.Kind == stage.Writable {
			return false
		}
		if comparePaths(m.Path, dir) > 0 {
			at = min(at, i)
		}
	}
	p.Mounts = slices.Insert(p.Mounts, at, Mount{Kind: stage.Private, Path: dir, Dir: true, Reason: "private TMPDIR"})
	p.Mounts = slices.DeleteFunc(p.Mounts, func(m Mount) bool {
		return m.Path != dir && beneath(m.Path, dir)
	})
	return true
}

// String prints the plan for people, one step a line.
func (p *Plan) String() string {
	var b strings.Builder
	if p.BaseWritable {
		b.WriteString("writable      /\n")
	} else {
		b.WriteString("read-only     /\n")
	}
	if p.Buried {
		printMounts(&b, p.Pins)
	}
	printMounts(&b, p.Mounts)
	if !p.Buried {
		printMounts(&b, p.Pins)
	}
	for _, port := range p.Listen {
		fmt.Fprintf(&b, "listen        127.0.0.1:%d, [::1]:%d\n", port, port)
	}
	if p.Sockets > 0 {
		fmt.Fprintf(&b, "sockets       %d, to connect to what listens inside\n", p.Sockets)
	}
	for _, f := range p.Files {
		fmt.Fprintf(&b, "file          %q\n", f.Path)
	}
	for _, e := range p.Make {
		fmt.Fprintf(&b, "placeholder   %q, %s\n", e.Path, e.Form)
	}
	fmt.Fprintf(&b, "namespaces    bwrap %s\n", strings.Join(launch.Args, " "))
	return b.String()
}

func printMounts(b *strings.Builder, mounts []Mount) {
	for _, m := range mounts {
		fmt.Fprintf(b, "%-13s %q", m.Kind, m.Path)
		if m.Reason != "" {
			fmt.Fprintf(b, "  # %s", m.Reason)
		}
		b.WriteByte('\n')
	}
}
