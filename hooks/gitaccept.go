package hooks

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/srt-sh/srt/core"
)

// accepted is what a user has let a repository's configuration run. It holds for these
// values in this repository, and for the files that they name as they were.
type accepted struct {
	Repository string   `json:"repository"`
	Settings   []string `json:"settings"`
}

// Unaccepted are the settings of a plan that the user has not let run outside of a
// sandbox.
func (s Seen) Unaccepted(p *GitPlan, home string) ([]core.GitSetting, error) {
	if len(p.Runs) == 0 {
		return nil, nil
	}
	data, err := os.ReadFile(s.acceptFile(p.Repository))
	if errors.Is(err, fs.ErrNotExist) {
		return p.Runs, nil
	}
	var kept accepted
	if err != nil || json.Unmarshal(data, &kept) != nil || kept.Repository != p.Repository.Common {
		return p.Runs, nil //nolint:nilerr // what cannot be read accepts nothing
	}
	var out []core.GitSetting
	for _, r := range p.Runs {
		id, err := settingID(r, p.Repository, home)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(kept.Settings, id) {
			out = append(out, r)
		}
	}
	return out, nil
}

// Accept lets the settings of a plan run outside of a sandbox from now on, as they are.
func (s Seen) Accept(p *GitPlan, home string) error {
	kept := accepted{Repository: p.Repository.Common}
	for _, r := range p.Runs {
		id, err := settingID(r, p.Repository, home)
		if err != nil {
			return err
		}
		kept.Settings = append(kept.Settings, id)
	}
	data, err := json.Marshal(kept)
	if err != nil {
		return fmt.Errorf("remembering what is accepted: %w", err)
	}
	return s.write(s.acceptFile(p.Repository), data)
}

func (s Seen) acceptFile(r *core.GitRepository) string {
	sum := sha256.Sum256([]byte(r.Common))
	return filepath.Join(s.Dir, "accept-"+hex.EncodeToString(sum[:16])+".json")
}

// settingID stands for a setting with its value and the bytes of the files that it names.
func settingID(s core.GitSetting, r *core.GitRepository, home string) (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%q %q %t %q\n", s.Key, s.Value, s.Set, s.File)
	for _, name := range core.GitCommandFiles(s.Value, home, []string{r.Tree, r.Dir, r.Common}) {
		source, _, err := readSource(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%q %s\n", name, source.Sum)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
