package main

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
	"strings"
)

// figures are one run's, as simulate --json writes them.
type figures struct {
	Policy   string  `json:"policy"`
	Seed     uint64  `json:"seed"`
	SLO      float64 `json:"slo"`
	GPUHours float64 `json:"gpu_hours"`
	Oracle   float64 `json:"oracle_gpu_hours"`
	Wasted   float64 `json:"wasted_gpu_hours"`
	Ops      float64 `json:"scale_operations"`
	TTFT     float64 `json:"p99_ttft_s"`
	ITL      float64 `json:"p99_itl_s"`
	Recovery float64 `json:"recovery_s"`
	Requests float64 `json:"requests"`
	Met      float64 `json:"met"`
	Refused  float64 `json:"refused"`
	Lost     float64 `json:"lost"`

	Unfinished float64 `json:"unfinished"`
	CPU        float64 `json:"cpu_seconds"`
}

// store keeps runs in files, one per cell and policy's name and version, so that
// a change of one policy leaves the others' runs as they are.
type store struct {
	dir      string
	versions versions
	runs     map[string][]figures // by file
}

func newStore(dir string, v versions) *store {
	return &store{dir, v, map[string][]figures{}}
}

// file is where the runs of a policy in a cell are.
func (s *store) file(c cell, policy string) (string, error) {
	name := maker(policy)
	version, err := s.versions.of(name, c.engine, c.load.idle)
	if err != nil {
		return "", err
	}
	args := sha256.Sum256([]byte(strings.Join(c.load.args, " ")))
	return filepath.Join(s.dir, fmt.Sprintf("%s_%s_%s_%s.json", c.name(), name, version, hex.EncodeToString(args[:3]))), nil
}

// of are a policy's runs in a cell, seeds 1 to n, those that exist.
func (s *store) of(c cell, policy string, n int) ([]figures, error) {
	all, err := s.load(c, policy)
	if err != nil {
		return nil, err
	}
	var out []figures
	for seed := range n {
		i := slices.IndexFunc(all, func(f figures) bool { return f.Policy == policy && f.Seed == uint64(seed)+1 })
		if i < 0 {
			break
		}
		out = append(out, all[i])
	}
	return out, nil
}

// load reads the file that holds a policy's runs, once.
func (s *store) load(c cell, policy string) ([]figures, error) {
	file, err := s.file(c, policy)
	if err != nil {
		return nil, err
	}
	if runs, known := s.runs[file]; known {
		return runs, nil
	}
	runs, err := read(file)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	s.runs[file] = runs
	return runs, err
}

// add keeps runs. Each file is replaced as a whole, with what another process
// has put there meanwhile.
func (s *store) add(c cell, runs []figures) error {
	byFile := map[string][]figures{}
	for _, f := range runs {
		file, err := s.file(c, f.Policy)
		if err != nil {
			return err
		}
		byFile[file] = append(byFile[file], f)
	}
	for file, fresh := range byFile {
		old, err := read(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		old = slices.DeleteFunc(old, func(o figures) bool {
			return slices.ContainsFunc(fresh, func(f figures) bool { return f.Policy == o.Policy && f.Seed == o.Seed })
		})
		s.runs[file] = append(old, fresh...)
		if err := write(file, s.runs[file]); err != nil {
			return err
		}
	}
	return nil
}

// read is what write wrote.
func read(file string) ([]figures, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	runs, err := parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; remove it", file, err)
	}
	return runs, nil
}

// parse reads what simulate --json writes.
func parse(b []byte) ([]figures, error) {
	var out struct{ Runs []figures }
	err := json.Unmarshal(b, &out)
	return out.Runs, err
}

func write(file string, runs []figures) error {
	b, err := json.Marshal(map[string]any{"runs": runs})
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".part", b, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".part", file)
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
